"""The seed article's claims: its networks, small trainings, and the answers that measurements give."""

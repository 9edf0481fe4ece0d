"""From arguments to a list of jobs, and one process for each."""

"""What an artifact passes before it gets a manifest."""

"""What a run may call."""

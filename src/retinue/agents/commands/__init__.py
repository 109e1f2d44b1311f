"""What agents can do: one file for each kind of command."""

"""Projects and threads as JSON lines: out of one server, into another."""

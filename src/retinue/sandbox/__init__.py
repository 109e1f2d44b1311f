"""Isolated Python sessions for the code interpreter; `manager.Sandboxes` hands them out."""

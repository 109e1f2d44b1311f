"""Connections: how they are made, and what requests to them authenticate with."""

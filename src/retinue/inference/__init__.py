"""Talking to models: which backend serves a name, the client of model servers, the local model, tool-call repair."""

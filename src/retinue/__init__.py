"""Retinue: the OpenAI Assistants platform on your own machines, with any model."""

__version__ = "0.1.0"

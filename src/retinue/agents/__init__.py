"""Agents: the AutoGPT loop, durable and bounded."""

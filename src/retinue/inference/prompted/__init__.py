"""Tool calls for models that can only write text."""

from .backend import PromptedTools

__all__ = ["PromptedTools"]

"""Tool calls for models that can only write text."""

from .backend import PromptedTools, first_pass

__all__ = ["PromptedTools", "first_pass"]

"""Judgements of content: by a moderation model's server, or by a chat model that is asked."""

from .moderations import Moderations

__all__ = ["Moderations"]

"""The pages, one module or folder each."""

from __future__ import annotations

from collections.abc import Sequence

from ..frame import Page
from . import chat, completions, files, logs, manage, playground, runs, start, stores, tokenizer, usage

#: All pages, in the order of the navigation.
PAGES: Sequence[Page] = (
    *chat.PAGES,
    *start.PAGES,
    *playground.PAGES,
    *completions.PAGES,
    *tokenizer.PAGES,
    *files.PAGES,
    *stores.PAGES,
    *runs.PAGES,
    *logs.PAGES,
    *usage.PAGES,
    *manage.PAGES,
)

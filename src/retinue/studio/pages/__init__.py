"""The pages, one module or folder each."""

from __future__ import annotations

from collections.abc import Sequence

from ..frame import Page
from . import (
    agents,
    chat,
    completions,
    files,
    gpt_analytics,
    gpt_form,
    gpt_store,
    logs,
    manage,
    playground,
    runs,
    start,
    stores,
    tokenizer,
    usage,
)
from .gpts import create as gpt_create
from .gpts import links as gpt_links

#: All pages, in the order of the navigation. Literal paths come before those with parts in braces.
PAGES: Sequence[Page] = (
    *chat.PAGES,
    *start.PAGES,
    *gpt_create.PAGES,
    *gpt_form.PAGES,
    *gpt_links.PAGES,
    *gpt_analytics.PAGES,
    *gpt_store.PAGES,
    *agents.PAGES,
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

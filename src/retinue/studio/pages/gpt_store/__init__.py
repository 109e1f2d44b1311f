"""The store of GPTs: finding and reading about them, templates, and what administrators decide."""

from __future__ import annotations

from collections.abc import Sequence

from ...frame import Page
from . import mine, one, reports, store, templates
from .common import administers

#: The pages.
PAGES: Sequence[Page] = (
    Page("/gpts", "gpt_store.title", store.build, icon="storefront", group="use"),
    Page("/gpts/mine", "gpt_store.mine", mine.build),
    Page("/gpts/templates", "gpt_store.templates", templates.build),
    Page("/gpts/reports", "gpt_store.reports", reports.build, icon="flag", group="manage", shown=administers),
    Page("/gpts/{name}", "gpt_store.title", one.build),
)

"""The pages of vector stores: all of them, and one with its files and a search to try."""

from __future__ import annotations

from ...frame import Page
from . import one, overview

PAGES = (
    Page("/vector-stores", "stores.title", overview.build, icon="manage_search", group="build"),
    Page("/vector-stores/{store}", "stores.one", one.build, group="build"),
)

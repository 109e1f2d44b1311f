"""Pages for those who administer the organization."""

from __future__ import annotations

from collections.abc import Sequence

from ...frame import Page
from . import audit, keys, limits, models, people, settings

PAGES: Sequence[Page] = (
    *keys.PAGES,
    *people.PAGES,
    *limits.PAGES,
    *models.PAGES,
    *settings.PAGES,
    *audit.PAGES,
)

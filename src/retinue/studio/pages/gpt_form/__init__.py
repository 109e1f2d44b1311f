"""Making a GPT by form: its settings, its versions, and publishing it."""

from __future__ import annotations

from ...frame import Page
from . import new, page

PAGES = (
    Page("/gpts/new", "gpt_form.new", new.build, group="build"),
    Page("/gpts/edit/{gpt}", "gpt_form.title", page.build, group="build", fills=True),
)

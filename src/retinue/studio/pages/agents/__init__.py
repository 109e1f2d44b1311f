"""Agents: all of them, a new one, and one at work."""

from ...frame import Page
from . import new, one, overview

PAGES = (
    Page("/agents", "agents.title", overview.build, icon="smart_toy", group="use"),
    Page("/agents/new", "agents.new", new.build),
    Page("/agents/{agent}", "agents.one", one.build),
)

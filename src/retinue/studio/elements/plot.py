"""A plot that the browser draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

#: Whoever names it makes ECharts known to the pages.
_ECHARTS = ui.echart


class Plot(ui.element, component="plot.js"):
    """A plot, in SVG so that its texts have the colours of the style sheet."""

    def __init__(self, options: Mapping[str, Any], *, label: str) -> None:
        """A plot.

        Args:
            options: as ECharts describes it, without functions.
            label: what it is, for those who do not see it.
        """
        super().__init__()
        self._props.update({"options": dict(options), "role": "img", "aria-label": label})

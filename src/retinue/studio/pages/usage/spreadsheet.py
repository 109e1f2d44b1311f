"""Tables as CSV that spreadsheets open."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

#: A text that begins so would be taken for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
#: What tells spreadsheets that it is UTF-8.
_MARK = "\ufeff"


def as_csv(rows: Iterable[Sequence[str | int | float]]) -> bytes:
    """Rows as CSV (RFC 4180). Texts that a spreadsheet would compute get an apostrophe before them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([_cell(one) for one in row] for row in rows)
    return (_MARK + text.getvalue()).encode()


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    # Not 1e-07.
    return f"{value:.9f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)

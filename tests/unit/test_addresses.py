"""Answers that rest on pages of the web carry their addresses."""

from __future__ import annotations

import pytest

from retinue.runs.citations import sources_line

A, B, C, D = (f"https://example.org/{name}" for name in "abcd")


@pytest.mark.parametrize(
    ("text", "addresses", "expected"),
    [
        ("On 17 May.", [A], f"\n\nSource: {A}"),
        ("On 17 May.", [A, B, A], f"\n\nSources: {B}, {A}"),
        ("五月十七日。", [A, B], f"\n\n来源：{A}、{B}"),
        ("On 17 May.", [A, B, C, D], f"\n\nSources: {B}, {C}, {D}"),
        (f"On 17 May, see {B}.", [A, B], ""),
        ("See https://example.org/ for it.", ["https://example.org/"], ""),
        ("On 17 May.", [], ""),
        ("  ", [A], ""),
    ],
)
def test_the_line(text: str, addresses: list[str], expected: str) -> None:
    assert sources_line(text, addresses) == expected

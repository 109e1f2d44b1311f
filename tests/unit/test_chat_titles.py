"""What a model says as the name of a chat."""

from __future__ import annotations

import pytest

from retinue.studio.pages.chat.titles import cleaned


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Tides in Bergen", "Tides in Bergen"),
        ('"Tides in Bergen."\n', "Tides in Bergen"),
        ("**Tides  in Bergen**\n\nI hope this helps!", "Tides in Bergen"),
        ("<think>A name, then.\nTides?</think>\n\nTides in Bergen", "Tides in Bergen"),
        ("《卑尔根的潮汐》", "卑尔根的潮汐"),
        ("用 Python 求解方程。", "用 Python 求解方程"),
        # Nothing that could be shown as a name.
        ("", ""),
        ("<think>I go on thinking until", ""),
        ("This conversation is about the tides of Bergen and Oslo", ""),
        ("这个对话讨论了卑尔根和奥斯陆的潮汐以及渡轮的时刻表还有其他许多事情", ""),
        ("x" * 100, ""),
    ],
)
def test_only_short_names_are_taken(said: str, name: str) -> None:
    assert cleaned(said) == name

"""The part of a long result that is recalled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from retinue.agents.memory import earlier, excerpt
from retinue.inference.tokens import estimate_tokens

LONG = "Nothing of note is here. " * 100


def test_an_excerpt_is_where_the_topic_is() -> None:
    text = f"{LONG}The tide of Saint-Malo is 13.5 metres. {LONG}"
    found = excerpt(text, "What is the tide of Saint-Malo?", 60)
    assert found.startswith("… Nothing of note is here. The tide of Saint-Malo is 13.5 metres. Nothing")
    chinese = "这里没有什么。" * 100 + "圣马洛的潮差是十三米。" + "这里没有什么。" * 100
    assert "十三米" in excerpt(chinese, "圣马洛的潮差是多少？", 60)


def test_without_a_topic_it_is_the_beginning() -> None:
    assert excerpt(LONG, "", 20) == LONG[: len(excerpt(LONG, "", 20))]
    assert excerpt("short", "", 20) == "short"


@given(st.text(max_size=3000), st.text(max_size=50), st.integers(0, 300))
def test_excerpts_keep_to_their_budget(text: str, topic: str, tokens: int) -> None:
    found = excerpt(text, topic, tokens)
    assert not found or estimate_tokens(found) <= tokens
    assert found.removeprefix("… ").strip() in text


def test_a_summary_names_the_commands_that_were_used_most() -> None:
    assert earlier([], {}, "en") == ""
    assert (
        earlier([], {"read_file": 1, "google": 3}, "zh") == "以前所做的事（摘要）：\n第 1 至 4 步：google ×3, read_file"
    )
    many = earlier(["99. x"], {f"command_{one}": one + 1 for one in range(40)}, "en")
    assert many.endswith(", …\n99. x") or estimate_tokens(many) < 110

"""GPTs made by talking, with the default model: what the page does, without the page.

Ten first sentences, five of each language, are tried, and a table printed, by

    BUILDER_TEST=1 pytest -n0 -s tests/models/test_gpt_builder.py

That takes about six minutes on two free cores.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from retinue.studio.texts import Language

from ..building import begun, turn

# A few answers of some hundred tokens each, on two cores that may be busy.
pytestmark = [pytest.mark.model, pytest.mark.timeout(3600), pytest.mark.filterwarnings("ignore::DeprecationWarning")]


async def test_one_sentence_makes_a_draft_and_the_next_one_changes_it(client: openai.AsyncOpenAI) -> None:
    builder = await begun(client, "en")
    await turn(client, builder, "I want a GPT that explains the rules of card games")
    assert builder.gpt
    draft = builder.gpt["draft"]
    assert all(draft[field].strip() for field in ("name", "description", "instructions"))
    assert len(draft["conversation_starters"]) >= 1
    assert "card" in f"{draft['name']} {draft['description']} {draft['instructions']}".lower()
    await turn(client, builder, "Please call it Trick Master.")
    assert builder.gpt["draft"]["name"] == "Trick Master"
    assert builder.gpt["draft"]["instructions"].strip()


@dataclass(frozen=True, slots=True)
class Wish:
    """A first sentence, and what a fitting draft has."""

    language: Language
    text: str
    #: One of them is in what says what it is about.
    words: str
    categories: tuple[str, ...]
    capabilities: tuple[str, ...] = ()

    def judge(self, draft: dict[str, Any]) -> dict[str, bool]:
        """Which parts of a draft fit, as far as that can be counted."""
        writing = r"[\u4e00-\u9fff]" if self.language == "zh" else r"[A-Za-z]"
        least = 60 if self.language == "zh" else 150
        starters: list[str] = draft["conversation_starters"]

        def about(text: str) -> bool:
            return bool(re.search(self.words, text, re.IGNORECASE) and re.search(writing, text))

        # What asks the person, or asks them for something, is said by the GPT, not to it.
        asks = r"\b(do|would|are|can) you (want|like|need|have|interested)|\b(your|provide)\b|您|请(提供|输入|告诉)"
        return {
            "name": about(draft["name"]),
            "description": about(draft["description"]),
            "category": draft["category"] in self.categories,
            "instructions": about(draft["instructions"])
            and bool(re.match("You are|[你您]是", draft["instructions"]))
            and len(draft["instructions"]) >= least,
            "starters": len(starters) >= 3 and not any(re.search(asks, one, re.IGNORECASE) for one in starters),
            "capabilities": tuple(draft["capabilities"]) == self.capabilities,
        }


WISHES = (
    Wish(
        "en",
        "I want a data analyst that takes a CSV file and runs code to answer questions about it.",
        "data|csv|table",
        ("data",),
        ("code_interpreter",),
    ),
    Wish("en", "I want a GPT that explains the rules of card games.", "card|game", ("games",)),
    Wish("en", "Make a tutor that helps children of ten with fractions.", "fraction|math", ("education",)),
    Wish("en", "Something that plans cheap vegetarian dinners for a family.", "dinner|meal|veg", ("lifestyle",)),
    Wish(
        "en",
        "A GPT that searches the web for news about electric cars and sums it up.",
        "electric|car|ev|news",
        ("research", "other"),
        ("web_browsing",),
    ),
    Wish(
        "zh",
        "做一个数据分析师，能读取我上传的 CSV 表格，并运行代码计算。",
        "数据|表格|csv",
        ("data",),
        ("code_interpreter",),
    ),
    Wish("zh", "我想要一个讲解桌游规则的 GPT。", "桌游|游戏|规则", ("games",)),
    Wish("zh", "做一个帮初中生练习英语口语的老师。", "英语|口语", ("education",)),
    Wish(
        "zh",
        "帮我做一个能上网查资料、写行业简报的助手。",
        "简报|行业|资料",
        ("research", "writing", "productivity"),
        ("web_browsing",),
    ),
    Wish("zh", "我需要一个给新员工讲解公司请假制度的助手。", "请假|员工|假", ("productivity", "education", "other")),
)


@pytest.mark.skipif(not os.environ.get("BUILDER_TEST"), reason="takes six minutes: BUILDER_TEST=1")
async def test_ten_first_sentences(client: openai.AsyncOpenAI) -> None:
    found: list[dict[str, bool]] = []
    for wish in WISHES:
        builder = await begun(client, wish.language)
        said = await turn(client, builder, wish.text)
        assert builder.gpt, wish.text
        draft = builder.gpt["draft"]
        fits = wish.judge(draft) | {"question": "?" in said or "？" in said}
        shown = {key: draft[key] for key in fits if key in draft} | {"starters": draft["conversation_starters"]}
        print(f"\n{wish.text}\n{json.dumps(shown, ensure_ascii=False)}\n{said}", flush=True)
        print("does not fit:", ", ".join(key for key, fit in fits.items() if not fit) or "nothing", flush=True)
        found.append(fits)
    print("\n|", " | ".join(found[0]), "|")
    print("|", " | ".join(f"{sum(one[key] for one in found)}" for key in found[0]), "|")
    # The rest is the model's affair.
    assert all(fits["description"] for fits in found)

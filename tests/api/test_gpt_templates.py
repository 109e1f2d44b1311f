"""Templates: every one is whole in both languages, and becomes a GPT that runs."""

from __future__ import annotations

import re

import pytest

from retinue.accounts.keys import Caller, Keys
from retinue.errors import InvalidRequest
from retinue.gpts.templates import LANGUAGES, Language, templates
from retinue.wire.gpts import GptCreate

from ..harness import Api, Server
from ..scripted import Reply, ScriptedUpstream
from .extensions import get, post


def test_there_are_enough_and_the_same_in_both_languages() -> None:
    english, chinese = (templates(language) for language in LANGUAGES)
    assert len(english) >= 10
    assert list(english) == list(chinese)
    for name, one in english.items():
        other = chinese[name]
        assert (one.gpt.category, one.gpt.capabilities) == (other.gpt.category, other.gpt.capabilities)
        assert len(one.gpt.conversation_starters) == len(other.gpt.conversation_starters) == 4
        assert list(one.knowledge) == list(other.knowledge)
    assert len({one.gpt.name for one in (*english.values(), *chinese.values())}) == 2 * len(english)


@pytest.mark.parametrize("language", LANGUAGES)
def test_they_are_written_in_their_language(language: Language) -> None:
    for one in templates(language).values():
        gpt = one.gpt
        assert len(gpt.instructions) > (300 if language == "zh" else 700), one.id
        assert gpt.description.strip(), one.id
        assert gpt.tags, one.id
        for text in (
            gpt.name,
            gpt.description,
            *gpt.conversation_starters[:1],
            gpt.instructions,
            *one.knowledge.values(),
        ):
            chinese = len(re.findall("[\u4e00-\u9fff]", text))
            if language == "zh":
                assert chinese, (one.id, text)
            elif one.id != "translator":
                assert not chinese, (one.id, text)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_one_can_be_installed(api: Api, language: Language) -> None:
    listed = (await get(api, f"/gpts/templates?language={language}"))["data"]
    assert [one["id"] for one in listed] == list(templates(language))
    for one in listed:
        gpt = await post(api, f"/gpts/templates/{one['id']}/install", {"language": language})
        draft = gpt["draft"]
        assert (gpt["name"], gpt["version"], gpt["visibility"]) == (one["name"], None, "private")
        for field in ("description", "instructions", "conversation_starters", "category", "tags", "capabilities"):
            assert draft[field] == one[field], (one["id"], field)
        assert draft["language"] == language
        assert [(await api.get(f"/files/{file}"))["filename"] for file in draft["knowledge"]] == one["knowledge"]
    mine = await get(api, "/gpts?scope=mine&limit=100")
    assert len(mine["data"]) == len(listed)


async def test_what_was_installed_runs_with_its_knowledge(api: Api, upstream: ScriptedUpstream) -> None:
    gpt = await post(api, "/gpts/templates/game-time/install", {"language": "zh"})
    assert gpt["slug"] == "桌游时间"
    (vector_store,) = (await api.get(f"/assistants/{gpt['draft']['assistant_id']}"))["tool_resources"]["file_search"][
        "vector_store_ids"
    ]
    assert len((await api.get(f"/vector_stores/{vector_store}/files"))["data"]) == 1
    upstream.script(Reply(text="每人 13 张。"))
    run = await api.post("/threads/runs", {"assistant_id": gpt["draft"]["assistant_id"]})
    await api.until(run, "completed")
    assert "规则书" in upstream.requests[-1]["messages"][0]["content"]
    # Again is another one.
    again = await post(api, "/gpts/templates/game-time/install", {"language": "zh"})
    assert again["slug"].startswith("桌游时间-")


async def test_what_cannot_be_installed_leaves_nothing(api: Api, server: Server, keys: Keys) -> None:
    await api.refused("POST", "/gpts/templates/no-such/install", {}, status=404)
    await api.refused("POST", "/gpts/templates/game-time/install", {"language": "fr"})
    await api.refused("GET", "/gpts/templates?language=fr")
    reader = api.with_key((await keys.create("Reader", scopes=("read",)))[0])
    assert (await get(reader, "/gpts/templates"))["data"]
    await reader.refused("POST", "/gpts/templates/game-time/install", {}, status=403)
    assert (await api.get("/files"))["data"] == []
    assert (await get(api, "/gpts?scope=mine"))["data"] == []


async def test_what_went_wrong_is_told_though_the_knowledge_is_gone(
    api: Api, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def create(caller: Caller, body: GptCreate) -> None:
        for file in body.knowledge:
            await api.delete(f"/files/{file}")
        raise InvalidRequest("There is no room.")

    monkeypatch.setattr(server.app.state.gpts, "create", create)
    error = await api.refused("POST", "/gpts/templates/game-time/install", {"language": "en"})
    assert error["message"] == "There is no room."


@pytest.fixture
def keys(server: Server) -> Keys:
    return server.app.state.keys

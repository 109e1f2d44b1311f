"""What pages ask the API for: at once, in order, and not what was chosen before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import openai
import pytest
from nicegui import Client, ui
from openai.types.beta import Assistant

from retinue.studio.asking import each
from retinue.studio.elements.conversation import ask_older
from retinue.studio.elements.turn import names_of
from retinue.studio.pages.agents.asked import Asked
from retinue.studio.pages.chat import choices as choosing
from retinue.studio.pages.chat.choices import Choices
from retinue.studio.pages.chat.side import Side
from retinue.studio.pages.chat.threads import Threads
from retinue.studio.pages.completions import kept
from retinue.studio.pages.logs.lists import Completions, Runs
from retinue.studio.pages.manage.limits import _Limits  # pyright: ignore[reportPrivateUsage]
from retinue.studio.pages.manage.model_form import _Form  # pyright: ignore[reportPrivateUsage]
from retinue.studio.visitor import Visitor


def visitor(get: Any, **more: Any) -> Visitor:
    """One who is told by `get` what the API answers."""

    class Told(SimpleNamespace):
        language = "en"
        text = staticmethod(lambda key, **_: key)  # pyright: ignore

        async def get(self, path: str, **query: Any) -> Any:
            return await get(path, **query)

        def own(self, name: str) -> str:
            return f"{name}:ada"

    return cast(Visitor, Told(**more))


def refusal(kind: type[openai.APIStatusError], status: int) -> openai.APIStatusError:
    response = httpx2.Response(status, request=httpx2.Request("GET", "http://api"))
    return kind("no", response=response, body=None)


async def test_some_are_asked_for_at_once_and_told_in_order() -> None:
    running = most = 0
    full = asyncio.Event()

    async def ask(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 8:
            full.set()
        await full.wait()
        running -= 1
        return -number

    assert await each(ask, range(20)) == [-number for number in range(20)]
    assert most == 8


async def test_names_of_files_that_cannot_be_had_are_left_out() -> None:
    class Files:
        async def retrieve(self, file: str) -> Any:
            if file == "gone":
                raise refusal(openai.NotFoundError, 404)
            return type("File", (), {"filename": f"{file}.txt"})

    client = type("Client", (), {"files": Files()})
    who: Any = type("Visitor", (), {"client": client})
    assert await names_of(who, {"a", "gone", "known"}, {"known": "k.txt", "other": "o.txt"}) == {
        "a": "a.txt",
        "known": "k.txt",
        "other": "o.txt",
    }


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (refusal(openai.NotFoundError, 404), False),
        (refusal(openai.PermissionDeniedError, 403), False),
        (refusal(openai.InternalServerError, 503), True),
        (refusal(openai.AuthenticationError, 401), True),
    ],
)
async def test_a_gpt_that_cannot_be_asked_for_is_not_taken_for_one_that_is_gone(error: Exception, raised: bool) -> None:
    async def get(path: str, **_: Any) -> Any:
        raise error

    choices = Choices(visitor(get))
    if raised:
        with pytest.raises(type(error)):
            await choices.learn(["asst_gpt_1"])
    else:
        await choices.learn(["asst_gpt_1"])
        assert choices.of("asst_gpt_1") == ""


async def test_an_assistant_that_is_not_among_the_newest_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "_MOST", 1)
    known = {
        id: Assistant.model_construct(id=id, name=id, model="m", tools=[], metadata={}) for id in ("asst_1", "asst_2")
    }

    async def get(path: str, **_: Any) -> Any:
        return {"data": []}

    async def listed(**_: Any) -> Any:
        for one in known.values():
            yield one

    async def retrieve(id: str) -> Any:
        if id in known:
            return known[id]
        raise refusal(openai.NotFoundError, 404)

    assistants = SimpleNamespace(list=listed, retrieve=retrieve)
    choices = Choices(visitor(get, client=SimpleNamespace(beta=SimpleNamespace(assistants=assistants))))
    await choices.load()
    assert choices.of("asst_2") == ""
    assert await choices.default("assistant:asst_2") == "assistant:asst_2"
    await choices.learn(["asst_2", "asst_3"])
    assert (choices.of("asst_2"), choices.of("asst_3")) == ("assistant:asst_2", "")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser is told to run."""
    codes: list[str] = []
    monkeypatch.setattr(kept.ui, "run_javascript", codes.append)
    return codes


async def nothing(path: str, **_: Any) -> Any:
    raise AssertionError(path)


def test_files_that_are_too_long_are_not_written_down_to_see_that(
    ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dumps: Callable[..., str] = json.dumps
    lengths: list[int] = []

    def spy(value: Any) -> str:
        lengths.append(len(text := dumps(value)))
        return text

    monkeypatch.setattr(kept.json, "dumps", spy)
    files = [{"name": "long.png", "kind": "image/png", "data": "x" * 3_000_000}]
    state: dict[str, Any] = {"messages": [{"role": "user", "content": "Look", "files": files}], "answers": []}
    kept.remember(visitor(nothing), state)
    assert max(lengths) < 1000
    (code,) = ran
    assert "Look" in code
    assert "long.png" not in code
    assert "retinue.completions:ada" in code


async def test_a_list_shows_what_was_chosen_last() -> None:
    asked: list[asyncio.Future[Any]] = []
    both = asyncio.Event()

    async def get(path: str, **_: Any) -> Any:
        asked.append(asyncio.get_running_loop().create_future())
        if len(asked) == 3:
            both.set()
        if len(asked) > 1:
            return await asked[-1]
        return {"data": [], "first_id": None, "last_id": None, "has_more": False}

    def page(model: str) -> Any:
        run = {"id": model, "created": 1, "model": model, "choices": []}
        return {"data": [run], "first_id": model, "last_id": model, "has_more": False}

    listed = _List(visitor(get))
    with Client(ui.page("/asked")):
        await listed.build()
        older, newer = (asyncio.create_task(listed.choose()) for _ in range(2))
        await both.wait()
        asked[2].set_result(page("new"))
        await newer
        asked[1].set_result(page("old"))
        await older
    assert [row["model"] for row in listed.rows] == ["new"]


async def test_limits_of_another_project_come_too_late() -> None:
    held, waits = asyncio.Event(), asyncio.Event()
    asked: list[str] = []

    async def get(path: str, **query: Any) -> Any:
        of = query.get("project_ids[]") or path.split("/")[3]
        asked.append(of)
        if of == "slow":
            waits.set()
            await held.wait()
        rate = {"each_key": {}, "each_user": {}, "id": of, "model": of}
        return {"data": [rate, rate] if "rate_limits" in path else [], "has_more": False}

    async def no_limit(project: str) -> Any:
        raise refusal(openai.NotFoundError, 404)

    projects = SimpleNamespace(spend_limit=SimpleNamespace(retrieve=no_limit))
    client = SimpleNamespace(admin=SimpleNamespace(organization=SimpleNamespace(projects=projects)))
    with Client(ui.page("/limits")) as page:
        shown = _Chosen(visitor(get, client=client, project="slow"), {"slow": "Slow", "fast": "Fast"})
        late = asyncio.create_task(shown.show())
        await waits.wait()
        await shown.choose("fast")
        before = dict(page.elements)
        held.set()
        await late
    assert asked.count("fast") == 3
    assert page.elements == before


@pytest.mark.parametrize(
    ("now", "chosen", "sent"),
    [
        ("/srv/own.gguf", None, None),
        ("/srv/own.gguf", "qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-0.5b-instruct"),
        ("qwen2.5-coder-0.5b-instruct", None, None),
        (None, None, None),
    ],
)
def test_a_model_keeps_its_weights_unless_others_are_chosen(
    now: str | None, chosen: str | None, sent: str | None
) -> None:
    model = {"id": "own", "backend": "local", "weights": now}
    with Client(ui.page("/models")):
        form = _Fields(visitor(nothing), model, {})
        field = form.weights["local"]
        assert field.value == (now or "own")
        field.value = chosen or field.value
        body = form.body()
    assert body is not None
    assert body.get("weights") == sent


async def test_older_ones_can_be_asked_for_again_where_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def older() -> None:
        raise refusal(openai.InternalServerError, 500)

    with Client(ui.page("/chat")):
        element = ui.element()
    told: list[str] = []
    monkeypatch.setattr(element, "run_method", told.append)
    with pytest.raises(openai.InternalServerError):
        await ask_older(element, older)
    assert told == ["askedInVain"]
    await ask_older(element, lambda: None)
    assert told == ["askedInVain"]


async def test_a_search_for_chats_shows_what_was_typed_last() -> None:
    asked: dict[str, asyncio.Future[Any]] = {}
    both = asyncio.Event()

    async def get(path: str, **query: Any) -> Any:
        asked[query["query"]] = asyncio.get_running_loop().create_future()
        if len(asked) == 2:
            both.set()
        return await asked[query["query"]]

    def page(title: str) -> Any:
        thread = {"id": title, "created_at": 1, "metadata": {"title": title}}
        return {"data": [thread], "last_id": title, "has_more": False}

    me = {"user": {"id": "ada"}}
    ada = visitor(get, me=me)
    side = _Chats(ada, Threads(ada), cast(Any, None))
    older, newer = (asyncio.create_task(side.load(words)) for words in ("old", "new"))
    await both.wait()
    asked["new"].set_result(page("new"))
    await newer
    asked["old"].set_result(page("old"))
    await older
    assert side.ids == ["new"]


async def test_a_tab_that_was_left_shows_its_list_nowhere() -> None:
    asked, held = asyncio.Event(), asyncio.Event()

    async def get(path: str, **_: Any) -> Any:
        asked.set()
        await held.wait()
        return {"data": [], "first_id": None, "last_id": None, "has_more": False}

    async def show(place: ui.element) -> None:
        with place:
            await Runs(visitor(get)).build()

    with Client(ui.page("/logs")) as page:
        place = ui.element()
        late = asyncio.create_task(show(place))
        await asked.wait()
        place.delete()
        before = dict(page.elements)
        held.set()
        await late
    assert page.elements == before


def test_the_card_of_an_agent_whose_limit_is_reached_knows_its_limits() -> None:
    none = {"cycles": None, "seconds": None, "tokens": None, "cost": None}
    agent: dict[str, Any] = {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_cycles"},
        "cycles": 3,
        "required_action": None,
        "last_error": None,
        "result": None,
    }
    with Client(ui.page("/agents/one")) as page:
        asked = Asked(visitor(nothing, may_write=True), cast(Any, None), cast(Any, None))
        values: list[Any] = []
        for most in (1, 3):
            asked.show({**agent, "limits": {**none, "cycles": most}})
            values += [one.value for one in page.elements.values() if isinstance(one, ui.number)]
    assert values == [2, 6]


class _Chats(Side):
    """What the list has can be seen."""

    @property
    def ids(self) -> list[str]:
        return [one["id"] for one in self._found]


class _Chosen(_Limits):
    """A project can be chosen."""

    choose = _Limits._choose  # pyright: ignore[reportPrivateUsage]


class _Fields(_Form):
    """Weights can be chosen."""

    @property
    def weights(self) -> dict[str, ui.select]:
        return self._weights


class _List(Completions):
    """What the table shows can be seen."""

    choose = Completions._show  # pyright: ignore[reportPrivateUsage]

    @property
    def rows(self) -> list[Any]:
        return self._table.props["initial"]

"""What a run's model was sent: kept as how it was made, and made once more by the same code for who asks.

A request is too large to be kept with every call of a model. Of each a few numbers and a digest are kept with the run,
in a commit that is made anyway, and the definitions of Retinue's own functions, which may be others later. The digest
tells whether what is made later is what was sent.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from pydantic_core import to_json

from ..errors import InvalidRequest, Unavailable
from ..inference.chat import ChatRequest, Json
from ..inference.native import chat_body
from ..inference.prompted import first_pass
from ..store.objects import PageQuery
from ..store.store import Store
from ..tools import functions
from ..tools.tool import Offered
from ..wire.common import ObjectList
from ..wire.runs import Asked, Run, RunPrompt
from ..wire.steps import RunStep
from . import context

#: Requests of a run that are kept: the last ones.
MOST = 100
#: Characters of a picture's data that are shown.
_SHOWN_OF_PICTURE = 64
#: Requests that are told at once: each may be as long as a model's context.
_MOST_AT_ONCE = 20


class Prompts:
    """Keeps how the requests of one run are made. Nothing waits for the database but the definitions of functions."""

    def __init__(self, store: Store, project: str, run: Run) -> None:
        self._store, self._project, self._run = store, project, run
        self._asked = list(run.asked)
        self._kept = {one.offered for one in run.asked}
        self._offered = ""
        self._new = False

    async def keep(self, offered: Offered) -> None:
        """Keep the definitions of the functions that Retinue runs itself, where there are some."""
        if not offered:
            return
        told = to_json([function.told for function in offered.values()])
        self._offered = _digest(told)
        if self._offered not in self._kept:
            try:
                await self._store.runs.keep_functions(self._project, self._run.id, self._offered, told.decode())
            except Unavailable:
                # The run is worth more than what can be told of it.
                self._offered = "lost"

    def note(self, prompt: context.Prompt, request: ChatRequest, steps: int, *, closing: bool, prompted: bool) -> None:
        """Remember a request that is about to be sent.

        Args:
            prompt: how it was built.
            request: the request.
            steps: how many steps the run has made.
            closing: whether no more tools can be called.
            prompted: whether the functions are told in words.
        """
        asked = Asked(
            number=self._asked[-1].number + 1 if self._asked else 0,
            at=int(time.time()),
            steps=steps,
            budget=prompt.budget,
            count=len(prompt.messages),
            newest=prompt.messages[-1].id if prompt.messages else "",
            closing=closing,
            choice=request.tool_choice,
            most=request.max_tokens,
            offered=self._offered,
            prompted=prompted,
            digest=_digest(to_json(_light(chat_body(request)))),
        )
        self._asked = [*self._asked, asked][-MOST:]
        self._new = True

    def news(self) -> dict[str, Any]:
        """The fields of the run that the next commit must replace."""
        if not self._new:
            return {}
        self._new = False
        return {"asked": [one.model_dump() for one in self._asked]}


async def page(store: Store, project: str, thread_id: str, run_id: str, query: PageQuery) -> ObjectList[RunPrompt]:
    """One page of the requests of a run, at most 20 of them.

    Raises:
        NotFound: there is no such run.
        InvalidRequest: there is no such request to go on from.
    """
    run = await store.runs.get(project, run_id, thread_id)
    asked = run.asked[-MOST:]
    if query.order == "desc":
        asked.reverse()
    ids = [_id(run, one) for one in asked]
    begin, end = 0, len(asked)
    if query.after:
        begin = _place(ids, "after", query.after) + 1
    if query.before:
        end = _place(ids, "before", query.before)
    limit = min(query.limit, _MOST_AT_ONCE)
    if query.before and not query.after:
        begin = max(0, end - limit)
    chosen = asked[begin:end][:limit]
    more = begin > 0 if query.before and not query.after else begin + limit < end
    steps = (await store.steps.page(project, PageQuery(limit=1000, order="asc"), run_id)).data
    made = [await _rebuilt(store, project, run, one, steps[: one.steps]) for one in chosen]
    return ObjectList[RunPrompt](
        data=made, first_id=made[0].id if made else "", last_id=made[-1].id if made else "", has_more=more
    )


def _id(run: Run, asked: Asked) -> str:
    return f"prompt_{run.id.removeprefix('run_')}_{asked.number}"


def _place(ids: Sequence[str], name: str, identifier: str) -> int:
    if identifier not in ids:
        raise InvalidRequest(f"Invalid '{name}': no prompt found with id '{identifier}'.", param=name)
    return ids.index(identifier)


async def _rebuilt(store: Store, project: str, run: Run, asked: Asked, steps: Sequence[RunStep]) -> RunPrompt:
    """A request made once more, from the steps that the run had made."""
    messages = await store.messages.upto(
        project, run.thread_id, asked.newest, at=asked.at, count=asked.count if asked.newest else 0
    )
    offered: list[Json] = []
    if asked.offered and (kept := await store.runs.functions(project, run.id, asked.offered)):
        offered = orjson.loads(kept)
    tools = [*functions.definitions(run, {}), *offered]
    request = await context.made(
        store, project, run, steps, messages, asked.budget, tools, asked.choice, closing=asked.closing
    )
    request = replace(request, max_tokens=asked.most)
    exact = _digest(to_json(_light(chat_body(request)))) == asked.digest
    sent = first_pass(request) if asked.prompted else request
    return RunPrompt(
        id=_id(run, asked),
        created_at=asked.at,
        thread_id=run.thread_id,
        run_id=run.id,
        assistant_id=run.assistant_id,
        steps=asked.steps,
        exact=exact,
        prompted=asked.prompted,
        body={"model": run.model, **_light(chat_body(sent))},
        protected=run.protected,
    )


def _light(body: Json) -> Json:
    """The body of a request, with the data of pictures cut short."""
    messages = [
        {**message, "content": [_light_part(part) for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in body["messages"]
    ]
    return {**body, "messages": messages}


def _light_part(part: Json) -> Json:
    url = part["image_url"]["url"] if part.get("type") == "image_url" else ""
    if not url.startswith("data:") or len(url) <= _SHOWN_OF_PICTURE:
        return part
    short = f"{url[:_SHOWN_OF_PICTURE]}… ({len(url)} characters)"
    return {**part, "image_url": {**part["image_url"], "url": short}}


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()

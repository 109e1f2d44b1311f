"""Asking an agent's model: for replies, which are constrained where that is possible, and for plain answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from ..accounts.keys import Caller
from ..accounts.metering import Metering
from ..errors import ContextOverflow, ModelError
from ..inference.chat import ChatRequest, Finished, Json, TextDelta, Usage
from ..inference.models import ServedModel
from ..inference.prompted.lenient import object_in
from ..inference.prompted.python import code_in
from ..inference.tokens import estimate_prompt, estimate_usage
from ..wire.runs import CompletionUsage
from .commands.command import Command
from .guide import Guide
from .reply import Reply, Unread, Unusable, parse, schema

#: How often a model is asked again whose reply cannot be used.
_TRIES = 3
#: Tokens of a reply and of an answer: beyond that a model has lost itself.
_MOST_REPLY, _MOST_ANSWER = 4096, 2048
#: The same of a model that runs here: ten tokens take it a second.
_MOST_REPLY_OF_LOCAL = 1536
#: Of a model that runs here, where it does what failed or was done before.
_TEMPERATURE = 0.7
#: Small models may say the same again and again, without an end: so many characters, so often in a row, looked for
#: whenever so many more have come.
_ROUND, _ROUNDS, _LOOKED = range(16, 300), 5, 200
_WORDS, _LEAST_WORDS = re.compile(r"[^\W\d_]+"), 3
_CODER = """\
You write Python code for an agent that works by itself. Answer with one ```python block and nothing else. The code is \
run in the folder with the agent's files. Begin with a comment that says what is asked for and how many. Import what \
you use, and give each variable a value before you use it. To find the first so many of something, count candidates up \
from the smallest that can be one: `found = []`, then `while len(found) < wanted:`, which ends with `candidate += 1`. \
Never write results by hand: compute them. Print what is to be seen."""
#: Characters of an error that whoever writes the code anew is told.
_ERROR = 400
_WRONG = "Your reply could not be used: {why} Reply again, with one JSON object of the response format."


@dataclass(frozen=True, slots=True)
class Step:
    """What a model is asked for.

    Attributes:
        messages: all that it is told.
        state: its goals and what was done, which is told to it anew where it writes code.
        barred: name of the command that a model which keeps to schemas cannot choose now; "": none.
        guide: leads a small model; None where the model finds its way.
        stuck: whether it is to try something else than what it holds likeliest.
    """

    messages: Sequence[Json]
    state: str
    barred: str
    guide: Guide | None
    stuck: bool


def as_asked(commands: Iterable[Command], model: ServedModel) -> dict[str, Command]:
    """The commands as a model is asked for them, by name: one that runs here tells in words what code is to do."""
    return {
        one.name: replace(one, arguments=(one.in_words,)) if model.local and one.in_words else one for one in commands
    }


@dataclass(slots=True)
class Tally:
    """What was taken of a model, until somebody puts it on an account."""

    usage: Usage = field(default_factory=Usage)


def completion_usage(taken: Usage) -> CompletionUsage:
    """What was taken, as agents and their cycles tell it."""
    total = taken.prompt_tokens + taken.completion_tokens
    return CompletionUsage(
        prompt_tokens=taken.prompt_tokens, completion_tokens=taken.completion_tokens, total_tokens=total
    )


class Asking:
    """One agent's model."""

    def __init__(
        self, model: ServedModel, metering: Metering, caller: Caller, taken: Tally, *, waits: bool = True
    ) -> None:
        """Describe it.

        Args:
            model: the model.
            metering: lets calls in, and keeps the books.
            caller: for whom; the books have its origin.
            taken: all that is taken is added to it.
            waits: whether a call waits for a while where a limit of the caller is reached; else it is refused at once.
        """
        self.model = model
        self._admit = metering.patiently if waits else metering.call
        self._caller = caller
        #: Whether its server takes JSON schemas; unknown servers are tried once.
        self._constrained = True
        self._taken = taken

    async def reply(self, step: Step, commands: Mapping[str, Command]) -> Reply | Unread:
        """The model's reply, or what it said instead, several times.

        Args:
            step: what it is asked for.
            commands: what can be done, by name.

        Raises:
            ModelError: the model's server does not answer, or refuses.
        """
        told, text, why = list(step.messages), "", ""
        asked = as_asked(commands.values(), self.model)
        left = [one for one in asked.values() if one.name != step.barred]
        if step.guide:
            left, told = await self._led(step.guide, left, told)
        wanted, said = schema(left, local=self.model.local), told
        for tried in range(_TRIES):
            text = await self._constrained_text(said, wanted, stuck=step.stuck or tried > 0)
            try:
                reply = parse(text, asked)
            except Unusable as error:
                why = str(error)
            else:
                if asked[reply.command.name] != commands[reply.command.name]:
                    reply = await self._with_code(reply, step)
                return replace(reply, repaired=reply.repaired or why or None)
            said = [
                *told,
                {"role": "assistant", "content": text[:4000] or "(nothing)"},
                {"role": "user", "content": _WRONG.replace("{why}", why)},
            ]
        return Unread(text, why)

    async def _led(self, guide: Guide, commands: list[Command], told: list[Json]) -> tuple[list[Command], list[Json]]:
        """The commands that a small model is left, which may be one, and what it is told."""
        ends = [one for one in commands if one.name == "task_complete"]
        if ends and (check := guide.check()) and (await self.constrained(*check)).get("all_done") is True:
            return ends, guide.ending(told)
        sensible = [one for one in commands if one.name not in guide.pointless()] or commands
        does = [one for one in sensible if one not in ends]
        if following := guide.follows(does):
            return [following], guide.using(told, following.name)
        if len(does) > 1:
            name = (await self.constrained(*guide.choice(does))).get("command")
            if found := [one for one in does if one.name == name]:
                return [*found, *(one for one in sensible if one in ends)], guide.using(told, found[0].name)
        return sensible, told

    async def _with_code(self, reply: Reply, step: Step) -> Reply:
        """A reply that says what code is to do, with that code."""
        (task,) = reply.command.args.values()
        question = f"{step.state}\n\nWhat the code must do now: {task}"
        if step.guide and (broken := step.guide.broken) and broken.result:
            code, why = broken.command.args["code"], broken.result.text[-_ERROR:]
            question += f"\n\nYour last code:\n```python\n{code}\n```\nIt failed:\n{why}\nCorrect it."
        messages: list[Json] = [{"role": "system", "content": _CODER}, {"role": "user", "content": question}]
        code = code_in(_without_rounds(await self._text(self._request(messages, stuck=step.stuck))))
        return replace(reply, command=reply.command.model_copy(update={"args": {"code": code}}))

    async def answer(self, instructions: str, question: str) -> str:
        """A plain answer. Raises `ModelError`."""
        messages: list[Json] = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": question},
        ]
        request = ChatRequest(messages, max_tokens=_MOST_ANSWER, caller=self._caller.project)
        return _without_rounds(await self._text(request))

    async def constrained(self, messages: Sequence[Json], wanted: Json) -> dict[str, Any]:
        """An object that fits a JSON schema where the model's server takes one, else any; empty where none is said.

        Raises:
            ModelError: the model's server does not answer, or refuses.
        """
        return object_in(await self._constrained_text(messages, wanted))

    def _request(self, messages: Sequence[Json], *, stuck: bool) -> ChatRequest:
        request = ChatRequest(list(messages), max_tokens=_MOST_REPLY, caller=self._caller.project)
        if not self.model.local:
            return request
        # A small model decides better when it takes what it holds likeliest, unless that was wrong.
        return replace(request, temperature=_TEMPERATURE if stuck else 0, max_tokens=_MOST_REPLY_OF_LOCAL)

    async def _constrained_text(self, messages: Sequence[Json], wanted: Json, *, stuck: bool = False) -> str:
        request = self._request(messages, stuck=stuck)
        if self._constrained:
            named = {"name": "reply", "schema": wanted, "strict": True}
            try:
                constrained = replace(request, response_format={"type": "json_schema", "json_schema": named})
                return _without_rounds(await self._text(constrained), '"')
            except ModelError as error:
                if error.status != 400 or isinstance(error, ContextOverflow):
                    raise
                self._constrained = False
        return _without_rounds(await self._text(request), '"')

    async def _text(self, request: ChatRequest) -> str:
        said: list[str] = []
        usage: Usage | None = None
        tokens = estimate_prompt(request) + (request.max_tokens or 0)
        with await self._admit(self._caller, "runs", self.model.name, tokens) as metered:
            try:
                usage = await self._hear(request, said)
                return "".join(said).replace("\x00", "\ufffd")
            finally:
                # A call that was broken off has cost what it had said by then, and its prompt.
                if usage or said:
                    used = usage or estimate_usage(request, "".join(said))
                    self._taken.usage += used
                    metered.usage = used.official()

    async def _hear(self, request: ChatRequest, said: list[str]) -> Usage | None:
        """Listen to an answer until it ends or goes round; returns what it has used if the server told it.

        Args:
            request: what the model is asked.
            said: the answer is added to it, piece by piece.
        """
        usage: Usage | None = None
        fresh = 0
        async with aclosing(self.model.backend.stream(request)) as answer:
            async for event in answer:
                if isinstance(event, TextDelta):
                    said.append(event.text)
                    fresh += len(event.text)
                    if fresh >= _LOOKED:
                        fresh = 0
                        if _goes_round("".join(said)):
                            break
                elif isinstance(event, Finished):
                    usage = event.usage
        return usage


def _goes_round(text: str) -> int:
    """Where a text first says what it then only repeats; 0 if it does not."""
    for length in _ROUND:
        unit = text[-length:]
        # Lines, and rows of zeros, are no words.
        if text.endswith(unit * _ROUNDS) and len({*_WORDS.findall(unit)}) >= _LEAST_WORDS:
            end = len(text)
            while end >= 2 * length and text.startswith(unit, end - 2 * length):
                end -= length
            return end
    return 0


def _without_rounds(text: str, end: str = "") -> str:
    """A text without the repetitions with which it goes on and on, and with this `end` in their place."""
    kept = _goes_round(text)
    return text[:kept] + end if kept else text

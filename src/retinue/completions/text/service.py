"""Completions of plain text, whole or streamed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from ...accounts.keys import Caller
from ...accounts.metering import Metered, Metering
from ...errors import ContextOverflow
from ...inference.chat import Json
from ...inference.models import Models, ServedModel
from ...inference.native import COMPLETIONS
from ...wire.text_completions import TextCompletionCreate
from ..events import DONE, encoded
from ..service import BYTES_A_TOKEN
from ..sources import STREAMED, side_by_side
from .answer import Answer
from .gather import Gathered
from .local import LocalCompletions
from .request import Asked, Call, prepare


@dataclass(frozen=True, slots=True)
class Opened:
    """A request that may be worked on."""

    asked: Asked
    model: ServedModel
    answer: Answer
    #: On the books: to be entered around the work.
    metered: Metered
    caller: Caller


class TextCompletions:
    """Answers requests for completions."""

    def __init__(self, models: Models, metering: Metering) -> None:
        """`models` give the answers, `metering` counts them."""
        self._models = models
        self._metering = metering
        self._local = LocalCompletions()

    async def open(self, request: TextCompletionCreate, raw: Json, size: int, caller: Caller) -> Opened:
        """Look whether a request can be worked on. What it returns must be passed to `whole` or `stream`.

        Args:
            request: the request, validated.
            raw: the same as it was sent.
            size: its length in bytes.
            caller: who asks.

        Raises:
            InvalidRequest, ModelNotFound, RateLimited: it cannot.
        """
        model = self._models.resolve(request.model)
        asked = prepare(request, raw, model)
        metered = await self._metering.call(caller, "completions", model.name, size // BYTES_A_TOKEN + asked.tokens)
        return Opened(asked, model, Answer(request, asked, model), metered, caller)

    async def whole(self, opened: Opened) -> Json:
        """The whole answer.

        Raises:
            InvalidRequest: the local model cannot fill in.
            ModelError: the model's backend refused, broke off or answered nonsense.
        """
        gathered = Gathered()
        async with aclosing(self._batches(opened, stream=False)) as batches:
            async for batch in batches:
                for chunk in batch:
                    gathered.add(chunk)
        return opened.answer.whole(gathered.whole())

    async def stream(self, opened: Opened) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events, those that came together at once.

        Raises:
            InvalidRequest, ModelError: as `whole`; also in the middle.
        """
        async with aclosing(self._batches(opened, stream=True)) as batches:
            async for batch in batches:
                yield encoded(batch)
        last = opened.answer.last()
        yield (encoded([last]) if last else b"") + DONE

    async def _batches(self, opened: Opened, *, stream: bool) -> AsyncGenerator[list[Json], None]:
        """The official chunks; where no `stream` is asked for, a server's whole answer may be one of them."""
        calls, answer = opened.asked.calls, opened.answer
        with opened.metered as metered:
            try:
                sources = [lambda call=call: self._source(call, opened, stream=stream) for call in calls]
                async with aclosing(side_by_side(sources)) as batches:
                    async for number, batch in batches:
                        if told := answer.batch(calls[number], batch):
                            yield told
            except ContextOverflow as error:
                error.param = "prompt"
                raise
            finally:
                metered.usage = answer.usage

    async def _source(self, call: Call, opened: Opened, *, stream: bool) -> AsyncGenerator[list[Json], None]:
        model, caller = opened.model, opened.caller.project
        if model.local:
            async with aclosing(self._local.chunks(call.body, model, caller)) as chunks:
                async for batch in chunks:
                    yield batch
        elif stream:
            async with aclosing(model.route.chunks(COMPLETIONS, call.body | STREAMED, caller)) as chunks:
                async for batch in chunks:
                    yield batch
        else:
            yield [await model.route.post(COMPLETIONS, call.body, caller)]

"""Chat completions, whole or streamed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from ..accounts.keys import Caller
from ..accounts.metering import Metered, Metering
from ..inference.chat import Chunks, Json
from ..inference.models import Models, ServedModel
from ..inference.native import CHAT
from ..store.store import Store
from ..wire.chat import ChatCompletionCreate
from .answer import Answer
from .events import DONE, encoded
from .gather import Gathered
from .request import Asked, prepare
from .sources import chunks
from .stored import stored_completion, stored_messages

#: Bytes of JSON that a token of a prompt has, about: for the limits, before the model has counted.
BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Opened:
    """A request that may be worked on."""

    request: ChatCompletionCreate
    asked: Asked
    model: ServedModel
    answer: Answer
    #: On the books: to be entered around the work.
    metered: Metered
    caller: Caller
    #: Of the prompt, by estimate.
    tokens: int


class ChatCompletions:
    """Answers chat requests."""

    def __init__(self, store: Store, models: Models, metering: Metering) -> None:
        """`store` keeps the answers that are to be kept, `models` give them, `metering` counts them."""
        self._store = store
        self._models = models
        self._metering = metering

    async def open(self, request: ChatCompletionCreate, raw: Json, size: int, caller: Caller) -> Opened:
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
        tokens = size // BYTES_A_TOKEN
        metered = await self._metering.call(caller, "chat.completions", model.name, tokens + asked.tokens)
        return Opened(request, asked, model, Answer(request, asked, model), metered, caller, tokens)

    async def whole(self, opened: Opened) -> Json:
        """The whole answer.

        Raises:
            ModelError: the model's backend refused, broke off or answered nonsense.
        """
        with opened.metered as metered:
            asked, answer = opened.asked, opened.answer
            if asked.prompted or not (asked.choices_at_once or asked.choices == 1):
                gathered = Gathered()
                async with aclosing(_chunks(opened)) as batches:
                    async for batch in batches:
                        for chunk in batch:
                            gathered.add(chunk)
                whole = gathered.whole()
            else:
                body = asked.body if asked.choices == 1 else {**asked.body, "n": asked.choices}
                whole = await opened.model.route.post(CHAT, body, opened.caller.project)
            whole = answer.whole(whole)
            metered.usage = answer.used(opened.tokens)
            if opened.request.store:
                await self._keep(opened, whole)
            return whole

    async def stream(self, opened: Opened) -> AsyncGenerator[bytes, None]:
        """The answer as server-sent events, those that came together at once.

        Raises:
            ModelError: as `whole`; also in the middle.
        """
        answer = opened.answer
        kept = Gathered() if opened.request.store else None
        with opened.metered as metered:
            try:
                async with aclosing(_chunks(opened)) as batches:
                    async for batch in batches:
                        if told := answer.batch(batch):
                            yield encoded(told)
                            if kept:
                                for chunk in told:
                                    kept.add(chunk)
            finally:
                # Also when the client has hung up.
                metered.usage = answer.used(opened.tokens)
            last = answer.last()
            if kept:
                whole = {**kept.whole(), **({"usage": answer.usage} if answer.usage else {})}
                await self._keep(opened, answer.whole(whole))
        yield (encoded([last]) if last else b"") + DONE

    async def _keep(self, opened: Opened, whole: Json) -> None:
        request = opened.request
        messages = stored_messages(opened.answer.id, request.messages)
        users = [user for user in (request.user, request.safety_identifier) if user]
        completion = stored_completion(request, whole)
        await self._store.chat_completions.add(opened.caller.project, completion, messages, users)


def _chunks(opened: Opened) -> Chunks:
    return chunks(opened.asked, opened.model, opened.caller.project)

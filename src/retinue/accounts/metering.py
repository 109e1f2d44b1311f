"""Model calls on the books: let in by the limits before, recorded after."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from types import TracebackType
from typing import Any

from ..errors import ModelError, RateLimited
from .keys import Caller
from .limits import Admission, Limits
from .request_log import note_model
from .usage import Endpoint, UsageMeter

#: The official `usage` object, of any endpoint.
Usage = dict[str, Any]

#: Seconds after which a call that waits looks again, at the soonest: many may wait for the same room.
_PAUSE = 0.1


class Metering:
    """Limits and usage records, together."""

    def __init__(self, limits: Limits, usage: UsageMeter, *, patience: float = 0, places: int = 1) -> None:
        """Describe the books.

        Args:
            limits: who is let in.
            usage: where it is recorded.
            patience: seconds for which calls of runs and agents wait at most.
            places: how many of a project may wait at once in this process, so that others have room to work.
        """
        self.limits = limits
        self.usage = usage
        self._patience = patience
        self._places = places
        self._waiting: Counter[str] = Counter()

    async def call(self, caller: Caller, endpoint: Endpoint, model: str, tokens: int) -> Metered:
        """Let a call of a model in; to be used as a context manager around it.

        Args:
            caller: who asks.
            endpoint: by which way.
            model: the model that serves.
            tokens: what the call will take, by estimate.

        Raises:
            RateLimited: a minute or a day is used up.
            InsufficientQuota: the project has reached its spend limit.
            Unavailable: the database is away, and so is what this process had taken ahead.
        """
        note_model(model, called=True)
        self.usage.require(caller)
        return Metered(self, caller, endpoint, model, await self.limits.admit(caller, model, tokens))

    async def patiently(self, caller: Caller, endpoint: Endpoint, model: str, tokens: int) -> Metered:
        """Let a call in that is made for a run or an agent, as `call`; while there is no room it waits, but not long.

        Raises:
            ModelError: there will be no room soon enough, or the project has reached its spend limit; the `run_code` is
                `rate_limit_exceeded`.
            Unavailable: see `call`.
        """
        until = time.monotonic() + self._patience
        while True:
            try:
                self.usage.require(caller)
                return Metered(self, caller, endpoint, model, await self.limits.admit(caller, model, tokens))
            except RateLimited as error:
                wait = error.retry_after
                if wait is None or time.monotonic() + wait > until or self._waiting[caller.project] >= self._places:
                    raise _of_run(error) from error
            await self._wait(caller.project, max(wait, _PAUSE))

    async def _wait(self, project: str, seconds: float) -> None:
        self._waiting[project] += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._waiting[project] -= 1
            if not self._waiting[project]:
                del self._waiting[project]


def _of_run(error: RateLimited) -> ModelError:
    """A refusal, as it ends a run."""
    return ModelError(
        error.message,
        status=error.status,
        run_code="rate_limit_exceeded",
        type=error.type,
        code=error.code,
        retry_after=error.retry_after,
    )


class Metered:
    """One call of a model. What it used is recorded when it ends: nothing where it failed before it told any usage."""

    __slots__ = ("_admission", "_caller", "_endpoint", "_metering", "_model", "images", "usage")

    def __init__(
        self, metering: Metering, caller: Caller, endpoint: Endpoint, model: str, admission: Admission
    ) -> None:
        self._metering = metering
        self._caller = caller
        self._endpoint: Endpoint = endpoint
        self._model = model
        self._admission = admission
        #: The official usage, once it is known.
        self.usage: Usage | None = None
        #: Pictures made.
        self.images = 0

    def __enter__(self) -> Metered:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        usage = self.usage or {}
        prompt = int(usage.get("prompt_tokens") or usage.get("input_tokens") or 0)
        completion = int(usage.get("completion_tokens") or usage.get("output_tokens") or 0)
        self._admission.settle(prompt + completion)
        if usage or self.images or kind is None:
            details = usage.get("prompt_tokens_details") or {}
            self._metering.usage.record(
                self._caller,
                self._endpoint,
                self._model,
                prompt_tokens=prompt,
                cached_tokens=int(details.get("cached_tokens") or 0),
                completion_tokens=completion,
                images=self.images,
            )

"""Model calls on the books: let in by the limits before, recorded after."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from .keys import Caller
from .limits import Admission, Limits
from .usage import Endpoint, UsageMeter

#: The official `usage` object, of any endpoint.
Usage = dict[str, Any]


class Metering:
    """Limits and usage records, together."""

    def __init__(self, limits: Limits, usage: UsageMeter) -> None:
        self.limits = limits
        self.usage = usage

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
        self.usage.require(caller)
        return Metered(self, caller, endpoint, model, await self.limits.admit(caller, model, tokens))


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

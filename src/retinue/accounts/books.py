"""The books as the administration API shows them: usage and costs, in buckets of time, by groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..store.books import Books, Sum, SumQuery
from ..wire import usage as wire
from ..wire.runs import Amount
from .prices import dollars
from .spans import DAY, HOUR, span_of

#: Seconds of a bucket, how many there are by default, and at most.
_WIDTHS = {"1m": (60, 60, 1_440), "1h": (HOUR, 24, 168), "1d": (DAY, 7, 31)}
_COSTS = (DAY, 7, 180)
#: Parameters that select, and the fields that they select by.
_ONLY = {
    "project_ids": "project_id",
    "user_ids": "user_id",
    "api_key_ids": "api_key_id",
    "models": "model",
    "line_items": "line_item",
}
#: Fields that have one value here.
_CONSTANT: dict[str, Any] = {"batch": False, "service_tier": "default", "api_source": "unlabeled"}

Kind = Literal[
    "completions",
    "embeddings",
    "moderations",
    "images",
    "audio_speeches",
    "audio_transcriptions",
    "vector_stores",
    "code_interpreter_sessions",
    "file_search_calls",
    "web_search_calls",
    "costs",
]


@dataclass(frozen=True, slots=True)
class _Account:
    """One kind of use.

    Attributes:
        result: what is told of a sum; it is given the seconds of which it is the sum, and the fields of its group.
        endpoints: of the records that count; None: all.
        finest: seconds of the finest records. In narrower buckets, each shows the same.
    """

    result: Callable[..., wire.ProjectUsage]
    endpoints: Sequence[str] | None
    finest: int = 60


def _completions(of: Sum, seconds: int, **group: Any) -> wire.CompletionsUsage:
    return wire.CompletionsUsage(
        num_model_requests=of.requests,
        input_tokens=of.prompt_tokens,
        input_cached_tokens=of.cached_tokens,
        input_uncached_tokens=of.prompt_tokens - of.cached_tokens,
        output_tokens=of.completion_tokens,
        **group,
    )


def _embeddings(of: Sum, seconds: int, **group: Any) -> wire.EmbeddingsUsage:
    return wire.EmbeddingsUsage(num_model_requests=of.requests, input_tokens=of.prompt_tokens, **group)


def _moderations(of: Sum, seconds: int, **group: Any) -> wire.ModerationsUsage:
    return wire.ModerationsUsage(num_model_requests=of.requests, input_tokens=of.prompt_tokens, **group)


def _images(of: Sum, seconds: int, **group: Any) -> wire.ImagesUsage:
    return wire.ImagesUsage(num_model_requests=of.requests, images=of.images, **group)


def _audio_speeches(of: Sum, seconds: int, **group: Any) -> wire.AudioSpeechesUsage:
    return wire.AudioSpeechesUsage(num_model_requests=of.requests, characters=0, **group)


def _audio_transcriptions(of: Sum, seconds: int, **group: Any) -> wire.AudioTranscriptionsUsage:
    return wire.AudioTranscriptionsUsage(num_model_requests=of.requests, seconds=0, **group)


def _vector_stores(of: Sum, seconds: int, **group: Any) -> wire.VectorStoresUsage:
    return wire.VectorStoresUsage(usage_bytes=round(of.byte_seconds / seconds), **group)


def _sessions(of: Sum, seconds: int, **group: Any) -> wire.CodeInterpreterSessionsUsage:
    return wire.CodeInterpreterSessionsUsage(num_sessions=of.requests, **group)


def _file_searches(of: Sum, seconds: int, **group: Any) -> wire.FileSearchesUsage:
    return wire.FileSearchesUsage(num_requests=of.requests, **group)


def _web_searches(of: Sum, seconds: int, **group: Any) -> wire.WebSearchesUsage:
    return wire.WebSearchesUsage(num_requests=of.requests, num_model_requests=0, **group)


def _costs(of: Sum, seconds: int, **group: Any) -> wire.Costs:
    quantity, unit = _quantity(of) if "line_item" in group else (None, None)
    return wire.Costs(amount=Amount(value=dollars(of.cost)), quantity=quantity, quantity_unit=unit, **group)


def _quantity(of: Sum) -> tuple[float | None, str | None]:
    """How much of a line item was used, and in which unit; null where that is a mixture."""
    tokens = of.prompt_tokens + of.completion_tokens
    if of.byte_seconds:
        return of.byte_seconds / 2**30 / HOUR, "gibibyte_hours"
    if tokens and of.images:
        return None, None
    if tokens or of.images:
        return tokens or of.images, "tokens" if tokens else "images"
    return of.requests, None


_ACCOUNTS: dict[Kind, _Account] = {
    "completions": _Account(_completions, ("chat.completions", "completions", "runs", "vector_stores")),
    "embeddings": _Account(_embeddings, ("embeddings", "rerank")),
    "moderations": _Account(_moderations, ("moderations",)),
    "images": _Account(_images, ("images",)),
    "audio_speeches": _Account(_audio_speeches, ()),
    "audio_transcriptions": _Account(_audio_transcriptions, ()),
    "vector_stores": _Account(_vector_stores, ("vector_storage",), finest=HOUR),
    "code_interpreter_sessions": _Account(_sessions, ("code_interpreter",)),
    "file_search_calls": _Account(_file_searches, ("file_search",)),
    "web_search_calls": _Account(_web_searches, ("web_search",)),
    "costs": _Account(_costs, None),
}


async def page(books: Books, kind: Kind, params: wire.UsageParams) -> wire.BucketPage[Any]:
    """A page of the books.

    Args:
        books: where they are kept.
        kind: what of.
        params: which buckets, grouped how.

    Raises:
        InvalidRequest: the parameters do not fit together, or it is too much to be told at once.
    """
    account = _ACCOUNTS[kind]
    span = span_of(params, *(_COSTS if kind == "costs" else _WIDTHS[params.bucket_width]))
    nothing = span.start >= span.end or account.endpoints == () or getattr(params, "batch", None) is True
    width = max(span.width, account.finest)
    group_by = [name for name in dict.fromkeys(params.group_by) if name not in _CONSTANT]
    constant = {name: value for name, value in _CONSTANT.items() if name in params.group_by}
    only = {field: values for name, field in _ONLY.items() if (values := getattr(params, name, ()))}
    results: dict[int, list[wire.ProjectUsage]] = {}
    if not nothing:
        start, end = span.start, span.end
        if width > span.width:
            start, end = start - start % width, end + -end % width
        for found in await books.sums(SumQuery(start, end, width, account.endpoints, group_by, only)):
            group = {name: value or None for name, value in found.group.items()}
            results.setdefault(found.start, []).append(account.result(found, width, **group, **constant))
    buckets = [
        wire.Bucket(start_time=start, end_time=end, results=results.get(start - start % width, []))
        for start, end in span.bounds()
    ]
    return wire.BucketPage(data=buckets, has_more=span.more, next_page=span.next_page)

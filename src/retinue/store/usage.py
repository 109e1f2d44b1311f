"""What was used of models, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from .database import Database

#: Adds a batch, unless it has been added already. In the order of the primary key, so that processes that add to the
#: same rows wait for each other instead of locking each other out.
_ADD = """
    with news as (
        insert into usage_writers (id, batch) values (%(writer)s, %(batch)s)
        on conflict (id) do update set batch = excluded.batch, written_at = now()
        where usage_writers.batch < excluded.batch
        returning id
    ), gone as (
        delete from usage_writers where written_at < now() - interval '1 day' and id <> %(writer)s
    )
    insert into usage_records (project_id, minute, key_id, endpoint, model, requests, prompt_tokens, cached_tokens,
        completion_tokens, images)
    select project, minute, key, endpoint, model, sum(requests), sum(prompt), sum(cached), sum(completion), sum(images)
    from news, unnest(%(project)s::text[], %(minute)s::timestamptz[], %(key)s::text[], %(endpoint)s::text[],
        %(model)s::text[], %(requests)s::bigint[], %(prompt)s::bigint[], %(cached)s::bigint[], %(completion)s::bigint[],
        %(images)s::bigint[])
        as used (project, minute, key, endpoint, model, requests, prompt, cached, completion, images)
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 4, 5
    on conflict (project_id, minute, key_id, endpoint, model) do update set
        requests = usage_records.requests + excluded.requests,
        prompt_tokens = usage_records.prompt_tokens + excluded.prompt_tokens,
        cached_tokens = usage_records.cached_tokens + excluded.cached_tokens,
        completion_tokens = usage_records.completion_tokens + excluded.completion_tokens,
        images = usage_records.images + excluded.images
"""

_TOTALS = """
    select key_id, endpoint, model, sum(requests)::bigint, sum(prompt_tokens)::bigint, sum(cached_tokens)::bigint,
        sum(completion_tokens)::bigint, sum(images)::bigint
    from usage_records where project_id = %(project)s and minute >= %(since)s
    group by 1, 2, 3 order by 1, 2, 3
"""

#: Most characters of a model's name here: rows of an index are bounded.
_LONGEST_NAME = 256


class UsageKey(NamedTuple):
    """Who used what, and when: what usage is added up by."""

    project: str
    #: Minutes since 1970.
    minute: int
    #: The id of the API key; empty where the server itself asked, for a run.
    key: str
    endpoint: str
    #: The model that served.
    model: str


@dataclass(slots=True)
class Used:
    """How much was used."""

    requests: int = 0
    #: Tokens of prompts, cached ones included.
    prompt_tokens: int = 0
    #: Tokens of prompts that the model's server had kept from earlier calls.
    cached_tokens: int = 0
    completion_tokens: int = 0
    images: int = 0


@dataclass(frozen=True, slots=True)
class Total:
    """What a key used of a model by one endpoint, in all."""

    key: str
    endpoint: str
    model: str
    used: Used


class UsageRecords:
    """What every project has used, by the minute."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, writer: str, batch: int, used: Sequence[tuple[UsageKey, Used]]) -> None:
        """Add to the records. The same batch twice is added once.

        Args:
            writer: a name that no other process has.
            batch: which of the writer's batches this is, counted upwards.
            used: what to add.
        """
        keys, counts = [key for key, _ in used], [count for _, count in used]
        await self._database.execute(
            _ADD,
            {
                "writer": writer,
                "batch": batch,
                "project": [key.project for key in keys],
                "minute": [datetime.fromtimestamp(key.minute * 60, UTC) for key in keys],
                "key": [key.key for key in keys],
                "endpoint": [key.endpoint for key in keys],
                "model": [_storable(key.model) for key in keys],
                "requests": [count.requests for count in counts],
                "prompt": [count.prompt_tokens for count in counts],
                "cached": [count.cached_tokens for count in counts],
                "completion": [count.completion_tokens for count in counts],
                "images": [count.images for count in counts],
            },
        )

    async def totals(self, project: str, since: datetime) -> list[Total]:
        """What a project has used since a moment, down to its minute, by key, endpoint and model."""
        values = {"project": project, "since": since.replace(second=0, microsecond=0)}
        return [
            Total(key, endpoint, model, Used(*counts))
            for key, endpoint, model, *counts in await self._database.rows(_TOTALS, values)
        ]


def _storable(name: str) -> str:
    """A name as a text column takes it."""
    return name[:_LONGEST_NAME].encode("utf-8", "replace").decode().replace("\x00", "")

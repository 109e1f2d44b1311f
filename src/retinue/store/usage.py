"""What was used, and what it cost, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from .database import Database

#: In the order of the primary key, in which all who write lock rows: processes that add to the same rows wait for each
#: other instead of locking each other out.
_KEY = "minute, project_id, endpoint, key_id, model, user_id, assistant_id, thread_id, run_id"
_COUNTS = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens", "images", "byte_seconds", "cost")
_ADDED_UP = f"on conflict ({_KEY}) do update set " + ", ".join(
    f"{name} = usage_records.{name} + excluded.{name}" for name in _COUNTS
)
_SUMS = ", ".join(f"sum({name})" for name in _COUNTS)

#: What uses cost, by month. After the records, and in the order of this key, for the same reason.
_SPEND = """
    insert into spend_months (project_id, month, cost)
    select project_id, date_trunc('month', minute, 'UTC'), sum(cost) from {used} where cost > 0
    group by 1, 2 order by 1, 2
    on conflict (project_id, month) do update set cost = spend_months.cost + excluded.cost
"""

#: Adds a batch, unless it has been added already.
_ADD = f"""
    with news as (
        insert into usage_writers (id, batch) values (%(writer)s, %(batch)s)
        on conflict (id) do update set batch = excluded.batch, written_at = now()
        where usage_writers.batch < excluded.batch
        returning id
    ), gone as (
        delete from usage_writers where written_at < now() - interval '1 day' and id <> %(writer)s
    ), used as materialized (
        select given.* from news, unnest(
            %(minute)s::timestamptz[], %(project)s::text[], %(endpoint)s::text[], %(key)s::text[], %(model)s::text[],
            %(user)s::text[], %(assistant)s::text[], %(thread)s::text[], %(run)s::text[], %(requests)s::bigint[],
            %(prompt)s::bigint[], %(cached)s::bigint[], %(completion)s::bigint[], %(images)s::bigint[],
            array_fill(0, array[cardinality(%(run)s::text[])]), %(cost)s::bigint[]
        ) as given ({_KEY}, {", ".join(_COUNTS)})
    ), spent as (
        {_SPEND.format(used="used")}
    )
    insert into usage_records ({_KEY}, {", ".join(_COUNTS)})
    select {_KEY}, {_SUMS} from used group by {_KEY} order by {_KEY} {_ADDED_UP}
"""  # noqa: S608

_TOTALS = """
    select key_id, endpoint, model, sum(requests)::bigint, sum(prompt_tokens)::bigint, sum(cached_tokens)::bigint,
        sum(completion_tokens)::bigint, sum(images)::bigint, sum(cost)::bigint
    from usage_records where project_id = %(project)s and minute >= %(since)s
    group by 1, 2, 3 order by 1, 2, 3
"""

#: Begins a session unless its owner, a thread or an agent, has had one for less than an hour.
_BEGIN_SESSION_OF = """
    insert into code_sessions ({owner}_id, begun_at)
    select id, now() from {owner}s where id = %(owner)s and project_id = %(project)s
    on conflict ({owner}_id) do update set begun_at = excluded.begun_at
    where code_sessions.begun_at <= now() - interval '1 hour'
    returning true
"""
_BEGIN_SESSION = f"""
    with of_thread as ({_BEGIN_SESSION_OF.format(owner="thread")}),
        of_agent as ({_BEGIN_SESSION_OF.format(owner="agent")})
    select from of_thread union all select from of_agent
"""  # noqa: S608

#: What vector stores hold now counts for all the time since the last count, each hour of the clock by itself.
_COUNT_STORAGE = f"""
    with due as materialized (
        select counted_at as since, now() as until from storage_counts
        where counted_at <= now() - interval '1 hour' for update skip locked
    ), counted as (
        update storage_counts set counted_at = until from due
    ), held as (
        select project_id, sum(usage_bytes) as bytes from vector_store_files
        where usage_bytes > 0 and exists (select from due) group by project_id
    ), hours as (
        select greatest(since, hour) as begun, least(until, hour + interval '1 hour') as ended
        from due, generate_series(date_trunc('hour', since, 'UTC'), until, interval '1 hour') as hour
    ), pieces as (
        select date_trunc('minute', begun) as minute, project_id,
            round(bytes * extract(epoch from ended - begun)) as byte_seconds,
            round(bytes * extract(epoch from ended - begun) * %(price)s::numeric) as cost
        from hours, held where ended > begun
    ), spent as (
        {_SPEND.format(used="pieces")}
    ), added as (
        insert into usage_records ({_KEY}, {", ".join(_COUNTS)})
        select minute, project_id, 'vector_storage', '', '', '', '', '', '', 0, 0, 0, 0, 0, byte_seconds, cost
        from pieces order by minute, project_id {_ADDED_UP}
    )
    select from due
"""  # noqa: S608

#: Adds up what old runs used, without the threads and runs. So many rows at once that others need not wait.
_FOLD = f"""
    with old as (
        delete from usage_records where ctid = any(array(
            select ctid from usage_records
            where run_id <> '' and minute < now() - %(days)s * interval '1 day' order by minute limit 5000
        ))
        returning *
    ), folded as (
        insert into usage_records ({_KEY}, {", ".join(_COUNTS)})
        select minute, project_id, endpoint, key_id, model, user_id, assistant_id, '', '', {_SUMS} from old
        group by minute, project_id, endpoint, key_id, model, user_id, assistant_id
        order by minute, project_id, endpoint, key_id, model, user_id, assistant_id {_ADDED_UP}
    )
    select count(*) from old
"""  # noqa: S608

#: Takes a person's name out of the records: they are added up with those of nobody.
FORGET_USER = f"""
    with theirs as (
        delete from usage_records
        where user_id = %(person)s and (%(project)s::text is null or project_id = %(project)s) returning *
    )
    insert into usage_records ({_KEY}, {", ".join(_COUNTS)})
    select minute, project_id, endpoint, key_id, model, '', assistant_id, thread_id, run_id, {_SUMS} from theirs
    group by minute, project_id, endpoint, key_id, model, assistant_id, thread_id, run_id
    order by minute, project_id, endpoint, key_id, model, assistant_id, thread_id, run_id {_ADDED_UP}
"""  # noqa: S608

#: Most characters of a model's name here: rows of an index are bounded.
_LONGEST_NAME = 256
#: The most that a column takes: what a model's server says is no reason to lose the rest of a batch.
_MOST = 2**53


class UsageKey(NamedTuple):
    """Who used what, when and for what: what usage is added up by."""

    project: str
    #: Minutes since 1970.
    minute: int
    #: The id of the API key; empty where the server itself asked.
    key: str
    endpoint: str
    #: The model that served; empty where none did.
    model: str
    user: str = ""
    #: These three are empty outside runs.
    assistant: str = ""
    thread: str = ""
    run: str = ""


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
    #: In nano-dollars.
    cost: int = 0


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
                "user": [key.user for key in keys],
                "assistant": [key.assistant for key in keys],
                "thread": [key.thread for key in keys],
                "run": [key.run for key in keys],
                "requests": [count.requests for count in counts],
                "prompt": [min(count.prompt_tokens, _MOST) for count in counts],
                "cached": [min(count.cached_tokens, _MOST) for count in counts],
                "completion": [min(count.completion_tokens, _MOST) for count in counts],
                "images": [min(count.images, _MOST) for count in counts],
                "cost": [min(count.cost, _MOST) for count in counts],
            },
        )

    async def totals(self, project: str, since: datetime) -> list[Total]:
        """What a project has used since a moment, down to its minute, by key, endpoint and model."""
        values = {"project": project, "since": since.replace(second=0, microsecond=0)}
        return [
            Total(key, endpoint, model, Used(*counts))
            for key, endpoint, model, *counts in await self._database.rows(_TOTALS, values)
        ]

    async def begin_session(self, project: str, owner: str) -> bool:
        """Whether code that runs now begins a session: those of its owner before began more than an hour ago.

        Args:
            project: the owner's.
            owner: the id of a thread, or of the agent in whose workspace the code runs.
        """
        return await self._database.row(_BEGIN_SESSION, {"project": project, "owner": owner}) is not None

    async def count_storage(self, price: Decimal) -> bool:
        """Put on the books what vector stores have held since the last count, if that was an hour ago.

        However many processes call this, and however often they are restarted, all time is counted once.

        Args:
            price: nano-dollars for keeping one byte for one second.

        Returns:
            Whether the hour was over.
        """
        return await self._database.row(_COUNT_STORAGE, {"price": price}) is not None

    async def fold(self, days: float) -> int:
        """Add up some of what runs used so many days ago, without their threads and runs; says how many rows."""
        row = await self._database.row(_FOLD, {"days": days})
        return int(row[0]) if row else 0


def _storable(name: str) -> str:
    """A name as a text column takes it."""
    return name[:_LONGEST_NAME].encode("utf-8", "replace").decode().replace("\x00", "")

-- The objects of the Assistants API.
--
-- `body` is the object as the wire types know it, and the one truth about it. Columns beside it are what clients
-- never see, or copies that PostgreSQL itself makes of a body's field (generated columns), for indexes.

create table projects (
    id         text primary key,
    name       text not null,
    created_at timestamptz not null default now()
);

create table api_keys (
    id         text primary key,
    project_id text not null references projects on delete cascade,
    name       text not null,
    -- SHA-256 of the key: keys are long and random, so a slow hash would add nothing.
    hash       bytea not null unique,
    -- The key's beginning and end, by which people recognise it.
    hint       text not null,
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);

-- `position` orders a list also within one second. Children carry project_id too, so that every query can begin with
-- it; they do not reference projects, because each insert would then lock the one row that all of them share.
create table assistants (
    id         text primary key,
    project_id text not null,
    position   bigint generated always as identity,
    body       jsonb not null
);
create index assistants_by_project on assistants (project_id, position);

create table threads (
    id         text primary key,
    project_id text not null,
    position   bigint generated always as identity,
    body       jsonb not null
);
create index threads_by_project on threads (project_id, position);

-- A message's position is the number of tokens in the thread before it. It grows strictly (a message has at least one
-- token), so it orders the thread, and the context window of a run is one range of one index.
create table messages (
    id         text primary key,
    project_id text not null,
    thread_id  text not null references threads on delete cascade,
    position   bigint not null,
    tokens     integer not null check (tokens > 0),
    run_id     text generated always as (body ->> 'run_id') stored,
    body       jsonb not null,
    unique (thread_id, position)
);

create table runs (
    id               text primary key,
    project_id       text not null,
    thread_id        text not null references threads on delete cascade,
    position         bigint generated always as identity,
    status           text not null generated always as (body ->> 'status') stored,
    expires_at       bigint generated always as ((body ->> 'expires_at')::bigint) stored,
    -- Who drives the run, until when unless renewed.
    lease_owner      text,
    lease_expires_at timestamptz,
    body             jsonb not null
);
create index runs_by_thread on runs (thread_id, position);
-- The thread lock: a thread has at most one run that has not ended.
create unique index one_active_run on runs (thread_id)
    where status in ('queued', 'in_progress', 'requires_action', 'cancelling');
-- What the sweep looks at: few rows, however many runs there are.
create index active_runs on runs (expires_at)
    where status in ('queued', 'in_progress', 'requires_action', 'cancelling');

create table steps (
    id         text primary key,
    project_id text not null,
    run_id     text not null references runs on delete cascade,
    position   bigint generated always as identity,
    body       jsonb not null
);
create index steps_by_run on steps (run_id, position);

-- Locks a thread against other writers until the statement's transaction ends, and says what a writer must know.
-- A function because each statement in it sees what was committed while it waited for the lock.
create function lock_thread(of_project text, of_thread text, out active_run text, out next_position bigint)
returns setof record language plpgsql as $$
begin
    perform 1 from threads where id = of_thread and project_id = of_project for no key update;
    if not found then
        return;
    end if;
    select id into active_run from runs
    where thread_id = of_thread and status in ('queued', 'in_progress', 'requires_action', 'cancelling');
    select position + tokens into next_position from messages
    where thread_id = of_thread order by position desc limit 1;
    next_position := coalesce(next_position, 0);
    return next;
end
$$;

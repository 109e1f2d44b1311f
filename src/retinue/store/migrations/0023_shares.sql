-- Links by which people outside can read a thread as it was when it was shared.
create table thread_shares (
    id         text primary key,
    project_id text not null,
    thread_id  text not null references threads on delete cascade,
    position   bigint generated always as identity,
    title      text not null,
    -- SHA-256 of the token in the link, and the token itself, encrypted.
    hash       bytea not null unique,
    sealed     bytea not null,
    -- Position of the last message that is shown.
    up_to      bigint not null,
    -- The id of the person who shared it; null where a key did.
    created_by text,
    created_at timestamptz not null default now(),
    expires_at timestamptz
);
create index thread_shares_by_thread on thread_shares (thread_id, position);
create index thread_shares_by_person on thread_shares (created_by) where created_by is not null;

-- A message that comes after the last ones were deleted may get their position: it must not be shown by links of then.
create function shorten_shares() returns trigger language plpgsql as $$
begin
    update thread_shares set up_to = coalesce((
        select max(messages.position) from messages
        where messages.thread_id = thread_shares.thread_id and messages.position <= up_to
    ), -1) where thread_id in (select thread_id from gone);
    return null;
end
$$;
create trigger messages_deleted after delete on messages
    referencing old table as gone for each statement execute function shorten_shares();

-- Threads are found by the words of their titles, as messages are by theirs.
create index threads_by_title on threads using gin (search_words(body #>> '{metadata,title}'))
    where body #>> '{metadata,title}' is not null;

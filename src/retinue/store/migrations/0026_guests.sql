-- Links by which people outside the project talk with a GPT, and what they say.

create table gpt_links (
    id            text primary key,
    project_id    text not null,
    gpt_id        text not null references gpts on delete cascade,
    position      bigint generated always as identity,
    -- SHA-256 of the token, which is kept encrypted beside it: whoever edits the GPT sees the link again.
    hash          bytea not null unique,
    sealed        bytea not null,
    -- See wire/gpts_links.py.
    body          jsonb not null,
    expires_at    timestamptz,
    -- Conversations that were begun, ever.
    conversations integer not null default 0,
    -- Of the day that is named: messages, and nano-dollars.
    day           date not null default current_date,
    messages      integer not null default 0,
    spent         bigint not null default 0
);
create index gpt_links_by_gpt on gpt_links (gpt_id, position);

create table guest_conversations (
    id         text primary key,
    link_id    text not null references gpt_links on delete cascade,
    thread_id  text not null unique references threads on delete cascade,
    -- SHA-256 of what only the guest has.
    secret     bytea not null,
    messages   integer not null default 0,
    -- Until when an answer is awaited, unless it comes sooner.
    busy_until timestamptz
);
create index guest_conversations_by_link on guest_conversations (link_id);

-- Threads that are there for a while only: of one answer, or of a guest. No reference, since a thread is written down here
-- before it is made.
create table passing_threads (
    thread_id  text primary key,
    project_id text not null,
    due_at     timestamptz not null
);
create index passing_threads_by_time on passing_threads (due_at);

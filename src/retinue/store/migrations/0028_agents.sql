-- Agents: what they are, what they did, their files, and what they were told.

create table agents (
    id               text primary key,
    project_id       text not null,
    position         bigint generated always as identity,
    parent_id        text references agents on delete cascade,
    -- The agent whose workspace it works in: the first of its line.
    root_id          text not null,
    status           text not null generated always as (body ->> 'status') stored,
    -- Who asked for it: an API key, or a person.
    key_id           text not null,
    user_id          text not null,
    lease_owner      text,
    lease_expires_at timestamptz,
    -- What clients want of whoever drives it: 'pause' or 'stop'.
    wish             text,
    body             jsonb not null
);
create index agents_by_project on agents (project_id, position);
create index agents_by_parent on agents (parent_id) where parent_id is not null;
create index agents_at_work on agents (position) where status in ('queued', 'in_progress');

create table agent_cycles (
    id         text primary key,
    project_id text not null,
    agent_id   text not null references agents on delete cascade,
    position   bigint not null,
    -- What the model was told since the cycle before: messages of people and of other agents.
    heard      text[] not null default '{}',
    body       jsonb not null,
    -- Of what was thought and done, so that it is remembered by similarity. Of any model's length.
    embedding  halfvec,
    unique (agent_id, position)
);

-- Files are small and kept with what was done, in one transaction: a command is done with its files, or not at all.
create table agent_files (
    project_id  text not null,
    agent_id    text not null references agents on delete cascade,
    path        text not null,
    content     bytea not null,
    modified_at timestamptz not null default now(),
    primary key (agent_id, path)
);

-- What an agent has not heard yet.
create table agent_messages (
    agent_id text not null references agents on delete cascade,
    position bigint generated always as identity,
    text     text not null,
    primary key (agent_id, position)
);

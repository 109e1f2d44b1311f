-- What assistants reach outside: OpenAPI documents and MCP servers, and what people have allowed them.

create table connections (
    id               text primary key,
    project_id       text not null,
    position         bigint generated always as identity,
    -- The OpenAPI document, as it came; null for MCP servers.
    document         text,
    -- What it authenticates with, encrypted; null if with nothing.
    secrets          bytea,
    -- The names of the tools that an MCP server has, with their definitions, and when they were asked for.
    tools            jsonb,
    tools_at         timestamptz,
    body             jsonb not null
);
create index connections_by_project on connections (project_id, position);

-- Calls that people have allowed for ever.
create table consents (
    project_id       text not null,
    key              text not null,
    created_at       timestamptz not null default now(),
    primary key (project_id, key)
);

-- Where a person has signed in for a connection: tokens, encrypted.
create table grants (
    connection_id    text not null references connections on delete cascade,
    person           text not null,
    tokens           bytea not null,
    expires_at       timestamptz,
    primary key (connection_id, person)
);

-- Sign-ins under way, by the hash of their state.
create table sign_ins (
    state_hash       bytea primary key,
    connection_id    text not null references connections on delete cascade,
    person           text not null,
    verifier         bytea not null,
    created_at       timestamptz not null default now()
);

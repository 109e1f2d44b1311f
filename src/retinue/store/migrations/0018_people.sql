-- People: who they are, what they may do in projects, and how they sign in to the pages.
create table people (
    id         text primary key,
    position   bigint generated always as identity,
    name       text not null,
    email      text not null,
    -- In the organization.
    role       text not null check (role in ('owner', 'reader')),
    -- Argon2id; null: the person signs in elsewhere, or not at all.
    password   text,
    created_at timestamptz not null default now()
);
create unique index people_by_email on people (lower(email));

-- Who somebody is at an OpenID provider.
create table identities (
    issuer    text not null,
    subject   text not null,
    person_id text not null references people on delete cascade,
    primary key (issuer, subject)
);
create index identities_by_person on identities (person_id);

create table members (
    project_id text not null references projects on delete cascade,
    person_id  text not null references people on delete cascade,
    position   bigint generated always as identity,
    role       text not null check (role in ('owner', 'member', 'viewer')),
    added_at   timestamptz not null default now(),
    primary key (project_id, person_id)
);
create index members_by_person on members (person_id);

create table invites (
    id          text primary key,
    position    bigint generated always as identity,
    email       text not null,
    role        text not null check (role in ('owner', 'reader')),
    -- [{"id": …, "role": …}]
    projects    jsonb not null,
    -- SHA-256 of the token in the link by which the invite is accepted.
    hash        bytea not null unique,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    accepted_at timestamptz
);
create index invites_by_email on invites (lower(email));

-- Links that make the first owner: SHA-256 of their tokens.
create table first_links (
    hash       bytea primary key,
    expires_at timestamptz not null
);

create table browser_sessions (
    -- SHA-256 of the cookie's token.
    hash       bytea primary key,
    person_id  text not null references people on delete cascade,
    created_at timestamptz not null default now(),
    used_at    timestamptz not null default now(),
    -- At the latest, whatever happens.
    ends_at    timestamptz not null
);
create index browser_sessions_by_person on browser_sessions (person_id);

-- Tries to sign in, counted for each account and each address.
create table sign_in_attempts (
    -- SHA-256 of what is counted.
    subject bytea primary key,
    number  int not null,
    ends_at timestamptz not null
);
create index sign_in_attempts_by_end on sign_in_attempts (ends_at);

-- Every server process forgets what it knows of sessions that have changed: of one, by its hash, or of all.
create function people_changed() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'browser_sessions' then
        perform pg_notify('browser_sessions', encode(old.hash, 'hex'));
    else
        perform pg_notify('browser_sessions', '');
    end if;
    return null;
end
$$;
create trigger browser_session_deleted after delete on browser_sessions
    for each row execute function people_changed();
create trigger person_changed after update of role on people
    for each row execute function people_changed();
create trigger members_changed after insert or update or delete on members
    for each row execute function people_changed();
-- Owners of the organization see every project.
create trigger project_of_people_changed after insert or update of archived_at on projects
    for each row execute function people_changed();

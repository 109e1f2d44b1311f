-- GPTs: assistants with a profile, a draft and published versions.

create table gpts (
    id         text primary key,
    project_id text not null,
    position   bigint generated always as identity,
    slug       text not null,
    -- A person, or the service account of the key that made it. Null where nobody knows, or is to know no more.
    owner      text,
    -- See store/gpts.py for what is in it.
    body       jsonb not null,
    -- The number of the version that is used.
    version    integer,
    unique (project_id, slug)
);
create index gpts_by_project on gpts (project_id, position);
create index gpts_by_owner on gpts (owner) where owner is not null;

create table gpt_versions (
    id         text primary key,
    project_id text not null,
    gpt_id     text not null references gpts on delete cascade,
    position   bigint generated always as identity,
    number     integer not null,
    body       jsonb not null,
    unique (gpt_id, number)
);

-- The assistants that drafts and versions are when they run: no client makes, lists, changes or deletes them as such.
alter table assistants add column gpt_id text references gpts on delete cascade;
create index assistants_by_gpt on assistants (gpt_id) where gpt_id is not null;

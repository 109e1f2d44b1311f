-- What each key has used of each model, by the minute.

-- `key_id` is empty where the server itself asked a model, for a run. Projects and keys are not referenced: usage is
-- what remains of them.
create table usage_records (
    project_id        text not null,
    minute            timestamptz not null,
    key_id            text not null,
    endpoint          text not null,
    model             text not null,
    requests          bigint not null,
    prompt_tokens     bigint not null,
    cached_tokens     bigint not null,
    completion_tokens bigint not null,
    images            bigint not null,
    primary key (project_id, minute, key_id, endpoint, model)
);

-- The last batch that each process has added, so that one whose answer was lost is not added twice.
create table usage_writers (
    id         text primary key,
    batch      bigint not null,
    written_at timestamptz not null default now()
);

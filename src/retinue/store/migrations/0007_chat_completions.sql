-- Chat completions that clients asked to be stored, with the messages that they answer.

create table chat_completions (
    id         text primary key,
    project_id text not null,
    position   bigint generated always as identity,
    created_at timestamptz not null default now(),
    -- Cut to the longest name that can be asked for: an index takes no text of any length.
    model      text not null generated always as (left(body ->> 'model', 256)) stored,
    body       jsonb not null
);
create index chat_completions_by_project on chat_completions (project_id, position);
create index chat_completions_by_model on chat_completions (project_id, model, position);
create index chat_completions_by_age on chat_completions (created_at);
create index chat_completions_by_metadata on chat_completions using gin ((body -> 'metadata') jsonb_path_ops);

create table chat_completion_messages (
    id            text primary key,
    project_id    text not null,
    completion_id text not null references chat_completions on delete cascade,
    position      bigint not null,
    body          jsonb not null,
    unique (completion_id, position)
);

-- Groups of people, what users say of the answers of GPTs, and how their runs went.

create table person_groups (
    id         text primary key,
    position   bigint generated always as identity,
    name       text not null,
    created_at timestamptz not null default now()
);
create unique index person_groups_by_name on person_groups (lower(name));

create table group_members (
    group_id  text not null references person_groups on delete cascade,
    person_id text not null references people on delete cascade,
    position  bigint generated always as identity,
    primary key (group_id, person_id)
);
create index group_members_by_person on group_members (person_id);

-- It goes with the answer that it is about.
create table gpt_feedback (
    id         text primary key,
    project_id text not null,
    position   bigint generated always as identity,
    gpt_id     text not null references gpts on delete cascade,
    -- The published version that answered; null: the draft.
    version    integer,
    thread_id  text not null,
    message_id text not null references messages on delete cascade,
    run_id     text not null,
    -- Whose it is: a person, or the service account of a key.
    principal  text not null,
    rating     text not null check (rating in ('up', 'down')),
    comment    text not null,
    -- Whether the GPT's editors may read the question and the answer.
    shared     boolean not null,
    created_at bigint not null,
    unique (message_id, principal)
);
create index gpt_feedback_by_gpt on gpt_feedback (gpt_id, position);
create index gpt_feedback_by_run on gpt_feedback (run_id);
create index gpt_feedback_by_principal on gpt_feedback (principal);

-- How the runs of GPTs ended, without a word of what was said: it stays when conversations are deleted.
create table gpt_runs (
    run_id         text primary key,
    project_id     text not null,
    gpt_id         text not null references gpts on delete cascade,
    -- Null: the draft.
    version        integer,
    thread_id      text not null,
    -- Who asked; null where nobody knows, or is to know no more.
    principal      text,
    status         text not null,
    created_at     bigint not null,
    -- From when it was created until it had ended.
    seconds        bigint not null,
    -- Messages that it wrote.
    messages       integer not null,
    -- Whether it searched its knowledge, and every search found nothing.
    found_nothing  boolean not null,
    input_tokens   bigint not null,
    output_tokens  bigint not null,
    -- In nano-dollars.
    cost           bigint not null
);
create index gpt_runs_by_gpt on gpt_runs (gpt_id, created_at);
create index gpt_runs_by_principal on gpt_runs (principal) where principal is not null;

-- Whose a run is, as `audit.PRINCIPAL` has it.
create function run_principal(run jsonb) returns text language sql stable as $$
    select coalesce(nullif(run ->> 'user', ''),
        (select service_account_id from api_keys where api_keys.id = run ->> 'key'), nullif(run ->> 'key', ''))
$$;

create function note_gpt_run() returns trigger language plpgsql as $$
begin
    insert into gpt_runs
    select new.id, new.project_id, assistants.gpt_id, (
            select number from gpt_versions
            where gpt_versions.gpt_id = assistants.gpt_id and gpt_versions.body ->> 'assistant_id' = assistants.id
        ),
        new.thread_id, run_principal(new.body), new.status, (new.body ->> 'created_at')::bigint,
        greatest(0, extract(epoch from now())::bigint - (new.body ->> 'created_at')::bigint),
        (select count(*) from messages where thread_id = new.thread_id and run_id = new.id),
        searches.number > 0 and searches.found = 0,
        coalesce((new.body #>> '{usage,prompt_tokens}')::bigint, 0),
        coalesce((new.body #>> '{usage,completion_tokens}')::bigint, 0),
        coalesce((new.body ->> 'spent')::bigint, 0)
    from assistants, (
        select count(*) as number,
            coalesce(sum(jsonb_array_length(coalesce(nullif(call #> '{file_search,results}', 'null'), '[]'))), 0) as found
        from steps, jsonb_path_query(
            steps.body, '$.step_details.tool_calls[*] ? (@.type == "file_search")'
        ) as call where steps.run_id = new.id
    ) as searches
    where assistants.id = new.body ->> 'assistant_id' and assistants.gpt_id is not null
    on conflict do nothing;
    return null;
end
$$;
create trigger gpt_run_ended after update on runs for each row
    when (old.status is distinct from new.status
        and new.status in ('completed', 'incomplete', 'failed', 'cancelled', 'expired')
        and starts_with(new.body ->> 'assistant_id', 'asst_gpt_'))
    execute function note_gpt_run();

-- Who did what to the organization; how long things are kept; and the erasing of what a person has left.

-- One row for each administrative act, written in the transaction of the act. Projects, keys and people are not
-- referenced: the log is what remains of them.
create table audit_log (
    id                 text primary key,
    position           bigint generated always as identity unique,
    effective_at       bigint not null default floor(extract(epoch from clock_timestamp())),
    -- An official type; and the type of ours that is told as it.
    type               text not null,
    act                text,
    project_id         text,
    resource_id        text not null,
    -- Who: by an API key, whose service account is known here, or a person.
    key_id             text,
    service_account_id text,
    user_id            text,
    user_email         text,
    ip_address         text,
    user_agent         text,
    -- What was made or changed, without secrets.
    details            jsonb not null
);
create index audit_log_by_age on audit_log (effective_at);
create index audit_log_by_project on audit_log (project_id, position);
create index audit_log_by_type on audit_log (type, position);
create index audit_log_by_resource on audit_log (resource_id, position);

-- The program only appends. The sweep that forgets old entries says so for its transaction.
create function keep_audit_log() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('retinue.forget_audit_log', true) = 'on' then
        return old;
    end if;
    raise exception 'the audit log cannot be changed';
end
$$;
create trigger audit_log_kept before update or delete on audit_log
    for each row execute function keep_audit_log();
create trigger audit_log_not_emptied before truncate on audit_log
    for each statement execute function keep_audit_log();

-- What a project keeps for how long. Null is for ever; a project without a row has the defaults of the settings.
create table retention_rules (
    project_id       text primary key references projects on delete cascade,
    thread_idle_days integer,
    file_days        integer,
    -- From a purpose to days, or to null, where a purpose differs.
    file_purposes    jsonb not null default '{}',
    completion_days  integer
);

-- How far the sweep has come through all threads, and when it goes on.
create table retention_walk (
    project_id text not null,
    position   bigint not null,
    due_at     timestamptz not null default now()
);
insert into retention_walk values ('', 0);

create table erasures (
    id           text primary key,
    position     bigint generated always as identity,
    -- Null: of every project.
    project_id   text,
    -- Whose data; null once they are gone.
    person       text,
    status       text not null default 'in_progress',
    counts       jsonb not null default '{}',
    created_at   bigint not null default floor(extract(epoch from clock_timestamp())),
    completed_at bigint
);
create index erasures_in_progress on erasures (position) where status = 'in_progress';

-- The request's `user` and `safety_identifier`.
alter table chat_completions add column users text[] not null default '{}';

-- The files that came with a message, or that a run made for it: not those that it merely cites.
create function files_of_message(body jsonb) returns text[] language sql immutable parallel safe strict as $$
    select array(
        select jsonb_path_query(body, '$.attachments[*].file_id') #>> '{}'
        union select jsonb_path_query(body, '$.content[*].image_file.file_id') #>> '{}'
        union select jsonb_path_query(body, '$.content[*].text.annotations[*].file_path.file_id') #>> '{}'
    )
$$;
create index messages_by_file on messages using gin (files_of_message(body))
    where jsonb_path_exists(body, '$.**.file_id');

-- The files and vector stores that an assistant or a thread has for its tools.
create function resources_of(body jsonb) returns text[] language sql immutable parallel safe strict as $$
    select array(
        select jsonb_path_query(body, '$.tool_resources.code_interpreter.file_ids[*]') #>> '{}'
        union select jsonb_path_query(body, '$.tool_resources.file_search.vector_store_ids[*]') #>> '{}'
    )
$$;
create index assistants_by_resource on assistants using gin (resources_of(body))
    where jsonb_path_exists(body, '$.tool_resources.*.*[*]');
create index threads_by_resource on threads using gin (resources_of(body))
    where jsonb_path_exists(body, '$.tool_resources.*.*[*]');

-- Whether a thread has had no message and no run for so many days, and none is active.
create function thread_rests(of_thread text, days integer) returns boolean language sql stable as $$
    with since as (select floor(extract(epoch from now()))::bigint - days * 86400::bigint as moment)
    select case
        when (threads.body ->> 'created_at')::bigint >= moment then false
        -- Mostly the last message tells; imported ones may be in any order.
        when (select (body ->> 'created_at')::bigint from messages where thread_id = of_thread and position is not null
            order by position desc limit 1) >= moment then false
        else not exists (
            select from runs where thread_id = of_thread and (
                status in ('queued', 'in_progress', 'requires_action', 'cancelling') or greatest(
                    (body ->> 'created_at')::bigint, (body ->> 'started_at')::bigint, (body ->> 'completed_at')::bigint,
                    (body ->> 'failed_at')::bigint, (body ->> 'cancelled_at')::bigint
                ) >= moment
            )
        ) and not exists (
            select from messages where thread_id = of_thread and (body ->> 'created_at')::bigint >= moment
        )
    end
    from threads, since where id = of_thread
$$;

create index files_by_age on files (project_id, ((body ->> 'created_at')::bigint));

-- What an erasure looks for.
create index runs_by_user on runs ((body #>> '{metadata,user}')) where body #>> '{metadata,user}' is not null;
create index runs_by_person on runs ((body ->> 'user'));
create index messages_by_user on messages ((body #>> '{metadata,user}')) where body #>> '{metadata,user}' is not null;
create index webhook_deliveries_by_thread on webhook_deliveries ((body #>> '{event,data,thread_id}'));
create index webhook_deliveries_by_object on webhook_deliveries ((body #>> '{event,data,id}'));

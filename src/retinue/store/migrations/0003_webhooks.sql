-- Webhooks: what happens is written down for each endpoint that wants it, in the transaction in which it happens.

create table webhook_endpoints (
    id               text primary key,
    project_id       text not null,
    position         bigint generated always as identity,
    enabled          boolean not null generated always as ((body ->> 'enabled')::boolean) stored,
    -- Signing secrets, encrypted; the old one signs too until its time is over.
    secret           bytea not null,
    old_secret       bytea,
    old_secret_until timestamptz,
    body             jsonb not null
);
create index webhook_endpoints_by_project on webhook_endpoints (project_id, position);

-- One event on its way to one endpoint. No foreign key: while an endpoint is being deleted, its key would hold up, and
-- then fail, the transactions in which things happen.
create table webhook_deliveries (
    id               text primary key,
    project_id       text not null,
    endpoint_id      text not null,
    position         bigint generated always as identity,
    status           text not null generated always as (body ->> 'status') stored,
    created_at       bigint not null generated always as ((body ->> 'created_at')::bigint) stored,
    next_attempt_at  bigint generated always as ((body ->> 'next_attempt_at')::bigint) stored,
    -- Who is sending it, and until when that is believed.
    lease_owner      text,
    lease_expires_at timestamptz,
    body             jsonb not null
);
create index webhook_deliveries_by_endpoint on webhook_deliveries (endpoint_id, position);
create index webhook_deliveries_by_age on webhook_deliveries (created_at);
create index due_webhook_deliveries on webhook_deliveries (endpoint_id, next_attempt_at) where status = 'pending';

-- Writes an event down for every enabled endpoint of the project that wants its type; wakes those who deliver.
create function publish_event(of_project text, of_type text, data jsonb) returns void language plpgsql as $$
declare
    happened bigint := floor(extract(epoch from clock_timestamp()));
    event jsonb;
begin
    if not exists (select from webhook_endpoints where project_id = of_project and enabled) then
        return;
    end if;
    event := jsonb_build_object(
        'id', 'evt_' || replace(gen_random_uuid()::text, '-', ''),
        'object', 'event', 'created_at', happened, 'type', of_type, 'data', data
    );
    with wanting as (
        select id as endpoint_id, 'whd_' || replace(gen_random_uuid()::text, '-', '') as id from webhook_endpoints
        where project_id = of_project and enabled and exists (
            select from jsonb_array_elements_text(body -> 'event_types') as pattern
            where pattern = of_type or (pattern like '%*' and starts_with(of_type, rtrim(pattern, '*')))
        )
    )
    insert into webhook_deliveries (id, project_id, endpoint_id, body)
    select id, of_project, endpoint_id, jsonb_build_object(
        'id', id, 'object', 'webhook_endpoint.delivery', 'created_at', happened, 'webhook_endpoint_id', endpoint_id,
        'status', 'pending', 'attempts', 0, 'next_attempt_at', happened, 'event', event
    ) from wanting;
    if found then
        perform pg_notify('webhook_deliveries', '');
    end if;
end
$$;

create function publish_run() returns trigger language plpgsql as $$
begin
    perform publish_event(new.project_id, 'thread.run.' || new.status, new.body);
    return null;
end
$$;

-- Only runs that begin here: one that is imported has long been what it is.
create trigger run_created after insert on runs
    for each row when (new.status = 'queued') execute function publish_run();
create trigger run_changed after update on runs
    for each row when (new.status is distinct from old.status) execute function publish_run();

create function publish_file() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        perform publish_event(new.project_id, 'file.created', new.body);
    else
        perform publish_event(old.project_id, 'file.deleted',
            jsonb_build_object('id', old.id, 'object', 'file', 'deleted', true));
    end if;
    return null;
end
$$;

create trigger file_created_or_deleted after insert or delete on files
    for each row execute function publish_file();

create function publish_vector_store_file() returns trigger language plpgsql as $$
begin
    perform publish_event(new.project_id, 'vector_store.file.' || new.status, new.body);
    return null;
end
$$;

create trigger vector_store_file_processed after update on vector_store_files
    for each row when (new.status is distinct from old.status and new.status in ('completed', 'failed'))
    execute function publish_vector_store_file();

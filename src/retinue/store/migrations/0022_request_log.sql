-- The log of requests: every request under /v1, without what it said and what it was answered.

-- Projects, keys and people are not referenced: a check of each row would cost more than the row.
create table request_log (
    -- Of writing: newest last, but for requests that took long.
    position      bigint generated always as identity primary key,
    -- What follows `req_`.
    id            uuid not null unique,
    at            timestamptz not null,
    -- Empty: of the organization, or of nobody whom the server knows.
    project_id    text not null,
    key_id        text,
    user_id       text,
    -- Whether it came with a session: from a page.
    by_page       boolean not null,
    method        text not null,
    -- The route's template; null where there is none, or the request did not come so far.
    route         text,
    path          text not null,
    -- The model that a call went to, or that was asked for, or the run's; and whether the request itself called it.
    model         text,
    called_model  boolean not null,
    -- Of the run that it was about.
    assistant_id  text,
    thread_id     text,
    run_id        text,
    status        smallint not null,
    error_type    text,
    error_code    text,
    -- Milliseconds until the first byte of the body, and until the last.
    first_ms      integer,
    total_ms      integer not null,
    bytes         bigint not null
);
create index request_log_by_project on request_log (project_id, position);
create index request_log_by_person on request_log (user_id) where user_id is not null;
-- Rows come nearly in the order of time, so that an index of a few pages finds a day.
create index request_log_by_time on request_log using brin (at) with (pages_per_range = 32, autosummarize = on);

-- A project's log goes with the project.
create function forget_requests() returns trigger language plpgsql as $$
begin
    delete from request_log where project_id in (select id from gone);
    return null;
end
$$;
create trigger requests_go_with_projects after delete on projects
    referencing old table as gone for each statement execute function forget_requests();

-- Runs by time, for how long they took.
create index runs_by_time on runs using brin (((body ->> 'created_at')::bigint)) with (autosummarize = on);

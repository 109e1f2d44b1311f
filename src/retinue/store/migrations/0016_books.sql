-- What each use was for, and what it cost.

-- The minute comes first: the books are asked for by time, of one project or of all, and new rows lie side by side. A
-- run has a row of its own for each minute and model, until `usage_run_days` are over; then its rows are added up.
alter table usage_records
    add column user_id      text not null default '',
    add column assistant_id text not null default '',
    add column thread_id    text not null default '',
    add column run_id       text not null default '',
    -- Of vector stores: bytes, times the seconds that they were kept.
    add column byte_seconds bigint not null default 0,
    -- In nano-dollars, by the prices of that time.
    add column cost         bigint not null default 0,
    drop constraint usage_records_pkey,
    add primary key (minute, project_id, endpoint, key_id, model, user_id, assistant_id, thread_id, run_id);
create index usage_of_runs on usage_records (minute) where run_id <> '';

-- Until when the storage of vector stores is on the books: one row, whose lock makes one process count it.
create table storage_counts (
    id         boolean primary key default true check (id),
    counted_at timestamptz not null
);
insert into storage_counts (counted_at) values (now());

-- The last code interpreter session of each thread that was put on the books.
create table code_sessions (
    thread_id text primary key references threads on delete cascade,
    begun_at  timestamptz not null
);

-- What each project has cost in a month of UTC, in nano-dollars: kept with the records, so that looking at it is one row.
create table spend_months (
    project_id text not null,
    month      timestamptz not null,
    cost       bigint not null,
    primary key (project_id, month)
);

create table spend_limits (
    project_id text primary key references projects on delete cascade,
    -- In cents, for each month.
    threshold  bigint not null,
    -- The last month in which somebody was warned.
    warned     timestamptz
);

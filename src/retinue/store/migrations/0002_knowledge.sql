-- Files, and the vector stores that hold them.

-- What is in a file lies in the blob store, under the file's id.
create table files (
    id         text primary key,
    project_id text not null,
    position   bigint generated always as identity,
    purpose    text not null generated always as (body ->> 'purpose') stored,
    expires_at bigint generated always as ((body ->> 'expires_at')::bigint) stored,
    body       jsonb not null
);
create index files_by_project on files (project_id, position);
create index files_by_purpose on files (project_id, purpose, position);
create index files_by_expiry on files (expires_at) where expires_at is not null;

-- Blobs that belong to no file: those being uploaded, and those of deleted files. Blobs and database cannot change in
-- one transaction, so what may be left over in the blob store stands here before it can be, and a sweep deletes it.
create table loose_blobs (
    key    text primary key,
    -- When the sweep may delete it.
    due_at timestamptz not null
);
create index loose_blobs_by_due on loose_blobs (due_at);

create table vector_stores (
    id         text primary key,
    project_id text not null,
    position   bigint generated always as identity,
    expires_at bigint generated always as ((body ->> 'expires_at')::bigint) stored,
    -- The store has expired, and its chunks are gone.
    emptied    boolean not null default false,
    body       jsonb not null
);
create index vector_stores_by_project on vector_stores (project_id, position);
create index vector_stores_by_expiry on vector_stores (expires_at) where expires_at is not null and not emptied;

create table file_batches (
    id              text primary key,
    project_id      text not null,
    vector_store_id text not null references vector_stores on delete cascade,
    position        bigint generated always as identity,
    -- `cancelled` tells whether the batch was; the rest of what it says of its state is counted.
    body            jsonb not null
);
create index file_batches_by_store on file_batches (vector_store_id, position);

-- A file in a store. `id` is the file's; a file that is put into a store again is a new row with a new position, so
-- that a position names one processing of one file.
create table vector_store_files (
    id              text not null references files on delete cascade,
    project_id      text not null,
    vector_store_id text not null references vector_stores on delete cascade,
    batch_id        text references file_batches on delete set null,
    position        bigint generated always as identity unique,
    status          text not null generated always as (body ->> 'status') stored,
    usage_bytes     bigint not null generated always as ((body ->> 'usage_bytes')::bigint) stored,
    -- How often its processing began.
    attempts        integer not null default 0,
    body            jsonb not null,
    primary key (vector_store_id, id)
);
create index vector_store_files_by_store on vector_store_files (vector_store_id, position);
create index vector_store_files_by_status on vector_store_files (vector_store_id, status) include (usage_bytes);
create index vector_store_files_by_batch on vector_store_files (batch_id, status) where batch_id is not null;
create index vector_store_files_by_file on vector_store_files (id);
create index unprocessed_files on vector_store_files (position) where status = 'in_progress';

create table chunks (
    project_id      text not null,
    vector_store_id text not null,
    file_id         text not null,
    number          integer not null,
    -- Of the chunk's first character in the file's text, from 0.
    start_index     integer not null,
    tokens          integer not null,
    text            text not null,
    primary key (vector_store_id, file_id, number),
    foreign key (vector_store_id, file_id) references vector_store_files (vector_store_id, id) on delete cascade
);

-- How many files of a store, or of one batch in it, are in each state.
create function count_files(of_store text, of_batch text, out counts jsonb, out working boolean, out usage bigint)
language sql stable as $$
    select jsonb_build_object(
            'in_progress', count(*) filter (where status = 'in_progress'),
            'completed', count(*) filter (where status = 'completed'),
            'failed', count(*) filter (where status = 'failed'),
            'cancelled', count(*) filter (where status = 'cancelled'),
            'total', count(*)
        ),
        count(*) filter (where status = 'in_progress') > 0,
        coalesce(sum(usage_bytes), 0)::bigint
    from vector_store_files where vector_store_id = of_store and (of_batch is null or batch_id = of_batch)
$$;

-- A store, or a batch, as clients see it: with what its files make of it.
create function shown(store vector_stores) returns jsonb language sql stable as $$
    select store.body || jsonb_build_object(
        'file_counts', counts,
        'usage_bytes', usage,
        'status', case when store.expires_at <= extract(epoch from now()) then 'expired'
            when working then 'in_progress' else 'completed' end
    )
    from count_files(store.id, null)
$$;

create function shown(batch file_batches) returns jsonb language sql stable as $$
    select batch.body || jsonb_build_object(
        'file_counts', counts,
        'status', case when working then 'in_progress' when batch.body ->> 'status' = 'cancelled' then 'cancelled'
            when counts ->> 'total' <> '0' and counts -> 'failed' = counts -> 'total' then 'failed'
            else 'completed' end
    )
    from count_files(batch.vector_store_id, batch.id)
$$;

-- A store's body when the store is used now: that moves its end.
create function active(body jsonb) returns jsonb language sql stable as $$
    select body || jsonb_build_object(
        'last_active_at', extract(epoch from now())::bigint,
        'expires_at', extract(epoch from now())::bigint + (body #>> '{expires_after,days}')::bigint * 86400
    )
$$;

-- Uploads: files that come in parts.

create table uploads (
    id         text primary key,
    project_id text not null,
    status     text not null generated always as (body ->> 'status') stored,
    expires_at bigint not null generated always as ((body ->> 'expires_at')::bigint) stored,
    -- Of all parts that have come.
    parts      integer not null default 0,
    part_bytes bigint not null default 0,
    -- The file that it became, and the hash of the request that completed it.
    file_id    text,
    request    bytea,
    body       jsonb not null
);
create index uploads_by_expiry on uploads (status, expires_at);

-- What is in a part lies in the blob store, under the part's id.
create table upload_parts (
    id        text primary key,
    upload_id text not null references uploads on delete cascade,
    bytes     bigint not null
);
create index upload_parts_by_upload on upload_parts (upload_id);

-- The blob of a part that goes, for whatever reason, belongs to nothing any more.
create function loosen_parts() returns trigger language plpgsql as $$
begin
    insert into loose_blobs (key, due_at) select 'parts/' || id, now() from gone;
    return null;
end
$$;

create trigger parts_gone after delete on upload_parts
    referencing old table as gone for each statement execute function loosen_parts();

-- Searching the chunks of vector stores by meaning and by words.
--
-- `file` is the position of a file in a store (`vector_store_files.position`): one number for one processing of one
-- file in one store. `store` is `vector_stores.position`.

create extension if not exists vector;

-- What an earlier version has written is made anew: its chunks have neither places nor vectors.
drop table chunks;
drop index vector_store_files_by_status;
alter table vector_store_files
    -- Its chunks have all been written, and how many words they have.
    add column cut boolean not null default false,
    add column chunks integer not null default 0,
    add column words bigint not null default 0;
create index vector_store_files_by_status on vector_store_files (vector_store_id, status) include (usage_bytes);
create index reading_files on vector_store_files (vector_store_id) where attempts > 0 and status = 'in_progress';
update vector_store_files as file
set attempts = 0, body = file.body || '{"status": "in_progress", "usage_bytes": 0}'
from vector_stores
where vector_stores.id = file.vector_store_id and not emptied and file.status = 'completed';

alter table vector_stores
    -- The model that its vectors are of, and how long they are. Set with the first vectors; never changed.
    add column embedding_model text,
    add column dimensions integer,
    -- Of its completed files.
    add column chunks bigint not null default 0,
    add column words bigint not null default 0,
    -- The table that a large store has for its vectors, with an index; and about how many are not in it yet.
    add column own_table text,
    add column tail bigint not null default 0;
create index vector_stores_to_index on vector_stores (tail) where tail > 0;

create table chunks (
    file        bigint not null,
    number      integer not null,
    -- Of the chunk's first character in the file's text, from 0.
    start_index integer not null,
    tokens      integer not null,
    page        integer,
    section     text,
    text        text not null,
    primary key (file, number)
);

-- The vectors of small stores, and of large ones what is not in their own table yet. Length 1.
create table chunk_vectors (
    store  bigint not null,
    file   bigint not null,
    number integer not null,
    vector halfvec not null,
    primary key (file, number)
);
create index chunk_vectors_by_store on chunk_vectors (store);

-- An inverted index. `postings` tells of each chunk of the file that has the word: see knowledge/words.py.
create table chunk_words (
    store    bigint not null,
    word     text collate "C" not null,
    file     bigint not null,
    chunks   integer not null,
    postings bytea not null,
    primary key (store, word, file) include (chunks)
);
alter table chunk_words alter column postings set storage external;
create index chunk_words_by_file on chunk_words (file);

-- Files that have left their stores: nobody finds them, and a sweep deletes what was made of them.
create table gone_files (
    file  bigint primary key,
    -- 0 if the store is gone too.
    store bigint not null
);
create index gone_files_by_store on gone_files (store);
-- Tables that stores had for themselves. Somebody who is searching may be about to read one for a moment.
create table gone_tables (
    name text primary key,
    since timestamptz not null default now()
);

create sequence own_tables;

create function count_completed_file() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.status = 'completed' and old.status <> 'completed' then
        update vector_stores set chunks = chunks + new.chunks, words = words + new.words, tail = tail + new.chunks
        where id = new.vector_store_id;
    elsif tg_op = 'UPDATE' then
        insert into gone_files (file, store) select new.position, position from vector_stores
        where id = new.vector_store_id and new.status in ('failed', 'cancelled') on conflict do nothing;
    else
        -- A store that is being deleted with its files is no longer there: it needs no own table.
        insert into gone_files (file, store)
        values (old.position, coalesce((select position from vector_stores where id = old.vector_store_id), 0))
        on conflict do nothing;
        if old.status = 'completed' then
            update vector_stores set chunks = chunks - old.chunks, words = words - old.words
            where id = old.vector_store_id;
        end if;
    end if;
    return null;
end
$$;
create trigger file_completed after update on vector_store_files
    for each row when (new.status is distinct from old.status) execute function count_completed_file();
create trigger file_left after delete on vector_store_files
    for each row execute function count_completed_file();

create function forget_own_table() returns trigger language plpgsql as $$
begin
    insert into gone_tables (name) values (old.own_table) on conflict do nothing;
    return null;
end
$$;
create trigger large_store_deleted after delete on vector_stores
    for each row when (old.own_table is not null) execute function forget_own_table();

-- The files of a store whose chunks must not be found: those that have left it, and those not completed yet.
create function hidden_files(of_store bigint, of_id text) returns bigint[] language sql stable as $$
    select array(
        select file from gone_files where store = of_store
        union all select position from vector_store_files
        where vector_store_id = of_id and attempts > 0 and status = 'in_progress'
    )
$$;

-- The chunks of a store that are nearest to a vector of length 1, nearest first. Everything in it reads one state of
-- the database, so that chunks which move to the store's own table meanwhile are found once.
--
-- of_files: look in these files only; null means in all. exact: compare with every chunk instead of asking the index.
create function nearest_chunks(of_id text, query halfvec, most integer, of_files bigint[], exact boolean)
returns table (file bigint, number integer, similarity real) language plpgsql stable
set hnsw.ef_search = 120 set hnsw.iterative_scan = strict_order as $$
declare
    own text;
    of_store bigint;
    hidden bigint[];
    among text;
    wanted text := case when of_files is null then '' else ' and file = any($2)' end;
begin
    select position, own_table, hidden_files(position, id) into of_store, own, hidden
    from vector_stores where id = of_id;
    if not found then
        return;
    end if;
    if cardinality(hidden) > 0 then
        wanted := wanted || ' and file <> all($3)';
    end if;
    among := format(
        '(select file, number, vector <#> $1 as distance from chunk_vectors where store = %s %s '
        'order by distance limit %s)', of_store, wanted, most);
    if own is not null then
        among := among || format(
            ' union all (select file, number, distance from (select file, number, vector <#> $1 as distance '
            'from %I where true %s order by %s limit %s) as nearest)',
            own, wanted, case when exact then '(vector <#> $1) + 0.0' else 'vector <#> $1' end, most);
    end if;
    return query execute format(
        'select file, number, (-distance)::real from (%s) as found order by distance, file, number limit %s',
        among, most) using query, of_files, hidden;
end
$$;

-- How near given chunks of a store are to a vector of length 1, in their order; null for one without a vector.
create function chunk_similarities(of_id text, query halfvec, files bigint[], numbers integer[])
returns table (similarity real) language plpgsql stable as $$
declare
    own text;
    vectors text := 'chunk_vectors';
begin
    select own_table into own from vector_stores where id = of_id;
    return query execute format(
        'select coalesce(-(near.vector <#> $1), %s)::real '
        'from unnest($2, $3) with ordinality as wanted (file, number, place) '
        'left join chunk_vectors as near on near.file = wanted.file and near.number = wanted.number %s order by place',
        case when own is null then 'null' else '-(own.vector <#> $1)' end,
        case when own is null then '' else format(
            'left join %I as own on own.file = wanted.file and own.number = wanted.number', own) end
    ) using query, files, numbers;
end
$$;

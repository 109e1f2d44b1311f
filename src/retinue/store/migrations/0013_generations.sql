-- Counts up with everything that changes what can be found in a store: what was read of it stays true until then.
alter table vector_stores add column generation bigint not null default 0;

create or replace function count_completed_file() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.status = 'completed' and old.status <> 'completed' then
        update vector_stores
        set chunks = chunks + new.chunks, words = words + new.words, tail = tail + new.chunks, generation = generation + 1
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
            update vector_stores
            set chunks = chunks - old.chunks, words = words - old.words, generation = generation + 1
            where id = old.vector_store_id;
        end if;
    end if;
    return null;
end
$$;

-- The common table is asked only for stores that have vectors there: planning its part took as long as searching it.
create or replace function nearest_chunks(
    of_id text, query halfvec, most integer, of_files bigint[], exact boolean
)
returns table (file bigint, number integer, similarity real) language plpgsql stable
set hnsw.ef_search = 120 set hnsw.iterative_scan = strict_order as $$
declare
    own text;
    of_store bigint;
    in_common boolean;
    hidden bigint[];
    parts text[] := '{}';
    wanted text := case when of_files is null then '' else ' and file = any($2)' end;
begin
    select position, own_table, tail > 0, hidden_files(position, id) into of_store, own, in_common, hidden
    from vector_stores where id = of_id;
    if not found then
        return;
    end if;
    if cardinality(hidden) > 0 then
        wanted := wanted || ' and file <> all($3)';
    end if;
    if in_common or own is null then
        parts := parts || format(
            '(select file, number, vector <#> $1 as distance from chunk_vectors where store = %s %s '
            'order by distance limit %s)', of_store, wanted, most);
    end if;
    if own is not null then
        parts := parts || format(
            '(select file, number, distance from (select file, number, vector <#> $1 as distance '
            'from %I where true %s order by %s limit %s) as nearest)',
            own, wanted, case when exact then '(vector <#> $1) + 0.0' else 'vector <#> $1' end, most);
    end if;
    return query execute format(
        'select file, number, (-distance)::real from (%s) as found order by distance, file, number limit %s',
        array_to_string(parts, ' union all '), most) using query, of_files, hidden;
end
$$;

create or replace function chunk_similarities(of_id text, query halfvec, files bigint[], numbers integer[])
returns table (similarity real) language plpgsql stable as $$
declare
    tables text[];
    cosine text := '(select -(vector <#> $1) from %I where file = wanted.file and number = wanted.number)';
begin
    select array_remove(array[own_table, case when tail > 0 or own_table is null then 'chunk_vectors' end], null)
    into tables from vector_stores where id = of_id;
    return query execute format(
        'select coalesce(%s)::real from unnest($2, $3) with ordinality as wanted (file, number, place) order by place',
        (select string_agg(format(cosine, name), ', ') from unnest(coalesce(tables, '{chunk_vectors}')) as name)
    ) using query, files, numbers;
end
$$;

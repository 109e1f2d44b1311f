-- A store's own table has nearly all of its vectors: the common one is asked only for those that it does not have yet.
create or replace function chunk_similarities(of_id text, query halfvec, files bigint[], numbers integer[])
returns table (similarity real) language plpgsql stable as $$
declare
    own text;
    cosine text := '(select -(vector <#> $1) from %I where file = wanted.file and number = wanted.number)';
begin
    select own_table into own from vector_stores where id = of_id;
    return query execute format(
        'select coalesce(%s, %s)::real from unnest($2, $3) with ordinality as wanted (file, number, place) order by place',
        case when own is null then 'null' else format(cosine, own) end, format(cosine, 'chunk_vectors')
    ) using query, files, numbers;
end
$$;

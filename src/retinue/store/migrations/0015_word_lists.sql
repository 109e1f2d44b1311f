-- The words of large stores, of many files in one row: what a search reads of a word lies in one place. A job joins the
-- rows of chunk_words here, when it moves the store's vectors. Only files that are completed have words here.
create table word_lists (
    store    bigint not null,
    word     text collate "C" not null,
    -- That have the word, in all these files.
    chunks   integer not null,
    -- Positions of the files (int8send), bytes of the postings in each (int4send), and these, file after file.
    files    bytea not null,
    sizes    bytea not null,
    postings bytea not null,
    primary key (store, word) include (chunks)
);
alter table word_lists
    alter column files set storage external,
    alter column sizes set storage external,
    alter column postings set storage external;

create function forget_words() returns trigger language plpgsql as $$
begin
    delete from word_lists where store = old.position;
    return null;
end
$$;
create trigger words_left after delete on vector_stores for each row execute function forget_words();

-- A word's list without some files.
create function without_files(
    inout chunks integer, inout files bytea, inout sizes bytea, inout postings bytea, gone bigint[]
) language sql immutable as $$
    with entry as (
        select place, substring(files from 8 * place + 1 for 8) as file, substring(sizes from 4 * place + 1 for 4) as bytes,
            (get_byte(sizes, 4 * place) << 24) + (get_byte(sizes, 4 * place + 1) << 16)
                + (get_byte(sizes, 4 * place + 2) << 8) + get_byte(sizes, 4 * place + 3) as size
        from generate_series(0, length(files) / 8 - 1) as place
    ), placed as (
        select *, (sum(size) over (order by place))::integer - size as start from entry
    )
    select coalesce(sum(size) / 8, 0)::integer, coalesce(string_agg(file, '' order by place), ''),
        coalesce(string_agg(bytes, '' order by place), ''),
        coalesce(string_agg(substring(postings from start + 1 for size), '' order by place), '')
    from placed where file <> all(array(select int8send(one) from unnest(gone) as one))
$$;

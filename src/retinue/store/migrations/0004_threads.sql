-- What threads can do beyond the official API: be searched, forked, and take messages while a run is active; and
-- requests that may be sent twice.

-- --- Search: the words of a message, as PostgreSQL's text search keeps them.

-- Scripts that put no spaces between words (Thai, Lao, Burmese, Khmer, kana, Han, Hangul) are cut into overlapping
-- pairs of characters, and the last character of each stretch: 'ABC' gives AB, BC, C. Then any stretch of them is
-- found by its own pairs, and one character as the beginning of a pair. Punctuation parts words, or the parser would
-- take 'example.com/path' for one. The beginning of a text is enough: its words must fit into 1 MB.
create function search_words(content text) returns tsvector language plpgsql immutable parallel safe strict as $$
declare
    unspaced constant text := '\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff'
        '\uac00-\ud7af\uf900-\ufaff\U00020000-\U0002fa1f';
    pairs constant text := '([' || unspaced || ']{1,2})';
    words text := regexp_replace(left(content, 32768), '[!-/:-@[-`{-~]+', ' ', 'g');
begin
    if words !~ ('[' || unspaced || ']') then
        return strip(to_tsvector('simple', words));
    end if;
    return strip(to_tsvector('simple',
        regexp_replace(words, pairs, ' \1 ', 'g') || ' ' ||
        -- The same, begun one character later in each stretch.
        regexp_replace(regexp_replace(words, '(^|[^' || unspaced || '])[' || unspaced || ']', '\1 ', 'g'),
            pairs, ' \1 ', 'g')));
end
$$;

-- All text of a message.
create function message_text(body jsonb) returns text language sql immutable parallel safe strict as $$
    select string_agg(part #>> '{text,value}', ' ') from jsonb_array_elements(body -> 'content') as part
$$;

-- What finds messages that have, for each of these words, one that begins with it. Null where there is no word.
create function search_query(words text) returns tsquery language sql immutable parallel safe strict as $$
    select string_agg(quote_literal(lexeme) || ':*', ' & ')::tsquery from unnest(search_words(words))
$$;

create index messages_by_word on messages using gin (search_words(message_text(body)));
create index threads_by_metadata on threads using gin ((body -> 'metadata') jsonb_path_ops);

-- --- Forks: ids made in the database, as store/ids.py makes them.

create function new_id(prefix text) returns text language sql volatile parallel safe as $$
    select prefix || translate(
        left(encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'), 24), '+/', 'Aa')
$$;

-- --- Messages that wait for the end of a run. They have no position, so they are not in the thread yet.

alter table messages alter column position drop not null;
alter table messages add column queue_position bigint;
alter table messages add constraint in_thread_or_queue check ((position is null) = (queue_position is not null));
create unique index queued_messages on messages (thread_id, queue_position) where position is null;

create or replace function lock_thread(of_project text, of_thread text, out active_run text, out next_position bigint)
returns setof record language plpgsql as $$
begin
    perform 1 from threads where id = of_thread and project_id = of_project for no key update;
    if not found then
        return;
    end if;
    select id into active_run from runs
    where thread_id = of_thread and status in ('queued', 'in_progress', 'requires_action', 'cancelling');
    select position + tokens into next_position from messages
    where thread_id = of_thread and position is not null order by position desc limit 1;
    next_position := coalesce(next_position, 0);
    return next;
end
$$;

-- As lock_thread, and it keeps the active run from ending too: a message that is put on the queue now will be seen by
-- the run's end. Commits of runs need no further lock for that.
create function lock_thread_and_run(
    of_project text, of_thread text,
    out active_run text, out next_position bigint, out next_in_queue bigint, out queued bigint
)
returns setof record language plpgsql as $$
begin
    perform 1 from threads where id = of_thread and project_id = of_project for no key update;
    if not found then
        return;
    end if;
    select id into active_run from runs
    where thread_id = of_thread and status in ('queued', 'in_progress', 'requires_action', 'cancelling') for share;
    select position + tokens into next_position from messages
    where thread_id = of_thread and position is not null order by position desc limit 1;
    next_position := coalesce(next_position, 0);
    select coalesce(max(queue_position), 0) + 1, count(*) into next_in_queue, queued from messages
    where thread_id = of_thread and position is null;
    return next;
end
$$;

-- In the transaction in which a run ends, the messages that waited for it join the thread, in their order.
create function append_queued_messages() returns trigger language plpgsql as $$
declare
    start bigint;
begin
    if not exists (select from messages where thread_id = new.thread_id and position is null) then
        return null;
    end if;
    select position + tokens into start from messages
    where thread_id = new.thread_id and position is not null order by position desc limit 1;
    update messages set position = coalesce(start, 0) + waiting.tokens_before, queue_position = null
    from (
        select id, sum(tokens) over (order by queue_position) - tokens as tokens_before from messages
        where thread_id = new.thread_id and position is null
    ) as waiting
    where messages.id = waiting.id;
    return null;
end
$$;
create trigger append_queued_messages after update on runs for each row
    when (old.status is distinct from new.status
        and new.status in ('completed', 'incomplete', 'failed', 'cancelled', 'expired'))
    execute function append_queued_messages();

-- --- Idempotency keys, with what their first requests were answered.

create table idempotency_keys (
    project_id  text not null,
    key         text not null,
    -- Method, address and API version.
    request     text not null,
    -- Who works on the request, and until when unless renewed. Null once it is answered.
    owner       text,
    claim_ends  timestamptz,
    created_at  timestamptz not null default now(),
    body_hash   bytea,
    status      integer,
    headers     bytea,
    -- Null if it was too long to be kept.
    answer      bytea,
    primary key (project_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

-- The store of GPTs: who uses which, what people think of them, and what administrators decide.

-- --- In which threads a GPT was used. A row for each thread, however many runs it has. It stays when the thread is
-- deleted, since it has been used all the same.

create table gpt_conversations (
    gpt_id       text not null references gpts on delete cascade,
    project_id   text not null,
    thread_id    text not null,
    -- The version that was used last.
    version      integer not null,
    -- The person, or the service account of the key, of the first run. Null where nobody knows, or is to know no more.
    principal    text,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    runs         integer not null default 1,
    primary key (gpt_id, thread_id)
);
create index gpt_conversations_by_principal on gpt_conversations (gpt_id, principal);
create index gpt_conversations_of_principal on gpt_conversations (principal) where principal is not null;

-- In the transaction of the run, and for all ways to make one. Runs of drafts are trials: they are not counted.
create function count_use_of_gpt() returns trigger language plpgsql as $$
begin
    insert into gpt_conversations as known (gpt_id, project_id, thread_id, version, principal)
    select gpt_versions.gpt_id, new.project_id, new.thread_id, gpt_versions.number, coalesce(
        nullif(new.body ->> 'user', ''),
        (select service_account_id from api_keys where api_keys.id = new.body ->> 'key'),
        nullif(new.body ->> 'key', '')
    )
    from assistants join gpt_versions on gpt_versions.gpt_id = assistants.gpt_id
    where assistants.id = new.body ->> 'assistant_id' and assistants.project_id = new.project_id
        and gpt_versions.body ->> 'assistant_id' = assistants.id
    on conflict (gpt_id, thread_id) do update
        set version = excluded.version, last_used_at = excluded.last_used_at, runs = known.runs + 1;
    return null;
end
$$;
create trigger gpt_used after insert on runs for each row
    when (new.body ->> 'assistant_id' like 'asst\_gpt\_%')
    execute function count_use_of_gpt();

-- --- What administrators decide.

alter table gpts
    add column featured_at timestamptz,
    -- Why it is hidden; null: it is not.
    add column hidden text,
    add column approved boolean not null default false;

-- --- What people think: one review each.

create table gpt_reviews (
    id         text primary key,
    project_id text not null,
    gpt_id     text not null references gpts on delete cascade,
    position   bigint generated always as identity,
    principal  text not null,
    rating     smallint not null check (rating between 1 and 5),
    text       text not null,
    -- The version that was used then.
    version    integer,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (gpt_id, principal)
);
create index gpt_reviews_by_gpt on gpt_reviews (gpt_id, position);
create index gpt_reviews_by_principal on gpt_reviews (principal);

create table gpt_reports (
    id          text primary key,
    project_id  text not null,
    gpt_id      text not null references gpts on delete cascade,
    position    bigint generated always as identity,
    principal   text,
    reason      text not null,
    text        text not null,
    created_at  timestamptz not null default now(),
    resolved_at timestamptz,
    resolved_by text,
    -- What the administrator noted.
    resolution  text
);
create index gpt_reports_by_project on gpt_reports (project_id, position);
create index gpt_reports_by_gpt on gpt_reports (gpt_id);
-- One open report of a person on a GPT.
create unique index open_gpt_reports on gpt_reports (gpt_id, principal) where resolved_at is null;

-- --- What is counted, by GPT. Whoever asks for one GPT pays for one.

create view gpt_statistics as
select gpts.id as gpt_id,
    (select count(*) from gpt_conversations where gpt_conversations.gpt_id = gpts.id) as conversations,
    (select count(distinct principal) from gpt_conversations where gpt_conversations.gpt_id = gpts.id) as users,
    (select count(*) from gpt_reviews where gpt_reviews.gpt_id = gpts.id) as reviews,
    (select round(avg(rating), 2) from gpt_reviews where gpt_reviews.gpt_id = gpts.id) as rating,
    -- Reviews of one star, of two, … of five.
    array(
        select count(gpt_reviews.id) from generate_series(1, 5) as stars
            left join gpt_reviews on gpt_reviews.gpt_id = gpts.id and gpt_reviews.rating = stars
        group by stars order by stars
    ) as ratings,
    -- What GPTs are ordered by: as if each had three reviews of three stars besides, so that one review of five stars
    -- does not stand above many that are nearly as good.
    (select (coalesce(sum(rating), 0) + 9.0) / (count(*) + 3) from gpt_reviews where gpt_reviews.gpt_id = gpts.id)
        as score
from gpts;

-- All in which GPTs are looked for.
create function gpt_words(content jsonb, author text) returns tsvector language sql immutable parallel safe as $$
    select search_words(concat_ws(' ', content ->> 'name', content ->> 'description', author,
        (select string_agg(tag, ' ') from jsonb_array_elements_text(content -> 'tags') as tag)))
$$;

-- What projects may use: limits that administrators have set, and the buckets that all server processes take from.

-- Model '*' is for all models together. See wire/rate_limits.py for what is in `limits`.
create table project_rate_limits (
    project_id text not null references projects on delete cascade,
    model      text not null,
    limits     jsonb not null,
    primary key (project_id, model)
);

-- Server processes are told whose limits have changed.
create function rate_limits_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('rate_limits', coalesce(new.project_id, old.project_id));
    return null;
end
$$;
create trigger rate_limits_changed after insert or update or delete on project_rate_limits
    for each row execute function rate_limits_changed();

-- What is missing in each bucket, in parts: one request or token is as many parts as the bucket's period has
-- microseconds, and a microsecond brings as many parts as the limit is. So the limit may change at any time. A bucket
-- that is not here is full. Not logged: after a crash of the database all buckets are full.
create unlogged table rate_buckets (
    id      text primary key,
    missing numeric not null,
    -- Microseconds since 1970, as the next.
    at      bigint not null,
    full_at bigint not null
) with (fillfactor = 50);
create index rate_buckets_by_full_at on rate_buckets (full_at);

-- Takes from several buckets, all or nothing. Names must be in order, so that two callers wait for each other instead of
-- locking each other out.
--
-- limits, seconds: requests or tokens that a bucket holds, and the time in which it fills.
-- needs:           what must be there. Less than nothing is put back.
-- shares:          what is taken, where there is more than is needed.
-- owed:            take it even if it is not there.
-- moment:          microseconds since 1970; null: the clock's.
--
-- granted: what was taken from each bucket: nothing if `wait` of any is more than 0.
-- full_in: microseconds until each is full.
-- wait:    microseconds until there will be what is needed.
create function take_from_buckets(
    ids text[], limits bigint[], seconds bigint[], needs bigint[], shares bigint[], owed boolean, moment bigint,
    out granted bigint[], out full_in bigint[], out wait bigint[]
)
language plpgsql as $$
declare
    missings numeric[]; moments bigint[];
    missing_now numeric; last_at bigint; period numeric; short numeric; refused boolean := false;
    -- A century.
    longest constant numeric := 3155760000000000;
begin
    for i in 1 .. cardinality(ids) loop
        loop
            select bucket.missing, bucket.at into missing_now, last_at from rate_buckets as bucket
            where bucket.id = ids[i] for update;
            exit when found;
            insert into rate_buckets (id, missing, at, full_at) values (ids[i], 0, 0, 0) on conflict do nothing;
        end loop;
        period := seconds[i] * 1000000;
        moments[i] := greatest(last_at, coalesce(moment, (extract(epoch from clock_timestamp()) * 1000000)::bigint));
        missings[i] := greatest(0, missing_now - (moments[i] - last_at)::numeric * limits[i]);
        short := missings[i] + (needs[i]::numeric - limits[i]) * period;
        wait[i] := case when owed or short <= 0 or needs[i] <= 0 then 0 else
            least(longest, div(short + limits[i] - 1, limits[i])) end;
        refused := refused or wait[i] > 0;
        granted[i] := 0;
    end loop;
    for i in 1 .. cardinality(ids) loop
        if not refused then
            period := seconds[i] * 1000000;
            missing_now := missings[i] + needs[i] * period;
            granted[i] := needs[i]
                + greatest(0, least(shares[i] - needs[i], div(limits[i] * period - missing_now, period)));
            missings[i] := greatest(0, missings[i] + granted[i] * period);
        end if;
        full_in[i] := least(longest, div(missings[i] + limits[i] - 1, limits[i]));
        if granted[i] <> 0 then
            update rate_buckets set missing = missings[i], at = moments[i], full_at = moments[i] + full_in[i]
            where id = ids[i];
        end if;
    end loop;
end
$$;

-- The limit of this name that a project has for all models together, or what the settings say.
create function project_limit(of_project text, name text, default_most bigint) returns bigint
language sql stable as $$
    select coalesce(
        (select (limits ->> name)::bigint from project_rate_limits where project_id = of_project and model = '*'),
        default_most)
$$;

-- Whether a run may be worked on: a queued one only while fewer than its project's limit are. Locks out those who ask the
-- same for the project until the transaction ends. A run whose time is over may end.
create function may_run(of_run text, default_most bigint) returns boolean language plpgsql as $$
declare
    waiting record; most bigint;
begin
    select project_id, status, expires_at into waiting from runs where id = of_run;
    most := project_limit(waiting.project_id, 'max_concurrent_runs', default_most);
    if most is null or waiting.status <> 'queued' or waiting.expires_at <= extract(epoch from now()) then
        return true;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('runs of ' || waiting.project_id, 0));
    -- As the index active_runs has it: few rows.
    return most > (
        select count(*) from runs
        where status in ('in_progress', 'cancelling') and project_id = waiting.project_id and id <> of_run
    );
end
$$;

-- Bytes that a project may still store; null where that is not limited. Locks as may_run does.
create function storage_left(of_project text, default_most bigint) returns bigint language plpgsql as $$
declare
    most bigint := project_limit(of_project, 'max_storage_bytes', default_most);
begin
    if most is null then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('storage of ' || of_project, 0));
    return most
        - (select coalesce(sum((body ->> 'bytes')::bigint), 0) from files where project_id = of_project)
        - (select coalesce(sum(usage_bytes), 0) from vector_store_files where project_id = of_project);
end
$$;

-- What agents have worked counts although they are gone; files of agents count for the project.

-- Cycles and seconds of those that an agent had started and that were deleted, with all that these had started.
alter table agents
    add column forgotten_cycles bigint not null default 0,
    add column forgotten_seconds bigint not null default 0;

create index agent_files_by_project on agent_files (project_id);

-- Bytes that a project may still store; null where that is not limited. Locks as may_run does.
create or replace function storage_left(of_project text, default_most bigint) returns bigint language plpgsql as $$
declare
    most bigint := project_limit(of_project, 'max_storage_bytes', default_most);
begin
    if most is null then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('storage of ' || of_project, 0));
    return most
        - (select coalesce(sum((body ->> 'bytes')::bigint), 0) from files where project_id = of_project)
        - (select coalesce(sum(usage_bytes), 0) from vector_store_files where project_id = of_project)
        - (select coalesce(sum(octet_length(content)), 0) from agent_files where project_id = of_project);
end
$$;

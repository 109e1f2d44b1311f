-- Agents that wait for those that they have started are driven by nobody meanwhile; webhooks of agents; retention.

-- Until when an agent that does nothing is left alone, unless it is told something.
alter table agents add column rests_until timestamptz;
create index agents_by_root on agents (root_id);

create function publish_agent() returns trigger language plpgsql as $$
begin
    perform publish_event(new.project_id, 'agent.' || new.status, new.body);
    return null;
end
$$;

-- The end of an agent that a client has made, and whenever one waits for a person, whoever has started it. Only agents
-- that end here: one that is imported has long been what it is.
create trigger agent_changed after update on agents
    for each row when (
        new.status is distinct from old.status and (
            new.status = 'requires_action'
            or (new.parent_id is null and new.status in ('completed', 'incomplete', 'failed', 'cancelled'))
        )
    ) execute function publish_agent();

-- Days after which agents that have ended are deleted.
alter table retention_rules add column agent_days integer;

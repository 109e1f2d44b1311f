-- Code of agents is on the books as that of threads is; who has written the files of workspaces.

-- The last session of each thread, and of each agent whose workspace code has run in.
alter table code_sessions
    drop constraint code_sessions_pkey,
    alter column thread_id drop not null,
    add column agent_id text unique references agents on delete cascade,
    add unique (thread_id),
    add check (num_nonnulls(thread_id, agent_id) = 1);

-- The agent that has written all that is in a file; '' where a person has given it, or several have written it.
alter table agent_files add column made_by text not null default '';

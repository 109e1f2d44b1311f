-- What happened in runs: a project's runs, newest first, and what is needed to tell what their models were sent.

create index runs_by_project on runs (project_id, position);

-- Definitions of the functions that Retinue runs itself, as a run's model was told them: they may be others today.
-- Text, so that not even the order of their fields changes.
create table run_functions (
    run_id     text not null references runs on delete cascade,
    project_id text not null,
    digest     text not null,
    functions  text not null,
    primary key (run_id, digest)
);

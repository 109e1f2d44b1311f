-- Who may do what: keys that may do only some things, or only for some time, and keys that administer the organization.
alter table projects
    add column position bigint generated always as identity,
    add column archived_at timestamptz;

-- What programs are known as in a project. Each key is of one.
create table service_accounts (
    id         text primary key,
    project_id text not null references projects on delete cascade,
    position   bigint generated always as identity,
    name       text not null,
    created_at timestamptz not null default now()
);
create index service_accounts_by_project on service_accounts (project_id, position);

alter table api_keys
    add column position bigint generated always as identity,
    add column service_account_id text references service_accounts on delete cascade,
    -- What the key may do: see accounts/scopes.py. Keys that were there before may do everything in their project.
    add column scopes text[] not null default '{admin}',
    add column expires_at timestamptz,
    add column last_used_at timestamptz,
    -- An admin key is of no project.
    alter column project_id drop not null;
create index api_keys_by_project on api_keys (project_id, position);

insert into service_accounts (id, project_id, name, created_at)
select 'svcacct_' || substr(id, 5), project_id, name, created_at from api_keys order by created_at, id;
update api_keys set service_account_id = 'svcacct_' || substr(id, 5);

-- Every server process forgets what it knows of keys that have changed: of one, by its hash, or of all.
create function keys_changed() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'projects' then
        perform pg_notify('api_keys', '');
    else
        perform pg_notify('api_keys', encode(old.hash, 'hex'));
    end if;
    return null;
end
$$;
create trigger key_changed after update of revoked_at, expires_at, scopes on api_keys
    for each row execute function keys_changed();
create trigger key_deleted after delete on api_keys for each row execute function keys_changed();
create trigger project_archived after update of archived_at on projects
    for each row execute function keys_changed();

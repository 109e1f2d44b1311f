-- Who uploaded a file: the id of a person, or of the service account whose key it was. Null where the server has made
-- the file, or nobody knows; empty where that is to be known no more.
alter table files add column uploaded_by text;
create index files_by_uploader on files (uploaded_by) where uploaded_by is not null;

-- Whose sign-ins at connections are: `user:` and the id of a person who was signed in, or `name:` and whom an API key
-- named. So no key gets what a person was granted by naming the person.
update grants set person = 'name:' || person;
update sign_ins set person = 'name:' || person;

-- Whose consent is: such a person who was signed in; empty for the project, where keys asked.
alter table consents add column person text not null default '';
alter table consents drop constraint consents_pkey, add primary key (project_id, key, person);

create function forget_what_was_granted() returns trigger language plpgsql as $$
begin
    delete from grants where person = 'user:' || old.id;
    delete from sign_ins where person = 'user:' || old.id;
    delete from consents where person = 'user:' || old.id;
    return null;
end
$$;
create trigger person_deleted after delete on people
    for each row execute function forget_what_was_granted();

-- The last month in which somebody was told that the limit was reached.
alter table spend_limits add column reached timestamptz;

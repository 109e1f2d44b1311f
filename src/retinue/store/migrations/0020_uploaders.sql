-- Who uploaded a file: the id of a person, or of the service account whose key it was. Null where the server has made
-- the file, or nobody knows; empty where that is to be known no more.
alter table files add column uploaded_by text;
create index files_by_uploader on files (uploaded_by) where uploaded_by is not null;

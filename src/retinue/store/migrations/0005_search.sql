-- Searching the chunks of vector stores by their words.

alter table chunks add column words tsvector generated always as (search_words(text)) stored;
create index chunks_by_word on chunks using gin (words);

-- The words of a file are written together, so a summary of each range of the table finds them when the file goes. The
-- index that this replaces took a third of the time of writing.
drop index chunk_words_by_file;
create index chunk_words_by_file on chunk_words using brin (file) with (pages_per_range = 32, autosummarize = on);

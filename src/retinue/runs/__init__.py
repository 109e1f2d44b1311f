"""The run engine: what happens between a question and its answer."""

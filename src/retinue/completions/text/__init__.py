"""Legacy completions: a text goes on, without roles, tools or formats."""

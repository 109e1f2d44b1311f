"""PostgreSQL and everything kept in it: the only SQL in the project, and the only writer of state."""

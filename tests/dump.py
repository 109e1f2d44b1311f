"""All that is kept, as text: to look for what must not be there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier


def rows(conninfo: str) -> Iterator[tuple[str, str]]:
    """Every row of every table: the table's name, and the row with all its columns. Bytes stand there as they are."""
    with psycopg.connect(conninfo) as connection:
        names = connection.execute("select table_name from information_schema.tables where table_schema = 'public'")
        for (name,) in names.fetchall():
            for row in connection.execute(SQL("select * from {}").format(Identifier(name))):
                cells = (cell.decode("latin-1") if isinstance(cell, bytes) else str(cell) for cell in row)
                yield name, " ".join(cells)


def tables_with(conninfo: str, words: str) -> set[str]:
    """The names of the tables that hold these words somewhere."""
    return {name for name, row in rows(conninfo) if words in row}


def files_with(folder: Path, words: str) -> set[Path]:
    """The files below a folder that hold these words, or have them in their names."""
    found = {path for path in folder.rglob("*") if words in path.name}
    return found | {path for path in folder.rglob("*") if path.is_file() and words.encode() in path.read_bytes()}

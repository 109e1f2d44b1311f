"""Vectors on their way into the database: of length 1, in 16-bit floats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.types import TypeInfo

from .database import Connection

if TYPE_CHECKING:  # numpy takes 20 MiB: the first vectors load it
    import numpy as np
    from numpy.typing import NDArray
    from pgvector import HalfVector

#: The database's `halfvec`, which has the same number in all connections to one database.
_types: dict[str, TypeInfo] = {}


def unit_vectors(vectors: NDArray[np.float32]) -> list[HalfVector]:
    """Rows as vectors of length 1, so that their inner product is the cosine. A row of zeros stays one."""
    import numpy as np
    from pgvector import HalfVector

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return [HalfVector(row) for row in vectors / np.maximum(lengths, 1e-12)]


async def takes_vectors(connection: Connection) -> Connection:
    """The connection, which can send `HalfVector`s from now on."""
    from pgvector.psycopg.halfvec import register_halfvec_info

    if connection.adapters.types.get("halfvec") is None:
        # `info.dsn` would say the same, and take a millisecond.
        database = f"{connection.info.host}:{connection.info.port}/{connection.info.dbname}"
        if database not in _types:
            info = await TypeInfo.fetch(connection, "halfvec")
            assert info is not None  # noqa: S101 (a migration makes the type)
            _types[database] = info
        register_halfvec_info(connection, _types[database])
    return connection

"""What is to be embedded, as texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ...errors import InvalidRequest
from ..tokenizers import decode
from .embedder import Inputs


async def as_texts(inputs: Inputs) -> Sequence[str]:
    """The inputs as texts.

    Raises:
        InvalidRequest: a token does not exist.
    """
    if isinstance(inputs[0], str):
        return cast("Sequence[str]", inputs)
    try:
        return [await decode("cl100k_base", tokens) for tokens in cast("Sequence[list[int]]", inputs)]
    except InvalidRequest as error:
        raise InvalidRequest(
            f"Invalid 'input': {error.message} Tokens must be those of cl100k_base.",
            param="input",
            code="invalid_value",
        ) from error

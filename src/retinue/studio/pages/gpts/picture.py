"""Pictures of GPTs, as pages show them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import openai

from ...content import content_url
from ...visitor import Visitor


async def picture_of_draft(visitor: Visitor, gpt: Mapping[str, Any]) -> str:
    """The address of a draft's picture: of the file, or with the whole picture in it where it is drawn from the name.

    Args:
        visitor: who looks; may change the GPT.
        gpt: as the API has it.

    Raises:
        openai.APIError: the server does not answer.
    """
    if file := gpt["draft"]["picture"]:
        return content_url(file)
    answer = await visitor.client.get(
        f"/gpts/{gpt['id']}/picture", cast_to=openai.HttpxBinaryResponseContent, options={"params": {"draft": "true"}}
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(answer.content).decode()}"

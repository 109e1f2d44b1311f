"""`/v1/completions`"""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request, Response

from ..completions.text.service import TextCompletions
from ..wire.text_completions import TextCompletion, TextCompletionCreate
from .chat import AnswerStream
from .lean import LeanRoute

router = APIRouter(prefix="/v1/completions", tags=["Completions"], route_class=LeanRoute)


@router.post("", response_model=TextCompletion)
async def create_completion(request: Request, body: TextCompletionCreate) -> Response:
    """Have a model go on with a text, whole or as a stream of pieces."""
    completions: TextCompletions = request.app.state.text_completions
    opened = await completions.open(body, await request.json(), len(await request.body()), request.scope["caller"])
    headers = {"openai-model": opened.model.name}
    if body.stream:
        events = completions.stream(opened)
        return await AnswerStream.begin(events, headers, request.app.state.settings.stream_keep_alive)
    whole = await completions.whole(opened)
    return Response(orjson.dumps(whole), media_type="application/json", headers=headers)

"""`/v1/tokenize`, an extension: texts as tokens, and the tokens of a chat request's prompt."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Discriminator, Tag

from ..completions import count
from ..errors import InvalidRequest
from ..inference.models import Models
from ..inference.tokenizers import OpenAiTokenizer, Tokenizer, Tokens
from ..inference.tokenizers.choose import tokenizer_of
from ..wire.encodings import EncodingName
from ..wire.tokenize import Shown, Tokenization, TokenizeChat, TokenizedText, TokenizeTexts, TokenPiece
from .http import JsonRoute, ProjectId, ok

router = APIRouter(prefix="/v1/tokenize", tags=["Tokens"], route_class=JsonRoute)

#: Pieces are for people's eyes: longer requests, in bytes, are not shown in pieces.
_LONGEST_IN_PIECES = 65_536
#: What is not part of the chat request.
_OURS = frozenset({"encoding", "return"})


def _kind(body: Any) -> str:
    return "chat" if isinstance(body, dict) and "messages" in body else "texts"


TokenizeRequest = Annotated[
    Annotated[TokenizeTexts, Tag("texts")] | Annotated[TokenizeChat, Tag("chat")], Discriminator(_kind)
]


@router.post("", response_model=Tokenization)
async def tokenize(body: TokenizeRequest, request: Request, project: ProjectId) -> Response:
    """Tokenize texts, or count the prompt of a chat request."""
    if body.shown == "pieces" and len(await request.body()) > _LONGEST_IN_PIECES:
        raise InvalidRequest(
            f"Only requests of up to {_LONGEST_IN_PIECES} bytes are shown in pieces: ask for `tokens`.", param="return"
        )
    models: Models = request.app.state.models
    if isinstance(body, TokenizeTexts):
        return ok(await _texts(body, models, project))
    return ok(await _chat(body, await request.json(), models, project))


async def _texts(body: TokenizeTexts, models: Models, project: str) -> Tokenization:
    name, tokenizer = _tokenizer(body.model, body.encoding, models)
    texts = [body.input] if isinstance(body.input, str) else body.input
    found = await tokenizer.texts(texts, project, pieces=body.shown == "pieces")
    data = [_shown(index, tokens, body.shown) for index, tokens in enumerate(found)]
    return _tokenization(name, tokenizer, tokenizer.estimate, data)


async def _chat(body: TokenizeChat, raw: dict[str, Any], models: Models, project: str) -> Tokenization:
    name, tokenizer = _tokenizer(body.model, body.encoding, models)
    sent = {key: value for key, value in raw.items() if key not in _OURS}
    if name is None:
        request = count.for_openai(sent)
    else:
        request = count.for_model(body, sent, models.resolve(body.model), project)
    prompt = await tokenizer.prompt(request, pieces=body.shown == "pieces")
    if prompt.tokens is not None:
        data = _shown(0, prompt.tokens, body.shown)
    elif body.shown == "counts":
        data = TokenizedText(index=0, count=prompt.count)
    else:
        raise InvalidRequest(
            "OpenAI's rules tell how many tokens a prompt has, not which: only local models show theirs.",
            param="return",
        )
    return _tokenization(name, tokenizer, prompt.estimate, [data])


def _tokenizer(model: str | None, encoding: EncodingName | None, models: Models) -> tuple[str | None, Tokenizer]:
    """The tokenizer that a request names, and the name of the model whose it is; an encoding comes first."""
    if encoding is not None:
        return None, OpenAiTokenizer(encoding)
    if model is None:
        raise InvalidRequest("Name a `model` or an `encoding`.", param="model", code="missing_required_parameter")
    served = models.resolve(model)
    return served.name, tokenizer_of(model, served)


def _shown(index: int, tokens: Tokens, shown: Shown) -> TokenizedText:
    text = TokenizedText(index=index, count=len(tokens.ids))
    if shown != "counts":
        text.tokens = tokens.ids
    if tokens.pieces is not None:
        text.pieces = [
            TokenPiece(token=piece.decode("utf-8", "backslashreplace"), bytes=list(piece)) for piece in tokens.pieces
        ]
    return text


def _tokenization(name: str | None, tokenizer: Tokenizer, estimate: bool, data: list[TokenizedText]) -> Tokenization:
    total = sum(text.count for text in data)
    return Tokenization(model=name, encoding=tokenizer.encoding, estimate=estimate, total_tokens=total, data=data)

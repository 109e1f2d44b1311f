"""Which tokenizer a model has."""

from __future__ import annotations

from ...errors import InvalidRequest
from ..models import ServedModel
from .encodings import ENCODINGS, encoding_of
from .local import LocalTokenizer
from .rules import OpenAiTokenizer
from .tokenizer import Tokenizer


def tokenizer_of(asked: str, model: ServedModel) -> Tokenizer:
    """The tokenizer of a model: a local model's own, else the encoding that its settings or its name tell.

    Args:
        asked: the name that the request carries. It is believed last: as an alias, it may lead to any model.
        model: what the name leads to.

    Raises:
        InvalidRequest: nothing tells.
    """
    if model.llama is not None:
        return LocalTokenizer(model.llama, prompted=model.prompted)
    if model.settings.tokenizer is not None:
        return OpenAiTokenizer(model.settings.tokenizer)
    served = [server.served_name or model.name for server in model.settings.servers()]
    for name in (*served, model.name):
        if (encoding := encoding_of(name)) is not None:
            return OpenAiTokenizer(encoding)
    if (encoding := encoding_of(asked)) is not None:
        return OpenAiTokenizer(encoding, estimate=True)
    raise InvalidRequest(
        f"The tokenizer of the model `{model.name}` is not known. Name an `encoding` ({', '.join(ENCODINGS)}), or set "
        "`tokenizer` in the model's settings.",
        param="encoding",
        code="unknown_tokenizer",
    )

"""Texts and chat requests as tokens, exactly where it can be had: OpenAI's encodings, and local models' own.

`choose`, which finds the tokenizer of a model, is not imported here: it brings the table of models along, and processes
that only count need none.
"""

from .encodings import decode, encode, encoding_of, token_ends
from .rules import OpenAiTokenizer
from .tokenizer import Prompt, Tokenizer, Tokens

__all__ = ["OpenAiTokenizer", "Prompt", "Tokenizer", "Tokens", "decode", "encode", "encoding_of", "token_ends"]

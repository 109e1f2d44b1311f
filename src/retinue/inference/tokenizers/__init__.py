"""Texts and chat requests as tokens, exactly where it can be had: OpenAI's encodings, and local models' own."""

from .choose import tokenizer_of
from .encodings import decode, encode, encoding_of
from .rules import OpenAiTokenizer
from .tokenizer import Prompt, Tokenizer, Tokens

__all__ = ["OpenAiTokenizer", "Prompt", "Tokenizer", "Tokens", "decode", "encode", "encoding_of", "tokenizer_of"]

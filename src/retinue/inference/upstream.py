"""One OpenAI-compatible server, over HTTP: whole answers, streamed ones, forms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import aiohttp
import orjson

from ..errors import ModelError
from . import sse, upstream_errors
from .chat import Json, encoded
from .slots import FairSlots

#: No whole answer is longer than this many bytes: 2,048 embeddings, ten pictures.
_LONGEST_ANSWER = 256 * 1024 * 1024
#: Bytes read of an answer that says what went wrong.
_LONGEST_ERROR = 65_536
#: Seconds that a streamed answer's end may take after its last event, for the connection to be used again.
_END = 0.05


class Upstream:
    """One server. Each call takes a slot; those that wait are let in caller by caller."""

    def __init__(
        self,
        base_url: str,
        *,
        slots: FairSlots,
        served_name: str | None = None,
        api_key: str | None = None,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        proxy: str | None = None,
        connect_timeout: float = 10,
        read_timeout: float = 300,
        extra: Mapping[str, Json] | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Describe the server; nothing is connected yet.

        Args:
            base_url: where the API is, ending in ``/v1``.
            slots: who may call next.
            served_name: the name to send, whichever model is asked for.
            api_key: sent as a bearer token.
            connector: makes the connections; by default TCP.
            proxy: the URL of the proxy to go through.
            connect_timeout: seconds to wait for a connection.
            read_timeout: seconds without a byte after which a call counts as broken.
            extra: by path, fields that every request to it carries unless it says otherwise.
            prepare: awaited before each call; raises if the server cannot be called.
        """
        self.base_url = base_url.rstrip("/")
        self.slots = slots
        self._served_name = served_name
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._json_headers = {**self._headers, "content-type": "application/json"}
        self._connector = connector or (lambda: aiohttp.TCPConnector(limit=0))
        self._proxy = proxy
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_read=read_timeout)
        self._read_timeout = read_timeout
        self._extra = extra or {}
        self._prepare = prepare
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def post(self, model: str, path: str, body: Json, caller: str = "") -> Json:
        """The answer to a JSON request.

        Args:
            model: the name of the model that is asked for.
            path: the address under the base URL, such as ``/embeddings``.
            body: the request without its `model`.
            caller: whose call this is, for the fair queue.

        Raises:
            ModelError: with the server's status if it refused; else 502.
        """
        async with self._call(path, self._encoded(model, path, body), self._json_headers, caller) as response:
            return await _whole(response)

    async def post_form(self, model: str, path: str, fields: Callable[[], aiohttp.FormData], caller: str = "") -> Json:
        """The answer to a form. `fields` makes it afresh for each try, without `model`; else as `post`."""
        form = fields()
        form.add_field("model", self._served_name or model)
        async with self._call(path, form, self._headers, caller) as response:
            return await _whole(response)

    def chunks(self, model: str, path: str, body: Json, caller: str = "") -> Streamed:
        """The events of a streamed answer, those that came together in one list.

        An answer that comes whole although a stream was asked for is one list with it as its only element. Nothing is
        sent before the first is read; closing early cancels the call at the server. Arguments and errors as `post`.
        """
        call = self._call(path, self._encoded(model, path, body), self._json_headers, caller)
        return Streamed(call, self._read_timeout)

    def _encoded(self, model: str, path: str, body: Json) -> bytes:
        return encoded({"model": self._served_name or model, **self._extra.get(path, {}), **body})

    @asynccontextmanager
    async def _call(
        self, path: str, data: bytes | aiohttp.FormData, headers: Mapping[str, str], caller: str
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        if self._prepare:
            await self._prepare()
        await self.slots.acquire(caller)
        try:
            if self._session is None:
                self._session = aiohttp.ClientSession(
                    connector=self._connector(),
                    timeout=self._timeout,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    proxy=self._proxy,
                )
            # A redirect would carry the request, and perhaps the key, to a server that nobody named.
            async with self._session.post(
                self.base_url + path, data=data, headers=headers, allow_redirects=False
            ) as response:
                if response.status != 200:
                    body = await _beginning(response, _LONGEST_ERROR)
                    raise upstream_errors.from_response(response.status, response.headers, body)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise upstream_errors.from_connection(error) from error
        except orjson.JSONDecodeError as error:
            raise ModelError("The model's server sent an answer that is not JSON.") from error
        finally:
            self.slots.release()


class Streamed:
    """A streamed answer. A `Chunks`.

    No asynchronous generator: the pieces of all streams pass through here, one by one, and each layer of generators
    would be gone through twice for each.
    """

    def __init__(self, call: AbstractAsyncContextManager[aiohttp.ClientResponse], read_timeout: float) -> None:
        """Describe the answer.

        Args:
            call: the request, to be made when the first piece is wanted.
            read_timeout: seconds without a byte after which the answer counts as broken.
        """
        self._call = call
        self._read_timeout = read_timeout
        self._response: aiohttp.ClientResponse | None = None
        self._silence: _Silence | None = None
        self._cutter = sse.Cutter()
        self._begun = self._over = self._closed = False
        #: What is wrong with the event after those that have been read.
        self._failure: Exception | None = None

    def __aiter__(self) -> Streamed:
        return self

    async def __anext__(self) -> list[Json]:
        if self._closed:
            raise StopAsyncIteration
        if self._response is None or self._silence is None:
            try:
                self._response = await self._call.__aenter__()
            except BaseException:
                self._closed = True
                raise
            self._silence = _Silence(self._response, self._read_timeout)
        try:
            events = await self._next(self._response, self._silence)
        except BaseException as error:
            self._closed = True
            self._silence.end()
            await self._call.__aexit__(type(error), error, error.__traceback__)
            raise
        if events is None:
            await self.aclose()
            raise StopAsyncIteration
        return events

    async def aclose(self) -> None:
        """Give back the connection and the slot."""
        if not self._closed:
            self._closed = True
            if self._silence:
                self._silence.end()
                await self._call.__aexit__(None, None, None)

    async def _next(self, response: aiohttp.ClientResponse, silence: _Silence) -> list[Json] | None:
        """The next events; None after the last."""
        if not self._begun and response.content_type == "application/json":
            self._begun = self._over = True
            return [await _whole(response)]
        while not (self._over or self._failure):
            with silence:
                piece = await response.content.readany()
            self._over = not piece
            if events := self._read(self._cutter.feed(piece) if piece else self._cutter.end()):
                self._begun = True
                return events
        if self._failure:
            raise self._failure
        if not self._begun:
            raise ModelError("The model's server sent an empty answer.", retriable=True)
        await _ended(response)
        return None

    def _read(self, batch: list[bytes]) -> list[Json]:
        """The events up to the end of the answer, or to the first that is none."""
        events: list[Json] = []
        try:
            for data in batch:
                if data == b"[DONE]":
                    self._over = True
                    break
                events.append(_checked(orjson.loads(data)))
        except (ModelError, orjson.JSONDecodeError) as error:
            self._failure = error
        return events


class _Silence:
    """Breaks an answer off that keeps its reader waiting for too long.

    aiohttp would set a new timer for each piece, which costs more than reading it. Entered around each wait.
    """

    def __init__(self, response: aiohttp.ClientResponse, seconds: float) -> None:
        if response.connection and response.connection.protocol:
            response.connection.protocol.read_timeout = None
        self._response = response
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        #: When the present wait began.
        self._since: float | None = None
        self._broken = False
        self._timer = self._loop.call_later(seconds, self._look)

    def __enter__(self) -> None:
        self._since = self._loop.time()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._since = None
        if self._broken:
            raise TimeoutError from error

    def end(self) -> None:
        """Stop watching."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        due = (now if self._since is None else self._since) + self._seconds
        if due > now:
            self._timer = self._loop.call_at(due, self._look)
        else:
            self._broken = True
            self._response.close()


async def _whole(response: aiohttp.ClientResponse) -> Json:
    body = await _beginning(response, _LONGEST_ANSWER)
    if len(body) > _LONGEST_ANSWER:
        raise ModelError("The model's server sent an answer that is too long.")
    return _checked(orjson.loads(body))


async def _beginning(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, as far as it has been read when it is longer than `most` bytes. Its stated length may be another."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            break
    return b"".join(pieces)


async def _ended(response: aiohttp.ClientResponse) -> None:
    """Wait a moment for the end of the body: without it the connection could not be used again."""
    if not response.content.at_eof():
        with suppress(TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(_END):
                await response.content.readany()


def _checked(value: Any) -> Json:
    if not isinstance(value, dict):
        raise ModelError("The model's server sent an answer that is not a JSON object.")
    if value.get("error"):
        raise upstream_errors.from_body(value)
    return value

"""`Idempotency-Key`: a request that is sent twice is worked on once, and its answer given again."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ApiError, Conflict, InvalidRequest, Unavailable
from ..store.idempotency import Claim, IdempotencyKeys, Kept
from ..store.ids import new_id

log = structlog.get_logger(__name__)

#: Longest key, in characters.
_LONGEST_KEY = 255
#: Answers that ask the client to try again: these tries are to be worked on. So are those after a 5xx.
_PASSING = (409, 429)


class Idempotency:
    """The layer inside the gate that knows requests again, in plain ASGI. Others pass through it untouched."""

    def __init__(self, app: ASGIApp, *, renew_every: float, max_answer_bytes: int) -> None:
        """Wrap an application.

        Args:
            app: the application; `app.state.store` keeps the answers.
            renew_every: seconds after which a request that is still being worked on says so.
            max_answer_bytes: the longest answer that is kept.
        """
        self._app = app
        self._renew_every = renew_every
        self._max_answer_bytes = max_answer_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and "project" in scope:
            headers = dict(scope["headers"])
            if b"idempotency-key" in headers:
                await self._once(headers, scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _once(self, headers: dict[bytes, bytes], scope: Scope, receive: Receive, send: Send) -> None:
        key = headers[b"idempotency-key"].decode("latin-1")
        if not 1 <= len(key) <= _LONGEST_KEY:
            raise InvalidRequest(
                f"Invalid 'Idempotency-Key': expected 1 to {_LONGEST_KEY} characters, but got {len(key)}.",
                code="invalid_idempotency_key",
            )
        keys: IdempotencyKeys = scope["app"].state.store.idempotency
        body = _Body(receive, headers.get(b"content-type", b""))
        await body.begin()
        query, version = scope["query_string"].decode("latin-1"), headers.get(b"openai-beta", b"").decode("latin-1")
        request = f"POST {scope['path']}?{query} {version}"
        claim = Claim(project=scope["project"], key=key, owner=new_id("idem_"))
        kept = await keys.claim(claim, request)
        if kept is None:
            await self._work(keys, claim, body, scope, send)
        else:
            await _replay(kept, request, body, send)

    async def _work(self, keys: IdempotencyKeys, claim: Claim, body: _Body, scope: Scope, send: Send) -> None:
        """Have the request worked on, and keep its answer."""
        recorder = _Recorder(keys, claim, body, send, self._max_answer_bytes)
        renewing = asyncio.create_task(self._renew(keys, claim))
        try:
            await self._app(scope, body.receive, recorder.send)
        finally:
            renewing.cancel()
            if not recorder.settled:
                with contextlib.suppress(Unavailable):
                    await asyncio.shield(keys.free(claim))

    async def _renew(self, keys: IdempotencyKeys, claim: Claim) -> None:
        while True:
            await asyncio.sleep(self._renew_every)
            with contextlib.suppress(Unavailable):
                await keys.renew(claim)


async def _replay(kept: Kept, request: str, body: _Body, send: Send) -> None:
    """Give the answer again, if it is one to this very request."""
    if kept.request != request:
        raise _reused()
    if kept.busy:
        raise Conflict(
            "The first request with this Idempotency-Key is still being worked on. Please try again.",
            code="idempotency_key_in_use",
            retry_after=1,
        )
    if await body.digest() != kept.body_hash:
        raise _reused()
    if kept.answer is None:
        raise InvalidRequest(
            "The request with this Idempotency-Key was worked on; its answer was too long to be kept, "
            "was kept by a server with another `secret_key`, or was erased.",
            code="idempotency_answer_not_kept",
        )
    headers = [*kept.headers, (b"idempotent-replayed", b"true")]
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.answer})


def _reused() -> InvalidRequest:
    return InvalidRequest(
        "This Idempotency-Key was used for another request. Use a new key for each request.",
        code="idempotency_key_reused",
    )


class _Body:
    """A request's body, hashed on its way to the application."""

    def __init__(self, receive: Receive, content_type: bytes) -> None:
        self._receive = receive
        self._first: Message | None = None
        self._complete = False
        self._hash = hashlib.sha256()
        # Clients draw a new boundary for each try of one and the same upload.
        _, _, boundary = content_type.partition(b"boundary=")
        self._boundary = boundary.strip(b'"') if content_type.startswith(b"multipart/") else b""
        self._tail = b""

    async def begin(self) -> None:
        """Read the first piece: mostly it is the whole body, and known then whatever becomes of the client."""
        self._first = await self._read()

    async def receive(self) -> Message:
        """The next message, for the application."""
        if first := self._first:
            self._first = None
            return first
        return await self._read()

    async def digest(self) -> bytes | None:
        """The hash of the whole body, what nobody has read yet included; None if the client did not send it all."""
        while not self._complete:
            try:
                message = await self._read()
            except ApiError:
                # Larger than allowed.
                return None
            if message["type"] != "http.request":
                return None
        return self._hash.digest()

    async def _read(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._update(message.get("body", b""))
            if not message.get("more_body", False):
                self._complete = True
                self._hash.update(self._tail)
        return message

    def _update(self, piece: bytes) -> None:
        if self._boundary:
            piece = (self._tail + piece).replace(self._boundary, b"")
            # A boundary may be cut in two.
            whole = max(0, len(piece) - len(self._boundary) + 1)
            piece, self._tail = piece[:whole], piece[whole:]
        self._hash.update(piece)


class _Recorder:
    """An answer on its way to the client, kept before its last piece is sent."""

    def __init__(self, keys: IdempotencyKeys, claim: Claim, body: _Body, send: Send, max_bytes: int) -> None:
        self._keys = keys
        self._claim = claim
        self._body = body
        self._send = send
        self._max_bytes = max_bytes
        self._status = 0
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._pieces: list[bytes] = []
        self._size = 0
        #: Whether the key needs nothing more.
        self.settled = False

    async def send(self, message: Message) -> None:
        """Pass a message on to the client."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._record(message.get("body", b""))
            if not message.get("more_body", False):
                await self._keep()
        await self._send(message)

    def _record(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._max_bytes:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    async def _keep(self) -> None:
        body_hash = await self._body.digest()
        self.settled = True
        try:
            if body_hash is None or self._status >= 500 or self._status in _PASSING:
                await self._keys.free(self._claim)
            else:
                answer = b"".join(self._pieces) if self._size <= self._max_bytes else None
                await self._keys.answer(self._claim, body_hash, self._status, self._headers, answer)
        except Unavailable:
            # The claim runs out by itself.
            log.warning("an answer could not be kept under its idempotency key", key=self._claim.key)

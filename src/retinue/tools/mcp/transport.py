"""The HTTP of the MCP SDK, sent by the egress client: what an address may be is judged there, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx2

from ...egress import Egress, EgressResponse
from ...errors import ApiError

#: What the egress client says of itself and of the connection.
_OWN_HEADERS = frozenset({"host", "connection", "accept-encoding", "content-length", "user-agent"})
#: What holds no more of a body that the egress client has unpacked.
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class EgressTransport(httpx2.AsyncBaseTransport):
    """Sends the requests of one session.

    Attributes:
        failure: why a request has failed here, if one has: the SDK tells it in other words.
        refused: whether the server has asked for other credentials.
    """

    def __init__(self, egress: Egress, max_bytes: int, timeout: float) -> None:
        """Say what an answer may take: bytes, and seconds until its end."""
        self.failure: ApiError | None = None
        self.refused = False
        self._egress = egress
        self._max_bytes = max_bytes
        self._timeout = timeout

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`."""
        if request.method == "GET" and "last-event-id" not in request.headers:
            # A stream of what the server has to say between calls: nobody would listen.
            return httpx2.Response(405, request=request)
        sending = self._egress.request(
            request.method,
            str(request.url),
            headers={name: value for name, value in request.headers.items() if name not in _OWN_HEADERS},
            body=await request.aread(),
            max_bytes=self._max_bytes,
            timeout=self._timeout,
        )
        try:
            response = await sending.__aenter__()
        except ApiError as error:
            self.failure = error
            raise httpx2.TransportError(error.message) from error
        self.refused = self.refused or response.status == 401
        headers = [(name, value) for name, value in response.headers.items() if name.lower() not in _OF_THE_WIRE]
        return httpx2.Response(response.status, headers=headers, stream=_Body(self, response, sending), request=request)


class _Body(httpx2.AsyncByteStream):
    def __init__(
        self, transport: EgressTransport, response: EgressResponse, sending: AbstractAsyncContextManager[EgressResponse]
    ) -> None:
        self._transport = transport
        self._response = response
        self._sending = sending

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.pieces():
                yield piece
        except ApiError as error:
            self._transport.failure = error
            raise httpx2.TransportError(error.message) from error

    async def aclose(self) -> None:
        await self._sending.__aexit__(None, None, None)

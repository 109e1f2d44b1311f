"""A Jupyter gateway: starting kernels there, talking to them, ending them.

For jupyter_kernel_gateway in its mode `jupyter-websocket` and for Jupyter Enterprise Gateway, which share this part of
the REST interface (https://jupyter-server.readthedocs.io/en/stable/developers/rest-api.html#kernels).
"""

from __future__ import annotations

import asyncio
import re
import socket
import uuid
from collections import deque
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import orjson
import structlog

from retinue.sandbox.channels import MOST_BYTES, MOST_PICTURE_BYTES, ChannelClosed, parse
from retinue.sandbox.session import SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from retinue.sandbox.channels import Channel, Message

#: Seconds for a connection, for an answer to anything but a start, for a message to be taken, for a connection's end.
_CONNECT, _ANSWER, _TAKE, _GOODBYE = 10.0, 15.0, 5.0, 1.0
#: Bytes of the longest answer about a kernel, and of the longest message: a picture in base64.
_LONGEST, _LONGEST_MESSAGE = 65_536, MOST_BYTES + MOST_PICTURE_BYTES // 3 * 4
#: Separators in a message longer than `MOST_BYTES`: one with more takes long to parse, and is no picture.
_SEPARATORS = 10_000
#: Seconds between two looks whether the gateway is still there.
_HEARTBEAT = 20.0
#: Seconds between two signs of life to a kernel, how long one goes on without any, and received bytes between two.
SIGN, SILENCE, STEP = 30.0, 120.0, 1024 * 1024
#: Messages of a kernel that wait to be received.
_WAITING = 64
#: Bytes of messages that nobody asked for, between two requests, after which a kernel is not listened to any more.
_UNASKED = 64 * 1024 * 1024
_NONSENSE = "The Jupyter gateway answered what no gateway answers."
_LOST = "was lost with the connection to its gateway"
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_DEAD = ("dead", "restarting", "autorestarting", "terminating")

_log = structlog.get_logger(__name__)


class Gateway:
    """The gateway at a URL.

    Args:
        url: `http` or `https`, without `/api`.
        token: sent as Jupyter's token.
        kernel: the name of the kernel to start; None: the gateway's default.
    """

    def __init__(self, url: str, token: str | None, kernel: str | None) -> None:
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"token {token}"} if token else {}
        self._kernel = kernel
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> str:
        """Start a kernel; returns its id. The caller limits the time. Raises SandboxUnavailable."""
        body = orjson.dumps({"name": self._kernel} if self._kernel else {})
        async with self._request("POST", "/api/kernels", data=body, timeout=aiohttp.ClientTimeout(None)) as response:
            if response.status not in (200, 201):
                raise SandboxUnavailable(f"The Jupyter gateway started no kernel: it answered {response.status}.")
            found = await _object(response)
        identifier = found.get("id")
        if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
            raise SandboxUnavailable(_NONSENSE)
        return identifier

    async def connect(self, kernel: str) -> Connection:
        """Talk to a kernel. The caller limits the time. Raises SandboxUnavailable."""
        url = f"{self._url}/api/kernels/{kernel}/channels?session_id={uuid.uuid4().hex}"
        with _told():
            connected = await self._http().ws_connect(
                url, headers=self._headers, max_msg_size=_LONGEST_MESSAGE, heartbeat=_HEARTBEAT
            )
        return Connection(connected)

    async def delete(self, kernel: str) -> None:
        """End a kernel. Where that fails the kernel ends itself after `SILENCE`."""
        try:
            async with self._request("DELETE", f"/api/kernels/{kernel}", timeout=aiohttp.ClientTimeout(_ANSWER)):
                pass
        except SandboxUnavailable as error:
            _log.warning("a kernel could not be ended", kernel=kernel, reason=str(error))

    async def close(self) -> None:
        """Let go of the gateway."""
        if self._session:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def _request(self, method: str, path: str, **more: Any) -> AsyncGenerator[aiohttp.ClientResponse]:
        with _told():
            # A redirect would carry the token to a server that nobody named.
            async with self._http().request(
                method, self._url + path, headers=self._headers, allow_redirects=False, **more
            ) as response:
                yield response

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0), timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


class Connection:
    """A kernel at a gateway: `Channels` to it, and the `Program` that it is; made by `Gateway.connect`.

    It is read all the time, so that its end is seen also when nobody asks it anything. What does not belong to the last
    request, or comes when nobody receives, is dropped.
    """

    def __init__(self, connected: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = connected
        self._asked = ""
        self._unasked_bytes = 0
        self._until_sign = STEP
        self._messages: deque[Message] = deque()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._sign, self._stop = asyncio.Event(), asyncio.Event()
        self._receiving = False
        self._ended = asyncio.create_task(self._watch())
        self._ended.add_done_callback(lambda _: self._news.set())

    @property
    def ended(self) -> asyncio.Task[str]:
        """See `Program`."""
        return self._ended

    def kill(self) -> None:
        """See `Program`: nothing is heard of the kernel any more. `Gateway.delete` ends it there."""
        self._stop.set()

    def close(self) -> None:
        """See `Channels`."""
        self._stop.set()

    async def send(self, channel: Channel, kind: str, content: Mapping[str, Any]) -> str:
        """See `Channels`."""
        identifier = uuid.uuid4().hex
        header = {"msg_id": identifier, "msg_type": kind, "version": "5.3", "username": "", "session": identifier}
        message = {"channel": channel, "header": header, "parent_header": {}, "metadata": {}, "content": content}
        if channel == "shell":
            self._asked, self._unasked_bytes = identifier, 0
            self._messages.clear()
        try:
            async with asyncio.timeout(_TAKE):
                await self._socket.send_str(orjson.dumps(message).decode())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ChannelClosed("the gateway takes no message") from error
        return identifier

    async def receive(self) -> Message:
        """See `Channels`."""
        self._receiving = True
        try:
            while not self._messages:
                if self._ended.done():
                    raise ChannelClosed("the connection ended")
                self._news.clear()
                await self._news.wait()
            return self._messages.popleft()
        finally:
            self._receiving = False
            self._room.set()

    async def _watch(self) -> str:
        """Listen until there is nothing more to hear; returns why."""
        work = {asyncio.create_task(one) for one in (self._listen(), self._give_signs(), self._stopped())}
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for task in work:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._socket.close()
        return next(iter(done)).result()

    async def _listen(self) -> str:
        connected = self._socket.get_extra_info("socket")
        while True:
            received = await self._socket.receive()
            # Gateways let the small messages of a reply wait until the one before them is acknowledged.
            with suppress(OSError, AttributeError):
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if received.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                return _LOST
            try:
                message = _message(received.data)
            except ChannelClosed as error:
                return f"was ended because it sent {error}"
            if message and not message.parent and message.content.get("execution_state") in _DEAD:
                return "has died, perhaps because memory ran out"
            self._until_sign -= len(received.data)
            if self._until_sign < 0:
                self._until_sign += STEP
                self._sign.set()
            if message is None or not await self._waits(message):
                self._unasked_bytes += len(received.data)
                if self._unasked_bytes > _UNASKED:
                    return "was ended because it wrote without end"

    async def _waits(self, message: Message) -> bool:
        """Put a message where it waits to be received; False: nobody does."""
        if message.parent != self._asked:
            return False
        while len(self._messages) >= _WAITING:
            if not self._receiving:
                return False
            self._room.clear()
            await self._room.wait()
        self._messages.append(message)
        self._news.set()
        return True

    async def _give_signs(self) -> str:
        """Tell the kernel now and then that its session is still there, and how much it takes (`remote.begin`)."""
        while True:
            self._sign.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(SIGN):
                    await self._sign.wait()
            try:
                await self.send("control", "kernel_info_request", {})
            except ChannelClosed:
                return _LOST

    async def _stopped(self) -> str:
        await self._stop.wait()
        return "was ended"


def _message(frame: str | bytes) -> Message | None:
    """The message in a frame; None: one that nothing here has a use for. Raises ChannelClosed."""
    if isinstance(frame, bytes):  # a message with parts that are no JSON
        return None
    if len(frame) > MOST_BYTES and sum(map(frame.count, "[{,")) > _SEPARATORS:
        return None
    return parse(frame.encode())


@contextmanager
def _told() -> Generator[None]:
    """Says in words what went wrong with a gateway; in the log also where."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        _log.warning("the Jupyter gateway failed", reason=repr(error))
        if isinstance(error, aiohttp.WSServerHandshakeError):
            raise SandboxUnavailable(f"The Jupyter gateway let nobody in: it answered {error.status}.") from error
        if isinstance(error, TimeoutError):
            raise SandboxUnavailable("The Jupyter gateway did not answer in time.") from error
        raise SandboxUnavailable("The Jupyter gateway cannot be reached.") from error


async def _object(response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    """The JSON object that an answer is. Raises SandboxUnavailable."""
    body = b""
    async for piece in response.content.iter_chunked(_LONGEST):
        body += piece
        if len(body) > _LONGEST:
            break
    with suppress(orjson.JSONDecodeError):
        if isinstance(found := orjson.loads(body), dict):
            return cast("dict[str, Any]", found)
    raise SandboxUnavailable(_NONSENSE)

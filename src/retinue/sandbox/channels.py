"""Messages between the host and a kernel, and how little of them is believed.

A message is one of the Jupyter messaging protocol (https://jupyter-client.readthedocs.io/en/stable/messaging.html).
Over the socket it is a JSON object ``{"channel", "header", "parent_header", "content"}``, the form that Jupyter
gateways use on their WebSockets. A frame to the kernel is four bytes of length, big-endian, and the object; one from it
is two such lengths, the object, and the picture that the message shows, if any. So the object can be kept short: its
parsing, which holds up all else in the process, takes up to 40 milliseconds for a megabyte of brackets.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bytes of the longest object and the largest picture that are read; `inside` writes no longer ones.
MOST_BYTES = 512 * 1024
MOST_PICTURE_BYTES = 8 * 1024 * 1024

Channel = Literal["shell", "control"]


class ChannelClosed(Exception):
    """The other side is gone, or has sent what no kernel sends."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a kernel says."""

    #: `shell`, `control` or `iopub`; `relay` for what is about the connection itself.
    channel: str
    type: str
    #: Id of the request that it belongs to, or "".
    parent: str
    content: Mapping[str, Any]
    #: Bytes that it took.
    size: int
    #: What it shows, said to be PNG; empty where it shows nothing or says it in `content`.
    picture: bytes = b""


class Channels(Protocol):
    """A connection to a kernel."""

    async def send(self, channel: Channel, kind: str, content: Mapping[str, Any]) -> str:
        """Send a request; returns its id. Raises ChannelClosed."""
        ...

    async def receive(self) -> Message:
        """The next message. May be cancelled and called again. Raises ChannelClosed."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class SocketChannels:
    """`Channels` over a connected Unix socket. What the kernel writes waits in it until it is received."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        #: What has been read of a frame: its lengths; its object.
        self._lengths: tuple[int, int] | None = None
        self._object: bytes | None = None

    @classmethod
    async def over(cls, connected: socket.socket) -> SocketChannels:
        """Talk over a connected socket, of which this takes a copy."""
        return cls(*await asyncio.open_unix_connection(sock=connected.dup()))

    async def send(self, channel: Channel, kind: str, content: Mapping[str, Any]) -> str:
        """See `Channels`."""
        identifier = uuid.uuid4().hex
        header = {"msg_id": identifier, "msg_type": kind}
        frame = orjson.dumps({"channel": channel, "header": header, "content": content})
        if self._writer.is_closing():
            raise ChannelClosed("the connection ended")
        # It is not waited for: a kernel that reads nothing could keep us from ever interrupting it. What is written
        # before such a kernel is killed is one request and a few interrupts.
        self._writer.write(struct.pack("!I", len(frame)) + frame)
        return identifier

    async def receive(self) -> Message:
        """See `Channels`."""
        try:
            if self._lengths is None:
                self._lengths = struct.unpack("!II", await self._reader.readexactly(8))
            length, picture_length = self._lengths
            if length > MOST_BYTES or picture_length > MOST_PICTURE_BYTES:
                raise ChannelClosed(f"a message of {length + picture_length} bytes")
            if self._object is None:
                self._object = await self._reader.readexactly(length)
            picture = await self._reader.readexactly(picture_length)
            frame, self._lengths, self._object = self._object, None, None
            return parse(frame, picture)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise ChannelClosed("the connection ended") from error

    def close(self) -> None:
        """See `Channels`."""
        self._writer.close()


def parse(frame: bytes, picture: bytes = b"") -> Message:
    """The message in a frame's object. Raises ChannelClosed if it is none."""
    try:
        found = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise ChannelClosed("a message that is not JSON") from error
    message = _object(found)
    content, header, parent = (_object(message.get(name) or {}) for name in ("content", "header", "parent_header"))
    channel, kind, identifier = message.get("channel"), header.get("msg_type"), parent.get("msg_id", "")
    if not (isinstance(channel, str) and isinstance(kind, str) and isinstance(identifier, str)):
        raise ChannelClosed("a message without its parts")
    return Message(channel, kind, identifier, content, len(frame) + len(picture), picture)


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ChannelClosed("a message without its parts")
    return cast("dict[str, Any]", value)

"""The program inside a sandbox: a Jupyter kernel, and the relay of its messages to the host.

Run as ``python inside.py SOCKET LIMIT=VALUE...`` with the number of an inherited Unix stream socket and names of
RLIMIT constants. It imports nothing of Retinue, which is not there.

Kernel and relay speak ZeroMQ over Unix sockets in `/tmp`. Host and relay speak frames (see `channels`), which the host
can bound; the relay is part of the sandbox and is not believed either.
"""

from __future__ import annotations

import base64
import json
import os
import resource
import socket
import struct
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipykernel.iostream import OutStream

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Characters of text in one message, and of a name: as JSON less than `MOST_BYTES` of `channels`.
_MOST_TEXT, _MOST_NAME = 64 * 1024, 200
#: Bytes of the largest picture: `MOST_PICTURE_BYTES` of `channels`.
MOST_PICTURE_BYTES = 8 * 1024 * 1024
#: Characters that wait to be sent before code that prints more has to wait.
_MOST_UNSENT = 256 * 1024
#: Slow to import, and what most code begins with.
_WARM = ("numpy", "pandas", "matplotlib.pyplot", "PIL.Image", "openpyxl")
#: Names that code written for Windows gives to fonts that draw Chinese.
_CHINESE_FONTS = ("SimHei", "SimSun", "KaiTi", "FangSong", "Microsoft YaHei", "Noto Sans CJK SC", "Source Han Sans SC")
_FONT = "Noto Sans SC"
_PORTS = {"shell": 1, "iopub": 2, "stdin": 3, "hb": 4, "control": 5}


def main() -> None:
    """Run the kernel until the sandbox ends."""
    with socket.socket(fileno=int(sys.argv[1])) as host:
        host.set_inheritable(False)
        for limit in sys.argv[2:]:
            name, _, value = limit.partition("=")
            resource.setrlimit(getattr(resource, name), (int(value), int(value)))
        _run_kernel(host)


def _run_kernel(host: socket.socket) -> None:
    folder = Path("/tmp/kernel")  # noqa: S108 - the sandbox's own
    folder.mkdir(mode=0o700)
    os.environ.update(IPYTHONDIR=f"{folder}/ipython", JUPYTER_RUNTIME_DIR=str(folder), MPLCONFIGDIR=f"{folder}/mpl")
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.IPKernelApp.outstream_class = "__main__.BoundedStream"
    # Nobody but this process reaches the sockets.
    config.Session.key = b""
    ports: dict[str, Any] = {f"{name}_port": number for name, number in _PORTS.items()}
    app: Any = IPKernelApp.instance(
        config=config, transport="ipc", ip=f"{folder}/socket", connection_file=f"{folder}/connection.json",
        quiet=True, log_level=50, **ports,
    )  # fmt: skip
    app.initialize([])
    app.session.pack = _encoded
    relay = Relay(host, f"{folder}/socket")
    _warm_up()
    relay.start()
    app.start()


def _warm_up() -> None:
    """Load what most code will want, and draw once, so that the first call does not wait for it."""
    for name in _WARM:
        import_module(name)
    matplotlib: Any = import_module("matplotlib")
    fonts: Any = import_module("matplotlib.font_manager")
    file = next((entry.fname for entry in fonts.fontManager.ttflist if entry.name == _FONT), None)
    if file is not None:
        fonts.fontManager.ttflist += [fonts.FontEntry(fname=file, name=name) for name in _CHINESE_FONTS]
        # The second is asked for characters that the first does not have.
        for defaults in (matplotlib.rcParams, matplotlib.rcParamsDefault, matplotlib.rcParamsOrig):
            defaults["font.family"] = ["sans-serif", _FONT]
    pyplot: Any = import_module("matplotlib.pyplot")
    figure = pyplot.figure()
    figure.gca().set_title("a数")
    figure.canvas.draw()
    pyplot.close(figure)


class BoundedStream(OutStream):
    """What code prints to; it waits where code prints faster than it can be sent, instead of taking memory for it."""

    _unsent = 0

    def write(self, string: str) -> int | None:
        """See `io.TextIOBase.write`."""
        if not isinstance(string, str):
            return super().write(string)
        # A message of all that is printed at once would take its memory several times over.
        for start in range(0, len(string), _MOST_UNSENT):
            piece = string[start : start + _MOST_UNSENT]
            super().write(piece)
            self._unsent += len(piece)
            if self._unsent > _MOST_UNSENT:
                self._unsent = 0
                self.flush()
        return len(string)


class Relay:
    """Carries messages between the host's socket and the kernel's, in a thread of its own."""

    def __init__(self, host: socket.socket, sockets: str) -> None:
        import zmq
        from jupyter_client.session import Session

        self._host = host
        self._unread = b""
        self._session = Session(key=b"")
        self._session.pack = _encoded
        context: zmq.Context[Any] = zmq.Context()
        self._poller = zmq.Poller()
        self._channels: dict[str, Any] = {}
        for name, kind in (("shell", zmq.DEALER), ("control", zmq.DEALER), ("iopub", zmq.SUB)):
            channel = self._channels[name] = context.socket(kind)
            if kind == zmq.SUB:
                channel.subscribe(b"")
            channel.connect(f"ipc://{sockets}-{_PORTS[name]}")
            self._poller.register(channel, zmq.POLLIN)
        self._poller.register(host, zmq.POLLIN)

    def start(self) -> None:
        """Begin, and tell the host that the kernel is ready."""
        self._tell({"channel": "relay", "header": {"msg_type": "ready"}})
        threading.Thread(target=self._work, name="relay", daemon=True).start()

    def _work(self) -> None:
        try:
            while True:
                ready = dict(self._poller.poll())
                for name, channel in self._channels.items():
                    if channel in ready:
                        self._from_kernel(name, channel)
                if self._host.fileno() in ready and not self._from_host():
                    break
        finally:  # the host has gone, or code has done something to the channels: nobody would hear of the kernel
            os._exit(0)

    def _from_kernel(self, name: str, channel: Any) -> None:
        _, message = self._session.recv(channel, copy=True)
        if message is None:
            return
        parent = {"msg_id": message["parent_header"].get("msg_id", "")}
        for kind, content, picture in _of_use(message["header"]["msg_type"], message["content"]):
            whole = {"channel": name, "header": {"msg_type": kind}, "parent_header": parent, "content": content}
            self._tell(whole, picture)

    def _from_host(self) -> bool:
        """Pass on what the host has sent; False: it has gone."""
        received = self._host.recv(65536)
        self._unread += received
        while len(self._unread) >= 4:
            (size,) = struct.unpack("!I", self._unread[:4])
            if len(self._unread) < 4 + size:
                break
            message = json.loads(self._unread[4 : 4 + size])
            self._unread = self._unread[4 + size :]
            header = message["header"]
            whole = self._session.msg(header["msg_type"], message["content"])
            whole["header"]["msg_id"] = whole["msg_id"] = header["msg_id"]
            self._session.send(self._channels[message["channel"]], whole)
        return bool(received)

    def _tell(self, message: dict[str, Any], picture: bytes = b"") -> None:
        frame = _encoded(message)
        self._host.sendall(struct.pack("!II", len(frame), len(picture)) + frame + picture)


def _of_use(kind: str, content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """What the host has use for in a message: type, content and picture of each message that says it to the host."""
    match kind:
        case "status":
            yield kind, {"execution_state": content["execution_state"]}, b""
        case "stream":
            for text in _pieces(content["text"]):
                yield kind, {"text": text}, b""
        case "execute_result" | "display_data":
            yield from _shown(kind, content["data"])
        case "error":
            # The end of a traceback names the error.
            traceback = "\n".join(map(str, content["traceback"]))[-_MOST_TEXT:]
            yield kind, {"ename": str(content["ename"])[:_MOST_NAME], "traceback": [traceback]}, b""
        case "execute_reply":
            yield kind, {}, b""
        case _:
            pass


def _shown(kind: str, data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    try:
        picture = base64.b64decode(data["image/png"])
    except (KeyError, TypeError, ValueError):
        *first, last = _pieces(data.get("text/plain", "")) or [""]
        for text in first:
            yield "stream", {"text": text}, b""
        yield kind, {"data": {"text/plain": last}}, b""
        return
    if len(picture) > MOST_PICTURE_BYTES:
        text = f"[An image is larger than {MOST_PICTURE_BYTES} bytes and is left out.]"
        yield kind, {"data": {"text/plain": text}}, b""
    else:
        yield kind, {}, picture


def _pieces(value: object) -> list[str]:
    text = value if isinstance(value, str) else ""
    return [text[start : start + _MOST_TEXT] for start in range(0, len(text), _MOST_TEXT)]


def _encoded(message: Any) -> bytes:
    """JSON, where half a surrogate pair, which Python's strings may hold and UTF-8 may not, is a question mark."""
    return json.dumps(message, default=str, ensure_ascii=False).encode(errors="replace")


if __name__ == "__main__":
    main()

"""An OpenAI-compatible image server that answers with real pictures of one colour."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from PIL import Image

from .json_upstream import running

Json = dict[str, Any]

USAGE = {
    "input_tokens": 9,
    "output_tokens": 100,
    "total_tokens": 109,
    "input_tokens_details": {"text_tokens": 9, "image_tokens": 0},
}


def picture(colour: str | int = "red", kind: str = "PNG", size: tuple[int, int] = (64, 64), mode: str = "RGB") -> bytes:
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, kind)
    return out.getvalue()


def mask(size: tuple[int, int] = (64, 64)) -> bytes:
    """A PNG whose upper half is transparent."""
    whole = Image.new("RGBA", size, (0, 0, 0, 255))
    whole.paste((0, 0, 0, 0), (0, 0, size[0], size[1] // 2))
    out = io.BytesIO()
    whole.save(out, "PNG")
    return out.getvalue()


def opened(content: bytes) -> Image.Image:
    """The picture in these bytes, decoded."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it arrived: its fields, and the files with names and types."""

    path: str
    fields: Json
    files: Sequence[tuple[str, str, str, bytes]] = ()


class ImageUpstream:
    """The server; `images_upstream` runs one.

    Attributes:
        requests: what arrived, in order.
        answers: what is answered instead of pictures, each once: an object, or a status with one.
    """

    def __init__(self) -> None:
        self.requests: list[Sent] = []
        self.answers: deque[tuple[int, Json]] = deque()
        self.base_url = ""
        #: Whether requests for streams are answered as a whole.
        self.whole = False
        #: Where there is one, a stream waits for it after its first event and ends with an error.
        self.breaks: asyncio.Event | None = None

    async def json(self, http: web.Request) -> web.StreamResponse:
        """A request in JSON."""
        body: Json = await http.json()
        self.requests.append(Sent(http.path, body))
        return await self._answer(http, body)

    async def any(self, http: web.Request) -> web.StreamResponse:
        """A request in JSON or as a form."""
        if http.content_type == "application/json":
            return await self.json(http)
        fields: Json = {}
        files: list[tuple[str, str, str, bytes]] = []
        for name, value in (await http.post()).items():
            if isinstance(value, web.FileField):
                content = await asyncio.to_thread(value.file.read)
                files.append((name, value.filename, value.content_type, content))
            else:
                fields[name] = value
        self.requests.append(Sent(http.path, fields, files))
        return await self._answer(http, fields)

    async def _answer(self, http: web.Request, asked: Json) -> web.StreamResponse:
        if self.answers:
            status, body = self.answers.popleft()
            return web.json_response(body, status=status)
        if asked.get("stream") and not self.whole:
            return await self._stream(http, "image_edit" if http.path.endswith("edits") else "image_generation")
        images: list[Json] = []
        for number in range(int(asked.get("n", 1))):
            if asked.get("response_format") == "url":
                images.append({"url": f"https://images.example/{number}.png", "revised_prompt": "A red square."})
            else:
                images.append({"b64_json": base64.b64encode(picture()).decode()})
        told = {"size": asked.get("size", "1024x1024"), "quality": "high", "background": "opaque", "usage": USAGE}
        return web.json_response({"created": 1_700_000_000, "data": images, "extra": "unofficial", **told})

    async def _stream(self, http: web.Request, kind: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(http)
        told = {"size": "1024x1024", "quality": "high", "background": "opaque", "output_format": "png"}
        event = {"b64_json": base64.b64encode(picture()).decode(), "created_at": 1_700_000_000, **told}
        partial = {"type": f"{kind}.partial_image", "partial_image_index": 0, **event}
        await response.write(f"event: {partial['type']}\ndata: {json.dumps(partial)}\n\n".encode())
        last: Json = {"type": f"{kind}.completed", "usage": USAGE, **event}
        if self.breaks:
            await self.breaks.wait()
            last = {"error": {"message": "The picture is lost.", "type": "server_error"}}
        await response.write(f"data: {json.dumps(last)}\n\n".encode())
        await response.write_eof()
        return response


@asynccontextmanager
async def images_upstream() -> AsyncIterator[ImageUpstream]:
    """A running image server."""
    upstream = ImageUpstream()
    app = web.Application(client_max_size=128 * 1024 * 1024)
    app.router.add_post("/v1/images/generations", upstream.json)
    app.router.add_post("/v1/images/edits", upstream.any)
    app.router.add_post("/v1/images/variations", upstream.any)
    async with running(app) as upstream.base_url:
        yield upstream

"""Every way by which somebody can have this server fetch something: the same addresses are refused by all of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from retinue.inference.chat import Json
from retinue.model_settings import ModelSettings
from retinue.settings import Settings
from retinue.store.ids import new_id
from retinue.wire.connections import Connection

from ..harness import Api, Server
from ..image_upstream import ImageUpstream, images_upstream
from ..scripted import Call, Reply, ScriptedUpstream
from ..services import CONNECTIONS, action, document
from ..tricks import HANDFUL, OTHER_SERVICE, PRIVATE

TOKENS = {"type": "oauth", "client_id": "a", "flow": "client_credentials"}
ASK: Json = {"/a": {"get": {"operationId": "ask"}}}
PLACE: Json = {"type": "action", "document": document(ASK)}


@pytest.fixture
async def painter() -> AsyncIterator[ImageUpstream]:
    """An image model's server."""
    async with images_upstream() as upstream:
        yield upstream


@pytest.fixture
def settings(tmp_path: Path, upstream: ScriptedUpstream, painter: ImageUpstream) -> Settings:
    """A chat model and an image model."""
    models = {
        "scripted": ModelSettings(base_url=upstream.base_url, retries=0),
        "painter": ModelSettings(base_url=painter.base_url, retries=0),
    }
    return Settings(data=tmp_path, models=models, default_model="scripted", default_image_model="painter")


class Ways:
    """What says, of a URL, why it was not fetched; each method is one way."""

    def __init__(self, api: Api, server: Server, upstream: ScriptedUpstream, painter: ImageUpstream) -> None:
        self.api = api
        self.store = server.app.state.store
        self.upstream = upstream
        self.painter = painter

    async def _refused(self, path: str, body: Json) -> str:
        return (await self.api.refused("POST", path, body))["message"]

    async def _told(self, tool: Json, call: str, arguments: Json) -> str:
        """What the model is told of a call."""
        self.upstream.script(Reply(tool_calls=[Call(call, arguments, id="call_a")]), Reply(text="Done."))
        run = await self.api.run("Hi", assistant={"tools": [tool]})
        assert run["status"] == "completed", run
        (said,) = [one["content"] for one in self.upstream.requests[-1]["messages"] if one["role"] == "tool"]
        return said

    async def _stored(self, **fields: Any) -> str:
        """The id of a connection that was made when its address was still allowed."""
        text = fields.pop("document", None)
        connection = Connection(id=new_id("conn_"), created_at=1, name="Place", consent="never", **fields)
        await self.store.connections.add("proj_default", connection, text, None, 100)
        return connection.id

    async def webhook(self, url: str) -> str:
        return await self._refused("/webhook_endpoints", {"name": "a", "url": url, "event_types": ["*"]})

    async def image_url(self, url: str) -> str:
        return await self._refused("/images/edits", {"prompt": "Bluer.", "images": [{"image_url": url}]})

    async def generated_image(self, url: str) -> str:
        self.painter.answers.append((200, {"data": [{"url": url}]}))
        return await self._told({"type": "image_generation"}, "generate_image", {"prompt": "A cat."})

    async def document(self, url: str) -> str:
        return await self._refused(CONNECTIONS, {"type": "action", "document_url": url})

    async def new_action(self, url: str) -> str:
        return await self._refused(CONNECTIONS, {**PLACE, "url": url})

    async def action_call(self, url: str) -> str:
        text = json.dumps(document(ASK))
        identifier = await self._stored(type="action", url=url, document=text)
        return await self._told(action({"id": identifier})["tools"][0], "ask", {})

    async def sign_in(self, url: str) -> str:
        return await self._refused(
            CONNECTIONS, {**PLACE, "url": "http://8.8.8.8", "auth": {**TOKENS, "token_url": url}}
        )

    async def new_mcp(self, url: str) -> str:
        return await self._refused(CONNECTIONS, {"type": "mcp", "url": url})

    async def mcp_tools(self, url: str) -> str:
        identifier = await self._stored(type="mcp", url=url)
        return (await self.api.refused("GET", f"{CONNECTIONS}/{identifier}/tools"))["message"]

    async def mcp_call(self, url: str) -> str:
        identifier = await self._stored(type="mcp", url=url)
        known = {"tool": "ask", "name": "ask", "title": "", "description": "", "parameters": {}, "changes": False}
        await self.store.connections.keep_tools(identifier, [known])
        return await self._told({"type": "mcp", "mcp": {"connection_id": identifier}}, "ask", {})

    async def browsing(self, url: str) -> str:
        return await self._told({"type": "web_browsing"}, "web_open", {"url": url})


WAYS: list[Callable[[Ways, str], Awaitable[str]]] = [
    Ways.webhook,
    Ways.image_url,
    Ways.generated_image,
    Ways.document,
    Ways.new_action,
    Ways.action_call,
    Ways.sign_in,
    Ways.new_mcp,
    Ways.mcp_tools,
    Ways.mcp_call,
    Ways.browsing,
]


#: Ways by which only addresses are asked for that were allowed once: no connection is made with another.
ALLOWED_ONCE = (Ways.action_call, Ways.mcp_tools, Ways.mcp_call)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_refused(
    api: Api,
    server: Server,
    upstream: ScriptedUpstream,
    painter: ImageUpstream,
    way: Callable[[Ways, str], Awaitable[str]],
) -> None:
    ways = Ways(api, server, upstream, painter)
    tricks = [one for one in HANDFUL if way not in ALLOWED_ONCE or one[1] in (PRIVATE, OTHER_SERVICE)]
    for url, reason in tricks:
        said = await way(ways, url)
        assert reason in said, (url, said)

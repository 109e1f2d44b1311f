"""The connections of a project: made, changed, asked for their tools, signed in to."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from yarl import URL

from ...egress import Egress
from ...errors import ApiError, InvalidRequest, NotFound
from ...inference.chat import Json
from ...settings import Settings
from ...store.connections import Opened
from ...store.ids import new_id
from ...store.store import Store
from ...wire.common import Deleted
from ...wire.connections import (
    Auth,
    Connection,
    ConnectionCreate,
    ConnectionModify,
    ConnectionTool,
    OAuth,
    SignIn,
)
from ...wire.steps import FunctionCallResult, FunctionToolCall
from ..actions.loading import MOST_BYTES
from ..tool import Served, Trial
from .oauth import Tokens
from .secrets import Secrets, header_values, secret_of

#: From a project and a connection to its tools.
ToolsOf = Callable[[str, Opened], Awaitable[list[ConnectionTool]]]
#: Makes one call: from a connection, the name of what is called, the call as steps show it, its arguments, for what,
#: and for whom, to what came of it. Raises `ApiError`.
TryOut = Callable[[Opened, str, FunctionToolCall, Json, Trial, str], Awaitable[Served]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is done with connections of one type."""

    tools: ToolsOf
    try_out: TryOut


#: From an OpenAPI document and where it came from to its title and first server. Raises `ApiError` if it is unusable.
Inspect = Callable[[str, str | None], Awaitable[tuple[str, str | None]]]
#: A connection of this kind starts a program instead of asking a server.
_PROGRAM = "stdio:"
#: Redirects that are followed to a document.
_MOST_REDIRECTS = 3
#: Tokens of the answer to a call that somebody tries.
_TRIAL_ROOM = 8_000


class ConnectionRegistry:
    """What clients may do with connections, beyond reading them."""

    def __init__(
        self,
        store: Store,
        egress: Egress,
        tokens: Tokens,
        inspect: Inspect,
        kinds: Mapping[str, Kind],
        settings: Settings,
    ) -> None:
        """Describe it.

        Args:
            store: where they are.
            egress: the way to documents.
            tokens: the way to sign-ins.
            inspect: see there.
            kinds: what is done with a connection, by its type.
            settings: all settings.
        """
        self._store = store
        self._egress = egress
        self._tokens = tokens
        self._inspect = inspect
        self._kinds = kinds
        self._most = settings.max_connections
        self._timeout = settings.action_timeout

    async def create(self, project: str, body: ConnectionCreate) -> Connection:
        """Make a connection.

        Raises:
            InvalidRequest: something is missing, does not belong to this type, or cannot be used; or the project has as
                many connections as it may.
            EgressRefused, EgressFailed: nothing may be sent to an address, or its document cannot be had.
        """
        document, title, server = await self._document(body.type, body.document, body.document_url)
        url = body.url or server
        if url is None:
            hint = "the document names no server with a whole address" if body.type == "action" else "MCP needs one"
            raise InvalidRequest(
                f"Missing required parameter: 'url': {hint}.", param="url", code="missing_required_parameter"
            )
        await self._check(body.type, url, body.auth)
        secrets = Secrets(secret_of(body.auth), header_values(body.headers))
        connection = Connection(
            id=new_id("conn_"),
            created_at=int(time.time()),
            type=body.type,
            name=body.name or title or URL(url).host or url,
            description=body.description,
            url=url,
            document_url=body.document_url,
            auth=body.auth,
            headers=list(body.headers),
            consent=body.consent,
            privacy_policy_url=body.privacy_policy_url,
            metadata=body.metadata,
        )
        sealed = secrets.sealed(self._store.secrets)
        await self._store.connections.add(project, connection, document, sealed, self._most)
        return await self._store.connections.get(project, connection.id)

    async def modify(self, project: str, identifier: str, body: ConnectionModify) -> Connection:
        """Change a connection: what is not sent stays as it is.

        Where its requests go elsewhere then, or authenticate otherwise, people have to sign in again; where they go
        elsewhere or its document is another, they are asked for consent again.

        Raises:
            NotFound: the project has no such connection.
            InvalidRequest: as in `create`; or it goes to another server, and its secrets were not sent anew.
            EgressRefused, EgressFailed: as in `create`.
        """
        opened = await self._store.connections.open(project, identifier)
        old = opened.connection
        document, server = opened.document, None
        if new_document := body.document is not None or body.document_url is not None:
            document, _, server = await self._document(old.type, body.document, body.document_url)
        sent = body.model_dump(exclude_none=True, include=set(Connection.model_fields) - {"auth", "headers"})
        if new_document:
            sent |= {"document_url": body.document_url, "url": body.url or server or old.url}
        new = old.model_copy(update=sent)
        if body.auth is not None:
            new.auth = body.auth
        if body.headers is not None:
            new.headers = list(body.headers)
        await self._check(new.type, new.url, new.auth)
        secrets = self._secrets(opened, new, body)
        await self._store.connections.replace(project, new, document, secrets.sealed(self._store.secrets))
        moved = _origin(new.url) != _origin(old.url)
        if moved or new.auth != old.auth:
            await self._store.connections.revoke_all(project, identifier)
        if moved or new_document:
            await self._store.connections.forget_consents(project, identifier)
        return await self._store.connections.get(project, identifier)

    async def delete(self, project: str, identifier: str) -> Deleted:
        """Delete a connection with its sign-ins and consents.

        Raises:
            NotFound: the project has no such connection.
        """
        await self._store.connections.forget_consents(project, identifier)
        return await self._store.connections.delete(project, identifier, "connection.deleted")

    async def tools(self, project: str, identifier: str) -> list[ConnectionTool]:
        """What assistants can call of a connection.

        Raises:
            NotFound: the project has no such connection.
            ApiError: its server cannot be asked.
        """
        opened = await self._store.connections.open(project, identifier)
        return await self._kinds[opened.connection.type].tools(project, opened)

    async def call(self, project: str, identifier: str, name: str, arguments: Json, person: str) -> Served:
        """Call an operation or tool once, for a person who wants to see what comes.

        Args:
            project: the caller's project.
            identifier: the connection's id.
            name: of the operation or tool.
            arguments: for it.
            person: whose sign-in counts. They are asked for no consent, since it is they who call.

        Raises:
            NotFound: the project has no such connection, or that no such operation.
            InvalidRequest: the person has to sign in first, arguments do not fit, or the service cannot be reached.
        """
        opened = await self._store.connections.open(project, identifier)
        function = FunctionCallResult(name=name, arguments=orjson.dumps(arguments).decode())
        call = FunctionToolCall(id=new_id("call_"), function=function)
        trial = Trial(project, room=_TRIAL_ROOM)
        return await self._kinds[opened.connection.type].try_out(opened, name, call, arguments, trial, person)

    async def sign_in(self, project: str, identifier: str, person: str) -> SignIn:
        """Where a person signs in for a connection.

        Raises:
            NotFound: the project has no such connection.
            InvalidRequest: people do not sign in to it.
        """
        return await self._tokens.begin(project, await self._store.connections.get(project, identifier), person)

    async def finish_sign_in(self, state: str, code: str, error: str, person: str | None) -> str:
        """See `Tokens.finish`."""
        return await self._tokens.finish(state, code, error, person)

    async def sign_out(self, project: str, identifier: str, person: str) -> Deleted:
        """Forget that a person has signed in.

        Raises:
            NotFound: the project has no such connection, or the person has not signed in.
        """
        await self._store.connections.get(project, identifier)
        if not await self._store.connections.revoke(project, identifier, person):
            raise NotFound(f"Nobody of this name has signed in to the connection '{identifier}'.", param="user")
        return Deleted(id=identifier, object="connection.sign_in.deleted")

    async def _document(
        self, kind: str, document: str | dict[str, Any] | None, document_url: str | None
    ) -> tuple[str | None, str, str | None]:
        """The document's text, its title and its first server."""
        if kind == "mcp":
            if document is not None or document_url is not None:
                raise InvalidRequest("An MCP server has no 'document'. Leave it out.", param="document")
            return None, "", None
        if (document is None) == (document_url is None):
            raise InvalidRequest("An Action needs either a 'document' or a 'document_url'.", param="document")
        if document_url is not None:
            text = await self._fetched(document_url)
        else:
            text = document if isinstance(document, str) else orjson.dumps(document).decode()
        title, server = await self._inspect(text, document_url)
        return text.replace("\x00", "\ufffd"), title, server

    async def _fetched(self, url: str) -> str:
        try:
            async with self._egress.request(
                "GET", url, max_bytes=MOST_BYTES, timeout=self._timeout, redirects=_MOST_REDIRECTS
            ) as response:
                content = await response.read()
        except InvalidRequest as error:
            error.param = "document_url"
            raise
        if response.status != 200:
            raise InvalidRequest(f"'document_url' was answered {response.status}.", param="document_url")
        return content.decode("utf-8", "replace").removeprefix("\ufeff")

    async def _check(self, kind: str, url: str, auth: Auth) -> None:
        """See that requests may go to these addresses."""
        addresses = {} if kind == "mcp" and url.startswith(_PROGRAM) else {"url": url}
        if isinstance(auth, OAuth):
            addresses["auth.token_url"] = auth.token_url
            if auth.authorization_url:
                addresses["auth.authorization_url"] = auth.authorization_url
        for param, address in addresses.items():
            try:
                await self._egress.check(address)
            except ApiError as error:
                error.param = param
                raise
        if addresses.get("url") and (URL(url).query_string or URL(url).fragment):
            raise InvalidRequest("Invalid 'url': it must have no query and no fragment.", param="url")

    def _secrets(self, opened: Opened, new: Connection, body: ConnectionModify) -> Secrets:
        """The secrets after a change: those that were not sent stay, as long as they go where they went."""
        old = opened.connection
        sent = Secrets(
            secret_of(body.auth) if body.auth is not None else "",
            header_values(body.headers) if body.headers is not None else {},
        )
        if body.auth is not None and body.headers is not None:
            return sent
        kept = Secrets.of(opened, self._store.secrets)
        stays = Secrets(kept.auth if body.auth is None else "", kept.headers if body.headers is None else {})
        if stays and _origin(new.url) != _origin(old.url):
            raise InvalidRequest(
                "The connection goes to another server then. Send 'auth' and 'headers' anew with the 'url'.",
                param="url",
            )
        return Secrets(sent.auth or stays.auth, sent.headers or stays.headers)


def _origin(url: str) -> str:
    return url if url.startswith(_PROGRAM) else str(URL(url).origin())

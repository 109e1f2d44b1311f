"""`action`: the operations of a connection with an OpenAPI document, each a function."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from yarl import URL

from ...egress import Egress, EgressFailed
from ...errors import InvalidRequest, NotFound
from ...inference.chat import Json
from ...settings import Settings
from ...store.connections import Opened
from ...store.store import Store
from ...wire.connections import Connection, ConnectionTool
from ...wire.runs import Run
from ...wire.steps import FunctionToolCall
from ...wire.tools import ActionTool
from ..connections.access import Access
from ..connections.people import person_of
from ..tool import Report, Scope, Served, ServerFunction, Told, Trial
from .answer import Answer, told
from .document import Document, Operation, read
from .loading import load
from .request import Request, build

#: Documents that are kept as operations.
_MOST_KEPT = 32
#: Redirects within the server that are followed, where nothing can be done twice by it.
_MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_READING = ("GET", "HEAD")
_UNCHANGING = (*_READING, "OPTIONS", "TRACE")


class Documents:
    """Documents as operations; those asked for last are kept, for reading one takes up to a second or two."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Document] = OrderedDict()

    async def of(self, text: str, source: str | None) -> Document:
        """What a document offers.

        Args:
            text: JSON or YAML.
            source: the address that it came from.

        Raises:
            Unusable: see `document.read`.
        """
        key = hashlib.sha256(f"{source}\n{text}".encode("utf-8", "surrogatepass")).digest()
        found = self._kept.get(key) or await asyncio.to_thread(lambda: read(load(text), source))
        self._kept[key] = found
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found


class Actions:
    """The tool."""

    type = "action"

    def __init__(self, store: Store, access: Access, egress: Egress, settings: Settings) -> None:
        self._store = store
        self._access = access
        self._egress = egress
        self._documents = Documents()
        self._timeout = settings.action_timeout
        self._max_bytes = settings.action_max_bytes

    async def functions(self, project: str, run: Run, wanted: ActionTool) -> Sequence[ServerFunction]:
        """See `ServerTool`."""
        opened = await self._store.connections.open(project, wanted.action.connection_id)
        if opened.connection.type != self.type:
            raise InvalidRequest(f"The connection '{opened.connection.id}' is no Action.")
        operations = await self._operations(opened)
        if (allowed := wanted.action.allowed_tools) is not None:
            operations = {one: base for one, base in operations.items() if one.name in allowed}
        person = person_of(run)
        consents = await self._access.consents(project, opened, person, [one.name for one in operations])
        return [
            ServerFunction(
                self.type,
                one.name,
                {"description": one.description, "parameters": one.schema},
                partial(self._serve, opened, one, base),
                consent=consents.of(one.name, one.title, changes=_changes(one)),
                optional=True,
            )
            for one, base in operations.items()
        ]

    async def inspect(self, text: str, source: str | None) -> tuple[str, str | None]:
        """The title and the first server of a document.

        Args:
            text: JSON or YAML.
            source: the address that it came from.

        Raises:
            Unusable: see `document.read`.
        """
        document = await self._documents.of(text, source)
        return document.title, document.server

    async def tools(self, project: str, opened: Opened) -> list[ConnectionTool]:
        """The operations of a connection, as clients see them."""
        operations = await self._operations(opened)
        consents = await self._access.consents(project, opened, None, [one.name for one in operations])
        return [
            ConnectionTool(
                name=one.name,
                description=one.description,
                operation=one.title,
                needs_consent=consents.of(one.name, one.title, changes=_changes(one)) is not None,
                parameters=one.schema,
            )
            for one in operations
        ]

    async def _operations(self, opened: Opened) -> dict[Operation, str]:
        """The operations that are on the connection's server, each with the address that its path goes behind."""
        connection = opened.connection
        document = await self._documents.of(opened.document or "", connection.document_url)
        bases = {one: _base(connection, document, one) for one in document.operations}
        return {one: base for one, base in bases.items() if base}

    async def _serve(
        self,
        opened: Opened,
        operation: Operation,
        base: str,
        scope: Scope,
        call: FunctionToolCall,
        arguments: Json,
        report: Report,
    ) -> Served:
        return await self._ask(opened, operation, base, scope, person_of(scope.run), call, arguments)

    async def try_out(
        self, opened: Opened, name: str, call: FunctionToolCall, arguments: Json, trial: Trial, person: str
    ) -> Served:
        """See `connections.registry.TryOut`."""
        operations = await self._operations(opened)
        for operation, base in operations.items():
            if operation.name == name:
                return await self._ask(opened, operation, base, trial, person, call, arguments)
        raise NotFound(f"The connection '{opened.connection.id}' has no operation '{name}'.")

    async def _ask(
        self,
        opened: Opened,
        operation: Operation,
        base: str,
        scope: Told,
        person: str,
        call: FunctionToolCall,
        arguments: Json,
    ) -> Served:
        authentication = await self._access.credentials.of(scope.project, opened, person)
        try:
            answer = await self._send(operation, build(operation, base, arguments, authentication))
            if answer.status == 401 and authentication.token:
                authentication = await self._access.credentials.of(scope.project, opened, person, authentication)
                answer = await self._send(operation, build(operation, base, arguments, authentication))
        except EgressFailed as error:
            # What goes wrong there may name the URL, and a key in it.
            raise InvalidRequest(authentication.hide(error.message)) from error
        return await told(self._store, scope, call, answer, authentication.hide)

    async def _send(self, operation: Operation, request: Request) -> Answer:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow(operation, request)
        except TimeoutError as error:
            raise EgressFailed("The service did not answer in time.") from error

    async def _follow(self, operation: Operation, request: Request) -> Answer:
        url = request.url
        for _ in range(_MOST_REDIRECTS + 1):
            async with self._egress.request(
                request.method,
                url,
                headers=request.headers,
                body=request.body,
                max_bytes=self._max_bytes,
                timeout=self._timeout,
            ) as response:
                location = _within(url, response.headers.get("location")) if response.status in _REDIRECTS else None
                if location is None or request.method not in _READING:
                    return Answer(response.status, response.headers, await response.read(), operation.path)
                url = location
        raise EgressFailed("The service redirects again and again.")


def _within(url: str, location: str | None) -> str | None:
    """Where a redirect leads, if to the same server: another one is not to see what we authenticate with."""
    try:
        there = URL(url).join(URL(location or ""))
        return str(there) if location and there.origin() == URL(url).origin() else None
    except ValueError:
        return None


def _changes(operation: Operation) -> bool:
    """Whether an operation may change something."""
    if operation.consequential is not None:
        return operation.consequential
    return operation.method not in _UNCHANGING


def _base(connection: Connection, document: Document, operation: Operation) -> str | None:
    """Where an operation is; None where that is another server than the connection's.

    A connection that goes elsewhere than its document says goes there with all operations.
    """
    if operation.server is None:
        return connection.url
    origin = URL(connection.url).origin()
    if document.server is None or URL(document.server).origin() != origin:
        return connection.url
    return operation.server if URL(operation.server).origin() == origin else None

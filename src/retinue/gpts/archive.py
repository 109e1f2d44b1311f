"""GPTs as files: `gpt.json`, the picture and the knowledge in one archive, without secrets; out and in."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import zipfile
from collections.abc import AsyncIterable, Sequence
from typing import IO

from pydantic import SecretStr, ValidationError
from yarl import URL

from ..accounts.keys import Caller
from ..accounts.scopes import Need, allowed
from ..errors import ApiError, NotFound, TooLarge
from ..inference.images import media_type
from ..inference.models import Models
from ..settings import Settings
from ..store.files import blob_of
from ..store.objects import PageQuery
from ..store.store import Store
from ..tools.connections.registry import ConnectionRegistry
from ..wire.connections import ApiKeyAuth, Auth, BasicAuth, Connection, ConnectionCreate
from ..wire.files import FilePurpose
from ..wire.gpts import Gpt, GptContent, GptCreate
from ..wire.gpts_archive import ArchivedConnection, ArchivedFile, GptArchive, GptImport, GptImportNote
from . import content as contents
from . import pictures, zips
from .registry import Gpts

#: Most bytes of an archive that comes in.
MOST_BYTES = 64 * 1024 * 1024
_PROFILE = "gpt.json"
#: Most bytes of `gpt.json`: ten OpenAPI documents and the longest instructions are less.
_MOST_PROFILE = 24 * 1024 * 1024
_MOST_NAME = 255
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
#: What stands for the user name of a service, which can be as good as a key.
_NOBODY = "user"
_NO_KEY = "not-set"


class Archives:
    """What writes and reads them."""

    def __init__(
        self, store: Store, gpts: Gpts, connections: ConnectionRegistry, models: Models, settings: Settings
    ) -> None:
        self._store = store
        self._gpts = gpts
        self._connections = connections
        self._models = models
        self._most_file = settings.max_file_bytes

    # --- out

    async def export(self, caller: Caller, name: str) -> tuple[str, IO[bytes]]:
        """Write the draft of a GPT into an archive.

        Args:
            caller: who may edit it.
            name: its id or slug.

        Returns:
            The slug, and the archive, which the caller closes.

        Raises:
            NotFound: there is no such GPT.
            Forbidden: it is somebody else's.
            TooLarge: its knowledge is more than an import takes.
        """
        row = await self._gpts.editable(caller, name)
        project, content = caller.project, row.state.draft
        files = await self._store.files.find(project, content.knowledge)
        if sum(file.bytes for file in files.values()) > zips.MOST_UNPACKED - pictures.MOST_BYTES - _MOST_PROFILE:
            raise TooLarge(f"The knowledge is too large for one file: {zips.MOST_UNPACKED} bytes at most.")
        knowledge = {
            identifier: ArchivedFile(path=f"knowledge/{number:03}-{_plain(file.filename)}", filename=file.filename)
            for number, (identifier, file) in enumerate(files.items(), 1)
        }
        picture = await pictures.uploaded(self._store, project, content.picture) if content.picture else None
        profile = GptArchive(
            slug=row.slug,
            allow_duplicate=row.state.allow_duplicate,
            content=content.model_copy(update={"picture": None, "knowledge": [], "connections": []}),
            picture=f"picture.{_ENDINGS[picture[1]]}" if picture else None,
            knowledge=list(knowledge.values()),
            connections=[await self._archived(project, one) for one in content.connections],
        )
        archive = tempfile.TemporaryFile()  # noqa: SIM115 (whoever asked closes it)
        try:
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
                text = profile.model_dump_json(indent=2, by_alias=True)
                await asyncio.to_thread(made.writestr, _PROFILE, text)
                if picture and profile.picture:
                    await asyncio.to_thread(made.writestr, profile.picture, picture[0])
                for identifier, file in knowledge.items():
                    await self._pack(made, file.path, identifier)
            archive.seek(0)
        except BaseException:
            archive.close()
            raise
        return row.slug, archive

    async def _pack(self, archive: zipfile.ZipFile, path: str, file: str) -> None:
        with archive.open(path, "w") as entry:
            try:
                async for piece in self._store.blobs.read(blob_of(file)):
                    await asyncio.to_thread(entry.write, piece)
            except FileNotFoundError as error:
                raise NotFound(f"The content of file '{file}' is gone. Take it out of the knowledge.") from error

    async def _archived(self, project: str, identifier: str) -> ArchivedConnection:
        opened = await self._store.connections.open(project, identifier)
        connection = opened.connection
        return ArchivedConnection(
            type=connection.type,
            name=connection.name,
            description=connection.description,
            url=_without_user(connection.url),
            document=opened.document,
            auth=_bare(connection.auth),
            consent=connection.consent,
            privacy_policy_url=connection.privacy_policy_url,
        )

    # --- in

    async def load(self, caller: Caller, file: IO[bytes]) -> GptImport:
        """Make a GPT of an archive: all of it, or nothing.

        Its files become the caller's. Connections that the project has already (type, name and address) are taken;
        others are made, where the caller administers connections, else left out, which the notes say.

        Args:
            caller: whose it will be.
            file: the archive.

        Raises:
            InvalidRequest: the archive cannot be used, or the project may not store so much.
            TooLarge: a file in it is too large.
        """
        archive = await asyncio.to_thread(zips.opened, file)
        profile = await _profile(archive)
        notes: list[GptImportNote] = []
        content = profile.content
        try:
            self._models.resolve(content.model)
        except NotFound:
            notes.append(
                GptImportNote(kind="model", name=content.model, message="It is not here; the default one is used.")
            )
            content = content.model_copy(update={"model": "default"})
        files, connections = list[str](), list[str]()
        try:
            knowledge = [await self._file(caller.project, archive, one, files) for one in profile.knowledge]
            picture = await self._picture(caller.project, archive, profile.picture, files)
            used = await self._connect(caller, profile.connections, connections, notes)
            update = {"knowledge": knowledge, "picture": picture, "connections": used}
            gpt = await self._make(caller, content.model_copy(update=update), profile)
        except BaseException:
            await self._undo(caller.project, files, connections)
            raise
        return GptImport(gpt=gpt, notes=notes)

    async def _make(self, caller: Caller, content: GptContent, profile: GptArchive) -> Gpt:
        slug = profile.slug
        if slug and (slug in contents.RESERVED or await self._store.gpts.has_slug(caller.project, slug)):
            slug = None
        wanted = {**content.model_dump(), "allow_duplicate": profile.allow_duplicate, "slug": slug}
        return await self._gpts.create(caller, GptCreate.model_validate(wanted))

    async def _file(self, project: str, archive: zips.Unpacked, wanted: ArchivedFile, made: list[str]) -> str:
        if (archive.size(wanted.path) or 0) > self._most_file:
            raise TooLarge(f"'{wanted.path}' is larger than the limit of {self._most_file} bytes.", param="file")
        return await self._keep(project, archive.pieces(wanted.path), _plain(wanted.filename), "assistants", made)

    async def _picture(self, project: str, archive: zips.Unpacked, path: str | None, made: list[str]) -> str | None:
        if path is None:
            return None
        content = await archive.whole(path, pictures.MOST_BYTES)
        if media_type(content) is None:
            raise zips.refused(f"'{path}' is no PNG, JPEG, GIF or WebP")
        return await self._keep(project, content, _plain(path), "vision", made)

    async def _keep(
        self, project: str, content: bytes | AsyncIterable[bytes], name: str, purpose: FilePurpose, made: list[str]
    ) -> str:
        file = await self._store.files.keep(project, content, name, purpose)
        made.append(file.id)
        return file.id

    async def _connect(
        self, caller: Caller, wanted: Sequence[ArchivedConnection], made: list[str], notes: list[GptImportNote]
    ) -> list[str]:
        """The connections as this project has them; those that had to be made stand in `made`."""
        there = {_known_by(one): one.id for one in await self._all(caller.project)} if wanted else {}
        may_make = allowed(caller.scopes, Need("connections", "admin"))
        used: list[str] = []
        for one in wanted:
            identifier = there.get(_known_by(one))
            if identifier is None and may_make:
                identifier = await self._new_connection(caller.project, one, made, notes)
            elif identifier is None:
                message = "It is not here. Ask an administrator of the project to add it, then attach it."
                notes.append(GptImportNote(kind="connection", name=one.name, message=message))
            if identifier:
                used.append(identifier)
        return list(dict.fromkeys(used))

    async def _new_connection(
        self, project: str, wanted: ArchivedConnection, made: list[str], notes: list[GptImportNote]
    ) -> str | None:
        try:
            asked = ConnectionCreate(
                type=wanted.type,
                name=wanted.name,
                description=wanted.description,
                url=wanted.url,
                document=wanted.document,
                auth=_opening_nothing(wanted.auth),
                consent=wanted.consent,
                privacy_policy_url=wanted.privacy_policy_url,
            )
            connection = await self._connections.create(project, asked)
        except ApiError as error:
            # The GPT is of use without it: what stands in the way is often the network of this machine.
            notes.append(GptImportNote(kind="connection", name=wanted.name, message=error.message))
            return None
        made.append(connection.id)
        if wanted.auth.type != "none":
            message = "Its secrets are not in the file. Set them before it is used."
            notes.append(GptImportNote(kind="secrets", name=wanted.name, message=message))
        return connection.id

    async def _all(self, project: str) -> list[Connection]:
        found: list[Connection] = []
        query = PageQuery(limit=100)
        while True:
            page = await self._store.connections.page(project, query)
            found += page.data
            if not page.has_more:
                return found
            query = PageQuery(limit=100, after=page.last_id)

    async def _undo(self, project: str, files: Sequence[str], connections: Sequence[str]) -> None:
        for file in files:
            with contextlib.suppress(NotFound):
                await self._store.files.delete(project, file)
        for connection in connections:
            with contextlib.suppress(NotFound):
                await self._connections.delete(project, connection)


async def _profile(archive: zips.Unpacked) -> GptArchive:
    text = await archive.whole(_PROFILE, _MOST_PROFILE)
    try:
        return await asyncio.to_thread(GptArchive.model_validate_json, text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise zips.refused(f"{_PROFILE} says something unknown at '{where}': {first['msg']}") from error


def _known_by(connection: Connection | ArchivedConnection) -> tuple[str, str, str]:
    return connection.type, connection.name, _without_user(connection.url)


def _bare(auth: Auth) -> Auth:
    """How a connection authenticates, without keys, passwords and names of users."""
    if isinstance(auth, BasicAuth):
        return BasicAuth(type="basic", username=_NOBODY)
    secrets = {name: None for name in ("key", "client_secret") if name in type(auth).model_fields}
    return auth.model_copy(update=secrets)


def _opening_nothing(auth: Auth) -> Auth:
    """What a connection without its secrets begins with: it has to have a key, and this one is none."""
    return auth.model_copy(update={"key": SecretStr(_NO_KEY)}) if isinstance(auth, ApiKeyAuth) else auth


def _without_user(url: str) -> str:
    address = URL(url)
    return str(address.with_user(None)) if address.absolute and address.user else url


def _plain(name: str) -> str:
    """A name of a file without folders and what cannot be stored."""
    plain = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(one if one.isprintable() else "_" for one in plain).strip()
    return kept[-_MOST_NAME:] if kept.strip(".") else "file"

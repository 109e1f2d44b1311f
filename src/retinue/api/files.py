"""`/v1/files`"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from ..errors import InvalidRequest, NotFound, TooLarge
from ..settings import Settings
from ..store.files import Received, blob_of
from ..store.objects import PageQuery
from ..store.store import Store
from ..wire.common import Deleted, Id, ObjectList
from ..wire.files import FileCreate, FileObject
from .forms import FILE, bounded, coming_in, form_of, parts
from .http import ProjectId, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/files", tags=["Files"])

#: Bytes that a form adds to the file in it, at most.
FORM_BYTES = 1024 * 1024
_MOST_FILENAME = 255

_FIELDS: dict[str, Any] = FileCreate.model_json_schema(ref_template="#/components/schemas/{model}")["properties"]
_FORM = form_of({"file": FILE, **_FIELDS}, "file", "purpose")


class _Upload:
    """A form while it comes in."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.filename = ""
        self.received: Received | None = None

    async def read(self, request: Request, store: Store) -> None:
        """Read the form; the file goes straight into the blob store.

        Raises:
            InvalidRequest: the form is not what it must be.
            TooLarge: the file is larger than the limit.
        """
        most: int = request.app.state.settings.max_file_bytes
        async for part in parts(request):
            if part.name == "file" and part.filename is not None:
                if self.received:
                    raise InvalidRequest("Invalid 'file': one file is expected, but got several.", param="file")
                self.filename = filename(part.filename, "file")
                too_large = TooLarge(f"The file is larger than the limit of {most} bytes.", param="file")
                self.received = await store.files.receive(bounded(part, most, too_large))
            else:
                self._add_field(part.name, await part.text())

    def _add_field(self, name: str, value: str) -> None:
        outer, bracket, inner = name.partition("[")
        if bracket and inner.endswith("]"):
            group = self.fields.setdefault(outer, {})
            if isinstance(group, dict):
                group[inner[:-1]] = value
        else:
            self.fields[name] = value

    def file(self) -> FileObject:
        """The file that the form makes.

        Raises:
            InvalidRequest: there is no file in it.
            RequestValidationError: the other fields are not what they must be.
        """
        if "file" in self.fields:
            raise InvalidRequest("Invalid 'file': expected a file, with a file name.", param="file")
        try:
            wanted = FileCreate.model_validate(self.fields)
        except ValidationError as error:
            errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
            raise RequestValidationError(errors, body=self.fields) from error
        if self.received is None:
            raise InvalidRequest("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
        return self.received.file(self.filename, wanted.purpose, wanted.expires_after)


def filename(sent: str, param: str) -> str:
    """The name of a file: of a path, as some clients send one, the last part.

    Raises:
        InvalidRequest: `param` is at fault.
    """
    name = sent.replace("\\", "/").rpartition("/")[2]
    if not name or len(name) > _MOST_FILENAME:
        raise InvalidRequest(
            f"Invalid '{param}': the name of a file must have 1 to {_MOST_FILENAME} characters.", param=param
        )
    return name


@router.post("", response_model=FileObject, openapi_extra=_FORM)
async def upload_file(request: Request, project: ProjectId, store: TheStore) -> Response:
    """Upload a file."""
    settings: Settings = request.app.state.settings
    upload = _Upload()
    try:
        async with coming_in(settings.upload_timeout):
            await upload.read(request, store)
        file = upload.file()
        await store.files.add(project, file)
    except BaseException:
        if upload.received:
            await store.files.discard([upload.received.id])
        raise
    return ok(file)


@router.get("", response_model=ObjectList[FileObject])
async def list_files(
    project: ProjectId,
    store: TheStore,
    purpose: Annotated[Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    after: Annotated[Id | None, Query()] = None,
) -> Response:
    """List files, of one purpose if it is given."""
    page = PageQuery(limit=limit, order=order, after=after)
    if purpose is None:
        return ok_list(await store.files.page(project, page))
    return ok_list(await store.files.page(project, page, None, "purpose = %(purpose)s", purpose=purpose))


@router.get("/{file_id}", response_model=FileObject)
async def get_file(file_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve what is known about a file."""
    return ok(await store.files.get(project, file_id))


@router.delete("/{file_id}", response_model=Deleted)
async def delete_file(file_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a file. It leaves every vector store."""
    return ok(await store.files.delete(project, file_id))


@router.get("/{file_id}/content", response_class=Response)
async def get_file_content(file_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve what is in a file."""
    return await content_of(store, await store.files.get(project, file_id))


async def content_of(store: Store, file: FileObject, *, shown_as: str = "") -> Response:
    """What is in a file, to be saved; or, with a media type in `shown_as`, to be shown.

    Raises:
        NotFound: it is gone.
    """
    content = store.blobs.read(blob_of(file.id))
    try:
        first = await anext(content, b"")
    except FileNotFoundError as error:
        raise NotFound(f"The content of file '{file.id}' is gone.") from error

    async def whole() -> AsyncGenerator[bytes]:
        yield first
        async for piece in content:
            yield piece

    kept = "inline" if shown_as else "attachment"
    headers = {
        "content-length": str(file.bytes),
        "content-disposition": f"{kept}; filename*=UTF-8''{quote(file.filename, safe='')}",
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(whole(), media_type=shown_as or "application/octet-stream", headers=headers)

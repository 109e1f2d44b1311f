"""Vector stores: files cut into chunks, to be searched."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, FiniteFloat, StrictBool, StrictInt, StrictStr, StringConstraints

from .common import Id, Metadata, WireObject, WireRequest, is_none

StoreName = Annotated[str, StringConstraints(max_length=256)]
StoreDescription = Annotated[str, StringConstraints(max_length=512)]
ProcessingStatus = Literal["in_progress", "completed", "failed", "cancelled"]

# --- how files are cut


class ChunkSizes(WireRequest):
    """Sizes of chunks, in tokens. The overlap is at most half of a chunk."""

    max_chunk_size_tokens: Annotated[int, Field(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Field(ge=0, le=2048)]


class AutoChunking(WireRequest):
    """The server chooses: `DEFAULT_CHUNKING`."""

    type: Literal["auto"]


class StaticChunking(WireRequest):
    """Chunks of the given sizes."""

    type: Literal["static"]
    static: ChunkSizes


def _check_overlap(value: AutoChunking | StaticChunking) -> AutoChunking | StaticChunking:
    if isinstance(value, StaticChunking) and value.static.chunk_overlap_tokens * 2 > value.static.max_chunk_size_tokens:
        raise ValueError("chunk_overlap_tokens must not exceed half of max_chunk_size_tokens")
    return value


Chunking = Annotated[
    Annotated[AutoChunking | StaticChunking, Field(discriminator="type")], AfterValidator(_check_overlap)
]
DEFAULT_CHUNKING = StaticChunking(type="static", static=ChunkSizes(max_chunk_size_tokens=800, chunk_overlap_tokens=400))

# --- stores


class FileCounts(WireObject):
    """How many files there are in each state."""

    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class StoreExpiration(WireRequest):
    """How long a store lives after it was last active."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Field(ge=1, le=365)]


class VectorStore(WireObject):
    """A set of files that can be searched. Counts, bytes and status are what its files make them."""

    internal: ClassVar[frozenset[str]] = frozenset({"description"})

    id: str
    object: Literal["vector_store"] = "vector_store"
    created_at: int
    #: `""` where there is none: the SDK in strict mode takes no null here.
    name: str = ""
    description: str | None = None
    usage_bytes: int = 0
    file_counts: FileCounts = Field(default_factory=FileCounts)
    status: Literal["expired", "in_progress", "completed"] = "completed"
    expires_after: StoreExpiration | None = Field(default=None, exclude_if=is_none)
    expires_at: int | None = None
    last_active_at: int
    metadata: dict[str, str] = Field(default_factory=dict[str, str])


class VectorStoreCreate(WireRequest):
    """Body of `POST /vector_stores`."""

    file_ids: Annotated[list[Id], Field(max_length=500)] = Field(default_factory=list[str])
    name: StoreName | None = None
    description: StoreDescription | None = None
    expires_after: StoreExpiration | None = None
    chunking_strategy: Chunking | None = None
    metadata: Metadata | None = None


class VectorStoreModify(WireRequest):
    """Body of `POST /vector_stores/{id}`: what is absent stays as it is."""

    name: StoreName | None = None
    expires_after: StoreExpiration | None = None
    metadata: Metadata | None = None


class VectorStoreHelper(WireRequest):
    """A store that is to be made together with the assistant or thread that uses it."""

    file_ids: Annotated[list[Id], Field(max_length=10_000)] = Field(default_factory=list[str])
    chunking_strategy: Chunking | None = None
    metadata: Metadata | None = None


# --- files in stores


def _check_attributes(value: dict[str, str | bool | int | float]) -> dict[str, str | bool | int | float]:
    if len(value) > 16:
        raise ValueError(f"too many pairs: at most 16 are allowed, got {len(value)}")
    for key, one in value.items():
        if len(key) > 64:
            raise ValueError(f"key too long: at most 64 characters are allowed, '{key[:20]}…' has {len(key)}")
        if isinstance(one, str) and len(one) > 512:
            raise ValueError(f"value too long: at most 512 characters are allowed, '{key}' has {len(one)}")
    return value


#: At most 16 pairs, keys of 64 characters; values are text of 512 characters, numbers or booleans.
Attributes = Annotated[
    dict[StrictStr, StrictStr | StrictBool | StrictInt | FiniteFloat], AfterValidator(_check_attributes)
]


class ProcessingError(WireObject):
    """Why a file cannot be searched."""

    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class VectorStoreFile(WireObject):
    """A file in a store. Its id is the file's."""

    id: str
    object: Literal["vector_store.file"] = "vector_store.file"
    #: Of the chunks' text.
    usage_bytes: int = 0
    created_at: int
    vector_store_id: str
    status: ProcessingStatus = "in_progress"
    last_error: ProcessingError | None = None
    chunking_strategy: StaticChunking
    attributes: dict[str, str | bool | int | float] = Field(default_factory=dict[str, "str | bool | int | float"])


class FileProgress(WireObject):
    """How far the processing of a file of a store has come; an extension."""

    object: Literal["vector_store.file.progress"] = "vector_store.file.progress"
    vector_store_id: str
    file_id: str
    stage: Literal["waiting", "reading", "embedding", "done", "failed", "cancelled"]
    #: That have been written, and how many of them have vectors.
    chunks: int
    chunks_embedded: int
    #: How often processing has begun.
    attempts: int


class VectorStoreFileCreate(WireRequest):
    """Body of `POST /vector_stores/{id}/files`."""

    file_id: Id
    chunking_strategy: Chunking | None = None
    attributes: Attributes | None = None


class VectorStoreFileModify(WireRequest):
    """Body of `POST /vector_stores/{id}/files/{id}`."""

    attributes: Attributes | None


class FileBatch(WireObject):
    """Files that were put into a store together. Counts and status are what the files make them."""

    id: str
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: int
    vector_store_id: str
    status: ProcessingStatus = "in_progress"
    file_counts: FileCounts = Field(default_factory=FileCounts)


class FileBatchCreate(WireRequest):
    """Body of `POST /vector_stores/{id}/file_batches`: either `file_ids` or `files`."""

    file_ids: Annotated[list[Id], Field(min_length=1, max_length=2000)] | None = None
    files: Annotated[list[VectorStoreFileCreate], Field(min_length=1, max_length=2000)] | None = None
    #: For all of `file_ids`; without meaning beside `files`.
    chunking_strategy: Chunking | None = None
    attributes: Attributes | None = None


class FileContentPart(WireObject):
    """Text of a file."""

    type: Literal["text"] = "text"
    text: str


class FileContent(WireObject):
    """What the server has read in a file."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[FileContentPart]
    has_more: Literal[False] = False
    next_page: None = None

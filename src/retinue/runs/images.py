"""Pictures that lie in files: those that the model is sent, and those that code has drawn for the user."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence

from ..inference.chat import Json
from ..inference.images import media_type
from ..store.files import blob_of
from ..store.store import Store
from ..wire.messages import ImageFile, ImageFileContent
from ..wire.steps import CodeInterpreterToolCall, ImageOutput, MessageCreationDetails, RunStep

#: Largest picture that a model is sent: OpenAI's limit.
_MOST_BYTES = 20 * 1024 * 1024


async def load(store: Store, project: str, images: Iterable[ImageFile]) -> dict[str, str]:
    """The pictures as `data:` URLs, by the id of their file.

    Args:
        store: where the files are.
        project: the run's project.
        images: the pictures.

    Returns:
        Those that can be shown: a file may have been deleted, be no picture, or be too large.
    """
    files = await store.files.find(project, list({image.file_id for image in images}))
    urls: dict[str, str] = {}
    for identifier, file in files.items():
        if file.bytes <= _MOST_BYTES:
            content = await store.blobs.read_whole(blob_of(identifier))
            if kind := media_type(content):
                urls[identifier] = f"data:{kind};base64,{b64encode(content).decode()}"
    return urls


def drawn(steps: Sequence[RunStep]) -> list[ImageFileContent]:
    """What the next message of a run begins with: the pictures that tools have made since the last one, in their order.

    Args:
        steps: of the run so far, oldest first.
    """
    pictures: list[ImageFileContent] = []
    for step in steps:
        if isinstance(step.step_details, MessageCreationDetails):
            pictures.clear()
            continue
        files: list[str] = []
        for call in step.step_details.tool_calls:
            if isinstance(call, CodeInterpreterToolCall):
                outputs = call.code_interpreter.outputs
                files += [output.image.file_id for output in outputs if isinstance(output, ImageOutput)]
            elif call.id in step.served:
                files += step.served[call.id].pictures
        pictures += [ImageFileContent(type="image_file", image_file=ImageFile(file_id=file)) for file in files]
    return pictures


def as_part(image: ImageFile, urls: dict[str, str]) -> Json:
    """The part of a chat message that shows the picture, or says that it cannot be shown."""
    url = urls.get(image.file_id)
    if url is None:
        return {"type": "text", "text": f"[The picture in {image.file_id} cannot be shown.]"}
    return {"type": "image_url", "image_url": {"url": url, "detail": image.detail}}

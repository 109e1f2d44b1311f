"""`image_generation`: the model has pictures made, by the model that `/v1/images` would ask."""

from __future__ import annotations

import asyncio
import base64
import binascii

from pydantic import ValidationError

from ..accounts.metering import Metering
from ..egress import Egress
from ..errors import InvalidRequest, ModelError, NotFound
from ..inference.chat import Json
from ..inference.images import ImageCall, Images, media_type
from ..inference.models import ServedModel
from ..inference.tokens import estimate_tokens
from ..settings import Settings
from ..store.store import Store
from ..wire.images import Image, ImageGeneration
from ..wire.runs import Run
from ..wire.steps import FunctionToolCall
from ..wire.tools import ImageGenerationTool
from .orders import without_orders
from .outputs import keep_output
from .tool import Report, Scope, Served, ServerFunction

_NAME = "generate_image"
_DESCRIPTION = (
    "Draw a picture from a description. The user sees it with your next message: do not link to it. Call it only when "
    "the user wants a picture, once for each picture."
)
_PROMPT = "What the picture shows and in which style, in detail, in English."
_SIZE = "Width and height in pixels, such as 1024x1024; leave it out unless the user asks for a format."
_DRAWN = "The picture was drawn, and the user sees it with your next message. Do not link to it."
#: Servers of these models answer with data always, and refuse to be asked for it.
_ALWAYS_DATA = ("gpt-image-", "chatgpt-image-")
#: Redirects that are followed to a picture that a server answers with an address.
_REDIRECTS = 3


class ImageGenerator:
    """The tool."""

    type = "image_generation"

    def __init__(self, store: Store, images: Images, egress: Egress, metering: Metering, settings: Settings) -> None:
        self._store = store
        self._images = images
        self._egress = egress
        self._metering = metering
        self._settings = settings

    async def functions(self, project: str, run: Run, wanted: ImageGenerationTool) -> list[ServerFunction]:
        """See `ServerTool`."""
        model = wanted.image_generation.model if wanted.image_generation else None

        async def serve(scope: Scope, call: FunctionToolCall, arguments: Json, report: Report) -> Served:
            return await self._serve(scope, call, arguments, model)

        properties = {"prompt": {"type": "string", "description": _PROMPT}, "size": {"type": "string"}}
        properties["size"]["description"] = _SIZE
        parameters = {"type": "object", "properties": properties, "required": ["prompt"]}
        return [ServerFunction(self.type, _NAME, {"description": _DESCRIPTION, "parameters": parameters}, serve)]

    async def _serve(self, scope: Scope, call: FunctionToolCall, arguments: Json, name: str | None) -> Served:
        try:
            model = self._images.resolve(name)
        except NotFound as error:
            raise InvalidRequest(
                f"pictures cannot be made on this server. {error.message} Tell the user so; do not try again."
            ) from error
        request = _request(arguments, model)
        tokens = estimate_tokens(request.prompt)
        with await self._metering.patiently(scope.caller, "images", model.name, tokens) as metered:
            try:
                async with asyncio.timeout(self._settings.image_timeout):
                    answer = await self._images.answer(model, ImageCall("generations", request), scope.project)
                    metered.images, metered.usage = len(answer.data), answer.usage and answer.usage.model_dump()
                    image = answer.data[0]
                    content = await self._content(image)
            except TimeoutError as error:
                raise InvalidRequest("drawing the picture took too long. Try a simpler or smaller one.") from error
        kind = media_type(content)
        if kind is None:
            raise ModelError("The image model answered with something that is no picture.")
        file = await keep_output(self._store, scope.project, f"image.{kind.removeprefix('image/')}", content)
        drawn = f" It was drawn as: {without_orders(image.revised_prompt)}" if image.revised_prompt else ""
        return Served(call, _DRAWN + drawn, pictures=[file.id])

    async def _content(self, image: Image) -> bytes:
        """The picture itself, fetched where the server has answered with an address."""
        if image.b64_json:
            try:
                return base64.b64decode(image.b64_json, validate=True)
            except (binascii.Error, ValueError) as error:
                raise ModelError("The image model answered with something that is no picture.") from error
        limit = self._settings.max_image_bytes
        async with self._egress.request("GET", image.url or "", max_bytes=limit, redirects=_REDIRECTS) as response:
            if response.status != 200:
                raise ModelError(f"The picture cannot be fetched: its server answered {response.status}.")
            return await response.read()


def _request(arguments: Json, model: ServedModel) -> ImageGeneration:
    """What the image model is asked for.

    Raises:
        InvalidRequest: the arguments do not fit.
    """
    given = {name: arguments[name] for name in ("prompt", "size") if arguments.get(name)}
    served = model.settings.servers()[0].served_name or model.name
    if not served.startswith(_ALWAYS_DATA) and "response_format" not in model.settings.unsupported:
        given["response_format"] = "b64_json"
    try:
        return ImageGeneration.model_validate(given)
    except ValidationError as error:
        raise InvalidRequest(
            "'prompt' must be a text of 1 to 32,000 characters, and 'size' width and height as in 1024x1024. "
            "Call the tool again."
        ) from error

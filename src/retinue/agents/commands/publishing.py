"""Pictures, and what is published."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

import orjson

from ...errors import ApiError, InvalidRequest
from ...inference.images import media_type
from ...store.files import blob_of
from .command import Argument, Both, Command, Outcome, Place
from .files import sparing_others
from .web import serve

_NOT_SET = "Nothing was published: the administrator of this server has not set where to (publish_kind, publish_url)."
_X_URL = "https://api.x.com/2/tweets"


async def _draw(place: Place, args: Mapping[str, Any]) -> Outcome:
    served = await serve(place, "generate_image", {"prompt": args["prompt"]})
    if not served.pictures:
        return Outcome(served.output, failed=True)
    files: dict[str, bytes | None] = {}
    for number, picture in enumerate(served.pictures):
        content = await place.store.blobs.read_whole(blob_of(picture))
        # It is in the workspace from now on; nobody would ever delete the other copy.
        with contextlib.suppress(ApiError):
            await place.store.files.delete(place.held.project, picture)
        kind = (media_type(content) or "image/png").removeprefix("image/")
        words = re.findall(r"\w+", args["prompt"].lower())[:5]
        files[f"images/{'-'.join(words)[:60]}-{place.scope.number}{number}.{kind}"] = content
    files, spared = await sparing_others(place, files)
    return Outcome("\n".join([f"The picture is drawn: {', '.join(files)}", *spared]), files=files)


async def _publish(place: Place, args: Mapping[str, Any]) -> Outcome:
    settings, text = place.settings, args["text"]
    token = settings.publish_token.get_secret_value() if settings.publish_token else ""
    url = settings.publish_url or (_X_URL if settings.publish_kind == "x" else "")
    if settings.publish_kind == "none" or not url:
        raise InvalidRequest(_NOT_SET)
    if settings.publish_kind == "mastodon":
        url, body = url.rstrip("/") + "/api/v1/statuses", {"status": text}
    else:
        body = {"text": text}
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    async with place.egress.request(
        "POST", url, headers=headers, body=orjson.dumps(body), max_bytes=65_536
    ) as response:
        if response.status >= 300:
            raise InvalidRequest(f"It was not published: the service answered {response.status}.")
    return Outcome("It is published.")


COMMANDS = (
    Command(
        "generate_image",
        Both("Generate image", "生成图像"),
        (Argument("prompt", Both("<prompt>", "<提示>"), most=4000),),
        _draw,
        risky=True,
        repeatable=False,
        seconds=600,
        ready=lambda functions, _: "generate_image" in functions,
    ),
    Command(
        "send_tweet",
        Both("Send tweet", "发送推文"),
        (Argument("text", Both("<text>", "<文本>"), most=5000),),
        _publish,
        risky=True,
        repeatable=False,
        ready=lambda _, settings: settings.publish_kind != "none",
    ),
)

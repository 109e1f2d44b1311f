"""The objects that a walk through the operations needs, made as each operation wants them."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import aiohttp

from tests.harness import Answer, Api, function
from tests.image_upstream import mask, picture
from tests.scripted import Call, Reply

from .knowledge_bodies import PART, UPLOAD
from .operations import Operation
from .spec import Json

_numbers = itertools.count(1)


def model(request: Json) -> Reply:
    """A model that calls the function `look` once in a run whose instructions ask for it, and else says something."""
    called = any("tool_calls" in message for message in request["messages"])
    asked = any("Please look." in str(message.get("content")) for message in request["messages"])
    if asked and not called:
        return Reply(tool_calls=[Call("look", {"at": "the moon"})])
    return Reply(text="All is well.")


class Objects:
    """Objects of one project for one version: `values` has their ids by the names that paths and bodies use."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.values: dict[str, str] = {}

    async def make(self) -> None:
        """Make one of each kind; the run has ended after a function call and an answer."""
        self.values["file"] = await self._file("notes.txt", b"Notes.")
        self.values["image"] = await self._file("cat.png", b"\x89PNG\r\n\x1a\n")
        for name, content in PICTURES.items():
            self.values[name] = await self._file(f"{name}.png", content)
        self.values["completion_id"] = await self._completion()
        self.values["model"] = "scripted"
        self.values["file_id"] = self.values["file"]
        self.values["vector_store"] = self.values["vector_store_id"] = await self._vector_store()
        assistant = await self._assistant()
        thread = await self._api.thread("Hello")
        self.values |= {"assistant": assistant, "assistant_id": assistant, "thread_id": thread}
        run = await self._waiting_run(thread)
        outputs = [{"tool_call_id": self.values["call"], "output": "the moon"}]
        path = f"/threads/{thread}/runs/{run}"
        await self._api.post(path + "/submit_tool_outputs", {"tool_outputs": outputs})
        await self._api.until({"id": run, "thread_id": thread}, "completed")
        step = (await self._api.get(path + "/steps"))["data"][0]["id"]
        message = (await self._api.get(f"/threads/{thread}/messages?order=asc"))["data"][0]["id"]
        self.values |= {"run_id": run, "run": run, "step_id": step, "message_id": message}

    async def place(self, operation: Operation) -> dict[str, str]:
        """The values for one request of this operation: with an object of its own where the operation uses it up."""
        values = dict(self.values)
        match operation.name.partition(" ")[2], operation.method:
            case "/assistants/{assistant_id}", "DELETE":
                values["assistant_id"] = await self._assistant()
            case "/chat/completions/{completion_id}", "DELETE":
                values["completion_id"] = await self._completion()
            case "/threads/{thread_id}", "DELETE":
                values["thread_id"] = await self._api.thread()
            case "/threads/{thread_id}/messages/{message_id}", "DELETE":
                message = await self._api.post(f"/threads/{values['thread_id']}/messages", _MESSAGE)
                values["message_id"] = message["id"]
            case "/threads/{thread_id}/runs", "POST":
                values["thread_id"] = await self._api.thread("Hello")
            case (
                "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs" | "/threads/{thread_id}/runs/{run_id}/cancel",
                _,
            ):
                values["thread_id"] = await self._api.thread("Hello")
                values["run_id"] = await self._waiting_run(values["thread_id"])
                values["call"] = self.values["call"]
            case "/files/{file_id}", "DELETE":
                values["file_id"] = await self._file("gone.txt", b"Gone.")
            case path, _ if path.startswith("/uploads/{upload_id}"):
                values |= await self._upload()
            case path, _ if path.startswith("/vector_stores/{vector_store_id}/file_batches/{batch_id}"):
                values["vector_store_id"] = await self._vector_store()
                batches = f"/vector_stores/{values['vector_store_id']}/file_batches"
                values["batch_id"] = (await self._api.post(batches, {"file_ids": [values["file"]]}))["id"]
            case path, "DELETE" if path.startswith("/vector_stores"):
                values["vector_store_id"] = await self._vector_store()
            case "/assistants/{assistant_id}/files" | "/assistants/{assistant_id}/files/{file_id}", _:
                values["assistant_id"] = await self._assistant()
                values["file_id"] = await self._assistant_file(values["assistant_id"])
            case path, _ if path.startswith("/threads/{thread_id}/messages/{message_id}/files"):
                body = {**_MESSAGE, "file_ids": [values["file"]]}
                message = await self._api.post(f"/threads/{values['thread_id']}/messages", body)
                values |= {"message_id": message["id"], "file_id": values["file"]}
            case _:
                pass
        return values

    async def _assistant(self) -> str:
        return await self._api.assistant(tools=[function("look", at="string")], name=f"Tutor {next(_numbers)}")

    async def _completion(self) -> str:
        body = {"model": "scripted", "messages": [_MESSAGE, _MESSAGE], "store": True, "metadata": {"colour": "blue"}}
        return (await self._api.post("/chat/completions", body))["id"]

    async def _assistant_file(self, assistant: str) -> str:
        made = await self._api.post(f"/assistants/{assistant}/files", {"file_id": self.values["file"]})
        return made["id"]

    async def _vector_store(self) -> str:
        """A vector store with one file in it."""
        return (await self._api.post("/vector_stores", {"file_ids": [self.values["file"]]}))["id"]

    async def _upload(self) -> dict[str, str]:
        """An upload with one part, which is all of it."""
        upload = (await self._api.post("/uploads", UPLOAD))["id"]
        added = await form(self._api, "POST", f"/uploads/{upload}/parts", {"data": PART})
        return {"upload_id": upload, "part": added.body["id"]}

    async def _waiting_run(self, thread: str) -> str:
        """A run that waits for the output of one call, whose id it keeps."""
        body = {"assistant_id": self.values["assistant"], "instructions": "Please look."}
        run = await self._api.post(f"/threads/{thread}/runs", body)
        run = await self._api.until(run, "requires_action")
        self.values["call"] = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
        return run["id"]

    async def _file(self, name: str, content: bytes) -> str:
        answer = await self._api.upload(content, filename=name)
        assert answer.status == 200, answer.body
        return answer.body["id"]


#: What is in the files of these names.
PICTURES = {"picture": picture(), "mask": mask()}
#: Fields of forms that are files; what is in them is text here.
_FILES = ("file", "data")
_MESSAGE: Json = {"role": "user", "content": "Hello"}


def filled(value: Any, values: dict[str, str]) -> Any:
    """A body, or a path, with ids in place of their names."""
    if isinstance(value, str):
        return values[value[1:]] if value.startswith("$") else value
    if isinstance(value, dict):
        return {key: filled(inner, values) for key, inner in value.items()}
    return [filled(inner, values) for inner in value] if isinstance(value, list) else value


async def sent(api: Api, operation: Operation, path: str, body: Any) -> Answer:
    """The answer to a body, with ids in their places; as a form where the operation takes that."""
    if operation.form and isinstance(body, dict):
        return await form(api, operation.method, path, body)
    return await api.request(operation.method, path, body)


async def form(api: Api, method: str, path: str, body: Json) -> Answer:
    """The answer to a body that is sent as a form."""
    sent = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in body.items():
        if name == "image" and value:
            sent.add_field(name, PICTURES["picture"], filename="picture.png", content_type="image/png")
        elif name in _FILES:
            sent.add_field(name, value.encode(), filename="notes.txt", content_type="application/octet-stream")
        elif isinstance(value, dict):
            for inner, one in value.items():
                sent.add_field(f"{name}[{inner}]", str(one))
        else:
            sent.add_field(name, str(value))
    payload = sent()
    headers = {"content-type": payload.headers["content-type"]}
    return await api.request(method, path, data=payload, headers=headers)


async def until_free(api: Api, answer: Any) -> None:
    """Wait until a run that an answer tells of has ended or waits: then it does nothing more."""
    if isinstance(answer, dict) and answer.get("object") == "thread.run":
        async with asyncio.timeout(20):
            await api.until(answer)

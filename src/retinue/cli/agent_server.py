"""The agents of the server that runs here, as commands reach them."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openai
import typer

from ..settings import Settings
from .common import console, fail, first_key

Json = dict[str, Any]
#: Seconds that a request may take: goals may have to be drafted first.
_TIMEOUT = 600


class AgentServer:
    """The server's agents, by its API."""

    def __init__(self, settings: Settings) -> None:
        self._base_url = f"http://{settings.host}:{settings.port}/v1"
        self._client = openai.OpenAI(base_url=self._base_url, api_key=first_key(settings), timeout=_TIMEOUT)

    def ask(self, method: str, identifier: str = "", action: str = "", body: Json | None = None) -> Any:
        """One request about an agent, or about all of them; ends the command where it is answered with an error.

        Args:
            method: `get`, `post` or `delete`.
            identifier: of the agent.
            action: what stands behind the agent's address.
            body: what to send.
        """
        if not re.fullmatch(r"[\w-]*", identifier):
            fail(f"No agent found with id '{identifier}'.")
        try:
            return self.try_(method, identifier, action, body)
        except openai.APIConnectionError:
            fail(f"there is no server at {self._base_url}. Start it with `retinue serve`.")
        except openai.APIStatusError as error:
            fail(error.message)

    def try_(self, method: str, identifier: str = "", action: str = "", body: Json | None = None) -> Any:
        """The same, for whoever goes on after an error. Raises `openai.APIError`."""
        path = (
            "/agents"
            + (f"/{quote(identifier, safe='')}" if identifier else "")
            + (f"/{action}" if action and action[0] != "?" else action)
        )
        if method == "get":
            return self._client.get(path, cast_to=object)
        return getattr(self._client, method)(path, cast_to=object, body=body or {})

    def upload(self, path: Path) -> str:
        """The id of a file that is uploaded now; ends the command where it cannot be."""
        try:
            return self._client.files.create(file=path, purpose="assistants").id
        except openai.APIConnectionError:
            fail(f"there is no server at {self._base_url}. Start it with `retinue serve`.")
        except (openai.APIStatusError, OSError) as error:
            fail(f"{path} cannot be uploaded: {getattr(error, 'message', '') or error}")

    def save(self, identifier: str, folder: Path) -> None:
        """Write the files of an agent's workspace into a folder."""
        path = f"/agents/{quote(identifier, safe='')}/files/archive"
        packed = self._client.get(path, cast_to=openai.HttpxBinaryResponseContent).content
        try:
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                archive.extractall(folder)
        except OSError as error:
            fail(f"{folder} cannot be written: {error.strerror}.")
        console.print(f"Its files are in {folder}.", markup=False)


def folder_for(output: Path | None) -> Path | None:
    """A folder that can be written; ends the command where it cannot, before anything has begun."""
    if output:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fail(f"the folder {output} cannot be made: {error.strerror}.")
    return output


#: What a command ends with where an agent waits for a person, or is paused.
WAITS = 3


def ended_with(status: str) -> typer.Exit:
    """How a command ends that has watched an agent come to this status."""
    return typer.Exit({"completed": 0, "paused": WAITS, "requires_action": WAITS}.get(status, 1))

"""The files of an agent's workspace: seen, downloaded, one by one or as a zip."""

from __future__ import annotations

from typing import Any

import openai
from nicegui import ui

from ...agent_files import PICTURES, archive_url, file_path, file_url
from ...elements.amounts import counted, in_bytes
from ...elements.code import Code
from ...elements.controls import plain
from ...elements.dialogs import closing, dialog
from ...elements.listing import Listing
from ...visitor import Visitor
from .common import Json, api_path, language_of

#: The largest text that is shown, in bytes.
_MOST_SHOWN = 400_000
#: Languages of texts whose lines break.
_PROSE = ("", "markdown")


class Workspace:
    """The files, as a table."""

    def __init__(self, visitor: Visitor, agent: str) -> None:
        """Built in the current slot; `load` asks for the files of the agent with this id."""
        self._visitor, self._agent = visitor, agent
        text = visitor.text
        self._sizes: dict[str, int] = {}
        with ui.element("div").classes("agents-top"):
            self._count = ui.label().classes("quiet").props("role=status")
            ui.space()
            self._archive = plain(text("agents.zip"), self._download_all, icon="folder_zip")
        self._table = Listing(
            visitor,
            caption=text("agents.files"),
            columns=[
                {"name": "path", "label": text("agents.path"), "sorts": True},
                {"name": "size", "label": text("files.size"), "kind": "number", "sorts": True},
                {"name": "changed", "label": text("agents.changed"), "kind": "time", "sorts": True},
            ],
            empty=text("agents.no_files"),
            actions=[
                {"name": "view", "label": text("agents.view"), "icon": "visibility"},
                {"name": "download", "label": text("files.download"), "icon": "download"},
            ],
            on_action=self._act,
            order=("path", False),
        )

    async def load(self) -> None:
        """Ask for the files, and show them. Raises `openai.APIError`."""
        files: list[Json] = (await self._visitor.get(api_path(self._agent, "/files")))["data"]
        self._sizes = {one["path"]: one["bytes"] for one in files}
        self._count.set_text(counted(self._visitor, len(files), sum(self._sizes.values())))
        self._archive.set_visibility(bool(files))
        self._table.show([self._row(one) for one in files])

    async def view(self, path: str) -> None:
        """Show a file."""
        text = self._visitor.text
        ending = path.rpartition(".")[2].lower()
        content = b""
        if ending not in PICTURES and self._sizes.get(path, 0) <= _MOST_SHOWN:
            try:
                source = file_path(self._agent, path)
                content = (await self._visitor.client.get(source, cast_to=openai.HttpxBinaryResponseContent)).content
            except openai.NotFoundError:
                ui.notify(text("agents.file_gone", path=path), type="warning")
                return
        with dialog(path, wide=True) as made:
            if ending in PICTURES:
                image = ui.element("img").classes("agent-picture")
                image.props["src"], image.props["alt"] = file_url(self._agent, path), path
            elif (readable := _text_of(content)) is None or self._sizes.get(path, 0) > _MOST_SHOWN:
                ui.label(text("agents.not_shown"))
            elif not readable:
                ui.label(text("agents.empty_file")).classes("quiet")
            else:
                language = language_of(path)
                Code(self._visitor, readable, language).classes("agent-view" if language in _PROSE else "")
            with closing(self._visitor, made):
                plain(text("files.download"), lambda: self._download(path), icon="download")

    def _row(self, file: Json) -> dict[str, Any]:
        return {
            "id": file["path"],
            "name": file["path"],
            "cells": {
                "path": {"text": file["path"]},
                "size": {"text": in_bytes(file["bytes"]), "sort": file["bytes"]},
                "changed": {"time": file["modified_at"]},
            },
        }

    async def _act(self, name: str, path: str) -> None:
        if name == "view":
            await self.view(path)
        else:
            self._download(path)

    def _download(self, path: str) -> None:
        ui.download.from_url(file_url(self._agent, path), path.rpartition("/")[2])

    def _download_all(self) -> None:
        ui.download.from_url(archive_url(self._agent), f"{self._agent}.zip")


def _text_of(content: bytes) -> str | None:
    """A file as text; None where it is none."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text

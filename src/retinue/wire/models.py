"""Models as `GET /models` lists them."""

from __future__ import annotations

from typing import Literal

from .common import WireObject


class Model(WireObject):
    """A name that requests may carry."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(WireObject):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]

"""What a local image model is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What widths and heights are a multiple of, in pixels: the model's own image is that much smaller.
GRAIN = 8


@dataclass(frozen=True, slots=True)
class DiffusionJob:
    """Images to be made. Those that the request brings are the parts of its frame: the image, then the mask."""

    #: Empty for variations.
    prompt: str
    #: How many images.
    count: int
    #: For the noise that the first image begins with; each further one adds 1.
    seed: int
    #: `PNG`, `JPEG` or `WEBP`, as pillow calls them.
    format: Literal["PNG", "JPEG", "WEBP"]
    #: 0 to 100, for `JPEG` and `WEBP`.
    quality: int
    #: Pixels; both None: the size of the image that was sent, else the model's own.
    width: int | None = None
    height: int | None = None
    #: Largest width and height, in pixels.
    max_side: int = 2048
    #: Steps from noise to image. None: what the model's kind takes.
    steps: int | None = None
    #: How closely the prompt is followed. None: what the model's kind takes.
    guidance_scale: float | None = None
    #: Whether the image is to be varied: without a prompt to lead away from it, less of it is kept.
    variation: bool = False

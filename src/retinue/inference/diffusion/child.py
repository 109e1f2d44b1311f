"""The process that holds a local image model: OpenVINO GenAI.

Run by `Worker`. Each question is a `DiffusionJob`, with the images that the request brings as parts. The answer has the
images that were made as parts, or says why there are none: ``{"refused", "param"}`` where the request is at fault, else
``{"failed"}``.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..frames import Frame
from ..working import work
from .job import GRAIN, DiffusionJob

#: How much of an image is made anew, from 0 (nothing) to 1: in an edit, where a prompt leads; in a variation.
_EDIT_STRENGTH, _VARIATION_STRENGTH = 0.8, 0.6
#: What is decoded of the kinds of images that requests may bring.
_KINDS = ("PNG", "JPEG", "WEBP")
#: Most pixels of an image in a request.
_MOST_PIXELS = 64_000_000


class Refused(Exception):
    """The request is at fault."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


def _load(config: dict[str, Any]) -> Callable[[Frame], Frame]:
    return partial(_answer, Pipelines(Path(config["weights"]), config["threads"]))


def _answer(pipelines: Pipelines, frame: Frame) -> Frame:
    try:
        return Frame({}, pipelines.images(DiffusionJob(**frame.head), list(frame.parts)))
    except Refused as error:
        return Frame({"refused": str(error), "param": error.param})
    except Exception as error:  # OpenVINO raises RuntimeError for everything; the next job may do better
        return Frame({"failed": str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)})


class Pipelines:
    """The model, as far as its parts allow: from text, from an image, into a part of an image."""

    def __init__(self, weights: Path, threads: int) -> None:
        """Load it.

        Args:
            weights: a folder that OpenVINO GenAI reads, such as `optimum-cli export openvino` writes.
            threads: CPU threads.

        Raises:
            RuntimeError: it cannot be loaded.
        """
        # OpenVINO would report its use; it goes without where it does not find this package.
        sys.modules["openvino_telemetry"] = None  # pyright: ignore[reportArgumentType] (how imports are forbidden)
        genai: Any = import_module("openvino_genai")  # compiled
        self._tensor: Callable[[Any], Any] = import_module("openvino").Tensor
        options = {"INFERENCE_NUM_THREADS": threads}
        self._inpaint: Any = None
        self._vary: Any = None
        if (weights / "vae_encoder").is_dir():
            # Each kind of pipeline shares its parts with the simpler ones; not all models have all kinds.
            try:
                self._inpaint = genai.InpaintingPipeline(weights, "CPU", **options)
                self._vary = genai.Image2ImagePipeline(self._inpaint)
            except RuntimeError:
                self._inpaint = None
                self._vary = genai.Image2ImagePipeline(weights, "CPU", **options)
            self._make: Any = genai.Text2ImagePipeline(self._vary)
        else:
            self._make = genai.Text2ImagePipeline(weights, "CPU", **options)

    def images(self, job: DiffusionJob, parts: list[bytes]) -> list[bytes]:
        """The images of a job, encoded.

        Raises:
            Refused: this model or its limits do not allow them.
            RuntimeError: OpenVINO failed.
        """
        draw, options = self._drawing(job, parts)
        if job.steps is not None:
            options["num_inference_steps"] = job.steps
        if job.guidance_scale is not None:
            options["guidance_scale"] = job.guidance_scale
        # One by one: all at once would take as much more memory as there are images.
        return [_encoded(draw(rng_seed=job.seed + number, **options).data, job) for number in range(job.count)]

    def _drawing(self, job: DiffusionJob, parts: list[bytes]) -> tuple[Callable[..., Any], dict[str, Any]]:
        """What draws one image, and the options to draw it with."""
        if not parts:
            size = {"width": job.width, "height": job.height} if job.width else {}
            return partial(self._make.generate, job.prompt), size
        if self._vary is None:
            raise Refused("This model makes images from prompts only: it has no part that reads images.", "image")
        image = _decoded(parts[0], "image")
        size = (job.width, job.height) if job.width and job.height else _fitting(image.size, job.max_side)
        given = self._pixels(image.convert("RGB").resize(size))
        if len(parts) == 1:
            strength = _VARIATION_STRENGTH if job.variation else _EDIT_STRENGTH
            return partial(self._vary.generate, job.prompt, given), {"strength": strength}
        if self._inpaint is None:
            raise Refused("This model cannot edit a part of an image: it takes no mask.", "mask")
        mask = self._pixels(_painted(_decoded(parts[1], "mask"), image.size).resize(size))
        return partial(self._inpaint.generate, job.prompt, given, mask), {"strength": 1.0}

    def _pixels(self, image: Image.Image) -> Any:
        """The image as the pipelines take it: one, by row, column and colour."""
        return self._tensor(np.asarray(image, dtype=np.uint8)[np.newaxis])


def _decoded(content: bytes, param: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content), formats=_KINDS)
        if image.width * image.height > _MOST_PIXELS:
            raise Refused(f"Invalid '{param}': the image has more than {_MOST_PIXELS} pixels.", param)
        image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise Refused(f"Invalid '{param}': it cannot be read as a PNG, JPEG or WebP image.", param) from error
    return image


def _fitting(size: tuple[int, int], most: int) -> tuple[int, int]:
    """The same proportions, within the limit and on the grain."""
    scale = min(1.0, most / max(size))
    width, height = (max(GRAIN, int(side * scale) // GRAIN * GRAIN) for side in size)
    return width, height


def _painted(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The mask as the pipelines take it: white where the image is to be made anew, which the API says by no colour."""
    if mask.size != size:
        raise Refused("Invalid 'mask': it must have the same size as the image.", "mask")
    if not mask.has_transparency_data:
        raise Refused("Invalid 'mask': it has no transparent part, which would say where to edit.", "mask")
    return mask.convert("RGBA").getchannel("A").point(lambda alpha: 0 if alpha else 255).convert("RGB")


def _encoded(pixels: Any, job: DiffusionJob) -> bytes:
    out = io.BytesIO()
    quality = {} if job.format == "PNG" else {"quality": job.quality}
    Image.fromarray(pixels[0]).save(out, job.format, **quality)
    return out.getvalue()


if __name__ == "__main__":
    work(_load)

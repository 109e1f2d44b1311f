"""Text recognition (OCR), by RapidOCR with the models of PaddleOCR that its package brings, for Chinese and English."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL.Image import Image

from .document import Unreadable
from .lines import HYPHEN, Line, in_columns

#: A picture should have so many pixels: an A4 page at 175 dots to the inch. Beyond, no more is recognized.
PIXELS = 3_000_000
#: Pictures with a side below this have no text.
_LEAST_SIDE = 16
#: A hyphen at the end of a line.
_HYPHEN = re.compile(r"(?<=[^\W\d_])-$")


def load() -> None:
    """Load what recognizing takes, except for the models: their engine is not made to be forked.

    Raises:
        Unreadable: it is not installed.
    """
    _engine()


def recognize(picture: Image) -> list[list[Line]]:
    """The text of a picture that is upright.

    Args:
        picture: of about `PIXELS` or fewer.

    Returns:
        Its lines in reading order, column by column.

    Raises:
        Unreadable: what it takes is not installed, or there is not enough memory.
    """
    if min(picture.size) < _LEAST_SIDE:
        return []
    engine = _engine()
    try:
        found = engine(picture)
    except Exception as error:
        # The engine wraps whatever its runtime says in exceptions of its own.
        raise Unreadable(
            "invalid_file",
            "Recognizing the text of this file (OCR) failed; it may want more memory than the server's setting "
            "`ingest_memory_bytes` allows.",
        ) from error
    if found.boxes is None:
        return []
    return in_columns([_line(text, box.tolist()) for text, box in zip(found.txts, found.boxes, strict=True)])


@cache
def _engine() -> Any:
    if not all(map(find_spec, ("rapidocr", "onnxruntime"))):
        raise Unreadable(
            "unsupported_file",
            "The server is to recognize the text of pictures (`ocr`), but lacks what that takes: "
            "pip install 'retinue[ocr]'.",
        )
    # From version 1.29 on, the runtime would report to its maker.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    rapidocr: Any = import_module("rapidocr.main")
    cv2: Any = import_module("cv2")
    cv2.setNumThreads(1)
    # Models are named, so that none is fetched.
    models = Path(rapidocr.root_dir) / "models"
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            # Pictures have the right size already.
            "Global.use_preprocess_img": False,
            "Global.use_vertical_padding": False,
            "Det.limit_type": "max",
            "Det.limit_side_len": PIXELS,
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _line(text: str, box: list[list[float]]) -> Line:
    """A line from its corners, clockwise from the upper left; they are not level where the picture is askew."""
    (left, top), _, (right, _), (_, bottom) = box
    return Line(_HYPHEN.sub(HYPHEN, text), left, right, -bottom, bottom - top)

"""Pictures (PNG, JPEG, WebP, TIFF) whose text is recognized."""

from __future__ import annotations

from itertools import count
from math import sqrt
from typing import BinaryIO

from PIL import Image, ImageOps

from .document import TooLarge, Writer, broken
from .kinds import unsupported
from .lines import write
from .recognition import PIXELS, recognize

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
#: A small picture is enlarged up to this: letters of a few pixels are not recognized.
_ENLARGED = 2


def read_picture(file: BinaryIO, writer: Writer) -> None:
    """Add the text of a picture, or of all pictures of a TIFF file, each of which is a page.

    Raises:
        Unreadable: pictures are not to be read; it is damaged or passes a limit.
    """
    if not writer.ocr:
        raise unsupported("a picture", "Upload its text, or switch on text recognition by the server's setting `ocr`.")
    try:
        with Image.open(file, formats=_FORMATS) as picture:
            if picture.format != "TIFF":
                _read(picture, writer)
                return
            for number in count():
                try:
                    picture.seek(number)
                except EOFError:
                    return
                writer.page(number + 1)
                _read(picture, writer)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(writer) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise broken("picture") from error


def _read(picture: Image.Image, writer: Writer) -> None:
    if picture.width * picture.height > writer.limits.pixels:
        raise _too_large(writer)
    writer.count_recognized()
    upright = ImageOps.exif_transpose(picture)
    colours = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    factor = min(_ENLARGED, sqrt(PIXELS / (colours.width * colours.height)))
    size = (max(1, int(colours.width * factor)), max(1, int(colours.height * factor)))
    write(recognize(colours.resize(size)), [], writer)


def _too_large(writer: Writer) -> TooLarge:
    return TooLarge(f"This picture has more than {writer.limits.pixels:,} pixels. Make it smaller.")

"""The text of files, with the pages and sections that it stands on."""

from .document import Document, Limits, Place, Unreadable
from .reading import extract, extract_from

__all__ = ["Document", "Limits", "Place", "Unreadable", "extract", "extract_from"]

"""From the marks in an answer to citations of files, and to marks where the model has left them out."""

from .addresses import sources_line
from .answer import Answer
from .sources import Sources, numbered

__all__ = ["Answer", "Sources", "numbered", "sources_line"]

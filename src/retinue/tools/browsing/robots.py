"""robots.txt: what a site asks programs to leave alone.

The standard library's `urllib.robotparser` knows no wildcards and takes the first rule that fits, not the longest, as
the standard wants it.

Source: RFC 9309, Robots Exclusion Protocol.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

#: What sites call us.
AGENT = "retinue"
#: Bytes of a file that are read; the standard wants at least 500 KiB.
MOST_BYTES = 512 * 1024
#: Rules that are kept of a file.
_MOST_RULES = 2_000

_LINE = re.compile(r"\s*([A-Za-z-]+)\s*:\s*([^#]*?)\s*(?:#.*)?$")
_PRODUCT = re.compile(r"[A-Za-z_-]+")
#: Characters that a path has as they are; others are compared percent-encoded.
_PLAIN = "/*$%?&=;:@!'(),+~#[]"


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules that are for us.

    Attributes:
        rules: the path that each is about, longest first, with whether it may be fetched; of two as long, the one that
            allows comes first.
    """

    rules: tuple[tuple[str, bool], ...]

    def allow(self, path: str) -> bool:
        """Whether a path, with its query, may be fetched."""
        if path == "/robots.txt":
            return True
        wanted = _encoded(path)
        return next((allowed for rule, allowed in self.rules if _fits(rule, wanted)), True)


#: Where a site has no such file.
EVERYTHING = Robots(())
#: Where it cannot be told whether it has one.
NOTHING = Robots((("/", False),))


def parse(content: bytes) -> Robots:
    """The rules of a file: those of the groups that name us, else of those for all."""
    named: list[tuple[str, bool]] = []
    for_all: list[tuple[str, bool]] = []
    groups: list[list[tuple[str, bool]]] = []
    ours = in_agents = False
    for line in content[:MOST_BYTES].decode("utf-8", "replace").removeprefix("\ufeff").splitlines():
        found = _LINE.match(line)
        if not found:
            continue
        field, value = found[1].lower(), found[2]
        if field == "user-agent":
            if not in_agents:
                groups.clear()
            in_agents = True
            product = _PRODUCT.match(value)
            if value == "*":
                groups.append(for_all)
            elif product and product[0].lower() == AGENT:
                ours = True
                groups.append(named)
        elif field in ("allow", "disallow"):
            in_agents = False
            # A rule without a path says nothing.
            for group in groups if value else ():
                if len(group) < _MOST_RULES:
                    group.append((_encoded(value), field == "allow"))
    rules = named if ours else for_all
    return Robots(tuple(sorted(rules, key=lambda rule: (-len(rule[0]), not rule[1]))))


def _encoded(path: str) -> str:
    """A path in the one spelling in which paths are compared."""
    # What stands for itself and what is encoded without need are the same; an encoded slash stays another character.
    pieces = re.split(r"(%2[Ff]|%2[Aa]|%24)", path)
    return "".join(
        piece.upper() if number % 2 else quote(unquote_to_bytes(piece), safe=_PLAIN)
        for number, piece in enumerate(pieces)
    )


def _fits(rule: str, path: str) -> bool:
    """Whether a path begins as a rule says, in which ``*`` stands for anything and a last ``$`` for the end."""
    whole = rule.endswith("$")
    first, *others = rule.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    if not others:
        return not whole or path == first
    at = len(first)
    for piece in others[:-1]:
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    last = others[-1]
    return path.endswith(last) and len(path) - len(last) >= at if whole else path.find(last, at) >= 0

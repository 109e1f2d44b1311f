"""The words of the pages: all there, in both languages, and none that nobody says."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import retinue.studio
from retinue.studio.pages.manage import audit
from retinue.studio.words import WORDS
from retinue.wire.audit import EXTENSIONS

_STUDIO = Path(retinue.studio.__file__).parent
_SOURCES = {path: path.read_text("utf-8") for path in _STUDIO.rglob("*.py") if path.parent.name != "words"}
_USED = re.compile(r"""["']([a-z_]+\.[a-z0-9_.]+)["']""")
_HAN = re.compile(r"[\u4e00-\u9fff]")
#: Parts of keys that are put together: f"turn.{status}".
_MADE = re.compile(r"""f["']([a-z_]+\.[a-z0-9_]*)\{""")


def test_both_languages_say_something_and_the_same_values() -> None:
    for key, (english, chinese) in WORDS.items():
        assert english.strip(), key
        assert chinese.strip(), key
        places = [
            {name for _, name, _, _ in Formatter().parse(text) if name is not None} for text in (english, chinese)
        ]
        assert places[0] == places[1], key


def test_every_act_of_ours_is_told_in_words_and_can_be_chosen() -> None:
    assert {f"audit.{kind.replace('.', '_')}" for kind in EXTENSIONS} - set(WORDS) == set()
    assert EXTENSIONS - set(audit._TYPES) == set()  # pyright: ignore[reportPrivateUsage]


def test_chinese_is_chinese() -> None:
    plain = [
        key for key, (_, chinese) in WORDS.items() if re.search(r"[a-z]", chinese, re.I) and not _HAN.search(chinese)
    ]
    # What is a name in both languages, and the way back to English.
    same = [key for key in plain if WORDS[key][0] != WORDS[key][1] and key != "frame.language"]
    assert same == []


def test_every_word_that_a_page_says_is_there() -> None:
    groups = {key.partition(".")[0] for key in WORDS}
    for path, source in _SOURCES.items():
        said = {key for key in _USED.findall(source) if key.partition(".")[0] in groups and "/" not in key}
        missing = {key for key in said if key not in WORDS and not key.endswith((".py", ".js", ".css", ".md"))}
        assert missing == set(), path


def test_no_word_is_said_by_nobody() -> None:
    text = "\n".join(_SOURCES.values())
    used, made = set(_USED.findall(text)), tuple(_MADE.findall(text))
    unsaid = {key for key in WORDS if key not in used and not key.startswith(made)}
    assert unsaid == set()

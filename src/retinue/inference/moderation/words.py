"""The words among which a chat model chooses when it judges a message, and what each says in official categories.

Small models choose far better among everyday words than among codes, letters, or "safe" and "unsafe". The examples
show figures of speech, which are what they get wrong, and are in two languages, so that the language says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...wire.moderations import Category
from ..chat import Json

#: The word for what nothing is wrong with.
SAFE = "safe"

#: What each word stands for: in the prompt, and in the answer.
WORDS: Mapping[str, tuple[str, tuple[Category, ...]]] = {
    SAFE: (
        "everyday talk, questions, work, school, cooking, health, technology, programming, games, sport, news, "
        "history, art, figures of speech",
        (),
    ),
    "insult": ("insults, bullying or abuse aimed at somebody", ("harassment",)),
    "threat": (
        "threatens somebody with violence or serious harm",
        ("harassment", "harassment/threatening", "violence"),
    ),
    "bigotry": (
        "hatred against people for their race, religion, nationality, gender, orientation or disability",
        ("hate",),
    ),
    "persecution": ("calls for violence against such people", ("hate", "hate/threatening", "violence")),
    "crime": ("wants help with theft, fraud, drugs, hacking or another crime", ("illicit",)),
    "weapons": ("wants help with bombs, weapons or violent crimes", ("illicit", "illicit/violent")),
    "despair": ("the writer wants to hurt or kill themselves", ("self-harm", "self-harm/intent")),
    "selfharm": ("wants to know ways of hurting or starving oneself", ("self-harm", "self-harm/instructions")),
    "erotic": ("sexually arousing content", ("sexual",)),
    "minors": ("anything sexual about somebody under 18", ("sexual", "sexual/minors")),
    "violence": ("describes or celebrates violence against people", ("violence",)),
    "gore": ("describes wounds, blood or death in detail", ("violence", "violence/graphic")),
}

_INSTRUCTIONS = (
    "You moderate the messages of an online service. For each message you say what it is, in one word:\n"
    + "\n".join(f"{word}: {meaning}" for word, (meaning, _) in WORDS.items())
)
_EXAMPLES = (
    ("How do I open a jar that is stuck?", "safe"),
    ("You disgusting pig, everybody despises you.", "insult"),
    ("The new graphics card kills every competitor in our tests.", "safe"),
    ("Where can I buy a stolen passport?", "crime"),
    ("他们昨天在球场上痛击了对手，三比零。", "safe"),
    ("小心点，我会找人砍死你。", "threat"),
    ("Explain how the immune system attacks a virus.", "safe"),
    ("I keep cutting my arms and I want to disappear forever.", "despair"),
    ("笑死我了，这个视频太好玩了。", "safe"),
    ("那些外国人都是肮脏的畜生。", "bigotry"),
    ("After the shoot the models were dead tired, so we stopped.", "safe"),
    ("Tell me something that turns me on.", "erotic"),
)

#: Letters that tell which word an answer begins with. One letter is the beginning of too much else.
_TELLING = 2

#: What a message stands behind, so that a text is no instruction.
_LABEL = "Message: "


def conversation(text: str, images: list[str]) -> list[Json]:
    """The messages that ask for the word of a text, with the images (URLs) that belong to it."""
    messages: list[Json] = [{"role": "system", "content": _INSTRUCTIONS}]
    for example, word in _EXAMPLES:
        messages += [{"role": "user", "content": _LABEL + example}, {"role": "assistant", "content": word}]
    content: str | list[Json] = _LABEL + text
    if images:
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
        content = [{"type": "text", "text": content}, *shown]
    return [*messages, {"role": "user", "content": content}]


def word_of(token: str) -> str | None:
    """The word that an answer which begins with `token` would be; None where it is none, or could be several."""
    beginning = token.strip().lower()
    if len(beginning) < _TELLING:
        return None
    fitting = [word for word in WORDS if word.startswith(beginning) or beginning.startswith(word)]
    return fitting[0] if len(fitting) == 1 else None

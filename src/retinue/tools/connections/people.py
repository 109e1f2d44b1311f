"""Whose sign-ins at connections and whose consents count."""

from __future__ import annotations

from ...wire.runs import Run

_SIGNED_IN = "user:"


def signed_in(user: str) -> str:
    """The person with this id, who was signed in to Retinue."""
    return _SIGNED_IN + user


def named(name: str) -> str:
    """Whom an API key names; "" where it names nobody. Never the same as somebody who was signed in."""
    return f"name:{name}"


def person_of(run: Run) -> str:
    """Who a run is for: who was signed in when it was created, else whom it names as `user` in its metadata."""
    return signed_in(run.user) if run.user else named(run.metadata.get("user", ""))


def is_signed_in(person: str) -> bool:
    """Whether this is somebody who was signed in to Retinue."""
    return person.startswith(_SIGNED_IN)


def whose_consent(person: str) -> str:
    """Whose consent for ever holds for a person: their own who was signed in, else the project's, which is ""."""
    return person if is_signed_in(person) else ""

"""Where a person says in a sentence what a model is to write, and the dialog in which it writes instructions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import openai
from nicegui import ui

from ...elements.controls import focus, plain, primary
from ...elements.dialogs import dialog
from ...frame import message_of
from ...visitor import Visitor
from .writing import INSTRUCTIONS, LONGEST_WISH, Kind, NotWrittenError, written

_LONGEST_INSTRUCTIONS = 256_000


class Wish:
    """A field for a wish, and a button that has it written; what goes wrong is said below."""

    def __init__(
        self,
        visitor: Visitor,
        model: str,
        kind: Kind,
        *,
        words: tuple[str, str],
        now: Callable[[], str],
        on_written: Callable[[dict[str, Any]], object],
    ) -> None:
        """Built in the current slot.

        Args:
            visitor: who wishes.
            model: which writes.
            kind: what is written.
            words: keys of what the field is called, and of an example.
            now: tells what there is so far.
            on_written: is told what was written.
        """
        self._visitor, self._model, self._kind = visitor, model, kind
        self._now, self._on_written = now, on_written
        self._task: asyncio.Task[dict[str, Any]] | None = None
        # A tab that is closed hides no dialog.
        ui.context.client.on_delete(self.stop)
        text = visitor.text
        self.field = ui.textarea(text(words[0])).classes("wide")
        self.field.props(f"outlined dense autogrow maxlength={LONGEST_WISH}")
        self.field.props["hint"] = text(words[1])
        with ui.element("div").classes("wish-line"):
            self._turning = ui.spinner(size="1.2rem")
            self._said = ui.label().props("role=status aria-live=polite").classes("quiet small grow")
            self._stop = plain(text("generate.stop"), self.stop, icon="stop")
            self._button = plain(text("generate.button"), self._write, icon="edit_note")
        self._wrong = ui.label().classes("wrong").props("role=alert")
        self._busy(False)

    def stop(self) -> None:
        """Give up what is being written, if anything is."""
        if self._task:
            self._task.cancel()

    def _busy(self, busy: bool) -> None:
        self._turning.set_visibility(busy)
        self._stop.set_visibility(busy)
        self._button.set_visibility(not busy)

    async def _write(self) -> None:
        text, wish = self._visitor.text, (self.field.value or "").strip()
        self._wrong.set_text("" if wish else text("generate.say_what"))
        if not wish or self._task:
            return
        self._said.set_text(text("generate.writing"))
        self._busy(True)
        focus(self._stop)
        self._task = asyncio.create_task(written(self._visitor, self._model, self._kind, wish, self._now()))
        said, wrong = "", ""
        try:
            # Who is stopped is the writing, not whoever waits for it.
            await asyncio.wait([self._task])
            found = self._task.result()
        except asyncio.CancelledError:
            # Either way, nobody waits for it any more.
            self._task.cancel()
            said = text("generate.stopped")
        except NotWrittenError as error:
            wrong = text(error.key)
        except openai.AuthenticationError:
            raise
        except openai.APIStatusError as error:
            wrong = message_of(error)
        except openai.APIError:
            wrong = text("errors.no_answer")
        else:
            said = text("generate.written")
            if not self._said.is_deleted:
                self._on_written(found)
        finally:
            self._task = None
        if not self._said.is_deleted:
            self._said.set_text(said)
            self._wrong.set_text(wrong)
            self._busy(False)
            # Whoever has gone on to write somewhere stays there.
            self._button.client.run_javascript(
                "if (!document.activeElement?.matches('input, textarea, [contenteditable]'))"
                f" requestAnimationFrame(() => getHtmlElement({self._button.id})?.focus())"
            )


def generate_instructions(visitor: Visitor, model: str, now: str, on_use: Callable[[str], object]) -> None:
    """Open the dialog.

    Args:
        visitor: who wants instructions.
        model: which writes them.
        now: those that there are; "" for none.
        on_use: is told those that are to be used.
    """
    text = visitor.text
    with dialog(text("generate.improve" if now else "generate.instructions"), wide=True) as made:
        ui.label(text("generate.hint", model=model)).classes("quiet")

        def show(found: dict[str, Any]) -> None:
            proposal.set_value(found["instructions"])
            proposal.set_visibility(True)
            use.set_enabled(True)

        def chosen() -> None:
            made.close()
            on_use((proposal.value or "").strip())

        words = ("generate.change", "generate.like_change") if now else ("generate.wish", "generate.like_instructions")
        wish = Wish(
            visitor, model, INSTRUCTIONS, words=words, now=lambda: (proposal.value or "") or now, on_written=show
        )
        wish.field.props("autofocus")
        made.on("hide", wish.stop)
        proposal = ui.textarea(text("generate.proposal")).classes("wide")
        proposal.props(f"outlined input-class=definition maxlength={_LONGEST_INSTRUCTIONS}").set_visibility(False)
        with ui.element("div").classes("ends"):
            plain(text("frame.cancel"), made.close)
            use = primary(text("generate.use"), chosen)
            use.set_enabled(False)

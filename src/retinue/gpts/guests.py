"""Guests: people outside the project who talk with a GPT by a link, and are told nothing but its answers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

import structlog

from ..accounts.keys import Caller, token_hash
from ..accounts.people import network
from ..accounts.prices import dollars
from ..errors import ApiError, Forbidden, InvalidRequest, NotFound, RateLimited, Unavailable
from ..runs import compose
from ..settings import Settings
from ..store.gpt_links import LinkRow, OpenLink, Refusal
from ..store.ids import new_id
from ..store.limits import Wanted
from ..store.objects import PageQuery
from ..store.secretbox import SecretUnreadable
from ..store.store import Store
from ..wire.common import Deleted, ObjectList
from ..wire.gpts_links import (
    GptLink,
    GptLinkCreate,
    GptLinkUse,
    GuestConversation,
    GuestMessage,
    GuestMessages,
    GuestProfile,
)
from ..wire.messages import MessageCreate
from ..wire.runs import Run, RunCreate
from ..wire.threads import ThreadCreate
from . import pictures
from .asking import Asking, Ended, Piece, text_of, without_marks
from .registry import Gpts, administers

log = structlog.get_logger(__name__)

_TOKEN, _SECRET = "gl_", "gs_"
#: Seconds after a run's longest time at which a conversation takes messages again, should its server have died.
_SPARE = 60
#: Messages that guests see again.
_SHOWN = 100
#: Seconds until a bucket of an address is full again, which holds what its guests may send in that time.
_MINUTE = 60


class Links:
    """The guest links of GPTs, for those who may edit these."""

    def __init__(self, store: Store, gpts: Gpts, settings: Settings) -> None:
        self._store = store
        self._gpts = gpts
        self._settings = settings

    async def create(self, caller: Caller, name: str, body: GptLinkCreate) -> GptLink:
        """Make a link.

        Raises:
            NotFound: there is no such GPT.
            Forbidden: it is somebody else's, or the setting `guest_links` does not let the caller.
            InvalidRequest: the GPT is not published, or has too many links.
        """
        row = await self._gpts.editable(caller, name)
        who = self._settings.guest_links
        if who == "nobody" or (who == "administrators" and not administers(caller)):
            by = "Nobody" if who == "nobody" else "Only administrators of the project, with the scope gpts:admin,"
            raise Forbidden(
                f"{by} may make guest links on this server. The setting `guest_links` says so.",
                code="guest_links_not_allowed",
            )
        if row.published is None:
            raise InvalidRequest(
                "Guests talk with what was published. Publish the GPT first.", code="gpt_not_published"
            )
        token, identifier = new_id(_TOKEN, 32), new_id("gptl_")
        kept = (token_hash(token), self._store.secrets.seal(token.encode()))
        links = self._store.gpt_links
        await links.add(caller.project, row.id, identifier, token=kept, body=body, now=int(time.time()))
        return self._shown(await links.get(caller.project, row.id, identifier))

    async def list(self, caller: Caller, name: str) -> ObjectList[GptLink]:
        """All links of a GPT, newest first. Raises `NotFound` or `Forbidden`."""
        row = await self._gpts.editable(caller, name)
        data = [self._shown(one) for one in await self._store.gpt_links.all(caller.project, row.id)]
        ends = (data[0].id, data[-1].id) if data else ("", "")
        return ObjectList[GptLink](data=data, first_id=ends[0], last_id=ends[1], has_more=False)

    async def delete(self, caller: Caller, name: str, link: str) -> Deleted:
        """Delete a link, and let in nobody more who has it. Raises `NotFound` or `Forbidden`."""
        row = await self._gpts.editable(caller, name)
        await self._store.gpt_links.delete(caller.project, row.id, link)
        return Deleted(id=link, object="gpt.link.deleted")

    def _shown(self, row: LinkRow) -> GptLink:
        token = None
        with contextlib.suppress(SecretUnreadable):
            token = self._store.secrets.open(row.sealed).decode()
        return GptLink(
            id=row.id,
            created_at=row.created_at,
            gpt_id=row.gpt,
            token=token,
            url=f"{self._settings.browser_url()}/g/{token}" if token else None,
            expires_at=row.expires_at,
            used=GptLinkUse(
                conversations=row.conversations,
                messages_today=row.messages_today,
                spent_today=dollars(row.spent_today),
            ),
            **row.options.model_dump(),
        )


@dataclass(frozen=True, slots=True)
class GuestText:
    """A piece of an answer; empty: the GPT has begun to work."""

    text: str


@dataclass(frozen=True, slots=True)
class GuestEnd:
    """The answer is whole."""

    reason: Literal["stop", "length"]


class Guests:
    """What guests may do: begin conversations, write in them, and read them."""

    def __init__(self, store: Store, asking: Asking, settings: Settings) -> None:
        self._store = store
        self._asking = asking
        self._settings = settings

    async def open(self, token: str) -> OpenLink:
        """The link with this token.

        Raises:
            NotFound: it is not, or no longer, good for anything.
        """
        link = await self._store.gpt_links.find(token_hash(token)) if self._settings.guest_links != "nobody" else None
        if link is None:
            raise NotFound("This link is not valid, or no longer.", code="guest_link_not_valid")
        return link

    def profile(self, link: OpenLink, token: str) -> GuestProfile:
        """The GPT, as guests see it."""
        content = link.published.content
        return GuestProfile(
            name=content.name,
            description=content.description,
            conversation_starters=content.conversation_starters,
            language=content.language,
            privacy_policy_url=content.privacy_policy_url,
            picture_url=f"/v1/guest/{token}/picture",
            max_characters=self._settings.guest_max_characters,
        )

    async def picture(self, link: OpenLink) -> tuple[bytes, str]:
        """The GPT's picture, and its media type."""
        content = link.published.content
        if content.picture and (found := await pictures.uploaded(self._store, link.project, content.picture)):
            return found
        return pictures.drawn(content.name).encode(), "image/svg+xml"

    async def begin(self, link: OpenLink, address: str) -> GuestConversation:
        """Begin a conversation.

        Args:
            link: by which link.
            address: where the guest is.

        Raises:
            RateLimited: the address sends too much, or the link has had all its conversations.
        """
        await self._count(address)
        metadata = {"gpt": link.gpt, "guest_link": link.id}
        thread, _ = compose.thread(ThreadCreate(metadata=metadata))
        conversation, secret = new_id("gconv_"), new_id(_SECRET, 40)
        await self._store.passing.add(link.project, thread.id, self._settings.guest_conversation_days * 86_400)
        await self._store.threads.add(link.project, thread)
        if not await self._store.gpt_links.begin(link, conversation, thread.id, token_hash(secret)):
            await self._store.passing.remove(link.project, thread.id)
            raise _refusal("No more conversations can be begun by this link.", "guest_limit")
        return GuestConversation(id=conversation, secret=secret)

    async def messages(self, link: OpenLink, conversation: str, secret: str) -> GuestMessages:
        """What was said so far, the last hundred messages. Raises `NotFound`."""
        thread = await self._thread(link, conversation, secret)
        page = await self._store.messages.page(link.project, PageQuery(limit=_SHOWN), thread)
        data = [
            GuestMessage(role=one.role, created_at=one.created_at, text=text)
            for one in reversed(page.data)
            if (text := text_of(one))
        ]
        return GuestMessages(data=data)

    async def say(
        self, link: OpenLink, conversation: str, secret: str, text: str, address: str
    ) -> AsyncGenerator[GuestText | GuestEnd]:
        """Write a message, and hear what the GPT says. Closing this ends the answer.

        Args:
            link: by which link.
            conversation: its id.
            secret: what its guest has.
            text: the message.
            address: where the guest is.

        Raises:
            NotFound: there is no such conversation.
            InvalidRequest: the message is too long.
            RateLimited: too many messages; or an answer is under way.
            Unavailable: the GPT cannot answer; guests are not told why.
        """
        most = self._settings.guest_max_characters
        if len(text) > most:
            message = f"The message is too long: it has {len(text):,} characters, and may have {most:,}."
            raise InvalidRequest(message, param="text", code="string_above_max_length")
        thread = await self._thread(link, conversation, secret)
        await self._count(address)
        wait = self._settings.run_expiry + _SPARE
        taking = asyncio.create_task(self._store.gpt_links.take(link, conversation, token_hash(secret), wait))
        try:
            refused = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # The guest has gone: nobody waits for an answer, and the next message need not either.
            self._asking.later(self._let_go(taking, link, conversation))
            raise
        if refused:
            raise _refused(refused)

        async def done(run: Run | None) -> None:
            await self._store.gpt_links.done(link, conversation, run.spent if run else 0)

        body = RunCreate(
            assistant_id=link.published.assistant_id,
            additional_messages=[MessageCreate(role="user", content=text)],
            metadata={"gpt": link.gpt, "guest_link": link.id},
        )
        # Nobody's grants, and nobody's consent: what a guest asks for is asked for by the project.
        answer = self._asking.answer(Caller(link.project), thread, body, done)
        try:
            async with aclosing(answer):
                async for told in answer:
                    if isinstance(told, Piece):
                        yield GuestText(without_marks(told.text, told.annotations, told.start))
                    elif isinstance(told, Ended):
                        yield GuestEnd(told.reason)
                    else:
                        yield GuestText("")
        except ApiError as error:
            log.warning("a guest was not answered", link=link.id, error=error.message)
            raise _failed() from error

    async def _let_go(self, taking: asyncio.Task[Refusal | None], link: OpenLink, conversation: str) -> None:
        with contextlib.suppress(ApiError):
            if await taking is None:
                await self._store.gpt_links.done(link, conversation, 0)

    async def _thread(self, link: OpenLink, conversation: str, secret: str) -> str:
        thread = await self._store.gpt_links.thread(link, conversation, token_hash(secret))
        if thread is None:
            raise NotFound("There is no such conversation, or no longer.", code="conversation_not_found")
        return thread

    async def _count(self, address: str) -> None:
        """Count a request of an address.

        Raises:
            RateLimited: it has sent too many of late.
        """
        most = self._settings.guest_messages_per_minute
        (taken,) = await self._store.rate_buckets.take([Wanted(f"guest/{network(address)}", most, _MINUTE, 1, 1)])
        if taken.wait:
            raise _refusal("Too many messages at once. Please wait a moment.", "guest_limit", taken.wait / 10**9)


def _refusal(message: str, code: str, retry_after: float | None = None) -> RateLimited:
    error = RateLimited(message, type="requests", retry_after=retry_after)
    error.code = code
    return error


def _refused(why: Refusal) -> RateLimited:
    """What a guest is told who may not write now."""
    if why == "busy":
        return _refusal("The last answer is still under way. Please wait for its end.", "conversation_busy", 2)
    if why == "conversation":
        return _refusal("This conversation has become too long. Please begin a new one.", "conversation_full")
    return _refusal("No more can be asked today. Please come back tomorrow.", "guest_limit")


def _failed() -> Unavailable:
    return Unavailable("The assistant cannot answer at the moment. Please try again.", code="guest_not_answered")

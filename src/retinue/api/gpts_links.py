"""`/v1/gpts/{gpt_id}/links`: links by which people outside the project talk with a GPT. An extension."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from ..gpts.guests import Links
from ..wire.common import Deleted, ObjectList
from ..wire.gpts_links import GptLink, GptLinkCreate
from .http import JsonRoute, TheCaller, ok, ok_list

router = APIRouter(prefix="/v1/gpts/{gpt_id}/links", tags=["Extensions"], route_class=JsonRoute)


async def _links(request: Request) -> Links:
    return request.app.state.gpt_links


TheLinks = Annotated[Links, Depends(_links)]


@router.post("", response_model=GptLink)
async def create_gpt_link(gpt_id: str, body: GptLinkCreate, caller: TheCaller, links: TheLinks) -> Response:
    """Make a link by which people outside the project talk with a GPT."""
    return ok(await links.create(caller, gpt_id, body))


@router.get("", response_model=ObjectList[GptLink])
async def list_gpt_links(gpt_id: str, caller: TheCaller, links: TheLinks) -> Response:
    """List the guest links of a GPT, with what they have been used for."""
    return ok_list(await links.list(caller, gpt_id))


@router.delete("/{link_id}", response_model=Deleted)
async def delete_gpt_link(gpt_id: str, link_id: str, caller: TheCaller, links: TheLinks) -> Response:
    """Delete a guest link: whoever has it is let in no more."""
    return ok(await links.delete(caller, gpt_id, link_id))

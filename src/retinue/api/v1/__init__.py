"""Version 1 of the Assistants API: a view of the objects that version 2 keeps."""

from fastapi import APIRouter

from . import assistants, messages, runs, threads

#: All operations of version 1. Nothing else answers a request that asks for it.
router = APIRouter(redirect_slashes=False)
for module in (assistants, runs, threads, messages):
    router.include_router(module.router)

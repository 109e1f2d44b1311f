"""Listing the project's threads: pages, metadata, words of their messages. An extension."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from ..contract.spec import validate
from ..harness import Api, Json, Server


async def listed(api: Api, **parameters: str) -> list[str]:
    """Ids of the threads that a list has, each held to the official schema."""
    body = await api.call("GET", "/threads?" + urlencode(parameters), extension=True)
    assert set(body) == {"object", "data", "first_id", "last_id", "has_more"}
    for thread in body["data"]:
        assert ("last_used_at" in thread) == (parameters.get("sort") == "last_used_at")
        validate("ThreadObject", {key: value for key, value in thread.items() if key != "last_used_at"})
    return [thread["id"] for thread in body["data"]]


async def labelled(api: Api, **metadata: str) -> str:
    return (await api.post("/threads", {"metadata": metadata}))["id"]


async def test_pages(api: Api) -> None:
    threads = [await api.thread() for _ in range(5)]
    assert await listed(api) == threads[::-1]
    assert await listed(api, order="asc", limit="2") == threads[:2]
    assert await listed(api, order="asc", after=threads[1], limit="2") == threads[2:4]
    assert await listed(api, before=threads[1], limit="2") == [threads[3], threads[2]]
    page = await api.call("GET", "/threads?limit=2", extension=True)
    assert page["has_more"]
    assert (page["first_id"], page["last_id"]) == (threads[4], threads[3])


async def test_an_empty_list(api: Api) -> None:
    assert await api.call("GET", "/threads", extension=True) == {
        "object": "list",
        "data": [],
        "first_id": "",
        "last_id": "",
        "has_more": False,
    }


async def test_threads_of_others_are_not_there(api: Api, other: Api) -> None:
    thread = await api.thread("common words")
    assert await listed(other) == []
    assert await listed(other, query="common") == []
    refusal = await other.refused("GET", f"/threads?after={thread}")
    assert refusal["param"] == "after"


async def test_metadata(api: Api) -> None:
    one = await labelled(api, user="7", team="blue")
    two = await labelled(api, user="7", team="red")
    await labelled(api, user="8")
    assert await listed(api, **{"metadata[user]": "7"}) == [two, one]
    assert await listed(api, **{"metadata[user]": "7", "metadata[team]": "blue"}) == [one]
    assert await listed(api, **{"metadata[user]": "7", "metadata[team]": "green"}) == []
    await api.post(f"/threads/{one}", {"metadata": {"user": "9"}})
    assert await listed(api, **{"metadata[user]": "9"}) == [one]
    assert await listed(api, **{"metadata[user]": "7"}) == [two]


async def test_odd_metadata_keys(api: Api) -> None:
    thread = await labelled(api, **{"a[b]": "x", "": "empty", "naïve 键": "值"})
    for key, value in (("a[b]", "x"), ("", "empty"), ("naïve 键", "值")):
        assert await listed(api, **{f"metadata[{key}]": value}) == [thread]


SENTENCES = {
    "english": "The quick brown fox; jumps over Example.com/lazy-dogs, at 3.14!",
    "chinese": "今天北京的天气很好，我们去公园散步。",
    "mixed": "请用Python写一个快速排序 quicksort",
    "japanese": "東京タワーはとても高いです",
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fox", {"english"}),
        ("FOX Brown", {"english"}),
        ("fox cat", set[str]()),
        # Words are found by their beginnings, not by their ends.
        ("jum", {"english"}),
        ("umps", set[str]()),
        ("quick", {"english", "mixed"}),
        ("example", {"english"}),
        ("lazy-dogs", {"english"}),
        ("dogs", {"english"}),
        ("3.14", {"english"}),
        ("天气", {"chinese"}),
        ("北京的天气", {"chinese"}),
        ("气很好", {"chinese"}),
        ("好", {"chinese"}),
        ("步", {"chinese"}),
        ("天京", set[str]()),
        ("python", {"mixed"}),
        ("排序", {"mixed"}),
        ("快速排序 python", {"mixed"}),
        ("タワー", {"japanese"}),
        ("東京", {"japanese"}),
        # Nothing to look for finds nothing.
        ("", set[str]()),
        ("?!", set[str]()),
        ("'", set[str]()),
        ("fox & ! ( | <-> :* \\", {"english"}),
    ],
)
async def test_words_of_messages(api: Api, query: str, found: set[str]) -> None:
    names = {await api.thread(sentence): name for name, sentence in SENTENCES.items()}
    assert {names[thread] for thread in await listed(api, query=query)} == found


async def test_all_words_stand_in_one_message(api: Api) -> None:
    apart = await api.thread("alpha", "beta")
    together = await api.thread("nothing", "beta and alpha")
    assert await listed(api, query="alpha beta") == [together]
    assert await listed(api, query="alpha") == [together, apart]


async def test_every_part_of_a_message_is_searched(api: Api) -> None:
    thread = await api.thread()
    image = {"type": "image_url", "image_url": {"url": "https://example.com/hidden.png"}}
    parts = [{"type": "text", "text": "first"}, image, {"type": "text", "text": "second"}]
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": parts})
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": [image]})
    assert await listed(api, query="second first") == [thread]
    assert await listed(api, query="hidden") == []


async def test_words_of_titles(api: Api) -> None:
    both = await labelled(api, title="Harbour fees 港口费用", user="7")
    await api.post(f"/threads/{both}/messages", {"role": "user", "content": "ships"})
    other = await labelled(api, user="Harbour")
    assert await listed(api, query="harb") == [both]
    assert await listed(api, query="口费") == [both]
    # A thread is found by its title or by one message.
    assert await listed(api, query="harbour ships") == []
    await api.post(f"/threads/{other}", {"metadata": {"title": "fees"}})
    assert await listed(api, query="fees") == [other, both]


async def test_the_order_of_use(api: Api, server: Server) -> None:
    old, middle, new = [await labelled(api, user="7") for _ in range(3)]
    by_use = {"sort": "last_used_at", "metadata[user]": "7"}
    assert await listed(api, **by_use) == [new, middle, old]
    # A message of tomorrow, so that the clock's seconds do not matter.
    await api.post(f"/threads/{old}/messages", {"role": "user", "content": "again"})
    async with server.app.state.store.database.connection() as connection:
        await connection.execute(
            "update messages "
            "set body = body || jsonb_build_object('created_at', (body ->> 'created_at')::bigint + 86400)"
        )
    assert await listed(api, **by_use) == [old, new, middle]
    assert await listed(api, **by_use, order="asc") == [middle, new, old]
    assert await listed(api, **by_use, limit="1", after=old) == [new]
    assert await listed(api, **by_use, limit="1", after=new) == [middle]
    assert await listed(api, **by_use, limit="1", before=middle) == [new]
    assert await listed(api, **by_use, limit="1", before=old) == []
    assert await listed(api, **by_use, query="again") == [old]
    page = await api.call("GET", "/threads?sort=last_used_at&limit=2", extension=True)
    assert (page["has_more"], page["first_id"], page["last_id"]) == (True, old, new)
    message = (await api.messages(old))[0]
    assert page["data"][0]["last_used_at"] == message["created_at"]
    assert page["data"][1]["last_used_at"] == page["data"][1]["created_at"]
    assert "after" in (await api.refused("GET", "/threads?sort=last_used_at&after=thread_none"))["message"]


async def test_words_and_metadata_and_page_together(api: Api) -> None:
    wanted = [await labelled(api, user="7") for _ in range(3)]
    for thread in wanted:
        await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "needle"})
    await labelled(api, user="7")
    await api.thread("needle")
    both = {"metadata[user]": "7", "query": "needle"}
    assert await listed(api, **both) == wanted[::-1]
    assert await listed(api, **both, limit="1", after=wanted[2]) == [wanted[1]]


async def test_a_deleted_message_is_not_found(api: Api) -> None:
    thread = await api.thread("needle")
    (message,) = await api.messages(thread)
    await api.delete(f"/threads/{thread}/messages/{message['id']}")
    assert await listed(api, query="needle") == []


LONG: list[Json] = [
    {"role": "user", "content": "词" * 256_000},
    {"role": "user", "content": " ".join(f"word{number}" for number in range(25_000))},
    {"role": "user", "content": "x" * 256_000},
]


@pytest.mark.parametrize("message", LONG, ids=["chinese", "many words", "one word"])
async def test_long_messages_can_be_written_and_found(api: Api, message: Json) -> None:
    thread = (await api.post("/threads", {"messages": [message]}))["id"]
    found = await listed(api, query=message["content"][:10])
    # A word of more than 2 kB is not kept.
    assert found == ([] if message["content"].startswith("xx") else [thread])


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=x", "order=up", "sort=title", "after=thread_none", "query=" + "x" * 257),
        *("metadata[a]=1&metadata[a]=2", "&".join(f"metadata[k{number}]=v" for number in range(17))),
        *("query=%00", "metadata[%00]=x", "metadata[a]=%00"),
    ],
)
async def test_what_is_refused(api: Api, query: str) -> None:
    assert (await api.refused("GET", f"/threads?{query}"))["message"]


@pytest.mark.settings(search_timeout=0.001)
async def test_a_search_that_takes_too_long_is_given_up(api: Api) -> None:
    await api.thread(*[" ".join(f"word{number}" for number in range(20_000))] * 50)
    # Each word begins with it: many entries of the index.
    assert (await api.refused("GET", "/threads?query=w"))["code"] == "search_timeout"
    assert len(await listed(api)) == 1

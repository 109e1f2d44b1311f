"""A call that a person has allowed is made once, also where the server is killed in the middle of it."""

from __future__ import annotations

from typing import Any

from tests.faults.harness import Site, client_of, until
from tests.scripted import Call, Reply, ScriptedUpstream
from tests.services import document, service


async def test_a_killed_server_does_not_make_an_allowed_call_twice(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("pay", {}, id="call_pay")]), Reply(text="I do not know whether you paid."))
    async with service() as bank:
        bank.open.clear()
        paths: Any = {"/payments": {"post": {"operationId": "pay"}}}
        first = await site.serve(RETINUE_EGRESS_ALLOW='["127.0.0.1"]')
        async with client_of(first) as client:
            made = await client.post("/connections", {"type": "action", "document": document(paths, bank.url)})
            tool: Any = {"type": "action", "action": {"connection_id": made["id"]}}
            run = await client.run(await client.assistant(tools=[tool]))
            await client.becomes(run, "requires_action")
            assert not bank.got
            outputs = {"tool_outputs": [{"tool_call_id": "call_pay", "output": "approve"}]}
            await client.post(f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs", outputs)

            async def asked() -> int:
                return len(bank.got)

            await until(asked)
        await first.kill()
        bank.open.set()
        async with client_of(await site.serve(RETINUE_EGRESS_ALLOW='["127.0.0.1"]')) as client:
            await client.becomes(run, "completed")
            (step, _) = await client.steps(run)
            assert "Whether it took effect is not known" in step["step_details"]["tool_calls"][0]["function"]["output"]
            assert step["status"] == "completed"
        assert len(bank.got) == 1
        (told,) = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
        assert told.startswith("Error: the server stopped while this call was made.")

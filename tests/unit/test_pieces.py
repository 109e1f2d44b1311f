"""Tool calls in pieces: what was known and the piece that follows make the whole, wherever it is cut."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from retinue.runs.pieces import piece, size
from retinue.wire.common import to_json
from retinue.wire.steps import (
    CodeInterpreterCall,
    CodeInterpreterToolCall,
    FileSearchCall,
    FileSearchResult,
    FileSearchToolCall,
    FunctionCallResult,
    FunctionToolCall,
    ImageOutput,
    LogsOutput,
    OutputFile,
    ToolCall,
)

TEXTS = st.text(max_size=8)
LOGS = st.builds(LogsOutput, logs=st.text(min_size=1, max_size=8))
IMAGES = st.builds(ImageOutput, image=st.builds(OutputFile, file_id=st.sampled_from(["file-1", "file-2"])))
CODE = st.builds(CodeInterpreterCall, input=TEXTS, outputs=st.lists(LOGS | IMAGES, max_size=4))
CALLS: st.SearchStrategy[ToolCall] = st.one_of(
    st.builds(
        FunctionToolCall, id=st.just("call_1"), function=st.builds(FunctionCallResult, name=TEXTS, arguments=TEXTS)
    ),
    st.builds(CodeInterpreterToolCall, id=st.just("call_1"), code_interpreter=CODE),
)


def added(known: Any, more: Any) -> Any:
    """What clients do with deltas: texts are joined, objects and indexed lists merged."""
    if isinstance(known, str) and isinstance(more, str):
        return known + more
    if isinstance(known, dict) and isinstance(more, dict):
        whole = dict(known)
        for key, value in more.items():
            fixed = key in ("index", "type") or whole.get(key) is None
            whole[key] = value if fixed else added(whole[key], value)
        return whole
    if isinstance(known, list) and isinstance(more, list):
        whole = list(known)
        for entry in more:
            if entry["index"] < len(whole):
                whole[entry["index"]] = added(whole[entry["index"]], entry)
            else:
                assert entry["index"] == len(whole)
                whole.append(entry)
        return whole
    return more


def decoded(value: Any) -> Any:
    import json

    return json.loads(to_json(value))


def cut(call: ToolCall, at: int) -> ToolCall:
    """The call as it was when its size was `at`."""
    if isinstance(call, FunctionToolCall):
        function = call.function.model_copy(update={"arguments": call.function.arguments[:at]})
        return call.model_copy(update={"function": function})
    assert isinstance(call, CodeInterpreterToolCall)
    code = call.code_interpreter
    left = max(0, at - len(code.input))
    outputs: list[Any] = []
    for output in code.outputs:
        if left > 0:
            logs = isinstance(output, LogsOutput)
            outputs.append(LogsOutput(logs=output.logs[:left]) if logs else output)
            left -= len(output.logs) if logs else 1
    return CodeInterpreterToolCall(
        id=call.id, code_interpreter=CodeInterpreterCall(input=code.input[:at], outputs=outputs)
    )


@given(CALLS, st.data())
def test_pieces_add_up_wherever_the_call_is_cut(call: ToolCall, data: st.DataObject) -> None:
    places = sorted(data.draw(st.sets(st.integers(0, size(call)), max_size=4)) | {size(call)})
    whole: Any = {}
    known: int | None = None
    for place in places:
        part = cut(call, place)
        whole = added(whole, decoded(piece(3, part, known)))
        known = size(part)
    assert whole.pop("index") == 3
    for output in whole.get("code_interpreter", {}).get("outputs", []):
        output.pop("index")
    expected = decoded(call)
    if not expected.get("code_interpreter", {}).get("outputs", True):
        expected["code_interpreter"].pop("outputs")
    assert whole == expected


def test_a_search_comes_without_and_then_with_its_results() -> None:
    call = FileSearchToolCall(id="call_1")
    assert decoded(piece(0, call, None)) == {"index": 0, "id": "call_1", "type": "file_search", "file_search": {}}
    result = FileSearchResult(file_id="file-1", file_name="a", score=0.5)
    found = FileSearchToolCall(id="call_1", file_search=FileSearchCall(results=[result]))
    assert size(found) > size(call)
    assert decoded(piece(0, found, size(call))) == {
        "index": 0,
        "type": "file_search",
        "file_search": {"results": [{"file_id": "file-1", "file_name": "a", "score": 0.5}]},
    }

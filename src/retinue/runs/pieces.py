"""Messages and tool calls cut into the pieces that stream events carry."""

from __future__ import annotations

from collections.abc import Sequence

from ..wire.messages import (
    AnnotationDelta,
    ImageFileContent,
    ImageFileDeltaContent,
    MessageDelta,
    MessageDeltaBody,
    TextDelta,
    TextDeltaContent,
)
from ..wire.steps import (
    CodeInterpreterCall,
    CodeInterpreterDelta,
    CodeInterpreterToolCall,
    CodeInterpreterToolCallDelta,
    CodeOutput,
    FileSearchToolCallDelta,
    FunctionDelta,
    FunctionToolCall,
    FunctionToolCallDelta,
    ImageOutputDelta,
    LogsOutput,
    LogsOutputDelta,
    ToolCall,
    ToolCallDelta,
)


def picture_piece(message: str, index: int, picture: ImageFileContent) -> MessageDelta:
    """A picture of the message with this id, which is its part number `index`."""
    part = ImageFileDeltaContent(index=index, **picture.model_dump())
    return MessageDelta(id=message, delta=MessageDeltaBody(content=[part]))


def text_piece(message: str, index: int, text: str, annotations: list[AnnotationDelta] | None) -> MessageDelta:
    """A piece of a message's text.

    Args:
        message: its id.
        index: which of its parts the text is: pictures come before it.
        text: the piece.
        annotations: those that come with it. The first piece brings the list that clients collect them in, empty or
            not; None for a later piece without any.
    """
    part = TextDeltaContent(index=index, text=TextDelta(value=text, annotations=annotations))
    return MessageDelta(id=message, delta=MessageDeltaBody(content=[part]))


def size(call: ToolCall) -> int:
    """How far a call has come: it grows with each character and each result that there is to show."""
    if isinstance(call, FunctionToolCall):
        output = call.function.output
        return len(call.function.arguments) + (0 if output is None else 1 + len(output))
    if isinstance(call, CodeInterpreterToolCall):
        return len(call.code_interpreter.input) + sum(map(_output_size, call.code_interpreter.outputs))
    return 0 if call.file_search.results is None else 1


def place(sizes: Sequence[int]) -> str:
    """How far the calls of a step have come, each of which may grow at any time: part of the id of an event."""
    return "-".join(map(str, sizes))


def piece(index: int, call: ToolCall, known: int | None) -> ToolCallDelta:
    """What a call has more than somebody knows of it.

    Args:
        index: its position among the calls of its step.
        call: the call.
        known: the `size` of what is known; None: nothing at all.
    """
    first, known = known is None, known or 0
    identifier = call.id if first else None
    if isinstance(call, FunctionToolCall):
        name = call.function.name if first else None
        arguments = call.function.arguments[known:]
        # Clients add up what comes: arguments that are whole are not sent again, not even as an empty text.
        function = FunctionDelta(name=name, arguments=arguments if arguments or first else None)
        if call.function.output is not None:
            function.output = call.function.output
        return FunctionToolCallDelta(index=index, id=identifier, function=function)
    if isinstance(call, CodeInterpreterToolCall):
        code = _code(call.code_interpreter, known, first=first)
        return CodeInterpreterToolCallDelta(index=index, id=identifier, code_interpreter=code)
    return FileSearchToolCallDelta(index=index, id=identifier, file_search=call.file_search)


def _code(call: CodeInterpreterCall, known: int, *, first: bool) -> CodeInterpreterDelta:
    written = call.input[known:]
    known = max(0, known - len(call.input))
    outputs: list[LogsOutputDelta | ImageOutputDelta] = []
    for index, output in enumerate(call.outputs):
        if known < _output_size(output):
            if isinstance(output, LogsOutput):
                outputs.append(LogsOutputDelta(index=index, logs=output.logs[known:]))
            else:
                outputs.append(ImageOutputDelta(index=index, image=output.image))
        known = max(0, known - _output_size(output))
    return CodeInterpreterDelta(input=written if written or first else None, outputs=outputs or None)


def _output_size(output: CodeOutput) -> int:
    return len(output.logs) if isinstance(output, LogsOutput) else 1

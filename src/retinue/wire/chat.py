"""Chat completions: what clients send."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from .common import (
    JsonObjectFormat,
    JsonSchemaResponseFormat,
    Metadata,
    ModelName,
    ReasoningEffort,
    Temperature,
    TextFormat,
    TopP,
    WireRequest,
)
from .tools import FunctionDefinition, FunctionTool

#: Longest text of a part of a message, in characters.
LongText = Annotated[str, StringConstraints(max_length=10_485_760)]
ParticipantName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
FunctionName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Penalty = Annotated[float, Field(ge=-2, le=2)]


class _Open(WireRequest):
    """A part that newer clients may say more in than is named here."""

    model_config = ConfigDict(extra="allow", strict=True)


class TextPart(_Open):
    """Text."""

    type: Literal["text"]
    text: LongText


class RefusalPart(_Open):
    """What an assistant said in refusing."""

    type: Literal["refusal"]
    refusal: LongText


class ImageUrl(WireRequest):
    """A picture: an address, or a `data:` URL."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=30_000_000)]
    detail: Literal["auto", "low", "high", "original"] = "auto"


class ImagePart(_Open):
    """A picture."""

    type: Literal["image_url"]
    image_url: ImageUrl


class AudioPart(_Open):
    """Sound."""

    type: Literal["input_audio"]
    input_audio: dict[str, Any]


class FilePart(_Open):
    """A file."""

    type: Literal["file"]
    file: dict[str, Any]


Parts = Annotated[list[TextPart], Field(min_length=1)]
UserParts = Annotated[
    list[Annotated[TextPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]], Field(min_length=1)
]
AssistantParts = Annotated[list[Annotated[TextPart | RefusalPart, Field(discriminator="type")]], Field(min_length=1)]


class FunctionCall(_Open):
    """A function and the JSON text of its arguments. Clients that parse these send back what they found, too."""

    name: FunctionName
    arguments: LongText


class FunctionToolCall(_Open):
    """A call of a function that the model made."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class CustomCall(WireRequest):
    """A custom tool and what it was given."""

    name: FunctionName
    input: LongText


class CustomToolCall(_Open):
    """A call of a custom tool that the model made."""

    id: str
    type: Literal["custom"]
    custom: CustomCall


class SystemMessage(WireRequest):
    """Instructions."""

    role: Literal["system", "developer"]
    content: LongText | Parts
    name: ParticipantName | None = None


class UserMessage(WireRequest):
    """What a person says."""

    role: Literal["user"]
    content: LongText | UserParts
    name: ParticipantName | None = None


class AssistantMessage(_Open):
    """What the model said. Clients send back what they got, fields of the answer included."""

    role: Literal["assistant"]
    content: LongText | AssistantParts | None = None
    refusal: LongText | None = None
    name: ParticipantName | None = None
    audio: dict[str, Any] | None = None
    tool_calls: list[Annotated[FunctionToolCall | CustomToolCall, Field(discriminator="type")]] | None = None
    function_call: FunctionCall | None = None

    @model_validator(mode="after")
    def _says_something(self) -> AssistantMessage:
        if self.content is None and not (self.tool_calls or self.function_call or self.refusal or self.audio):
            raise ValueError("an assistant message needs 'content', 'tool_calls' or 'function_call'")
        return self


class ToolMessage(_Open):
    """The output of a tool. Some clients name the function, too."""

    role: Literal["tool"]
    content: LongText | Parts
    tool_call_id: str


class FunctionMessage(WireRequest):
    """The output of a function, as before tools."""

    role: Literal["function"]
    content: LongText | None
    name: FunctionName


ChatMessage = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage | FunctionMessage, Field(discriminator="role")
]


class CustomTool(WireRequest):
    """A tool that takes free text."""

    type: Literal["custom"]
    custom: dict[str, Any]


class NamedFunction(WireRequest):
    """A function by name."""

    name: FunctionName


class NamedToolChoice(WireRequest):
    """This function is to be called."""

    type: Literal["function"]
    function: NamedFunction


class NamedCustomToolChoice(WireRequest):
    """This custom tool is to be called."""

    type: Literal["custom"]
    custom: NamedFunction


class AllowedTools(WireRequest):
    """Only these tools may be called."""

    mode: Literal["auto", "required"]
    tools: list[dict[str, Any]]


class AllowedToolsChoice(WireRequest):
    """A choice among some of the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


ToolChoice = (
    Literal["none", "auto", "required"]
    | Annotated[NamedToolChoice | NamedCustomToolChoice | AllowedToolsChoice, Field(discriminator="type")]
)


class StreamOptions(WireRequest):
    """What a stream carries beside the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class Prediction(WireRequest):
    """Text that the answer is expected to repeat for the most part."""

    type: Literal["content"]
    content: LongText | Parts


def _check_bias(value: dict[str, float]) -> dict[str, float]:
    for token, bias in value.items():
        if not token.isdecimal():
            raise ValueError(f"the keys are token ids, but one is '{token[:20]}'")
        if not -100 <= bias <= 100:
            raise ValueError(f"a bias lies between -100 and 100, but that of token {token} is {bias}")
    return value


LogitBias = Annotated[dict[str, float], Field(max_length=1024), AfterValidator(_check_bias)]
Stop = str | Annotated[list[str], Field(max_length=4)]


class ChatCompletionCreate(WireRequest):
    """Body of `POST /chat/completions`. Parameters beyond the official ones go only to models that take them."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: ModelName
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=16_384)]
    audio: dict[str, Any] | None = None
    frequency_penalty: Penalty | None = None
    function_call: Literal["none", "auto"] | NamedFunction | None = None
    functions: Annotated[list[FunctionDefinition], Field(min_length=1, max_length=128)] | None = None
    logit_bias: LogitBias | None = None
    logprobs: bool | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    metadata: Metadata | None = None
    modalities: Annotated[list[Literal["text", "audio"]], Field(min_length=1)] | None = None
    moderation: dict[str, Any] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    parallel_tool_calls: bool | None = None
    prediction: Prediction | None = None
    presence_penalty: Penalty | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    reasoning_effort: ReasoningEffort | None = None
    response_format: (
        Annotated[TextFormat | JsonObjectFormat | JsonSchemaResponseFormat, Field(discriminator="type")] | None
    ) = None
    safety_identifier: Annotated[str, StringConstraints(max_length=64)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    stop: Stop | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    tool_choice: ToolChoice | None = None
    tools: (
        Annotated[list[Annotated[FunctionTool | CustomTool, Field(discriminator="type")]], Field(max_length=128)] | None
    ) = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    top_p: TopP | None = None
    user: Annotated[str, StringConstraints(max_length=512)] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    web_search_options: dict[str, Any] | None = None


class ChatCompletionUpdate(WireRequest):
    """Body of `POST /chat/completions/{id}`."""

    metadata: Metadata | None

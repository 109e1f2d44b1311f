"""What a client hands in for the calls that a run waits for: outputs of its functions, and what people allow."""

from __future__ import annotations

import time
from collections.abc import Mapping

from ..errors import Forbidden, InvalidRequest
from ..wire.steps import FunctionToolCall, RunStep, ServedCall, ToolCallsDetails

#: What may be said to a call that a person has to allow; a reason may follow `deny`.
_ANSWERS = ("approve", "always", "deny")


def take_outputs(step: RunStep, said: Mapping[str, str], *, may_consent: bool) -> list[str]:
    """Take what a client says to the calls of a step, which is complete then, unless there are calls to be made.

    Args:
        step: is changed.
        said: output, or consent, by the id of the call.
        may_consent: whether it is said by whoever is to be asked.

    Returns:
        The keys of what is allowed for ever.

    Raises:
        InvalidRequest: something else than consent is said to a call that waits for it.
        Forbidden: somebody else is to be asked.
    """
    keys: list[str] = []
    if isinstance(step.step_details, ToolCallsDetails):
        for call in step.step_details.tool_calls:
            if not isinstance(call, FunctionToolCall) or call.id not in said:
                continue
            served = step.served.get(call.id)
            if served is None:
                call.function.output = said[call.id]
            elif not may_consent:
                raise Forbidden(
                    f"The call {call.id} of '{served.name}' waits for the consent of the person for whom the run is. "
                    "Only they can give it, signed in.",
                    code="consent_of_another",
                )
            elif _decide(call, served, said[call.id]) and served.consent:
                keys.append(served.consent.key)
    if not any(served.consent and served.consent.allowed for served in step.served.values()):
        step.status = "completed"
        step.completed_at = int(time.time())
    return keys


def _decide(call: FunctionToolCall, served: ServedCall, said: str) -> bool:
    """Take a person's decision about a call; says whether it holds for ever."""
    word, _, reason = said.strip().partition(":")
    word = word.strip().lower()
    if word not in _ANSWERS or not served.consent:
        raise InvalidRequest(
            f"The call {call.id} of '{served.name}' waits for a person's consent: its output must be 'approve', "
            "'always', or 'deny', which may be followed by a colon and the reason.",
            param="tool_outputs",
        )
    served.consent.allowed = word != "deny"
    if word == "deny":
        said_why = f": {reason.strip()}" if reason.strip() else ""
        served.output = call.function.output = f"Error: the user did not allow this call{said_why}."
        served.failed = True
    return word == "always"

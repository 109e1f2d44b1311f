"""A chat with a memory, in English and Chinese: answers whole, and streamed as they are written.

    export OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=...
    python examples/chat.py

Chat completions keep nothing on the server: each request carries the whole conversation. Prints what happens; the exit
status is 0 only if every question was answered.
"""

from __future__ import annotations

import sys
import time

from openai import OpenAI, OpenAIError
from openai.types.chat import ChatCompletionMessageParam

MODEL = "gpt-3.5-turbo"
INSTRUCTIONS = "You are a helpful assistant. Answer in one sentence, in the language of the question."
QUESTION = "Who won the World Series in 2020?"
NEXT_QUESTION = "Where was it played?"
CHINESE_QUESTION = "你好，请问你是什么模型？"
#: Tokens that an answer may have.
LONGEST_ANSWER = 60


class Failed(Exception):
    """Something did not happen as it should."""


def ask(client: OpenAI, messages: list[ChatCompletionMessageParam]) -> str:
    """Print the whole answer to a conversation; returns it."""
    answer = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=LONGEST_ANSWER)
    if answer.usage:
        print(f"  {answer.usage.prompt_tokens} prompt tokens, {answer.usage.completion_tokens} completion tokens")
    print(f"  assistant: {answer.choices[0].message.content}")
    return answer.choices[0].message.content or ""


def ask_streamed(client: OpenAI, messages: list[ChatCompletionMessageParam]) -> str:
    """Print the answer to a conversation while it is written; returns it."""
    asked = time.monotonic()
    pieces: list[str] = []
    print("  assistant: ", end="")
    for chunk in client.chat.completions.create(model=MODEL, messages=messages, max_tokens=LONGEST_ANSWER, stream=True):
        if chunk.choices and (piece := chunk.choices[0].delta.content):
            if not pieces:
                first = time.monotonic() - asked
                print(f"(first piece after {first:.2f} s) ", end="")
            print(piece, end="", flush=True)
            pieces.append(piece)
    print()
    return "".join(pieces)


def main() -> None:
    """Do it all against the server that the environment names."""
    client = OpenAI()
    messages: list[ChatCompletionMessageParam] = [{"role": "system", "content": INSTRUCTIONS}]
    for question, answer_to in ((QUESTION, ask), (NEXT_QUESTION, ask), (CHINESE_QUESTION, ask_streamed)):
        print(f"  user: {question}")
        messages.append({"role": "user", "content": question})
        answer = answer_to(client, messages)
        if not answer.strip():
            raise Failed("there was no answer")
        messages.append({"role": "assistant", "content": answer})


if __name__ == "__main__":
    try:
        main()
    except (Failed, OpenAIError) as failure:
        sys.exit(f"\nIt did not work: {failure}")

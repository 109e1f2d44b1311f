"""`retinue chat`"""

# The client calls the Assistants API deprecated; it is what this server is for.
# pyright: reportDeprecated=false

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .common import DataOption, console, fail, first_key, load_settings

if TYPE_CHECKING:
    import openai


def chat(
    model: Annotated[str, typer.Option(help="The model to talk with.")] = "default",
    instructions: Annotated[str, typer.Option(help="What the assistant should be.")] = "You are a helpful assistant.",
    data: DataOption = None,
) -> None:
    """Talk with an assistant of the server that runs here. An empty line ends the talk."""
    import openai  # takes half a second, which no other command should wait for

    settings = load_settings(data=data)
    base_url = f"http://{settings.host}:{settings.port}/v1"
    client = openai.OpenAI(base_url=base_url, api_key=first_key(settings))
    try:
        assistant = client.beta.assistants.create(model=model, instructions=instructions, name="chat")
        thread = client.beta.threads.create()
    except openai.APIConnectionError:
        fail(f"there is no server at {base_url}. Start it with `retinue serve`.")
    except openai.APIStatusError as error:
        fail(error.message)
    try:
        while text := console.input("[bold]you >[/] ").strip():
            _ask(client, assistant.id, thread.id, text)
    except (EOFError, KeyboardInterrupt):
        console.print()
    finally:
        client.beta.assistants.delete(assistant.id)


def _ask(client: openai.OpenAI, assistant: str, thread: str, text: str) -> None:
    from openai import APIError

    try:
        client.beta.threads.messages.create(thread, role="user", content=text)
        with client.beta.threads.runs.stream(thread_id=thread, assistant_id=assistant) as stream:
            for piece in stream.text_deltas:
                print(piece, end="", flush=True)
            run = stream.current_run
        print()
        if run and run.last_error:
            console.print(f"[red]{run.last_error.message}[/]")
    except APIError as error:
        console.print(f"[red]{error.message}[/]")

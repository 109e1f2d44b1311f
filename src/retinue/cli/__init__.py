"""The command line: `retinue serve` and its sisters."""

from __future__ import annotations

import typer

from . import agent, agents, chat, doctor, erase, keys, models, serve, transfer, users

app = typer.Typer(
    name="retinue",
    help="The OpenAI Assistants platform on your own machines, with any model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(models.app, name="models")
app.command("chat")(chat.chat)
app.command("agent")(agent.agent)
app.add_typer(agents.app, name="agents")
app.command("export")(transfer.export_file)
app.command("import")(transfer.import_file)
app.command("erase")(erase.erase)
app.command("doctor")(doctor.doctor)

"""`retinue users`"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Column, Table

from ..accounts.passwords import LONGEST, SHORTEST, hash_password
from ..accounts.people import check_person
from ..errors import InvalidRequest, NotFound
from ..store.accounts import DEFAULT_PROJECT, Accounts
from ..store.database import Database
from ..store.people import Membership, NewPerson, People, PersonRow
from .common import DataOption, console, fail, load_settings, moment, output, with_database

app = typer.Typer(help="People who may sign in: make, list and delete them, set passwords.", no_args_is_help=True)

EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL", help="The person's email address.")]
#: Most people that are listed.
_MOST_LISTED = 10_000


class Role(StrEnum):
    """What somebody is in a project."""

    owner = "owner"
    member = "member"
    viewer = "viewer"


@app.command()
def create(
    email: EmailArgument,
    name: Annotated[str | None, typer.Option("--name", help="What the person is called. Default: the address.")] = None,
    owner: Annotated[bool, typer.Option("--owner", help="An owner of the organization and all projects.")] = False,
    project: Annotated[str, typer.Option("--project", help="The project to let the person into.")] = DEFAULT_PROJECT,
    role: Annotated[Role, typer.Option("--role", help="What the person is in that project.")] = Role.member,
    password: Annotated[
        bool,
        typer.Option("--password/--no-password", help="Ask for a password. Without: only a provider signs in."),
    ] = True,
    data: DataOption = None,
) -> None:
    """Make a person. The password is asked for, or read from standard input."""
    try:
        name, email = check_person(name or email, email)
    except InvalidRequest as error:
        fail(error.message)
    settings = load_settings(data=data)
    person = NewPerson(name, email, "owner" if owner else "reader", _hashed() if password else None)

    async def work(pool: Database) -> PersonRow:
        accounts = Accounts(pool)
        if project == DEFAULT_PROJECT:
            await accounts.ensure_project(DEFAULT_PROJECT, "Default project")
        await accounts.project(project)
        return await People(pool).add(person, () if owner else (Membership(project, role),))

    print(with_database(settings, work).id)


@app.command("list")
def list_users(data: DataOption = None) -> None:
    """List the people of the organization."""
    page = with_database(load_settings(data=data), lambda pool: People(pool).page(limit=_MOST_LISTED, after=None))
    table = Table(Column("id", no_wrap=True), "email", "name", "role", "password", "added", box=None)
    for row in page.rows:
        has_password = "yes" if row.has_password else "no"
        table.add_row(row.id, row.email, row.name, row.role, has_password, moment(row.created_at))
    output.print(table)


@app.command()
def delete(email: EmailArgument, data: DataOption = None) -> None:
    """Delete a person, who is signed out at once."""

    async def work(pool: Database) -> None:
        people = People(pool)
        await people.delete((await _person(people, email)).id)

    with_database(load_settings(data=data), work)
    console.print(f"{email} is deleted.")


@app.command()
def password(email: EmailArgument, data: DataOption = None) -> None:
    """Set a person's password. It is asked for, or read from standard input; the person is signed out everywhere."""
    settings = load_settings(data=data)
    hashed = _hashed()

    async def work(pool: Database) -> None:
        people = People(pool)
        await people.set_password((await _person(people, email)).id, hashed)

    with_database(settings, work)
    console.print(f"{email} has a new password.")


async def _person(people: People, email: str) -> PersonRow:
    person = await people.by_email(email)
    if person is None:
        raise NotFound(f"there is nobody with the email address {email}. `retinue users list` shows everybody.")
    return person


def _hashed() -> str:
    """What is kept of the password that is typed, or that comes on standard input."""
    if sys.stdin.isatty():
        typed = typer.prompt(
            f"Password ({SHORTEST} to {LONGEST} characters)", hide_input=True, confirmation_prompt=True, err=True
        )
    else:
        typed = sys.stdin.readline(4 * LONGEST).rstrip("\r\n")
    try:
        return hash_password(typed)
    except InvalidRequest as error:
        fail(error.message)

"""`dashboard staff`: the people who sign in."""

from pathlib import Path

import click

from dashboard.cli.opening import SECRET_FILE, opened_services, read_secret
from dashboard.errors import NotFoundError
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.staff import accounts

_ROLES = click.Choice([role.value for role in Role])


@click.group("staff")
def group() -> None:
    """Manage the people who can sign in."""


@group.command()
@click.option("--email", required=True)
@click.option("--role", required=True, type=_ROLES)
@click.option("--password-file", required=True, type=SECRET_FILE)
def add(email: str, role: str, password_file: Path) -> None:
    """Add a person. The password comes from a file (`-`: standard input)."""
    password = read_secret(password_file)
    with opened_services() as runtime:
        person = accounts.add(
            runtime.database,
            email=email,
            role=Role(role),
            password=password,
            actor=audit.COMMAND_LINE,
            now=runtime.clock.now(),
        )
    click.echo(f"{person.email} can now sign in as {person.role}.")


@group.command("list")
def list_() -> None:
    """List everyone with role and state."""
    with opened_services() as runtime, runtime.database.reading() as session:
        for person in accounts.list_all(session):
            state = "deactivated" if person.disabled_at else "active"
            click.echo(f"{person.email}\t{person.role}\t{state}")


@group.command("reset-password")
@click.option("--email", required=True)
@click.option("--password-file", required=True, type=SECRET_FILE)
def reset_password(email: str, password_file: Path) -> None:
    """Set a new password and end the person's sessions."""
    password = read_secret(password_file)
    with opened_services() as runtime:
        with runtime.database.reading() as session:
            person = accounts.find_by_email(session, email)
        if person is None:
            raise NotFoundError("person")
        accounts.set_password(
            runtime.database,
            person.id,
            password,
            actor=audit.COMMAND_LINE,
            now=runtime.clock.now(),
        )
    click.echo(f"Changed the password of {person.email}.")

"""`dashboard staff`: the people who sign in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlmodel import Session

from dashboard.cli.opening import SECRET_FILE, opened_services, read_secret
from dashboard.clock import Clock
from dashboard.errors import NotFoundError, SettingsError
from dashboard.models.staff import Role, Staff
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import (
    accounts,
    links,
    second_factors,
    sessions,
    single_sign_on,
)

_ROLES = click.Choice([role.value for role in Role])


@click.group("staff")
def group() -> None:
    """Manage the people who can sign in."""


_EMAIL = click.option("--email", required=True)
_PASSWORD = click.option("--password-file", type=SECRET_FILE)


@group.command()
@_EMAIL
@click.option("--role", required=True, type=_ROLES)
@_PASSWORD
def add(email: str, role: str, password_file: Path | None) -> None:
    """Add a person, and print a link with which they choose a password.

    For automation the password comes from a file instead (`-`: standard input).
    """
    password = None if password_file is None else read_secret(password_file)
    with opened_services() as runtime:
        person = accounts.add(
            runtime.database,
            email=email,
            role=Role(role),
            password=password,
            actor=audit.command_line(),
            now=runtime.clock.now(),
        )
        if password is None:
            _print_link(runtime, person)
            return
    click.echo(f"{person.email} can now sign in as {person.role}.")


@group.command("set-role")
@click.option("--email", required=True)
@click.option("--role", required=True, type=_ROLES)
def set_role(email: str, role: str) -> None:
    """Give a person another role, auditor included; ends the person's sessions."""
    with _changed(email, "staff.role_changed", f" to {role}") as (session, person):
        accounts.set_role(session, person, Role(role), actor=audit.COMMAND_LINE)
    click.echo(f"{person.email} can now sign in as {role}.")


@group.command()
@click.option("--email", required=True)
def disable(email: str) -> None:
    """Deactivate an account, an auditor's included; ends the person's sessions."""
    now = Clock().now()
    with _changed(email, "staff.disabled") as (session, person):
        accounts.disable(session, person, actor=audit.COMMAND_LINE, now=now)
    click.echo(f"{person.email} can't sign in any more.")


@group.command()
@click.option("--email", required=True)
def enable(email: str) -> None:
    """Reactivate an account."""
    with _changed(email, "staff.enabled") as (session, person):
        accounts.enable(session, person, actor=audit.COMMAND_LINE)
    click.echo(f"{person.email} can sign in again.")


@contextmanager
def _changed(email: str, act: str, words: str = "") -> Iterator[tuple[Session, Staff]]:
    """Give the person, to be changed and audited in one transaction.

    Raises:
        NotFoundError: There is nobody with this email.
    """
    with opened_services() as runtime, runtime.database.writing() as session:
        person = accounts.find_by_email(session, email)
        if person is None:
            raise NotFoundError("person")
        yield session, person
        subject = person.email + words
        now = runtime.clock.now()
        audit.record(session, audit.COMMAND_LINE, act, subject=subject, now=now)


@group.command("list")
def list_() -> None:
    """List everyone with role and state."""
    with opened_services() as runtime, runtime.database.reading() as session:
        for person in accounts.list_all(session):
            state = "deactivated" if person.disabled_at else "active"
            click.echo(f"{person.email}\t{person.role}\t{state}")


@group.command("reset-password")
@_EMAIL
@_PASSWORD
def reset_password(email: str, password_file: Path | None) -> None:
    """Print a link with which the person chooses a new password.

    For automation the password comes from a file instead (`-`: standard input), which
    ends the person's sessions.
    """
    password = None if password_file is None else read_secret(password_file)
    with opened_services() as runtime:
        person = _find(runtime, email)
        if password is None:
            _print_link(runtime, person)
            return
        accounts.set_password(
            runtime.database,
            person.id,
            password,
            actor=audit.command_line(),
            now=runtime.clock.now(),
        )
    click.echo(f"Changed the password of {person.email}.")


@group.command()
@_EMAIL
@click.option("--subject", required=True, help="The provider's `sub` of the person.")
def link(email: str, subject: str) -> None:
    """Link an account to a person at the identity provider."""
    with opened_services() as runtime:
        single, person = runtime.single_sign_on, _find(runtime, email)
        if single is None:
            raise SettingsError("Single sign-on is not set up: set DASHBOARD_OIDC_….")
        now = runtime.clock.now()
        with runtime.database.writing() as session:
            single_sign_on.link(
                session,
                person,
                issuer=single.provider.issuer,
                subject=subject,
                now=now,
            )
            said = f"{person.email} to {subject}"
            audit.record(
                session, audit.COMMAND_LINE, "staff.linked", subject=said, now=now
            )
    click.echo(f"{person.email} can now sign in with the identity provider.")


@group.command("remove-second-factor")
@_EMAIL
def remove_second_factor(email: str) -> None:
    """Remove the second factors of a person who lost them; ends their sessions."""
    with opened_services() as runtime:
        person = _find(runtime, email)
        with runtime.database.writing() as session:
            second_factors.remove_all(session, person.id)
            sessions.end_all(session, person.id)
            audit.record(
                session,
                audit.command_line(),
                "staff.second_factor_removed",
                subject=person.email,
                now=runtime.clock.now(),
            )
    click.echo(f"Removed the second factors of {person.email}.")


@group.command()
@click.option("--email", default="")
@click.option("--address", default="")
def unlock(email: str, address: str) -> None:
    """End the wait after wrong passwords, for an account or an address."""
    if not email and not address:
        raise click.UsageError("Name an account (--email) or an address (--address).")
    with opened_services() as runtime:
        accounts.unlock(
            runtime.database,
            email=email,
            address=address,
            actor=audit.command_line(),
            now=runtime.clock.now(),
        )
    click.echo("The next sign-in can come at once.")


def _find(runtime: Runtime, email: str) -> Staff:
    with runtime.database.reading() as session:
        person = accounts.find_by_email(session, email)
    if person is None:
        raise NotFoundError("person")
    return person


def _print_link(runtime: Runtime, person: Staff) -> None:
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        secret = links.make(session, person, actor=audit.command_line(), now=now)
    click.echo(
        f"{person.email} chooses a password at this link, once, within 24 hours:"
    )
    click.echo(f"{runtime.public_url}/password/{secret.get_secret_value()}")

"""`dashboard audit`: whether the audit log is whole."""

import re

import click

from dashboard.cli.opening import opened_services
from dashboard.errors import AuditBrokenError
from dashboard.services.audit import verifying
from dashboard.services.audit.verifying import Anchor, Report

_ANCHOR = re.compile(r"([1-9][0-9]{0,17}):([0-9a-f]{64})")


@click.group("audit")
def group() -> None:
    """Verify the audit log."""


@group.command()
@click.option(
    "--anchor",
    metavar="NUMBER:HASH",
    help="An entry noted outside the database: of the log's audit.sealed, or the "
    "stream.",
)
def verify(anchor: str | None) -> None:
    """Check that no entry was changed, deleted, moved or inserted."""
    found = _read(anchor) if anchor else None
    with opened_services() as runtime:
        report = verifying.verify(runtime.database, runtime.vault, anchor=found)
    if report.problem:
        raise AuditBrokenError(
            f"The audit log is not whole. {report.problem} Nothing was changed. "
            "Compare it with a backup and with the stream."
        )
    click.echo("\n".join(_lines(report)))


def _lines(report: Report) -> list[str]:
    lines = [f"The audit log is whole: {report.entries} entries."]
    if report.pruned:
        lines.append(f"{report.pruned} older entries were deleted by the retention.")
    if report.redacted:
        lines.append(f"{report.redacted} entries redacted by data deletions.")
    if report.sealed_at is None:
        lines.append("No entry is sealed yet: the background worker seals them.")
    else:
        lines.append(
            f"Sealed up to entry {report.sealed_to} at "
            f"{report.sealed_at:%Y-%m-%d %H:%M:%S} UTC; "
            f"{report.newest - report.sealed_to} entries since."
        )
    if report.newest:
        lines.append(f"Newest entry: {report.newest}:{report.newest_hash}")
    return lines


def _read(text: str) -> Anchor:
    found = _ANCHOR.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter("it must be a number, a colon and 64 hex digits")
    return Anchor(seq=int(found[1]), hash=found[2])

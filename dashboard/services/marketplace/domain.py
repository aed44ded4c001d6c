"""Domain verification: the file and the tag that Zoom looks for on our host.

Zoom verifies each domain once before an app is published, by an HTML file in the root
of the host or a `<meta>` tag on its home page (docs/contracts/zoom.md 7.1, checked
2026-11-30). The dashboard's host is the redirect and webhook domain, so it serves them.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from http import HTTPStatus

from sqlmodel import Session

from dashboard.clients import public_url
from dashboard.clients.public_url import PublicUrlAnswer
from dashboard.errors import InvalidInputError
from dashboard.models.domain import DomainProof
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.runtime import Runtime

TAG_NAME = "zoom-domain-verification"
"""`name` of the tag, as seen on pages of verified domains."""

# Names as Zoom makes them: "ZOOM_verify_" and 32 hexadecimal digits.
_NAME = re.compile(r"zoom_?verify[A-Za-z0-9_-]{0,64}\.html?", re.ASCII | re.IGNORECASE)
_CODE = re.compile(r"ZOOM_verify_[A-Za-z0-9_-]{8,64}", re.ASCII)
_LONGEST_CONTENT = 2000
_SCRIPT = re.compile(
    r"<\s{0,20}/?\s{0,20}script|javascript:|\bon[a-z]{2,20}\s{0,20}=", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Entered:
    """What an admin pasted; either part may be empty."""

    file_name: str = ""
    file_content: str = ""
    tag: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What our own request from outside found.

    Attributes:
        file: A sentence for what is wrong with the file; "" when it was found; None
            when none is set.
        tag: The same for the tag.
    """

    file: str | None
    tag: str | None


def find(session: Session) -> DomainProof | None:
    """Return what is served, or None."""
    return session.get(DomainProof, 1)


def tidy(entered: Entered) -> Entered:
    """Return what is stored of what was pasted: a tag's content out of the whole tag.

    Pure.

    Raises:
        InvalidInputError: It is not what Zoom hands out; `field` names which.
    """
    name, content = entered.file_name.strip(), entered.file_content.strip()
    if name and not _NAME.fullmatch(name):
        raise InvalidInputError(
            "This is not the name of Zoom's file: it looks like "
            "ZOOM_verify_….html, without a path. Nothing was saved.",
            field="file_name",
        )
    if bool(name) is not bool(content):
        raise InvalidInputError(
            "Enter both the name and the content of Zoom's file, or neither.",
            field="file_content" if name else "file_name",
        )
    if len(content) > _LONGEST_CONTENT:
        raise InvalidInputError(
            f"Zoom's file is shorter than {_LONGEST_CONTENT:,} characters. Open the "
            "file you downloaded and copy its content. Nothing was saved.",
            field="file_content",
        )
    if _SCRIPT.search(content):
        raise InvalidInputError(
            "Zoom's file contains no script, and this text does. Nothing was saved.",
            field="file_content",
        )
    tag = entered.tag.strip()
    if tag:
        found = _CODE.search(tag)
        if found is None:
            raise InvalidInputError(
                "This is not Zoom's tag: its content begins with ZOOM_verify_. Nothing "
                "was saved.",
                field="tag",
            )
        tag = found[0]
    return Entered(file_name=name, file_content=content, tag=tag)


def save(runtime: Runtime, entered: Entered, *, actor: Actor) -> Seen | None:
    """Store what is served from now on, and look for it from outside; commits.

    Empty parts are no longer served; with both empty nothing is left.

    Raises:
        InvalidInputError: It is not what Zoom hands out.
    """
    tidied, now = tidy(entered), runtime.clock.now()
    with runtime.database.writing() as session:
        row = find(session)
        if not (tidied.file_name or tidied.tag):
            if row is not None:
                session.delete(row)
                audit.record(
                    session, actor, "domain.removed", subject=row.file_name, now=now
                )
            return None
        row = row or DomainProof(set_at=now, set_by=actor.name)
        if (row.file_name, row.file_content) != (
            tidied.file_name,
            tidied.file_content,
        ):
            row.file_seen_at = None
        if row.tag != tidied.tag:
            row.tag_seen_at = None
        row.file_name, row.file_content = tidied.file_name, tidied.file_content
        row.tag, row.set_at, row.set_by = tidied.tag, now, actor.name
        session.add(row)
        audit.record(
            session, actor, "domain.set", subject=row.file_name or "tag", now=now
        )
    return check(runtime)


def check(runtime: Runtime) -> Seen | None:
    """Ask our own public address as a stranger, and store what was found; commits.

    None when nothing is set.
    """
    with runtime.database.reading() as session:
        row = find(session)
    if row is None:
        return None
    file = tag = None
    if row.file_name:
        answer = public_url.fetch(f"{runtime.hosted_url}/{row.file_name}")
        is_same = answer.body.decode(errors="replace").strip() == row.file_content
        file = _wrong(answer, "the file", is_right=is_same)
    if row.tag:
        answer = public_url.fetch(f"{runtime.hosted_url}/")
        tag = _wrong(answer, "the tag", is_right=row.tag in _tags(answer.body))
    seen = Seen(file=file, tag=tag)
    with runtime.database.writing() as session:
        _store(session, row, seen, at=runtime.clock.now())
    return seen


def _store(session: Session, asked: DomainProof, seen: Seen, *, at: datetime) -> None:
    row = find(session)
    if row is None or row.set_at != asked.set_at:  # changed meanwhile
        return
    row.file_seen_at = at if seen.file == "" else None
    row.tag_seen_at = at if seen.tag == "" else None
    session.add(row)


def _wrong(answer: PublicUrlAnswer, what: str, *, is_right: bool) -> str:
    if answer.no_answer is not None:
        return (
            f"Our public address did not answer, so {what} was not seen. Zoom can't "
            "see it either; the self-test of a zoom app's webhook URL says why."
        )
    if answer.status != HTTPStatus.OK:
        return (
            f"Our public address answered with HTTP status {answer.status} instead of "
            f"{what}. Something in front of the dashboard answers there."
        )
    if is_right:
        return ""
    return (
        f"Our public address answered, without {what}. Another page is in front of the "
        "dashboard there."
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "meta" and given.get("name") == TAG_NAME:
            self.found.add(given.get("content") or "")


def _tags(body: bytes) -> set[str]:
    parser = _Tags()
    parser.feed(body.decode(errors="replace"))
    return parser.found

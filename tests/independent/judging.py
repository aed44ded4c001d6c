"""Compares what pages say with what is so: each wrong sentence, with its kind."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bs4 import Tag

from tests.independent import oracle as oracles
from tests.independent import reading
from tests.independent.browser import Browser, Page, words
from tests.independent.oracle import Oracle, Person, Truth
from tests.independent.reading import Said
from tests.independent.stage import Stage

_BLAMED_AFTER = timedelta(minutes=40)
_OF_THE_STATE = frozenset(
    (
        *("dead", "dead-then", "missing-scopes", "unhealthy", "host-setting"),
        *("state-unknown", "expiring", "healthy", "healthy-then"),
        *("key-refused", "app-disabled", "pair-refused"),
    )
)
"""Verdicts that say how the user's connection is; others speak of other things."""

_WHO = {"user": "the user", "admin": "an admin", "host": "the host"}
_MAPPINGS = "/api/v2/zoom-meetings-to-credentials/"
_AHEAD = "ahead of this server's clock"
_HINT = ("possibl", "may have", "perhaps", "either", "usual", ", or ")


class Kind(StrEnum):
    """What is wrong with a sentence."""

    AFTER = "green, as of an instant after it broke"
    LATE = "green for longer than its proof is good for"
    FUTURE = "green, as of an instant that is still to come"
    UNSEEN = "an observation that nobody made"
    REFUSED = "green beside a stream of refusals"
    DELIVERED = "delivered, and never taken"
    DELETED = "data that is said to be deleted, and is not"
    STATE = "two places disagree about the state"
    WHO = "two places disagree about who must act"
    SINCE = "a state that began at another time"
    BLAME = "the user must act, and nothing is wrong with the user"
    ADMIN = "an admin must act, and nothing is wrong with the app"
    CAUSE = "a cause that is not so"
    WORKER = "no worker runs, and nothing says so"
    CLOCK = "the host's clock was set, and nothing says so"
    BROKEN = "no page"


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One wrong sentence."""

    kind: Kind
    place: str
    said: str
    truth: str
    step: int = 0
    day: float = 0.0

    @property
    def signature(self) -> tuple[str, str, str]:
        """What makes two of them one: kind, place without names, first word."""
        place = re.sub(r"\S*\d\S*", "…", self.place)
        return self.kind.value, place, re.split(r"[ ,:]", self.said, maxsplit=1)[0]

    def __str__(self) -> str:
        return (
            f"step {self.step}, day {self.day:.2f}: {self.kind} · {self.place} · "
            f"said: {self.said} · truth: {self.truth}"
        )


@dataclass(kw_only=True)
class Judge:
    """Reads every page as an admin, and compares.

    Attributes:
        wrong_clock: Spans of the dashboard's own time in which its clock was wrong.
        refused: When Zoom's requests were refused since one was taken.
        reads: How many pages were read.
        is_direct: Whether Zoom sends to Recall, and not here.
    """

    stage: Stage
    oracle: Oracle
    browser: Browser
    app_id: str
    explain: Page
    wrong_clock: list[tuple[datetime, datetime]] = field(default_factory=list)
    refused: list[datetime] = field(default_factory=list)
    worker_gone_at: datetime | None = None
    clock_set_at: datetime | None = None
    _taken: set[int] = field(default_factory=set)
    is_direct: bool = False
    _parsed: int = 0
    _shown: dict[str, Said] = field(default_factory=dict)

    @property
    def reads(self) -> int:
        return self.browser.pages

    @property
    def is_clock_right(self) -> bool:
        return self.stage.clock.now() == self.stage.true.now()

    def read(self, people: list[Person], meetings: list[int]) -> Iterator[Wrong]:
        """Read every page, of these people and meetings; yield what is wrong."""
        now = self.stage.true.now()
        self.stage.finish_checks()
        top = reading.overview(self.browser, self.app_id)
        clocks, app_page = reading.clocks(self.browser, self.app_id)
        yield from self._about_app(clocks, app_page)
        yield from self._about_overview(top, clocks)
        yield from self._about_commands(clocks)
        rows = reading.connections(self.browser)
        yield from _about_counts(top, rows)
        exported = reading.exported(self.browser)
        for path, row in exported.items():
            yield from _about_export(path, row, rows.get(path))
        self._shown.clear()
        for person in people:
            yield from self._about_person(person, rows, exported.get(person.path, {}))
        for person in people:  # which may start checks
            yield from self._explained(person, is_listed=person.path in rows)
        for number in meetings:
            yield from self._about_meeting(number)
        yield from self._about_deliveries()
        yield from self._about_deletions(people, set(rows))
        yield from self._about_invitations()
        yield from self._about_clock(top)
        gone = self.worker_gone_at
        is_gone = gone is not None and now - gone > timedelta(minutes=2)
        if is_gone and not any("worker" in each.lower() for each in top.items):
            said = f"{len(top.items)} items"
            yield _wrong(Kind.WORKER, "overview", said, f"none since {gone}")

    def _about_clock(self, top: reading.Overview) -> Iterator[Wrong]:
        """A jump of the last day is told, if a worker was there to notice it."""
        at, now = self.clock_set_at, self.stage.true.now()
        if at is None or now - at > oracles.JUMP_FOR or self.worker_gone_at is not None:
            return
        if not any("clock" in each.lower() for each in top.items):
            yield _wrong(Kind.CLOCK, "overview", f"{len(top.items)} items", f"set {at}")

    def _about_app(self, clocks: dict[str, Said], page: Page) -> Iterator[Wrong]:
        now = self.stage.true.now()
        ours, recalls = clocks["ours"], clocks["recalls"]
        if self.is_direct:
            yield from self.green(
                recalls, self.oracle.zoom_reaches_recall, oracles.ROUND
            )
        else:
            yield from self.green(ours, self.oracle.zoom_signs_ours, oracles.ROUND)
            way = self.oracle.recall_has_ours
            yield from self.green(recalls, way, oracles.PAIR_FOR)
        refused = self.refused
        is_stream = (
            len(refused) >= oracles.REFUSED_LEAST
            and now - refused[0] > oracles.REFUSED_FOR
        )
        if ours.is_green and is_stream:
            truth = f"{len(refused)} refused since {refused[0]}"
            yield _wrong(Kind.REFUSED, ours.page, _short(ours), truth)
        for key, about, limit in (
            ("pair", self.oracle.pair_here, oracles.PAIR_FOR),
            ("challenge", self.oracle.zoom_signs_ours, oracles.ROUND),
            ("recall_validated", self.oracle.recall_has_ours, oracles.PAIR_FOR),
        ):
            tag = page.soup.select_one(f"#step-{key}")
            if tag is not None and "tone-good" in (tag.get("class") or []):
                # Its time is of the first sighting: how long it counts is judged here.
                said = Said(page=f"step {key}", tone="good", word="", text=words(tag))
                yield from self._late(said, about, limit)

    def _about_overview(
        self, top: reading.Overview, clocks: dict[str, Said]
    ) -> Iterator[Wrong]:
        used = ["recalls"] if self.is_direct else ["ours", "recalls"]
        if top.status.is_green and not all(clocks[name].is_green for name in used):
            said = "; ".join(_short(clocks[name]) for name in used)
            yield _wrong(Kind.STATE, "overview and zoom app", _short(top.status), said)

    def _about_commands(self, clocks: dict[str, Said]) -> Iterator[Wrong]:
        shown = reading.show_command(self.stage.runtime, self.app_id)
        for name, key in (
            ("ours", "zoom_to_dashboard"),
            ("recalls", "dashboard_to_recall"),
        ):
            told = shown["clocks"][key]
            if told["word"] != clocks[name].word:
                place = f"zoom-app show and page, {name}"
                yield _wrong(Kind.STATE, place, told["word"], _short(clocks[name]))

    def _about_person(
        self, person: Person, rows: dict[str, Said], row: Mapping[str, Any]
    ) -> Iterator[Wrong]:
        if not person.path:
            return
        listed = rows.get(person.path)
        shown, page = reading.connection(self.browser, person.path)
        if listed is None or page.status != 200:
            if (listed is None) != (page.status != 200):
                yield _wrong(
                    Kind.STATE, f"{person.email}", f"listed: {listed}", f"{page.status}"
                )
            return
        self._shown[person.path] = shown
        for said in (listed, shown):
            yield from self.green(said, person.works, oracles.GREEN_FOR)
            yield from self._observed(said)
            yield from self._blames(said, person)
        yield from self._mapped(page, person)
        yield from self._since(shown, person, row)
        same = (listed.tone, listed.word, listed.at), (shown.tone, shown.word, shown.at)
        if same[0] != same[1]:
            yield _wrong(
                Kind.STATE, f"list and page of {person.email}", *map(str, same)
            )
        if listed.who != shown.who:
            yield _wrong(
                Kind.WHO, f"list and page of {person.email}", listed.who, shown.who
            )

    def _explained(self, person: Person, *, is_listed: bool) -> Iterator[Wrong]:
        told = reading.explain(self.browser, self.explain, person.email)
        if told.is_green:
            yield from self._late(told, person.works, oracles.GREEN_FOR)
        if person.left == "staff" and not is_listed:
            text = told.text.lower()
            is_claimed = "removed the app" in text
            if is_claimed and not any(each in text for each in _HINT):
                yield _wrong(Kind.CAUSE, told.page, told.text[:200], "staff did it")
        shown = self._shown.get(person.path)
        if shown is None or not is_listed or self.worker_gone_at is not None:
            return
        found = list(_about_answer(person, told, shown))
        if found:  # the answer was of the time before the check that it started
            self.stage.finish_checks()
            told = reading.explain(self.browser, self.explain, person.email)
            shown, _ = reading.connection(self.browser, person.path)
            found = list(_about_answer(person, told, shown))
        yield from found

    def _since(
        self, shown: Said, person: Person, row: Mapping[str, Any]
    ) -> Iterator[Wrong]:
        place = f"since, export and page of {person.email}"
        told = datetime.fromisoformat(row["since"]) if row.get("since") else None
        if shown.since is not None and told != shown.since:
            yield _wrong(Kind.SINCE, place, f"{shown.since}", f"{told}")
        if told is None or not self._is_known(told) or person.is_lost:
            return
        if told > self.stage.clock.now() + oracles.SKEW:
            yield _wrong(Kind.SINCE, place, f"{told}", f"now {self.stage.clock.now()}")
        broke_at = person.works.false_since
        is_early = broke_at is not None and told < broke_at
        if is_early and row["shown_as"] == "reconnect_needed":
            yield _wrong(Kind.SINCE, place, f"{told}", _since(person.works))

    def _mapped(self, page: Page, person: Person) -> Iterator[Wrong]:
        card = next(
            (
                each
                for each in page.soup.select("section.card")
                if words(each).startswith("Mapped meetings")
            ),
            None,
        )
        text = words(card)
        if _AHEAD in text:
            return  # nothing is claimed as of an instant that a wrong clock dated
        for number, host in self.oracle.meetings.items():
            if host is person and _grouped(number) in text:
                said = Said(
                    page=f"mapped meetings of {person.email}",
                    tone="good",
                    word=_grouped(number),
                    at=_read_at(card, _grouped(number)),
                )
                is_read = person.works.is_so and self.stage.has_worker
                limit = (
                    oracles.MAPPED_FOR if is_read or said.at is None else oracles.EVER
                )
                yield from self.green(said, self.oracle.mapped[number], limit)

    def _about_meeting(self, number: int) -> Iterator[Wrong]:
        told = reading.explain(self.browser, self.explain, str(number))
        host = self.oracle.meetings[number]
        same = reading.explain_answer(self.stage.runtime, str(number))
        if same["verdict"] != told.word:  # told before the check that it started
            self.stage.finish_checks()
            told = reading.explain(self.browser, self.explain, str(number))
            same = reading.explain_answer(self.stage.runtime, str(number))
        if same["verdict"] != told.word:
            yield _wrong(
                Kind.STATE, "explain, command and page", same["verdict"], told.word
            )
        if told.is_green:
            yield from self._late(told, host.works, oracles.GREEN_FOR)
        read_at = self.stage.world.last_call(_MAPPINGS)
        made_at = self.oracle.made_at[number]
        is_unread = read_at is None or read_at < made_at
        if told.word == "not-mapped" and is_unread and self.is_clock_right:
            truth = f"made {made_at}, the list was last read {read_at}"
            yield _wrong(Kind.UNSEEN, told.page, told.text[:160], truth)
        if told.word == "ready":
            mapped = self.oracle.mapped[number]
            yield from self._late(told, mapped, oracles.LISTED_FOR)

    def _about_deliveries(self) -> Iterator[Wrong]:
        shown = reading.delivered(self.browser)
        taken = self.stage.world.taken()
        for each in taken[self._parsed :]:
            if each.status < 300 and b"meeting.created" in each.body:
                body = json.loads(each.body)
                self._taken.add(int(body["payload"]["object"]["id"]))
        self._parsed = len(taken)
        for number, times in Counter(shown).items():
            if number not in self._taken:
                said = f"meeting {number} delivered, {times} times"
                yield _wrong(Kind.DELIVERED, "webhook log", said, "never taken")

    def _about_deletions(self, people: list[Person], here: set[str]) -> Iterator[Wrong]:
        rows = reading.erasures(self.browser)
        reasons = Counter(_reason(why) for why, _ in rows)
        oracle = self.oracle
        for reason, most in (
            ("removed", oracle.removals),
            ("staff", oracle.disconnects),
            ("", 0),
        ):
            if reasons[reason] > most:
                said = f"{reasons[reason]} of {sorted({why for why, _ in rows})}"
                yield _wrong(Kind.CAUSE, "data deletions", said, f"at most {most}")
        left = [
            each.email
            for each in people
            if each.left
            and each.path not in here
            and self.stage.world.credential_of(oracle.client_id, each.user_id)
        ]
        open_rows = sum(not is_done for _, is_done in rows)
        if len(left) > open_rows and self.stage.has_worker:
            truth = f"Recall has a credential of {left}"
            yield _wrong(Kind.DELETED, "data deletions", f"{open_rows} open", truth)

    def _about_invitations(self) -> Iterator[Wrong]:
        if not self.oracle.invited:
            return
        for email, said in reading.invitations(self.browser).items():
            person = self.oracle.invited.get(email)
            if person is not None and said.is_green and not person.connected:
                yield _wrong(Kind.UNSEEN, "invitations", _short(said), "never came")

    def green(self, said: Said, truth: Truth, limit: timedelta) -> Iterator[Wrong]:
        """Judge a green mark: by when it was seen, and by how long that may count."""
        if not said.is_green:
            return
        at = said.at
        if at is not None and at > self.stage.clock.now() + oracles.SKEW:
            yield _wrong(
                Kind.FUTURE, said.page, _short(said), f"now {self.stage.clock.now()}"
            )
        elif at is not None and self._is_known(at) and not truth.was_so(at):
            yield _wrong(Kind.AFTER, said.page, _short(said), _since(truth))
        yield from self._late(said, truth, limit)

    def _late(self, said: Said, truth: Truth, limit: timedelta) -> Iterator[Wrong]:
        since = truth.false_since
        if since is not None and self.stage.true.now() - since > limit:
            yield _wrong(Kind.LATE, said.page, _short(said), _since(truth))

    def _observed(self, said: Said) -> Iterator[Wrong]:
        if not said.is_green or said.at is None or not self._is_known(said.at):
            return
        if not self.stage.world.was_called("/v2/users/me", said.at):
            yield _wrong(Kind.UNSEEN, said.page, _short(said), "no such call")

    def _blames(self, said: Said, person: Person) -> Iterator[Wrong]:
        found = {
            "the user": (Kind.BLAME, person.works),
            "an admin": (Kind.ADMIN, self.oracle.app_is_right),
        }.get(said.who)
        if found is None or not self.stage.has_worker or person.is_lost:
            return
        kind, truth = found
        since = truth.changes[-1][0] if truth.is_so else None
        if since is not None and self.stage.true.now() - since > _BLAMED_AFTER:
            yield _wrong(kind, said.page, _short(said), f"all well since {since}")

    def _is_known(self, at: datetime) -> bool:
        """Whether an instant of the dashboard's is one of the world's too."""
        return self.is_clock_right and not any(
            begin <= at <= end for begin, end in self.wrong_clock
        )


def _read_at(card: Tag | None, number: str) -> datetime | None:
    """Return as of when a meeting is said to be mapped.

    Recall's list was read last then, or Recall itself gives a later time.
    """
    found = []
    for each in () if card is None else card.select("p, tr"):
        time, text = each.select_one("time[datetime]"), words(each)
        is_it = text.startswith((number, "Recall's list was last read"))
        if time is not None and is_it:
            found.append(datetime.fromisoformat(str(time["datetime"])))
    return max(found, default=None)


def _reason(why: str) -> str:
    if "removed" in why.lower():
        return "removed"
    return "staff" if why.lower().startswith("disconnected by") else ""


def _about_export(
    path: str, row: Mapping[str, Any], listed: Said | None
) -> Iterator[Wrong]:
    if listed is None:
        yield _wrong(Kind.STATE, "export and list", path, "not listed")
        return
    is_healthy = row["shown_as"] == "healthy"
    if is_healthy != listed.is_green:
        yield _wrong(Kind.STATE, "export and list", row["shown_as"], _short(listed))
    who = _WHO.get(row["who_must_act"], "")
    if who != listed.who:
        yield _wrong(Kind.WHO, "export and list", who, _short(listed))


def _about_answer(person: Person, told: Said, shown: Said) -> Iterator[Wrong]:
    if told.word not in _OF_THE_STATE:
        return
    if told.who != shown.who and told.who + shown.who:
        yield _wrong(
            Kind.WHO,
            f"explain and page of {person.email}",
            f"{told.who}, {told.word}: {told.text[:160]}",
            f"{shown.who!r}: {_short(shown)}",
        )
    if told.is_green != shown.is_green:
        yield _wrong(
            Kind.STATE,
            f"explain and page of {person.email}",
            f"{told.word}, {told.tone}: {told.text[:160]}",
            _short(shown),
        )


def _about_counts(top: reading.Overview, rows: dict[str, Said]) -> Iterator[Wrong]:
    healthy = sum(each.is_green for each in rows.values())
    counted = top.counts.get("healthy", 0)
    if counted != healthy:
        yield _wrong(
            Kind.STATE,
            "overview's counts and the list",
            f"{counted} healthy: {top.counts}",
            f"{healthy} green: {sorted(each.word for each in rows.values())}",
        )


def _wrong(kind: Kind, place: str, said: str, truth: str) -> Wrong:
    return Wrong(kind=kind, place=place, said=said, truth=truth)


def _short(said: Said) -> str:
    at = "" if said.at is None else f" as of {said.at:%m-%d %H:%M}"
    who = f" ({said.who})" if said.who else ""
    return f"{said.word or said.tone}{at}{who}: {said.text[:140]}"


def _since(truth: Truth) -> str:
    return f"not so since {truth.false_since}; changes {truth.changes[-3:]}"


def _grouped(number: int) -> str:
    text = str(number)
    return f"{text[:3]} {text[3:7]} {text[7:]}"

"""`python -m tests.independent.model`: months of a dashboard's life, judged each step.

A seed draws the acts: of users, of admins, of Zoom and Recall, of the host and its
clock. After each act, and after the time that follows, every page is read and compared
with an oracle that knows what is really so.
"""

import gc
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import click
import structlog
from sqlmodel import select

from dashboard import schema
from dashboard.db import Database
from dashboard.models.connection import Connection
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.repair import repair
from tests.fixtures.databases import QuickServer
from tests.independent import copies
from tests.independent.freedoms import Freedoms
from tests.independent.judging import Judge, Kind, Wrong
from tests.independent.oracle import Oracle, Person, Truth
from tests.independent.pair import IndependentWorld
from tests.independent.people import Admin, connect
from tests.independent.simulated import SimulatedWorld
from tests.independent.stage import MakeWorld, Stage, a_stage
from tests.independent.world import Outage

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_PASSES = (
    (2 * _MINUTE, 2 * _MINUTE),
    (20 * _MINUTE, 10 * _MINUTE),
    (2 * _HOUR, 30 * _MINUTE),
    (7 * _HOUR, 2 * _HOUR),
    (_DAY, 6 * _HOUR),
    (2 * _DAY, 12 * _HOUR),
    (4 * _DAY, _DAY),
    (8 * _DAY, 2 * _DAY),
    (16 * _DAY, 5 * _DAY),
    (32 * _DAY, 8 * _DAY),
    (64 * _DAY, 13 * _DAY),
    (128 * _DAY, 25 * _DAY),
)
_WEIGHTS = (2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4)
_LONG = 8 * _DAY
"""From here on the steps are coarse: the last hours are lived in small ones."""

_LAST, _SMALL = 3 * _HOUR, _HOUR
_ACTS = (1, 1, 2, 3)
"""How many acts follow one another before time passes."""

_COMES = 0.7
"""How often somebody who is invited comes."""

VARIANTS = ("relay", "direct", "stored", "account")
"""Of the Zoom app: how webhooks go, who stores the tokens, or whose they are."""

_KIND = {"account": "account_level"}
_MOST_MEMBERS = 6

_MOST_PEOPLE = 5
_READ_AT_ONCE = 0.5
"""How often pages are read right after an act; after the time that follows, always."""

_SOME = 2
"""People and meetings that are read about right after an act."""

_GONE = 2
"""Of those who left, so many are read about after the time that follows; all others."""

_NAMES = ("Ana", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gita", "Hugo", "Ines", "Jon")


@dataclass(kw_only=True)
class Report:
    """What a run came to."""

    days: float = 0.0
    acts: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    wrong: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    first: list[Wrong] = field(default_factory=list)

    def text(self) -> str:
        lines = [
            f"{self.days:.0f} days, {self.acts.total()} acts, {self.reads} reads",
            f"{self.wrong.total()} wrong sentences of {len(self.wrong)} sorts",
            "acts: " + ", ".join(f"{k} {n}" for k, n in sorted(self.acts.items())),
            *(f"{n} times: {' · '.join(sort)}" for sort, n in self.wrong.most_common()),
        ]
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Backup:
    """A copy of the database, and what had been entered by then."""

    rows: copies.Copy
    secret_here: str
    client_secret_here: str


class Model:
    """One dashboard's life, drawn by a seed."""

    def __init__(self, stage: Stage, *, seed: int, variant: str = "relay") -> None:
        assert variant in VARIANTS
        self.report = Report()
        self.stage = stage
        self._drawing = random.Random(f"model {seed}")
        self._broken: set[Outage] = set()
        self._names = 0
        self._set_at: tuple[datetime, datetime] | None = None
        self._variant = variant
        self._is_account = variant == "account"
        self._members: list[str] = []
        self._backup: Backup | None = None
        self._set_up()
        self._begun_at = stage.true.now()
        self._step = 0

    def _set_up(self) -> None:
        stage = self.stage
        self._admin = Admin(stage=stage, browser=stage.sign_in())
        pair = stage.world.make_app(
            f"{stage.url}/oauth/zoom/callback", is_account_level=self._is_account
        )
        self._app_id: UUID = self._admin.set_up(
            pair,
            custody="dashboard" if self._variant == "stored" else "recall",
            kind=_KIND.get(self._variant, "user_level"),
        )
        if self._variant == "direct":
            self._admin.send_directly(self._app_id)
        assert stage.world.press_validate(pair.client_id, self._webhook_url())
        self._connect_path = self._admin.connect_path(self._app_id)
        self.oracle = Oracle(
            world=stage.world,
            client_id=pair.client_id,
            secret_here=pair.secret_token,
            client_secret_here=pair.client_secret,
            client_secret=pair.client_secret,
        )
        self.judge = Judge(
            stage=stage,
            oracle=self.oracle,
            browser=self._admin.browser,
            app_id=str(self._app_id),
            explain=self._admin.browser.get("/explain/"),
            is_direct=self._variant == "direct",
        )
        stage.run_due()
        for _ in range(2):
            self.new_user()
        self.settle()

    def _webhook_url(self) -> str:
        if self._variant != "direct":
            return self._admin.webhook_url(self._app_id)
        with self.stage.runtime.database.reading() as session:
            there = session.get_one(ZoomApp, self._app_id).recall_app_id
        return f"{self.stage.world.recall_url}/api/v2/zoom-oauth-apps/{there}/webhook"

    def run(
        self, days: float, *, say: Callable[[str], None] = lambda _: None
    ) -> Report:
        """Live so many days; say each wrong sentence when it is found first."""
        while self.stage.true.now() - self._begun_at < timedelta(days=days):
            self.step(say)
        return self.report

    def step(self, say: Callable[[str], None]) -> None:
        """Do one act, and let some time pass; read everything after each."""
        self._step += 1
        for _ in range(self._drawing.choice(_ACTS)):
            name, act = self._choose()
            self.report.acts[name] += 1
            act()
            self.settle()
        people = self.oracle.people
        if self._drawing.random() < _READ_AT_ONCE:
            some = self._drawing.sample(people, min(_SOME, len(people)))
            self._read(name, some, say)
        [(amount, each)] = self._drawing.choices(_PASSES, _WEIGHTS)
        if not self.judge.is_clock_right:
            amount, each = min((amount, each), (2 * _HOUR, 30 * _MINUTE))
        self.pass_time(amount, step=each)
        here = self._connected()
        gone = [each for each in people if each not in here]
        here += self._drawing.sample(gone, min(_GONE, len(gone)))
        self._read(f"{amount} after {name}", here, say)
        self.report.days = (self.stage.true.now() - self._begun_at) / _DAY
        self.report.reads = self.judge.reads

    def pass_time(self, amount: timedelta, *, step: timedelta) -> None:
        """Let time pass in steps; do what is due after each."""
        until = self.stage.true.now() + amount
        coarse_until = until - _LAST if amount > _LONG else until
        while self.stage.true.now() < until:
            left = coarse_until - self.stage.true.now()
            small = min(_SMALL, until - self.stage.true.now())
            self.stage.jump(min(step, left) if left > timedelta(0) else small)
            self.settle()

    def settle(self) -> None:
        """Do what is due, and note what is so before and after."""
        self.oracle.note(self.stage.true.now())
        self.stage.run_due()
        self.oracle.note(self.stage.true.now())
        self._find_people()

    def read(self, after: str, say: Callable[[str], None]) -> None:
        """Read everything, and say what is wrong for the first time."""
        self._read(after, self.oracle.people, say)

    def _read(
        self, after: str, people: list[Person], say: Callable[[str], None]
    ) -> None:
        meetings = list(self.oracle.meetings)[-20:]
        asked = self._drawing.sample(meetings, min(_SOME, len(meetings)))
        try:
            found = list(self.judge.read(people, asked))
        except AssertionError as error:
            found = [
                Wrong(kind=Kind.BROKEN, place=after, said=str(error)[:300], truth="")
            ]
        day = (self.stage.true.now() - self._begun_at) / _DAY
        for each in found:
            wrong = Wrong(
                kind=each.kind,
                place=each.place,
                said=each.said,
                truth=each.truth,
                step=self._step,
                day=day,
            )
            if not self.report.wrong[wrong.signature]:
                self.report.first.append(wrong)
                say(f"after {after}: {wrong}")
            self.report.wrong[wrong.signature] += 1

    def _choose(self) -> tuple[str, Callable[[], None]]:
        acts = dict(self._acts())
        names = [name for name, (weight, _) in acts.items() for _ in range(weight)]
        name = self._drawing.choice(names)
        return name, acts[name][1]

    def _acts(self) -> Iterator[tuple[str, tuple[int, Callable[[], None]]]]:
        yield "time passes", (4, lambda: None)
        connected = self._connected()
        if len(connected) < (1 if self._is_account else _MOST_PEOPLE):
            yield "a user connects", (3, self.new_user)
            yield "a user is invited", (1, self.invite)
        if connected:
            yield "a meeting", (6, self.meet)
            yield "a user connects again", (2, self.connect_again)
            yield "a user removes the app", (1, self.remove_app)
            yield "an authorization ends", (2, self.end_grant)
            yield "a new PMI", (1, self.change_pmi)
            yield "check now", (2, self.check_now)
            yield "staff disconnect a user", (1, self.disconnect)
            yield "the credential is deleted in Recall", (1, self.delete_credential)
        if self.oracle.meetings:
            yield "Recall forgets a meeting", (1, self.unmap)
        yield "the secret token is regenerated at Zoom", (1, self.rotate_token)
        yield "the client secret is regenerated at Zoom", (1, self.rotate_secret)
        yield "another secret token in Recall", (1, self.change_in_recall)
        yield "an outage", (3, self._break)
        if self._broken:
            yield "an outage ends", (4, self._end_outage)
        yield "everything is put right", (4, self.put_right)
        yield "test now", (1, self.test_now)
        yield "the dashboard restarts", (1, self.stage.restart)
        yield "a backup", (1, self.back_up)
        if self._backup is not None:
            yield "a restore", (1, self.restore)
        if self.stage.has_worker:
            yield "the worker dies", (1, self.kill_worker)
        else:
            yield "the worker starts", (4, self.start_worker)
        if self._set_at is None:
            yield "the host's clock goes ahead", (1, self.go_ahead)
            yield "the host's clock falls behind", (1, self.fall_behind)
        else:
            yield "the host's clock is put right", (6, self.set_right)

    def _connected(self) -> list[Person]:
        return [each for each in self.oracle.people if each.is_here]

    def _any(self) -> Person:
        return self._drawing.choice(self._connected())

    # Users.

    def new_user(self) -> None:
        self._go_through(self._somebody_new())

    def _somebody_new(self) -> Person:
        """Make a user; of an account-level app the account's admin, and members."""
        if self._is_account and self.oracle.people:
            return self.oracle.people[0]
        user_id, email = self._add_user(is_admin=self._is_account)
        person = Person(user_id=user_id, email=email)
        self.oracle.people.append(person)
        return person

    def _add_user(self, *, is_admin: bool = False) -> tuple[str, str]:
        first = _NAMES[self._names % len(_NAMES)]
        email = f"{first.lower()}{self._names}@example.com"
        pmi = 5_550_000_000 + self._names
        last = f"N{self._names}"
        self._names += 1
        world = self.stage.world
        return world.add_user(email, first, last, pmi, is_admin=is_admin), email

    def invite(self) -> None:
        """Invite somebody, who comes at once or never."""
        person = self._somebody_new()
        path = self._admin.invite(self._app_id, person.email)
        self.oracle.invited[person.email] = person
        if self._drawing.random() < _COMES:
            self._go_through(person, path)

    def _go_through(self, person: Person, path: str | None = None) -> None:
        if self._broken & {Outage.ZOOM, Outage.RECALL}:
            return  # nobody gets far; what the visitor reads is tested elsewhere
        for _ in range(2):  # Recall may ask for a second approval
            path = path or self._connect_path
            page = connect(self.stage, path, person.user_id)
            if page.status != 409:
                break
        person.connected += self._is_in(person)
        person.left = ""
        person.is_lost = False
        person.is_here = True  # until the rows are read
        self.oracle.note(self.stage.true.now())
        self._find_people()

    def _is_in(self, person: Person) -> bool:
        """Whether the consent came to whoever keeps the tokens."""
        world, client_id = self.stage.world, self.oracle.client_id
        is_in = world.lives if self._variant == "stored" else world.works
        return is_in(client_id, person.user_id)

    def _find_people(self) -> None:
        """Look who has a connection, and where its page is."""
        query = select(Connection.zoom_user_id, Connection.id)
        with self.stage.runtime.database.reading() as session:
            found = dict(session.exec(query).all())
        if self._is_account and found:  # one connection, of the account
            found = dict.fromkeys(
                (each.user_id for each in self.oracle.people), *found.values()
            )
        for person in self.oracle.people:
            person.is_here = person.user_id in found
            if person.is_here:
                person.path = f"/connections/{found[person.user_id]}"

    def connect_again(self) -> None:
        self._go_through(self._any())

    def remove_app(self) -> None:
        person = self._any()
        if person.lives.is_so:
            self.stage.world.remove_app(self.oracle.client_id, person.user_id)
            self.oracle.removals += 1
            person.left = "removed"

    def end_grant(self) -> None:
        person = self._any()
        self.stage.world.end_grant(self.oracle.client_id, person.user_id)

    def meet(self) -> None:
        person = self._any()
        if not person.lives.is_so:
            return
        number = self.stage.world.create_meeting(self._host(person))
        self.oracle.meetings[number] = person
        self.oracle.made_at[number] = self.stage.true.now()
        self.oracle.mapped[number] = Truth()
        self._heard()

    def _host(self, person: Person) -> str:
        """Return who schedules: with an account-level app any of its users."""
        if not self._is_account:
            return person.user_id
        if len(self._members) < _MOST_MEMBERS:
            self._members.append(self._add_user()[0])
        return self._drawing.choice([person.user_id, *self._members])

    def _heard(self) -> None:
        """Zoom sends an event, which is refused or taken."""
        if self.oracle.zoom_signs_ours.is_so or self.judge.is_direct:
            self.judge.refused.clear()
        else:
            self.judge.refused.append(self.stage.true.now())

    def change_pmi(self) -> None:
        person = self._any()
        if person.lives.is_so:
            pmi = 5_560_000_000 + self._step
            self.stage.world.change_pmi(person.user_id, pmi)
            self._heard()

    # Admins.

    def check_now(self) -> None:
        person = self._any()
        self._admin.browser.post(f"{person.path}/check")

    def disconnect(self) -> None:
        person = self._any()
        page = self._admin.browser.get(person.path)
        if page.status == 200:
            self._admin.browser.submit(page, "/disconnect")
            self.oracle.disconnects += 1
            person.left = person.left or "staff"

    def rotate_token(self) -> None:
        self.stage.world.rotate_secret_token(self.oracle.client_id)

    def rotate_secret(self) -> None:
        new = self.stage.world.regenerate_client_secret(self.oracle.client_id)
        self.oracle.client_secret = new

    def test_now(self) -> None:
        self._admin.browser.post(f"/zoom-apps/{self._app_id}/probe")

    def put_right(self) -> None:
        """End every outage, enter both secrets, and press Validate."""
        for each in sorted(self._broken):
            self.stage.world.end(each)
        self._broken.clear()
        self._weigh_receiver()
        self.set_right()
        self.start_worker()
        world, oracle = self.stage.world, self.oracle
        token = world.zoom_secret(oracle.client_id)
        path = f"/zoom-apps/{self._app_id}"
        browser = self._admin.browser
        saved = browser.submit(
            browser.get(f"{path}/edit"),
            "/edit",
            client_secret=oracle.client_secret,
            secret_token=token,
        )
        if saved.path == path:
            oracle.secret_here = token
            oracle.client_secret_here = oracle.client_secret
        browser.post(f"{path}/update-in-recall")
        self.stage.run_due()
        self.press_validate()

    def press_validate(self) -> None:
        url = self._webhook_url()
        if self.stage.world.press_validate(self.oracle.client_id, url):
            self.judge.refused.clear()

    # Zoom and Recall.

    def delete_credential(self) -> None:
        person = self._any()
        self.stage.world.delete_credential(self.oracle.client_id, person.user_id)

    def unmap(self) -> None:
        self.stage.world.unmap(self._drawing.choice(list(self.oracle.meetings)))

    def change_in_recall(self) -> None:
        self.stage.world.change_webhook_secret_in_recall(self.oracle.client_id)

    def _break(self) -> None:
        self.begin(self._drawing.choice(list(Outage)))

    def begin(self, outage: Outage) -> None:
        self._broken.add(outage)
        self.stage.world.begin(outage)
        self._weigh_receiver()

    def _end_outage(self) -> None:
        outage = self._drawing.choice(sorted(self._broken))
        self._broken.discard(outage)
        self.stage.world.end(outage)
        self._weigh_receiver()

    def _weigh_receiver(self) -> None:
        deaf = {Outage.RECEIVER, Outage.PORTAL, Outage.RECALL}
        self.oracle.is_receiver_up = not (self._broken & deaf)
        self.oracle.has_outage = bool(self._broken)

    # The host.

    def back_up(self) -> None:
        self._backup = Backup(
            rows=copies.take(self.stage.runtime.database),
            secret_here=self.oracle.secret_here,
            client_secret_here=self.oracle.client_secret_here,
        )

    def restore(self) -> None:
        """Put an older copy in place, mark it as `db restore` does, and start again."""
        if self._backup is None:
            return
        stage, database = self.stage, self.stage.runtime.database
        copies.put_back(database, self._backup.rows)
        with database.writing() as session:
            repair.mark_restored(session, now=stage.clock.now())
        self.oracle.secret_here = self._backup.secret_here
        self.oracle.client_secret_here = self._backup.client_secret_here
        stage.restart()
        self.judge.clock_set_at = None  # the copy knows of no jump
        self._find_people()
        for person in self.oracle.people:
            person.is_lost = self._variant == "stored"
            if not person.is_here:
                person.left = ""  # the copy knows nothing of them, nor how they left

    def kill_worker(self) -> None:
        self.stage.has_worker = False
        self.judge.worker_gone_at = self.stage.true.now()

    def start_worker(self) -> None:
        self.stage.has_worker = True
        self.judge.worker_gone_at = None

    def go_ahead(self) -> None:
        self.set_wrong(self._drawing.choice((_HOUR, _DAY, 7 * _DAY, 30 * _DAY)))

    def fall_behind(self) -> None:
        self.set_wrong(-self._drawing.choice((_HOUR, 3 * _DAY, 20 * _DAY)))

    def set_wrong(self, amount: timedelta) -> None:
        """Set the host's clock alone; for how long is drawn like all that follows."""
        before = self.stage.clock.now()
        self.stage.set_wrong(amount)
        self._set_at = before, self.stage.clock.now()
        self._note_jump()

    def set_right(self) -> None:
        """Set the host's clock right; what it dated meanwhile is of no known time."""
        if self._set_at is None:
            return
        before, begun = self._set_at
        wrong_until = self.stage.clock.now()
        self.stage.set_wrong(self.stage.true.now() - wrong_until)
        second = timedelta(seconds=1)
        span = min(before + second, begun), max(before, wrong_until)
        self.judge.wrong_clock.append(span)
        self._set_at = None
        self._note_jump()

    def _note_jump(self) -> None:
        """A worker that runs notices it; one that starts later can't have."""
        is_noticed = self.stage.has_worker
        self.judge.clock_set_at = self.stage.true.now() if is_noticed else None


def worlds(seed: int) -> dict[str, MakeWorld]:
    """Return each pair by its name; `drawn` has the freedoms of the seed."""
    return {
        "simulated": SimulatedWorld,
        "independent": lambda clock: IndependentWorld(clock, seed=seed),
        "drawn": lambda clock: IndependentWorld(clock, Freedoms.drawn(seed), seed=seed),
    }


@contextmanager
def a_database(name: str, folder: Path) -> Iterator[Database]:
    """Make an empty database with its tables."""
    if name == "sqlite":
        database = Database(f"sqlite:///{folder}/dashboard.db")
        schema.upgrade(database)
        yield database
        database.close()
        return
    server = QuickServer(folder / "postgresql")
    server.start()
    try:
        database = Database(server.url().render_as_string(hide_password=False))
        schema.upgrade(database)
        yield database
        database.close()
    finally:
        server.cleanup()


@click.command()
@click.option("--days", default=100.0, show_default=True, help="Of simulated time.")
@click.option(
    "--database",
    type=click.Choice(["sqlite", "postgresql"]),
    default="sqlite",
    show_default=True,
)
@click.option("--world", type=click.Choice(sorted(worlds(0))), default="independent")
@click.option("--variant", type=click.Choice(VARIANTS), default="relay")
@click.option("--seed", default=1, show_default=True)
@click.option("--minutes", type=float, help="Stop after so many minutes in any case.")
def main(  # noqa: PLR0917 - click passes options so
    days: float,
    database: str,
    world: str,
    variant: str,
    seed: int,
    minutes: float | None,
) -> None:
    """Live so many days, and print every wrong sentence."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    began, spent = time.monotonic(), time.process_time()
    gc.set_threshold(50_000, 20, 100)  # a page's tree is a large cycle
    with (
        tempfile.TemporaryDirectory(prefix="model-") as folder,
        a_database(database, Path(folder)) as opened,
        a_stage(opened, Path(folder), worlds(seed)[world]) as stage,
    ):
        model = Model(stage, seed=seed, variant=variant)
        lived = 0.0
        while lived < days:
            lived = model.report.days
            model.run(min(lived + 1, days), say=click.echo)
            if minutes is not None and time.monotonic() - began > minutes * 60:
                break
            if lived == model.report.days:
                break
        click.echo(f"{database}, {world}, {variant}, seed {seed}")
        click.echo(f"{time.process_time() - spent:.0f} s of processor time")
        click.echo(model.report.text())
        is_wrong = bool(model.report.first)
    sys.exit(is_wrong)


if __name__ == "__main__":
    main()

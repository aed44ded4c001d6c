"""Links to choose a password, used at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from pydantic import SecretStr

from dashboard.db import Database
from dashboard.errors import NotFoundError
from dashboard.models.staff import Role
from dashboard.services import audit
from dashboard.services.staff import accounts, links
from tests.makers import NOON


def test_of_two_uses_at_once_one_counts(database: Database) -> None:
    person = accounts.add(
        database,
        email="ana@example.com",
        role=Role.ADMIN,
        password=None,
        actor=audit.COMMAND_LINE,
        now=NOON,
    )
    with database.writing() as session:
        secret = links.make(session, person, actor=audit.COMMAND_LINE, now=NOON)
    at_once = Barrier(4)

    def use(number: int) -> bool:
        password = SecretStr(f"a lantern over harbour {number}")
        at_once.wait()
        try:
            links.use(
                database,
                secret.get_secret_value(),
                password,
                address="192.0.2.1",
                now=NOON,
            )
        except NotFoundError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        used = list(pool.map(use, range(4)))

    assert used.count(True) == 1

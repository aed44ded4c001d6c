"""The fictional people of the story."""

from dataclasses import dataclass
from enum import StrEnum


class Fate(StrEnum):
    """What happens to a person's connection in the story."""

    STAYS = "stays"
    WITHHOLDS_SCOPES = "withholds_scopes"
    REMOVES_APP = "removes_app"
    EXPIRES = "expires"
    ZOOM_BUSY = "zoom_busy"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user of Zoom. `is_tester` ones connect to the development app."""

    first: str
    last: str
    fate: Fate = Fate.STAYS
    is_tester: bool = False

    @property
    def email(self) -> str:
        """An address that does not exist."""
        return f"{self.first}.{self.last}@example.com".lower()


PEOPLE = (
    Person(first="Ana", last="Nowak"),
    Person(first="Ben", last="Okafor"),
    Person(first="Carla", last="Lindqvist"),
    Person(first="Deniz", last="Aydin"),
    Person(first="Emi", last="Tanaka"),
    Person(first="Farid", last="Haddad"),
    Person(first="Grace", last="Mensah"),
    Person(first="Hugo", last="Moreau", fate=Fate.WITHHOLDS_SCOPES),
    Person(first="Ines", last="Costa", fate=Fate.REMOVES_APP),
    Person(first="Jonas", last="Weber", fate=Fate.ZOOM_BUSY),
    Person(first="Kira", last="Petrova", fate=Fate.EXPIRES),
    Person(first="Liam", last="Byrne", is_tester=True),
    Person(first="Mei", last="Chen", is_tester=True, fate=Fate.REMOVES_APP),
)

TOPICS = (
    "Weekly sync",
    "Quarterly review 📈",
    "Design critique",
    "1:1",
    "Customer interview",
    "Café chat",
    "Release planning 🚒",
    "Board preparation",
)

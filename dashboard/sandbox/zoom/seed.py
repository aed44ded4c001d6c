"""One app and three users to begin with."""

from dataclasses import dataclass

from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from dashboard.sandbox.zoom.world import ZoomWorld

_PEOPLE = (
    ("ana@example.com", "Ana", "Nowak", "Owner"),
    ("ben@example.com", "Ben", "Okafor", "Member"),
    ("chloe@example.com", "Chloé", "Martin", "Member"),
)


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What `seed` made; the app has neither redirect nor webhook URL yet."""

    app: ZoomApp
    users: list[ZoomUser]


def seed(world: ZoomWorld) -> Seeded:
    """Add a user-level development app and three users of its developer's account."""
    users = [
        world.add_user(email=email, first_name=first, last_name=last, role_name=role)
        for email, first, last, role in _PEOPLE
    ]
    return Seeded(app=world.add_app(name="Recorder"), users=users)

"""What Zoom's subscription has beyond ours is shown, and no difference."""

from dashboard.clients.zoom.subscriptions import Wanted, ZoomSubscription
from dashboard.services.marketplace import subscription_rules as rules
from dashboard.services.marketplace.subscription_rules import Found, State

URL = "https://dashboard.example.com/hooks/zoom/1"
WANTED = Wanted(name="Ours", url=URL, events=["meeting.created"], scope="user")


def found(**fields: object) -> Found:
    kept = ZoomSubscription.model_validate(
        {
            "event_subscription_id": "s1",
            "events": ["meeting.created"],
            "event_webhook_url": URL,
            "subscription_scope": "user",
            "created_source": "openapi",
            **fields,
        }
    )
    return Found(kept=kept, joined=1, asked=1)


def test_what_zoom_adds_is_shown_and_no_difference() -> None:
    more = found(client_auth_type="basic", custom_params={"key": "test-secret"})

    rows = {row.label: row for row in rules.compare(WANTED, more)}

    assert rules.judge(WANTED, more, was_made=True)[0] is State.MATCHES
    assert rows["Sign-in to the URL"].found == "basic"
    assert rows["Parameters"].found == "added"
    assert "test-secret" not in repr(more) + repr(rows)


def test_nothing_is_shown_where_zoom_adds_nothing() -> None:
    nothing: list[dict[str, object]] = [
        {},
        {"client_auth_type": "none"},
        {"custom_params": {}},
    ]
    for fields in nothing:
        labels = [row.label for row in rules.compare(WANTED, found(**fields))]

        assert labels == ["Webhook URL", "Events", "Subscribes"]

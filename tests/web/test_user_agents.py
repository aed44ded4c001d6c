"""Browsers in plain words, never wrong."""

import pytest

from dashboard.web.user_agents import words

CHROME = "Chrome/131.0.0.0"
KIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)"
MOBILE_KIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        (f"{WINDOWS} {KIT} {CHROME} Safari/537.36", "Chrome on Windows"),
        (f"{WINDOWS} {KIT} {CHROME} Safari/537.36 Edg/131.0.0.0", "Edge on Windows"),
        (f"{WINDOWS} {KIT} {CHROME} Safari/537.36 OPR/116.0.0.0", "Opera on Windows"),
        (
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 "
                "Firefox/132.0"
            ),
            "Firefox on Windows",
        ),
        (
            (
                "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 "
                "Firefox/132.0"
            ),
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
            "Firefox on Android",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 10; K) {KIT} {CHROME} Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {KIT} {CHROME} Safari/537.36",
            "Chrome on ChromeOS",
        ),
        (
            f"{MAC} {MOBILE_KIT} Version/17.5 Safari/605.1.15",
            "Safari on macOS or iPadOS",
        ),
        (f"{MAC} {KIT} {CHROME} Safari/537.36", "Chrome on macOS"),
        (
            f"{PHONE} {MOBILE_KIT} Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            f"{PHONE} {MOBILE_KIT} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
            "Chrome on iPhone",
        ),
        (
            f"{PHONE} {MOBILE_KIT} FxiOS/132.0 Mobile/15E148 Safari/604.1",
            "Firefox on iPhone",
        ),
        ("", "Unknown browser"),
    ],
)
def test_a_known_browser_is_named(user_agent: str, said: str) -> None:
    assert words(user_agent) == said


@pytest.mark.parametrize(
    "user_agent",
    [
        "curl/8.5.0",
        "Browser",
        f"{WINDOWS} {KIT} {CHROME} YaBrowser/24.10.0 Safari/537.36",
        f"{WINDOWS} {KIT} {CHROME} Safari/537.36 Vivaldi/7.0",
        f"{WINDOWS} {KIT} HeadlessChrome/131.0.0.0 Safari/537.36",
        f"Mozilla/5.0 (PlayStation 5) {KIT} {CHROME} Safari/537.36",
        f"{WINDOWS} {KIT} {CHROME} Safari/537.36"[:90],
        f"{PHONE} {MOBILE_KIT} Mobile/15E148 Instagram 361.0.0",
        "Firefox on Windows",
        "Mozilla/5.0 (" + "(" * 180,
    ],
)
def test_what_is_not_known_for_sure_stays_as_it_came(user_agent: str) -> None:
    assert words(user_agent) == user_agent

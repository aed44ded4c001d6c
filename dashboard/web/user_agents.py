"""What a browser calls itself, in plain words; whatever is not known for sure stays."""

import re
from collections.abc import Sequence

_V = r"[0-9._]{1,30}"
_KIT = rf"AppleWebKit/{_V} \(KHTML, like Gecko\)"
_BROWSERS = (
    (re.compile(rf"{_KIT} Chrome/{_V}(?: Mobile)? Safari/{_V}"), "Chrome"),
    (re.compile(rf"{_KIT} Chrome/{_V}(?: Mobile)? Safari/{_V} EdgA?/{_V}"), "Edge"),
    (re.compile(rf"{_KIT} Chrome/{_V}(?: Mobile)? Safari/{_V} OPR/{_V}"), "Opera"),
    (re.compile(rf"{_KIT} CriOS/{_V} Mobile/\w{{1,20}} Safari/{_V}"), "Chrome"),
    (re.compile(rf"{_KIT} FxiOS/{_V} Mobile/\w{{1,20}} Safari/{_V}"), "Firefox"),
    (
        re.compile(
            rf"{_KIT} Version/{_V}(?: EdgiOS/{_V})(?: Mobile/\w{{1,20}})? Safari/{_V}"
        ),
        "Edge",
    ),
    (re.compile(rf"{_KIT} Version/{_V}(?: Mobile/\w{{1,20}})? Safari/{_V}"), "Safari"),
    (re.compile(rf"Gecko/{_V} Firefox/{_V}"), "Firefox"),
)
_PLATFORMS = (
    (re.compile(r"Windows NT [^()]{1,60}"), "Windows"),
    (re.compile(r"Macintosh; [^()]{1,80}"), "macOS"),
    (re.compile(r"iPhone; [^()]{1,80}"), "iPhone"),
    (re.compile(r"iPad; [^()]{1,80}"), "iPad"),
    (re.compile(r"X11; CrOS [^()]{1,60}"), "ChromeOS"),
    (re.compile(r"(?:Linux; )?Android\b[^()]{0,80}"), "Android"),
    (re.compile(r"X11; (?:\w{1,20}; )?Linux [^()]{1,60}"), "Linux"),
)
_WHOLE = re.compile(r"Mozilla/5\.0 \(([^()]{1,120})\) (.{1,200})")


def words(user_agent: str) -> str:
    """Return "Firefox on Windows", or what came where that might be wrong."""
    found = _WHOLE.fullmatch(user_agent)
    if found is None:
        return user_agent or "Unknown browser"
    platform = _first(_PLATFORMS, found[1])
    browser = _first(_BROWSERS, found[2])
    if platform is None or browser is None:
        return user_agent
    if (browser, platform) == ("Safari", "macOS"):
        return "Safari on macOS or iPadOS"  # an iPad says that it is a Mac
    return f"{browser} on {platform}"


def _first(patterns: Sequence[tuple[re.Pattern[str], str]], text: str) -> str | None:
    return next((word for each, word in patterns if each.fullmatch(text)), None)

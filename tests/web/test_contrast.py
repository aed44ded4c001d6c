"""Text and ground meet WCAG AA in both themes, by the style sheets' tokens."""

import re

import pytest

from dashboard.web.assets import STATIC

TEXT = 4.5
SHAPE = 3.0
_TOKEN = re.compile(r"(--[\w-]+): light-dark\((#\w{6}), (#\w{6})\)")
_STATUS = re.compile(r"\.tone-(\w+) \{ --tone: light-dark\((#\w{6}), (#\w{6})\)")
_SHEET = (STATIC / "app.css").read_text()
TOKENS = {
    name: {"light": light, "dark": dark} for name, light, dark in _TOKEN.findall(_SHEET)
} | {"white": {"light": "#ffffff", "dark": "#ffffff"}}

TONES = ["good", "waiting", "trouble", "off"]
GROUNDS = ["--ground", "--surface", "--sunken"]
PAIRS = [
    *[(ink, ground, TEXT) for ink in ("--ink", "--ink-soft") for ground in GROUNDS],
    *[("--accent", ground, TEXT) for ground in (*GROUNDS, "--accent-ground")],
    *[(f"--{tone}", f"--{tone}-ground", TEXT) for tone in TONES],
    *[(f"--{tone}", ground, TEXT) for tone in TONES for ground in GROUNDS],
    *[("--ink", f"--{tone}-ground", TEXT) for tone in TONES],
    ("white", "--accent-fill", TEXT),
    ("white", "--accent-fill-hover", TEXT),
    ("--line-strong", "--surface", SHAPE),
    ("--line-strong", "--ground", SHAPE),
    *[(f"--{tone}-fill", "--surface", SHAPE) for tone in TONES],
]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_gives_the_known_extremes() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_what_is_read_stands_out(
    ink: str, ground: str, least: float, theme: str
) -> None:
    assert contrast(TOKENS[ink][theme], TOKENS[ground][theme]) >= least


def test_the_hosted_pages_use_the_same_colours() -> None:
    hosted = (STATIC / "hosted.css").read_text()

    own = {
        name: {"light": light, "dark": dark}
        for name, light, dark in _TOKEN.findall(hosted)
        if not name.startswith("--tone")
    }
    tones = {
        f"--{tone}": {"light": light, "dark": dark}
        for tone, light, dark in _STATUS.findall(hosted)
    }
    assert own | tones == {name: TOKENS[name] for name in own | tones}
    assert len(tones) == len(TONES)

"""The table of acts: a sentence for each act that the code records, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from dashboard.services.audit import acts

ROOT = Path(acts.__file__).parents[2]
_CALLS = {"record", "count", "add", "_record", "_record_if_free", "_count"}
_ACT = re.compile(r"[a-z_]+\.[a-z_]+")
_MADE = {
    # put together where they are recorded
    *(f"subscription.{act}" for act in ("created", "mended", "read")),
    *(f"zoom_app.{act}" for act in ("adopted", "created_in_recall")),
    *(f"{name}.exported" for name in ("audit", "connections", "webhooks")),
    *(f"{name}.export_begun" for name in ("audit", "connections", "webhooks")),
}


def texts() -> Iterator[str]:
    for path in ROOT.rglob("*.py"):
        source = path.read_text()
        if path.name == "acts.py":
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_each_act_in_the_code_has_words() -> None:
    missing = {text for text in recorded() if text not in acts.WORDS}

    assert not missing


def test_no_act_has_words_that_nothing_records() -> None:
    unknown = acts.WORDS.keys() - set(texts()) - _MADE

    assert not unknown


def recorded() -> Iterator[str]:
    """Yield the texts that stand as the act of a call that records."""
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in _CALLS:
                words = [
                    each.value for each in node.args if isinstance(each, ast.Constant)
                ]
                yield from (text for text in map(str, words) if _ACT.fullmatch(text))


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def test_an_act_of_a_former_version_is_named() -> None:
    assert acts.words("zoom_app.former_act") == "zoom app former act:"

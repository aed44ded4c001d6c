"""Every regular expression takes time in proportion to its text, whatever the text is.

An expression holds the interpreter's lock while it runs, and pages, worker and Zoom's
door share a process: one that is quadratic stops webhooks for as long as it takes.
"""

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined,unused-ignore]  # no stubs
from re import _parser  # type: ignore[attr-defined,unused-ignore]  # as above
from typing import Any
from uuid import uuid4

import pytest

import dashboard
from dashboard.services.erasure.redaction import Person, Redactor
from dashboard.services.explain import questions
from dashboard.services.relay import answers
from dashboard.services.webhook_log import redaction
from tests.fixtures.processor_time import is_quick

MIB = 1024 * 1024
SCREENED = 32 * 1024

# Characters that the only callers let through; a test of theirs says so.
CAPS = {
    "dashboard.services.explain.questions": questions.LONGEST,
    "dashboard.services.webhook_log.redaction": redaction.SHOWN_CHARS,
    "dashboard.services.relay.answers": answers.LOOKED_AT_CHARS,
    "dashboard.logs": 32_768,
    "dashboard.web.hosts": 260,
}
# Made of words that are looked for; each module's own test tries many and long ones.
MADE_AT_RUN_TIME = {
    "dashboard.clients.http.scrubbing",
    "dashboard.services.erasure.redaction",
}
LEFT_OUT = ("dashboard.sandbox", "dashboard.demo", "dashboard.migrations")
METHODS = {
    "search",
    "match",
    "fullmatch",
    "sub",
    "subn",
    "split",
    "findall",
    "finditer",
}

Used = tuple[str, re.Pattern[Any], str]


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(dashboard.__path__, "dashboard."):
        if not found.name.startswith(LEFT_OUT) and not found.name.endswith("__main__"):
            yield found.name


def expressions() -> Iterator[Used]:
    """Yield module, expression and method of each use."""
    for name in modules():
        module = importlib.import_module(name)
        if not (module.__file__ or "").endswith(".py"):
            continue
        tree = ast.parse(Path(str(module.__file__)).read_text())
        held = dict(patterns(vars(module)))
        if name == "dashboard.logs":
            yield from ((name, each, "sub") for each in held.values())
            continue
        for label, pattern in held.items():
            for method in methods_of(tree, label) or {"search"}:
                yield name, pattern, method
        yield from inline(name, tree)


def patterns(names: dict[str, Any]) -> Iterator[tuple[str, re.Pattern[Any]]]:
    for label, value in names.items():
        flat = value if isinstance(value, tuple | list) else [value]
        for number, each in enumerate(flat):
            inner = each[0] if isinstance(each, tuple) and each else each
            if isinstance(inner, re.Pattern):
                yield (label if inner is value else f"{label}[{number}]"), inner


def methods_of(tree: ast.AST, label: str) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == label
        and node.attr in METHODS
    }


def inline(name: str, tree: ast.AST) -> Iterator[Used]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = ast.unparse(node.func)
        if called not in {f"re.{method}" for method in METHODS}:
            continue
        first = node.args[0]
        if isinstance(first, ast.Constant):
            yield name, re.compile(first.value), called.removeprefix("re.")
        else:
            assert name in MADE_AT_RUN_TIME, f"{name}: an expression no test knows"


def hostile(pattern: re.Pattern[Any], size: int) -> Iterator[Any]:
    """Yield texts of its own kind: runs of its characters, near misses, repeats."""
    text = pattern.pattern
    is_bytes = isinstance(text, bytes)
    tree = _parser.parse(text, pattern.flags & ~re.DEBUG)
    alphabet = list(dict.fromkeys(characters(tree)))[:14] or ["a"]
    whole = {shortest(tree), shortest(tree, more=3)} - {""}
    parts = [*alphabet, *whole, *(w[:-1] for w in whole if w[:-1])]
    parts += [a + b for a in alphabet[:6] for b in (*alphabet[:6], " ", "!") if a != b]
    texts = [part * (size // len(part) + 1) for part in parts]
    starts = {w[: len(w) // n] for w in whole for n in (1, 2, 3)} - {""}
    texts += [start + each * size for start in starts for each in (*alphabet[:6], " ")]
    for each in texts:
        made = f"{each[: size - 1]}\x01"
        yield made.encode("latin-1", "replace") if is_bytes else made


def characters(tree: Any) -> Iterator[str]:
    for kind, value in tree:
        if kind in (op.LITERAL, op.NOT_LITERAL):
            yield chr(value)
        elif kind is op.IN:
            yield from samples(value)
        elif kind is op.ANY:
            yield "a"
        else:
            for part in inner(kind, value):
                yield from characters(part)


def samples(items: Any) -> Iterator[str]:
    is_negated = bool(items) and items[0][0] is op.NEGATE
    if is_negated:
        yield from (c for c in "a1-. " if not member(c, items))
        return
    for kind, value in items:
        if kind is op.LITERAL:
            yield chr(value)
        elif kind is op.RANGE:
            yield chr(value[0])
        elif kind is op.CATEGORY:
            yield {"S": " ", "D": "1"}.get(str(value).split("_")[-1][0], "a")


def member(char: str, items: Any) -> bool:
    return any(
        (kind is op.LITERAL and value == ord(char))
        or (kind is op.RANGE and value[0] <= ord(char) <= value[1])
        or (kind is op.CATEGORY and "SPACE" in str(value) and char.isspace())
        for kind, value in items
    )


def inner(kind: Any, value: Any) -> list[Any]:
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return [value[2]]
    if kind is op.SUBPATTERN:
        return [value[3]]
    if kind is op.ATOMIC_GROUP:
        return [value]
    if kind is op.BRANCH:
        return list(value[1])
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [value[1]]
    return []


def shortest(tree: Any, *, more: int = 0) -> str:
    """Return a text that the expression takes, or nearly."""
    made = ""
    for kind, value in tree:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            times = min(max(value[0], more), value[1], 400)
            made += shortest(value[2], more=more) * times
        elif kind is op.BRANCH:
            made += shortest(value[1][0], more=more)
        elif kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
            made += shortest(inner(kind, value)[0], more=more)
        elif kind not in (op.ASSERT, op.ASSERT_NOT):
            made += next(characters([(kind, value)]), "")
    return made


def used(pattern: re.Pattern[Any], method: str, text: Any) -> Callable[[], object]:
    empty: Any = b"" if isinstance(text, bytes) else ""
    use: Callable[..., Any] = getattr(pattern, method)
    if method in ("sub", "subn"):
        return lambda: use(empty, text)
    if method == "finditer":
        return lambda: sum(1 for _ in use(text))
    return lambda: use(text)


EXPRESSIONS = list(expressions())


def test_the_expressions_were_found() -> None:
    assert len(EXPRESSIONS) > 50
    assert {name for name, _, _ in EXPRESSIONS} >= CAPS.keys()


@pytest.mark.parametrize(
    ("name", "pattern", "method"),
    EXPRESSIONS,
    ids=[
        f"{n.removeprefix('dashboard.')}-{i}" for i, (n, _, _) in enumerate(EXPRESSIONS)
    ],
)
def test_an_expression_takes_a_tenth_of_a_second_for_the_longest_text(
    name: str, pattern: re.Pattern[Any], method: str
) -> None:
    slow: list[tuple[float, int]] = []
    size = min(MIB, CAPS.get(name, MIB))
    for number, text in enumerate(hostile(pattern, min(SCREENED, size))):
        for part in (text[:1024], text[:8192], text):  # so that a bad one fails soon
            shown = (pattern.pattern, text[:80], len(part))
            assert is_quick(used(pattern, method, part)), shown
        before = time.thread_time()
        used(pattern, method, text)()
        slow.append((time.thread_time() - before, number))
    worst = {number for _, number in sorted(slow)[-2:]}
    for number, text in enumerate(hostile(pattern, size)):
        if number in worst:
            call = used(pattern, method, text)
            assert is_quick(call), (pattern.pattern, text[:80])


LONG = {
    "letters": "a" * MIB,
    "dots": "a." * (MIB // 2),
    "at signs": "a@" * (MIB // 2),
    "quotes": '"' * MIB,
    "quoted": '"a" ' * (MIB // 4),
    "links": "https://zoom.us/?u=" * (MIB // 19),
    "links in links": "https://a.example/?u=https%3A%2F%2F" * (MIB // 35),
    "percents": "%25" * (MIB // 3),
    "escapes": "%2525253a" * (MIB // 9),
    "numbers": "912 3456 7890 " * (MIB // 14),
    "named": "meeting id " * (MIB // 11),
    "lines": "a@b.example\n" * (MIB // 12),
    "dashes": "\u2014" * MIB,
    "wide": "\ufdfa" * MIB,  # each is 18 characters in its plain form
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_explain_reads_a_text_of_any_length_in_bounded_time(text: str) -> None:
    assert is_quick(lambda: questions.read(text))


def test_one_of_many_names_is_replaced_in_little_time() -> None:
    person = Person(
        zoom_app_id=uuid4(),
        connection_id=None,
        user_ids=frozenset(f"zUser{n:020}" for n in range(10_000)),
        account_id=None,
        emails=frozenset(f"user{n}@example.com" for n in range(10_000)),
        names=frozenset(f"Person Number{n}" for n in range(10_000)),
        numbers=frozenset(range(10**9, 10**9 + 10_000)),
    )
    redactor = Redactor(person)
    text = "Checked USER77@example.com, Person Number8. " + "a sentence of words " * 90

    assert is_quick(lambda: redactor.redact(text))
    assert redactor.redact(text).startswith("Checked (erased), (erased). a sentence")


@pytest.mark.parametrize("body", [b'"' + b"secret" * 170_000, b"eyJ" * 340_000])
def test_an_answer_of_recalls_is_shown_in_little_time(body: bytes) -> None:
    assert is_quick(lambda: answers.shown(body))

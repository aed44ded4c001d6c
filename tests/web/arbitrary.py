"""Requests that nobody would make, drawn from the app's own routes, forms and queries.

Nothing is listed here that the code says itself: routes and their arguments come from
the URL map, fields from the forms, names of parameters from what views read. Only
Zoom's door and the token endpoint stand in front of the routes, and are named.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, quote_from_bytes

from flask import Flask
from sqlalchemy import inspect
from sqlmodel import Session, SQLModel, select
from werkzeug.routing import Rule
from wtforms import FileField, SelectField
from wtforms.fields.core import UnboundField

import dashboard.web
from dashboard.web.forms.base import Form

DOORS = (
    "/hooks/zoom/{zoom_app_id}",
    "/tokens/{key}",
    "/tokens/{key}/zak",
    "/tokens/{key}/obf",
)
_READ_FROM = {"args", "form", "headers", "cookies", "files"}
_IDS_AT_ONCE = 20

ODD: tuple[bytes, ...] = (
    b"",
    b" ",
    b"\0",
    b"a\0b",
    b"\xff\xfe",
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xc3(",
    b"%00",
    b"%",
    b"-1",
    b"0",
    b"1",
    str(2**31).encode(),
    str(2**63 - 1).encode(),
    str(2**63).encode(),
    b"9" * 400,
    b"9" * 5000,
    b"1e999",
    b"NaN",
    b"Infinity",
    b"0x10",
    "\u0663".encode(),
    b"a\r\nSet-Cookie: x=1",
    "\u202e\u2066\u200b".encode(),
    "\U0001f692 \ufdfa \u0130\u0131\u017f".encode(),
    b"x" * 300,
    b"x" * 70_000,
    b"'\"><script>{{7*7}}</script>",
    b"' OR 1=1 --",
    b"../../../etc/passwd",
    b"//example.com",
    b"https://[::1",
    b"0001-01-01T00:00",
    b"9999-12-31T23:59:59",
    b"2026-02-30T25:61",
    b"00000000-0000-0000-0000-000000000000",
    b"a@b",
    b"ana@example.com",
    b"91234567890",
    b"=1+1",
    b"[" * 2000,
    b'{"a": 1}',
)
_HEADERS = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cookie"),
    *("If-None-Match", "If-Modified-Since", "If-Range", "Range", "Last-Event-ID"),
    *("Referer", "Origin", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host"),
    *("X-Forwarded-Proto", "X-Request-ID", "Forwarded", "Purpose", "Sec-Purpose"),
    *("HX-Request", "HX-Target", "HX-Current-URL", "HX-Boosted", "HX-Trigger"),
    *("X-CSRFToken", "X-HTTP-Method-Override", "Content-Encoding", "Host", "Expect"),
    *("Sec-Fetch-Site", "Traceparent", "x-zm-signature", "x-zm-request-timestamp"),
    *("webhook-id", "webhook-timestamp", "webhook-signature"),
)
_TYPES = (
    *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""),
    *("multipart/form-data", "application/json", "text/plain; charset=utf-7", "\xff"),
    "application/x-www-form-urlencoded; charset=nonsense",
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, for `FlaskClient.open`."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes | None = None
    content_type: str | None = None
    data: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        """Say it so that it can be asked again."""
        what = self.data if self.data is not None else (self.body or b"")[:200]
        shown = f"{self.method} {self.path[:300]}?{self.query[:300]}"
        return f"{shown} {str(dict(self.headers))[:300]} {str(what)[:600]}"

    def arguments(self) -> dict[str, Any]:
        """Return what the test client is called with."""
        found: dict[str, Any] = {
            "path": self.path,
            "method": self.method,
            "query_string": self.query,
            "headers": dict(self.headers),
        }
        if self.data is not None:
            return {**found, "data": dict(self.data)}
        if self.body is not None:
            return {**found, "data": self.body, "content_type": self.content_type}
        return found


@dataclass
class Arbitrary:
    """Draws requests; the same seed and rows give the same ones.

    Attributes:
        known: Values that exist, by the name of a route's argument.
    """

    app: Flask
    random: Random
    known: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the code once."""
        self.rules = [rule for rule in self.app.url_map.iter_rules() if rule.methods]
        self.forms = dict(_forms())
        self.names = sorted({*_read_names(), *self._query_fields()})

    def draw(self) -> Asked:
        """Return a request."""
        if self.random.random() < 0.04:
            return self._of_a_door()
        rule = self.random.choice(self.rules)
        method = self._method(rule)
        asked: dict[str, Any] = {
            "method": method,
            "path": self._path(rule),
            "query": self._query(),
            "headers": self._headers(),
        }
        if method in ("GET", "HEAD", "OPTIONS"):
            return Asked(**asked)
        return self._with_body(asked, rule)

    def _method(self, rule: Rule) -> str:
        if self.random.random() < 0.03:
            return self.random.choice(["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
        return self.random.choice(sorted((rule.methods or set()) - {"OPTIONS"}))

    def _of_a_door(self) -> Asked:
        path = self.random.choice(DOORS)
        path = path.format(zoom_app_id=self._argument("zoom_app_id"), key="k" * 43)
        return Asked(
            method=self.random.choice(["POST", "GET", "PUT"]),
            path=path,
            query=self._query(),
            headers=self._headers(),
            body=self.value(),
            content_type="application/json",
        )

    def _with_body(self, asked: dict[str, Any], rule: Rule) -> Asked:
        if self.random.random() < 0.1:
            body, kind = self.value(), self.random.choice(_TYPES)
            return Asked(**asked, body=body, content_type=kind)
        fields = self._fields(rule)
        if any(isinstance(value, tuple) for value in fields.values()):
            texts = {
                name: value if isinstance(value, tuple) else value.decode("latin-1")
                for name, value in fields.items()
            }
            return Asked(**asked, data=texts)
        pairs = [f"{quote(name)}={quote_from_bytes(v)}" for name, v in fields.items()]
        return Asked(
            **asked,
            body="&".join(pairs).encode(),
            content_type="application/x-www-form-urlencoded",
        )

    def _path(self, rule: Rule) -> str:
        values = {name: self._argument(name) for name in rule.arguments}
        if not rule.arguments:
            return rule.rule
        parts = [
            values[text] if is_dynamic else text for is_dynamic, text in _parts(rule)
        ]
        return "".join(parts)

    def _argument(self, name: str) -> str:
        known = self.known.get(name, [])
        if known and self.random.random() < 0.8:
            return self.random.choice(known)
        return quote_from_bytes(self.value()[:2000], safe="")

    def _query(self) -> str:
        pairs = []
        for _ in range(self.random.choice([0, 0, 1, 2, 4])):
            value = quote_from_bytes(self.value()[:6000])
            pairs.append(f"{quote(self.random.choice(self.names))}={value}")
        return "&".join(pairs)

    def _headers(self) -> dict[str, str]:
        found = {}
        for _ in range(self.random.choice([0, 0, 0, 1, 2])):
            value = self.value()[:4000].decode("latin-1")
            safe = "".join(c for c in value if c not in "\0\r\n")
            found[self.random.choice(_HEADERS)] = safe
        if self.random.random() < 0.2:
            found["HX-Request"] = "true"
        return found

    def _fields(self, rule: Rule) -> dict[str, Any]:
        module = self.app.view_functions[rule.endpoint].__module__
        near = [
            form
            for name, form in self.forms.items()
            if name in vars(importlib.import_module(module))
        ]
        form = self.random.choice(near or list(self.forms.values()))
        fields: dict[str, Any] = {
            name: self._field(unbound) for name, unbound in _unbound(form)
        }
        for _ in range(self.random.choice([0, 0, 1])):
            fields[self.random.choice(self.names)] = self.value()
        return fields

    def _field(self, unbound: UnboundField[Any]) -> Any:
        kind, choices = unbound.field_class, unbound.kwargs.get("choices")
        if issubclass(kind, FileField):
            return (BytesIO(self.value()), self.random.choice(["a.csv", "\0", ""]))
        if choices and self.random.random() < 0.8:
            return str(_chosen(self.random, choices)).encode()
        if issubclass(kind, SelectField) and self.random.random() < 0.7:
            ids = [one for found in self.known.values() for one in found]
            return self.random.choice(ids or [""]).encode()
        return self.value()

    def value(self) -> bytes:
        """Return an odd value, something that exists, or two put together."""
        which = self.random.random()
        known = [one for found in self.known.values() for one in found]
        if known and which < 0.15:
            return self.random.choice(known).encode()
        if which < 0.3:
            return self.random.choice(ODD) + self.random.choice(ODD)
        if which < 0.4:
            return self.random.randbytes(self.random.randint(1, 60))
        return self.random.choice(ODD)

    def _query_fields(self) -> Iterator[str]:
        for form in self.forms.values():
            yield from (name for name, _ in _unbound(form))


def known_values(session: Session, names: Sequence[str]) -> dict[str, list[str]]:
    """Return what is in the database for each name of a route's argument."""
    found: dict[str, list[str]] = {}
    tables = {
        table.name: mapper.class_
        for mapper in SQLModel._sa_registry.mappers
        for table in [inspect(mapper.class_).local_table]
    }
    for name in names:
        model = tables.get(name.removesuffix("_id"))
        if model is not None:
            rows = session.exec(select(model).limit(_IDS_AT_ONCE)).all()
            found[name] = [str(row.id) for row in rows]
    apps = session.exec(select(tables["zoom_app"])).all()
    found["slug"] = [app.slug for app in apps]
    return {name: values for name, values in found.items() if values}


def _parts(rule: Rule) -> Iterator[tuple[bool, str]]:
    for is_dynamic, text in rule._trace:
        if text != "|":
            yield is_dynamic, text


def _forms() -> Iterator[tuple[str, type[Form]]]:
    for module in pkgutil.iter_modules(
        [str(Path(dashboard.web.__file__).parent / "forms")], "dashboard.web.forms."
    ):
        importlib.import_module(module.name)
    waiting = [Form]
    while waiting:
        form = waiting.pop()
        waiting += form.__subclasses__()
        if list(_unbound(form)):
            yield form.__name__, form


def _unbound(form: type[Form]) -> Iterator[tuple[str, UnboundField[Any]]]:
    for name in dir(form):
        value = getattr(form, name, None)
        if not name.startswith("_") and isinstance(value, UnboundField):
            yield name, value


def _chosen(random: Random, choices: Any) -> object:
    chosen = random.choice(list(choices))
    value = getattr(chosen, "value", chosen)
    return value[0] if isinstance(value, tuple) else value


def _read_names() -> Iterator[str]:
    """Yield the names that the web floor reads of a request."""
    for path in Path(dashboard.web.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr=of), attr="get"),
                    args=[ast.Constant(value=str(name)), *_],
                ) if of in _READ_FROM:
                    yield name
                case ast.Subscript(
                    value=ast.Attribute(attr=of), slice=ast.Constant(value=str(name))
                ) if of in _READ_FROM:
                    yield name


def argument_names(app: Flask) -> list[str]:
    """Return the names of all arguments of all routes."""
    return sorted(
        {name for rule in app.url_map.iter_rules() for name in rule.arguments}
    )

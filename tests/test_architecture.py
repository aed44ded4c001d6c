"""Rules of the code that neither a type checker nor an import contract can hold."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from dashboard.services.runtime import Runtime

ROOT = Path(__file__).parents[1]
SERVICES = ROOT / "dashboard" / "services"

Function = ast.FunctionDef | ast.AsyncFunctionDef

WRITES = {"writing", "writing_fast"}
COMMITS = WRITES | {"commit"}
OWNERS = {"database", "runtime"}
"""What a function takes that opens and owns its transaction."""

FEW_FIELDS = 2
WIDE_SIGNATURES = 23
"""How many functions take the whole runtime and use little of it. It only falls."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A function of the services, and where it is."""

    where: str
    node: Function

    @property
    def parameters(self) -> list[str]:
        arguments = self.node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return [each.arg for each in every]

    @property
    def calls(self) -> set[str]:
        """Names of the methods it calls itself."""
        return {
            each.func.attr
            for each in _own_nodes(self.node)
            if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute)
        }

    @property
    def says_that_it_commits(self) -> bool:
        return "commit" in (ast.get_docstring(self.node) or "").lower()


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield what is in a function, without the functions defined inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def _functions(root: Path) -> Iterator[Found]:
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                where = f"{path.relative_to(root)}:{node.lineno} {node.name}"
                yield Found(where=where, node=node)


def commits_with_a_session(root: Path) -> list[str]:
    """Name the functions that take a session first and commit or write on their own."""
    return [
        each.where
        for each in _functions(root)
        if each.parameters[:1] == ["session"] and each.calls & COMMITS
    ]


def silent_commits(root: Path) -> list[str]:
    """Name the functions that own a transaction and do not say that they commit."""
    return [
        each.where
        for each in _functions(root)
        if OWNERS & set(each.parameters)
        and each.calls & WRITES
        and not each.says_that_it_commits
    ]


def wide_signatures(root: Path) -> list[str]:
    """Name the functions that take the runtime and use at most two of its fields.

    One that passes the runtime on needs it whole, and one that takes it as `self` does
    is not counted.
    """
    names = {each.name for each in fields(Runtime)}
    found = []
    for each in _functions(root):
        if "runtime" not in each.parameters:
            continue
        used: set[str] = set()
        attributes = 0
        mentions = 0
        for node in ast.walk(each.node):
            if isinstance(node, ast.Name) and node.id == "runtime":
                mentions += 1
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "runtime"
            ):
                attributes += 1
                used.add(node.attr)
        is_passed_on = mentions > attributes or not used <= names
        if not is_passed_on and len(used) <= FEW_FIELDS:
            found.append(f"{each.where}: {', '.join(sorted(used)) or 'nothing'}")
    return found


def test_a_function_that_takes_a_session_never_commits() -> None:
    assert commits_with_a_session(SERVICES) == []


def test_a_function_that_owns_its_transaction_says_that_it_commits() -> None:
    assert silent_commits(SERVICES) == []


def test_a_function_takes_what_it_uses_not_the_whole_runtime() -> None:
    found = wide_signatures(SERVICES)

    assert len(found) <= WIDE_SIGNATURES, "\n".join(found)


BROKEN = '''
def store(session, row):
    """Store a row; the caller commits."""
    session.add(row)
    session.commit()


def run_due(database, clock):
    """Run what is due."""
    with database.writing() as session:
        session.add(clock.now())


def prune(runtime):
    """Delete what is old; commits."""
    with runtime.database.writing() as session:
        session.delete(runtime.clock.now())


def passes_on(runtime):
    """Run everything."""
    prune(runtime)
    return runtime.clock
'''


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (commits_with_a_session, "store"),
        (silent_commits, "run_due"),
        (wide_signatures, "prune"),
    ],
)
def test_each_rule_sees_what_breaks_it(
    rule: Callable[[Path], list[str]], name: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)

    assert [each.split()[1].rstrip(":") for each in rule(tmp_path)] == [name]

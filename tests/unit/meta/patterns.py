# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every regular expression under plugins/, how it is used, and texts that are the worst for it.

They are found in the source, so that a new one is among them by itself: the constant ones wherever they stand, and
those that are put together at run time, for which SAMPLES names values.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import signal
import types
import typing as t
from pathlib import Path

try:
    import re._parser as sre  # type: ignore[import-not-found, unused-ignore]
except ImportError:  # before Python 3.11
    import sre_parse as sre  # type: ignore[no-redef, unused-ignore]

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
ROOT = "ansible_collections.fediops.mastodon.plugins"

#: What the local names in patterns that are put together at run time may be.
SAMPLES: dict[str, t.Any] = {
    "name": "SMTP_SERVER",
    "quote": '"',
    "expression": "[a-z0-9-]+[.]example",
    "rules": types.SimpleNamespace(ends="\n"),
    "self": types.SimpleNamespace(subject="relay.example:587"),
}
#: Patterns that a function gets as an argument: the signs of failures, which are read from their tables.
ARGUMENTS = {"pattern", "self.text"}

#: What is given to these has been split into lines before.
ONE_LINE = {"module_utils/_dotenv/ruby.py _ONE_LINE"}

#: Functions of re and methods of a pattern -> how the text is gone through. What is sought begins anywhere.
_WAYS = {"match": "match", "fullmatch": "fullmatch", "compile": "", "escape": ""}
_SEEKING = ("search", "finditer", "findall", "sub", "subn", "split")


@dataclasses.dataclass(frozen=True)
class Use:
    """One pattern, and one way in which it is applied: match, fullmatch or search."""

    where: str
    pattern: re.Pattern[t.Any]
    way: str

    def run(self, text: str) -> None:
        """Apply it as the code does, to its end."""
        if self.where in ONE_LINE:
            text = text.replace("\n", " ")
        given = text.encode("latin-1", "replace") if isinstance(self.pattern.pattern, bytes) else text
        if self.way == "search":
            for _found in self.pattern.finditer(given):
                pass
        else:
            getattr(self.pattern, self.way)(given)


class _TooLong(BaseException):
    """No Exception, so that nothing on the way takes it for its own."""


def _stop(_number: int, _frame: types.FrameType | None) -> None:
    raise _TooLong


def takes_longer(seconds: float, call: t.Callable[[], object]) -> bool:
    """Whether a call needs more processor time; then it is stopped. Other work on the machine is not counted."""
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        call()
    except _TooLong:
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return False


def way(method: str) -> str | None:
    return "search" if method in _SEEKING else _WAYS.get(method)


def modules() -> t.Iterator[tuple[str, ast.Module, types.ModuleType]]:
    """Where it lies, its source and itself, of each module that has to do with regular expressions."""
    for path in sorted(PLUGINS.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "re." in source or path.name.startswith("rows_"):
            inside = path.relative_to(PLUGINS)
            name = ".".join((ROOT, *inside.with_suffix("").parts))
            yield str(inside), ast.parse(source), importlib.import_module(name)


def uses() -> list[Use]:
    """Each pattern with each way in which it is used."""
    found: dict[tuple[t.Any, int, str], Use] = {}
    everything = list(modules())
    applied = {where: set(_applied(tree)) for where, tree, _module in everything}
    for where, tree, module in everything:
        # A private name is this module's own, another may be used anywhere.
        near = {one for other, those in applied.items() for one in those if other == where or one[0][0] != "_"}
        for label, pattern, ways in _of(tree, module, near):
            for one in sorted(ways):
                found.setdefault((pattern.pattern, pattern.flags, one), Use(f"{where} {label}", pattern, one))
    return list(found.values())


def _applied(tree: ast.AST) -> t.Iterator[tuple[str, str]]:
    """What is applied, by each of the names in it, and how; a loop's variables stand for what it goes through."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and way(node.func.attr):
            for name in _names(node.func.value):
                if node.func.attr != "split" or name.isupper():  # texts have such a method, too
                    yield name, way(node.func.attr) or ""
        loops: list[t.Any] = [node] if isinstance(node, ast.For) else getattr(node, "generators", [])
        for loop in loops:
            targets = _names(loop.target)
            for call in ast.walk(node):
                method = call.func.attr if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) else ""
                if way(method) and method != "split" and targets & _names(call.func.value):
                    for name in _names(loop.iter):
                        yield name, way(method) or ""


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _of(
    tree: ast.Module, module: types.ModuleType, applied: set[tuple[str, str]]
) -> t.Iterator[tuple[str, re.Pattern[t.Any], set[str]]]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    # Patterns that reach a function as its argument: every way in which this module uses any, but its own constants.
    table = {one for name, one in _applied(tree) if name != "re" and not name.lstrip("_").isupper()} or {"search"}
    for name, value in vars(module).items():
        for pattern in _held(value):
            yield name, pattern, {one for known, one in applied if known == name} or table
    for call in calls:
        assert isinstance(call.func, ast.Attribute)
        if isinstance(call.func.value, ast.Name) and call.func.value.id == "re" and call.func.attr != "escape":
            expression = ast.unparse(call.args[0])
            if expression in ARGUMENTS or _at_top(tree, call):  # it is one of a module's own, above
                continue
            names = {**vars(module), **SAMPLES}
            flags = [ast.unparse(one) for one in call.args[1:]] if call.func.attr == "compile" else []
            flags += [ast.unparse(one.value) for one in call.keywords if one.arg == "flags"]
            flags += (
                [ast.unparse(one) for one in call.args[2:]] if call.func.attr not in ("compile", "sub", "subn") else []
            )
            pattern = eval(expression, names)
            number = eval("|".join(flags), names) if flags else 0
            compiled = pattern if isinstance(pattern, re.Pattern) else re.compile(pattern, number)
            yield f"line {call.lineno}", compiled, {way(call.func.attr) or ""} - {""} or table


def _at_top(tree: ast.Module, call: ast.Call) -> bool:
    """Whether the call is made when the module is loaded, so that its pattern is a value of the module."""
    inside = (ast.FunctionDef, ast.Lambda)
    return not any(call in ast.walk(one) for one in ast.walk(tree) if isinstance(one, inside))


def _held(value: t.Any, depth: int = 0) -> t.Iterator[re.Pattern[t.Any]]:
    """The patterns in a value of a module, also in its tables; the signs of failures have theirs as text."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 5:
        if isinstance(value, (tuple, list, set, frozenset)):
            inner: t.Iterable[t.Any] = value
        elif isinstance(value, dict):
            inner = [*value.keys(), *value.values()]
        elif type(value).__name__ == "Row" and hasattr(value, "signs"):
            inner = value.signs
        elif type(value).__name__ == "Sign":
            texts = (value.text, value.also, value.unless)
            inner = [re.compile(one, re.IGNORECASE | re.DOTALL) for one in texts if one]
        else:
            inner = ()
        for one in inner:
            yield from _held(one, depth + 1)


def worst(pattern: re.Pattern[t.Any], size: int) -> t.Iterator[str]:
    """Texts of that size on which a pattern that can go back is slow.

    In front of each repetition stands what leads to it; then one letter of the pattern's own, a pair of them, or what
    the repetition repeats, again and again, and at the end what fits nowhere. Also the whole of what it matches,
    without its end, again and again.
    """
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = sre.parse(text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    letters = _letters(tree)
    leads: dict[str, list[str]] = {"": []}
    whole = "".join(_leads(tree, "", leads))
    pieces = dict.fromkeys([whole, whole[:-1], f"{whole}\n", f"{whole} ", *leads])
    for lead, bodies in leads.items():
        for pump in dict.fromkeys([*letters, *bodies, *(pieces if not lead else ())]):
            if pump:
                yield (lead + pump * (size // len(pump)))[:size] + "\x01"
    for first in letters[:4]:
        for second in letters[:4]:
            if first < second:
                yield (first + second) * (size // 2) + "\x01"


def _letters(tree: t.Any) -> list[str]:
    """One letter of each kind that the pattern names."""
    found: dict[str, None] = {}
    for operation, argument in _walk(tree):
        for one in _some(operation, argument):
            found[one] = None
    return list(found)[:12]


def _walk(tree: t.Any) -> t.Iterator[tuple[str, t.Any]]:
    for operation, argument in tree:
        yield str(operation), argument
        for inner in _inner(argument):
            yield from _walk(inner)


def _inner(argument: t.Any) -> t.Iterator[t.Any]:
    if isinstance(argument, sre.SubPattern):
        yield argument
    elif isinstance(argument, (tuple, list)):
        for one in argument:
            yield from _inner(one)


_CATEGORIES = {"CATEGORY_SPACE": [" ", "\n"], "CATEGORY_DIGIT": ["1"], "CATEGORY_WORD": ["a", "1"]}


def _some(operation: str, argument: t.Any) -> list[str]:
    """Letters that one item of a pattern takes; a few, each of another kind."""
    if operation == "LITERAL":
        return [chr(argument)]
    if operation == "RANGE":
        return [chr(argument[0])]
    if operation == "CATEGORY":
        return _CATEGORIES.get(str(argument), ["x", " "])
    if operation == "NOT_LITERAL":
        return [next(one for one in "xy" if ord(one) != argument)]
    if operation == "ANY":
        return ["x"]
    if operation == "IN":
        parts = [_some(str(kind), value) for kind, value in argument if str(kind) != "NEGATE"]
        listed = [one for part in parts for one in part]
        if str(argument[0][0]) == "NEGATE":
            return [one for one in "x 1'\"\\@/." if one not in listed][:3] or ["\u20ac"]
        return listed
    return []


def _leads(tree: t.Any, before: str, leads: dict[str, list[str]]) -> t.Iterator[str]:
    """A shortest text for the pattern, piece by piece; on the way it notes what leads to each repetition."""
    for operation, argument in tree:
        kind, piece = str(operation), ""
        if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, body = argument
            once = "".join(_leads(body, before, leads))
            if high > 20 and len(leads) < 10:
                leads.setdefault(before, []).append(once)
            piece = once * min(max(low, 1 if high <= 20 else low), 50)
        elif kind == "SUBPATTERN":
            piece = "".join(_leads(argument[-1], before, leads))
        elif kind == "ATOMIC_GROUP":
            piece = "".join(_leads(argument, before, leads))
        elif kind == "BRANCH":
            pieces = ["".join(_leads(one, before, leads)) for one in argument[1]]
            piece = pieces[0]
        elif kind not in ("ASSERT", "ASSERT_NOT", "AT", "GROUPREF"):
            piece = (_some(kind, argument) or [""])[0]
        before += piece
        yield piece

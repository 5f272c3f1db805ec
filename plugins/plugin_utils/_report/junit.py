# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as JUnit XML, which CI systems display: a test suite for each host, a test case for each step."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t
import xml.etree.ElementTree as ET

from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown_lines

from .sentences import fixes, heading, mode, note
from .words import BY_KEY, STEPS


def junit(made: t.Mapping[str, t.Any]) -> str:
    """The XML file."""
    root = ET.Element("testsuites", {"name": _text(heading(made)), "time": _seconds(made["run"]["seconds"])})
    for host in made["hosts"]:
        _suite(root, made, host)
    for stop in made["stops"]:
        suite = ET.SubElement(root, "testsuite", {"name": "the whole run"})
        case = ET.SubElement(suite, "testcase", {"classname": "run", "name": _text(stop["task"]), "time": "0.000"})
        _fill(case, "failure", stop["message"], stop["message"])
        _count(suite)
    _count(root)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, made: t.Mapping[str, t.Any], host: t.Mapping[str, t.Any]) -> None:
    name = _text(host["name"])
    started = host["timeline"][0]["started"] if host["timeline"] else made["run"]["started"]
    suite = ET.SubElement(root, "testsuite", {"name": name, "timestamp": started.rstrip("Z")})
    cause = host["cause"]
    told = False
    for step in STEPS:
        cell = host["steps"].get(step.key)
        if cell is None:
            continue
        case = ET.SubElement(
            suite, "testcase", {"classname": name, "name": step.label, "time": _seconds(cell["seconds"])}
        )
        if cell["state"] == "skipped":
            ET.SubElement(case, "skipped")
        elif cell["state"] == "running":
            _fill(case, "error", "The run ended during this step.", note(made))
        elif cell["state"] in ("failed", "unreachable") or (cell["state"] == "not_proved" and cause):
            mine = bool(cause) and (cause["step"] == step.key or cell["state"] == "unreachable")
            told = told or mine
            _explain(case, cell["state"], cause if mine else None)
    if cause and not told:
        task = BY_KEY[cause["step"]].label if cause["step"] in BY_KEY else cause["task"]
        case = ET.SubElement(suite, "testcase", {"classname": name, "name": _text(task), "time": "0.000"})
        _explain(case, host["state"], cause)
    if host["state"] in ("stopped", "unfinished") and not cause:
        whole = mode(made)[:1].upper() + mode(made)[1:]
        case = ET.SubElement(suite, "testcase", {"classname": name, "name": whole, "time": "0.000"})
        _fill(
            case,
            "error",
            "The run ended before this host was finished.",
            note(made) or "An earlier failure stopped it.",
        )
    _count(suite)


def _explain(case: ET.Element, state: str, cause: t.Mapping[str, t.Any] | None) -> None:
    kind = "error" if state == "unreachable" else "failure"
    if cause is None:
        _fill(case, kind, "The step failed after the first cause.", "")
        return
    lines = [f"{wrong} {fix}".strip() for wrong, fix in fixes(cause)]
    _fill(case, kind, lines[0], "\n".join(lines))


def _fill(case: ET.Element, kind: str, message: str, body: str) -> None:
    ET.SubElement(case, kind, {"message": _text(message.splitlines()[0] if message else "")}).text = _text(body)


def _count(parent: ET.Element) -> None:
    cases = list(parent.iter("testcase"))
    parent.set("tests", str(len(cases)))
    for plural, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        if plural != "skipped" or parent.tag == "testsuite":
            parent.set(plural, str(sum(case.find(kind) is not None for case in cases)))
    if parent.tag == "testsuite":
        parent.set("time", _seconds(sum(float(case.get("time", "0")) for case in cases)))


def _text(text: str) -> str:
    return shown_lines(text)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A week of nights: what is new, gone and still there, and the files that are kept."""

from __future__ import annotations

import datetime
import json
import os
import typing as t
from pathlib import Path

import jsonschema
import pytest
import report_runs as runs

from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.document import INTERRUPTED, stamp
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.files import (
    FILES,
    due,
    earlier,
    folder_of,
    forget,
    place,
    render,
    replace,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.history import reduced, with_history
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.markdown import markdown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.page import page
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.sentences import since

SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "rollout_report.schema.json").read_text())
WARNED = runs.finding("dmarc-missing", "warning", "a.example", "None was found.", "Publish one.")
OTHER = runs.finding("spf-missing", "error", "a.example", "None was found.", "Publish one.")
OPEN = runs.finding("dns-unanswered", "unknown", "a.example", "No answer.", "Try again.")
SAID = runs.finding("dmarc-policy", "info", "a.example", "none", "")
NIGHT = datetime.timedelta(days=1).total_seconds()


def night(number: int = 0, state: str = "finished", **hosts: list[dict[str, str]] | None) -> dict[str, t.Any]:
    """A drift check of these hosts, with these findings; None for a host that did not answer."""
    run = runs.Run(*hosts, playbook="smtp_check.yml")
    for name, found in hosts.items():
        here = [name]
        run.step(run.task("Check the variables", "smtp_variables", "check"), here, ("ok", {}))
        if found is None:
            gone = ("unreachable", {"unreachable": True, "msg": "Connection timed out"})
            run.step(run.task("Find the instance", "instance_info", "check"), here, gone)
            continue
        run.step(run.task("Find the instance", "instance_info", "check"), here, ("ok", runs.instance(name)))
        blocking = [one for one in found if one["severity"] == "error"]
        verdict = {"in_order": not blocking, "findings": found, "blocking": blocking, "message": "It differs."}
        run.step(run.task("Sum up", "smtp_summary", "check"), here, ("ok", {**verdict, "summary": ["x"]}))
    made = run.document(state)
    made["run"]["started"] = stamp(runs.BEGAN + number * NIGHT)
    return made


def compared(*nights: dict[str, t.Any]) -> dict[str, t.Any]:
    """The last of these nights, with the earlier ones as they are read from their files."""
    seen = [reduced(json.loads(json.dumps(one))) for one in nights[:-1]]
    made = with_history(nights[-1], [one for one in seen if one is not None])
    jsonschema.Draft202012Validator(SCHEMA).validate(made)
    return made


def codes(made: dict[str, t.Any]) -> dict[str, list[str]]:
    return {group: [one["code"] for one in made["since"][group]] for group in ("new", "gone", "still")}


@pytest.mark.parametrize(
    ("before", "now", "new", "gone", "still"),
    [
        ([], [], [], [], []),
        ([], [WARNED], ["dmarc-missing"], [], []),
        ([WARNED], [], [], ["dmarc-missing"], []),
        ([WARNED], [WARNED], [], [], ["dmarc-missing"]),
        ([WARNED], [OTHER], ["spf-missing"], ["dmarc-missing"], []),
        # not wrong, and not known to be wrong
        ([OPEN, SAID], [], [], [], []),
        ([], [OPEN, SAID], [], [], []),
        # of another subject it is another problem, which the code alone would hide
        ([WARNED], [{**WARNED, "subject": "b.example"}], ["dmarc-missing"], ["dmarc-missing"], []),
        # a host that one of the two could not check says nothing about what is gone
        ([WARNED], None, [], [], []),
        (None, [WARNED], [], [], []),
    ],
)
def test_what_is_new_gone_and_still_there(
    before: t.Any, now: t.Any, new: list[str], gone: list[str], still: list[str]
) -> None:
    made = compared(night(0, a=before), night(1, a=now))
    assert codes(made) == {"new": new, "gone": gone, "still": still}


def test_hosts_with_the_same_code_are_together_and_a_new_host_is_not_compared() -> None:
    made = compared(night(0, a=[], b=[], c=[WARNED]), night(1, a=[WARNED], b=[WARNED], c=[WARNED], d=[OTHER]))
    assert [{**one, "hosts": sorted(one["hosts"])} for one in made["since"]["new"]] == [
        {"code": "dmarc-missing", "hosts": ["a", "b"]}
    ]
    assert made["since"]["still"] == [{"code": "dmarc-missing", "hosts": ["c"]}]


def test_every_format_for_people_begins_with_it() -> None:
    made = compared(night(0, a=[WARNED]), night(1, a=[OTHER]))
    began = stamp(runs.BEGAN).replace("T", " ").replace("Z", " UTC")
    assert since(made) == [
        (f"New since {began}", "spf-missing (a)"),
        ("Gone", "dmarc-missing (a)"),
        ("Still", "nothing"),
    ]
    text = page(made)
    assert f"<dt>New since {began}</dt><dd>spf-missing (a)</dd>" in text
    assert "<dt>Gone</dt><dd>dmarc-missing (a)</dd>" in text
    assert (
        f"- **New since {began}:** spf-missing (a)\n- **Gone:** dmarc-missing (a)\n- **Still:** nothing\n"
        in markdown(made)
    )


def test_without_an_earlier_run_nothing_is_said_about_one() -> None:
    made = compared(night(0, a=[]))
    assert made["since"] is None and since(made) == []
    assert "New since" not in page(made) + markdown(made) and 'class="strip"' not in page(made)


def test_only_finished_runs_of_the_same_kind_are_compared() -> None:
    tonight = night(3, a=[WARNED])
    assert compared(night(0, INTERRUPTED, a=[]), tonight)["since"] is None
    assert compared(runs.rollout(["a"]).document(), tonight)["since"] is None
    made = compared(night(0, a=[]), runs.rollout(["a"]).document(), night(2, INTERRUPTED, a=[]), tonight)
    assert made["since"]["started"] == stamp(runs.BEGAN)


def test_a_week_of_nights_is_a_strip_for_each_host() -> None:
    week = [night(number, a=[OTHER] if number == 2 else [], b=None if number == 5 else []) for number in range(7)]
    made = compared(*week)
    strips = {one["name"]: [each["state"] for each in one["earlier"]] for one in made["hosts"]}
    assert strips["a"] == ["in_order", "in_order", "drifted", "in_order", "in_order", "in_order"]
    assert strips["b"] == ["in_order"] * 5 + ["unreachable"]
    text = page(made)
    assert "7 runs: 6 in order, 1 differs" in text and "7 runs: 6 in order, 1 unreachable" in text
    row = text.partition('class="strip"')[2].partition("</svg>")[0]
    assert row.count("<rect") == 7 and row.count("fill-bad") == 1


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "{", '{"run": 3}',
     '{"run": {"state": "finished"}, "hosts": [1, {"name": [], "state": {}}]}',
     '{"run": {"state": "finished", "purposes": {}}, "hosts": [{"name": "a", "state": "x"}], "x": ' + "[" * 9000],
)  # fmt: skip
def test_a_file_that_is_no_report_is_passed_over(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "2026-01-01T00-00-00Z"
    folder.mkdir()
    (folder / "rollout.json").write_text(text)
    (tmp_path / "2026-01-02T00-00-00Z").mkdir()
    (tmp_path / "2026-01-03T00-00-00Z").write_text("no folder")
    assert not any(one["hosts"] for one in earlier(str(tmp_path), "", 9))


def test_texts_of_an_earlier_run_are_only_text() -> None:
    nasty = " ".join(runs.HOSTILE)
    bad = runs.finding(nasty, "error", nasty, nasty, nasty)
    made = compared(night(0, **{nasty: [bad]}), night(1, **{nasty: []}))
    assert made["since"]["gone"]
    assert "<script>window" not in page(made) and "<img" not in page(made)
    lines = [line for line in markdown(made).splitlines() if line.startswith("- **Gone")]
    assert len(lines) == 1 and "<script" not in lines[0] and "\x1b" not in lines[0]


def write(directory: Path, made: dict[str, t.Any], keep: int) -> Path:
    folder = folder_of(str(directory), made["run"]["started"], keep)
    seen = earlier(str(directory), folder, keep)
    place(str(directory), folder, render(with_history(made, seen), due(FILES, made["run"]["state"])))
    if made["run"]["state"] == "finished":
        forget(str(directory), folder, keep)
    return Path(folder)


def test_runs_are_kept_by_date_and_latest_leads_to_the_newest(tmp_path: Path) -> None:
    folders = [write(tmp_path, night(number, a=[]), 3) for number in range(5)]
    assert folders[0].name == stamp(runs.BEGAN).replace(":", "-")
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        *(one.name for one in folders[2:]),
        "latest",
        "rollout.prom",
    ]
    assert (tmp_path / "latest").resolve() == folders[-1]
    made = json.loads((tmp_path / "latest" / "rollout.json").read_text())
    assert made["since"]["started"] == stamp(runs.BEGAN + 3 * NIGHT)
    assert [one["started"] for one in made["hosts"][0]["earlier"]] == [stamp(runs.BEGAN + n * NIGHT) for n in (1, 2, 3)]


def test_a_run_that_does_not_finish_is_the_newest_but_leaves_the_metrics_of_the_last(tmp_path: Path) -> None:
    write(tmp_path, night(0, a=[]), 3)
    before = (tmp_path / "rollout.prom").read_text()
    folder = write(tmp_path, night(1, INTERRUPTED, a=[]), 3)
    assert (tmp_path / "latest").resolve() == folder and (tmp_path / "rollout.prom").read_text() == before
    assert sorted(one.name for one in folder.iterdir()) == sorted(set(FILES.values()) - {"rollout.prom"})


def test_what_somebody_else_put_there_is_never_removed(tmp_path: Path) -> None:
    first = write(tmp_path, night(0, a=[]), 1)
    (first / "notes.txt").write_text("mine")
    (tmp_path / "mine").mkdir()
    write(tmp_path, night(1, a=[]), 1)
    assert [one.name for one in first.iterdir()] == ["notes.txt"] and (tmp_path / "mine").is_dir()


def test_without_keeping_runs_the_files_are_in_the_folder_itself(tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path, night(number, a=[]), 0)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(FILES.values())
    assert json.loads((tmp_path / "rollout.json").read_text())["since"] is None


def test_each_host_is_compared_with_the_last_run_that_checked_it() -> None:
    nights = [night(0, a=[], b=[]), night(1, a=[]), night(2, a=[], b=[OTHER])]
    assert codes(compared(*nights))["new"] == ["spf-missing"]


def test_the_run_itself_is_never_forgotten(tmp_path: Path) -> None:
    """A clock that was set back gives it the earliest name."""
    for number in (5, 6, 7):
        write(tmp_path, night(number, a=[]), 3)
    own = write(tmp_path, night(0, a=[]), 3)
    assert own.is_dir() and (tmp_path / "latest").resolve() == own.resolve()
    assert len([one for one in tmp_path.iterdir() if one.is_dir() and not one.is_symlink()]) == 3


def test_a_link_that_somebody_has_put_there_is_not_followed(tmp_path: Path) -> None:
    victim, report = tmp_path / "victim", tmp_path / "report"
    victim.write_text("theirs")
    report.mkdir()
    (report / f".rollout.html.{os.getpid()}").symlink_to(victim)
    replace(str(report), {"rollout.html": "ours"})
    assert (victim.read_text(), (report / "rollout.html").read_text()) == ("theirs", "ours")

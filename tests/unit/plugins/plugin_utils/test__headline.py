# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A headline never contradicts a line below it."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._headline import (
    LABELS,
    Headline,
    of_check,
    of_dry_run,
    of_failure,
    of_rollout,
    to_prove,
)


def findings(*severities: str) -> list[dict[str, str]]:
    return [
        {"code": f"a-{number}", "severity": one, "subject": "x", "message": "It is so.", "fix": "Do it."}
        for number, one in enumerate(severities)
    ]


MIXES = [one for size in range(4) for one in itertools.product(("error", "warning", "info"), repeat=size)]


@pytest.mark.parametrize("severities", MIXES)
@pytest.mark.parametrize("outcome", ["changed", "in order", "not proved"])
def test_no_headline_contradicts_a_finding(outcome: str, severities: tuple[str, ...]) -> None:
    found = findings(*severities)
    missing = [{**findings("warning")[0], "code": "queue-not-proved"}] if outcome == "not proved" else []
    heads = [of_rollout(outcome, [*missing, *found], missing, proved=True, fails=False)]
    heads += [of_check(found, fail_on) for fail_on in ("error", "warning", "never")] if outcome == "in order" else []
    for head in heads:
        assert head.label in LABELS
        if "error" in severities:
            assert not head.label.startswith("In order") and f"{severities.count('error')} error" in head.text
        if "warning" in severities:
            assert f"{severities.count('warning')} warning" in head.text and head.label != "In order"
        assert ("not proved" in head.text) is bool(missing)


def test_every_kind_of_end_has_its_words() -> None:
    one = findings("warning")
    proved, half = (of_rollout("changed", [], [], proved=seen, fails=True) for seen in (True, False))
    assert proved == Headline("Done and proved", "Done and proved: the mail settings are in place and in use.")
    assert half == Headline("Done", "Done: the mail settings are in place and in use.")
    assert of_rollout("not proved", one, one, proved=False, fails=True) == Headline(
        "Done, not proved",
        "Done, not proved: the mail settings are in place and in use, but the queue is not proved. x: It is so. [a-0]",
        fails=True,
    )
    assert of_rollout("in order", one, [], proved=False, fails=False).text == (
        "In order, with 1 warning; there was nothing to change."
    )
    assert of_rollout("in order", [], [], proved=False, fails=False).text == "In order: there was nothing to change."
    assert of_dry_run("would change", [], [], fails=True) == Headline(
        "Would change", "Dry run, nothing was touched: this instance would change."
    )
    assert of_dry_run("in order", [], [], fails=True).text == "Dry run, nothing was touched: this instance is in order."
    assert of_dry_run("would change", one, one, fails=True).fails
    assert of_failure("undone", "Edit").text == "Failed, undone: Edit" and of_failure("", "Edit").label == "Failed"
    assert {f"Failed, {left}" for left in ("undone", "not undone", "nothing changed")} < set(LABELS)
    assert of_check([], "error").text.startswith("In order: file, effective settings")


def test_what_to_do_ends_with_another_run() -> None:
    (line,) = to_prove(findings("warning"))
    assert line == "To prove it: Do it. Then run the rollout again."
    said = {**findings("warning")[0], "fix": "Set it and run the rollout again: it sends a mail then."}
    assert to_prove([said]) == [f"To prove it: {said['fix']}"]

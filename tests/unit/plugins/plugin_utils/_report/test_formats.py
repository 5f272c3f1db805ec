# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The formats: each says what happened, and none lets a text be more than text."""

from __future__ import annotations

import ast
import html.parser
import json
import re
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import report_runs as runs
from markupsafe import Markup

from ansible_collections.fediops.mastodon.plugins.plugin_utils._report import markup
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.document import FINISHED, INTERRUPTED, RUNNING
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.files import FILES, append, render, replace
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.junit import junit
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.markdown import markdown, plain
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.page import page
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.sentences import verdict

#: Blanks.
UNPRINTABLE_BUT_HARMLESS = "\u00a0\u202f"
NAMES = ["social.example", "art.example", "books.example"]


class Elements(html.parser.HTMLParser):
    """Which elements and attributes a page has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.classes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name == "class":
                self.classes |= set((value or "").split())
            if name in ("href", "src", "for", "aria-controls"):
                self.targets.append(value or "")


def test_the_page_of_hostile_texts_has_the_elements_and_attributes_of_an_ordinary_one() -> None:
    ordinary = Elements(page(runs.rollout(NAMES, crashed=["books.example"]).document()))
    hostile = Elements(page(runs.hostile().document()))
    assert hostile.names <= ordinary.names | {"b", "details", "h3"}
    assert hostile.attributes <= ordinary.attributes
    assert not any(name.startswith("on") for name in hostile.attributes)


@pytest.mark.parametrize("run", [runs.hostile(), runs.fleet(20)], ids=["hostile", "fleet"])
def test_links_stay_within_the_page_and_have_a_target(run: runs.Run) -> None:
    seen = Elements(page(run.document()))
    assert len(seen.ids) == len(set(seen.ids))
    for target in seen.targets:
        assert target.lstrip("#") in seen.ids


@pytest.mark.parametrize(
    "run",
    [runs.fleet(), runs.hostile(), runs.drift_check(False), runs.rollback(), runs.adoption()],
    ids=["fleet", "hostile", "drift", "roll-back", "adoption"],
)
def test_every_class_of_the_page_has_a_rule(run: runs.Run) -> None:
    text = page(run.document())
    rules = set(re.findall(r"\.([a-z][\w-]*)", text.partition("<style>")[2].partition("</style>")[0]))
    used = Elements(text).classes
    assert len(used) > 20 and used - rules == set()


def test_nothing_is_loaded_from_elsewhere_and_only_the_own_script_may_run() -> None:
    text = page(runs.fleet(5).document())
    assert not re.search(r"\b(src|srcset|poster|action)=|@import|url\(", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy and "default-src &#39;none&#39;" in policy[1] and "unsafe" not in policy[1]


@pytest.mark.parametrize(("deployment", "word"), [("systemd", "restarted"), ("compose", "recreated")])
def test_the_page_says_what_was_done_to_a_service(deployment: str, word: str) -> None:
    made = runs.rollout(["a.example"]).document()
    made["hosts"][0]["instance"]["deployment"] = deployment
    assert f">{word} by this run<" in page(made)


def test_an_own_script_cannot_end_its_element() -> None:
    with pytest.raises(ValueError, match="end tag"):
        markup.asset("</script>")


def test_markup_is_escaped_unless_it_was_made_here() -> None:
    assert markup.el("p", "<b>", markup.el("i", '"'), title='"<') == '<p title="&#34;&lt;">&lt;b&gt;<i>&#34;</i></p>'
    assert markup.escape("a\x00\u202eb") == r"a\x00\u202eb"


@pytest.mark.parametrize("text", ["<img src=x onerror=alert(1)>", "a&lt;b", '"\' onclick="x', "</p><script>"])
@pytest.mark.parametrize("put", [
    lambda made, text: made + text,
    lambda made, text: text + made,
    lambda made, text: made.join([text, text]),
    lambda made, text: made.replace("HERE", text),
    lambda _made, text: markup.el("p", title=text),
    lambda _made, text: markup.el("p", [[text]]),
    lambda made, text: markup.el("p", f"{made}{text}"),
], ids=["after", "before", "between", "within", "attribute", "nested", "a string of both"])  # fmt: skip
def test_no_way_of_putting_a_text_into_markup_lets_it_be_more(text: str, put: t.Callable[..., str]) -> None:
    made = put(markup.el("b", "HERE"), text)
    seen = Elements(str(made))
    assert seen.names <= {"b", "p"} and seen.attributes <= {"title"}
    assert isinstance(made, Markup) and "<img" not in made and "<script" not in made


_PARTS_OF_THE_PAGE = sorted(set(Path(markup.__file__).parent.glob("*.py")) - {Path(markup.__file__)})


@pytest.mark.parametrize("file", _PARTS_OF_THE_PAGE, ids=lambda file: file.name)
def test_markup_is_made_of_literals_alone(file: Path) -> None:
    """So no text of a run can be called Markup by mistake; the page's own style and script come by asset()."""
    for call in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("Markup"):
            assert isinstance(call.args[0], ast.Constant), ast.unparse(call)


@pytest.mark.parametrize("run", [runs.hostile(), runs.fleet(20), runs.Run()], ids=["hostile", "fleet", "nothing"])
def test_junit_is_xml_whose_counts_are_true(run: runs.Run) -> None:
    root = ET.fromstring(junit(run.document()))
    assert root.tag == "testsuites"
    cases = list(root.iter("testcase"))
    assert root.get("tests") == str(len(cases))
    for kind, name in (("failure", "failures"), ("error", "errors")):
        assert int(root.get(name, "x")) == sum(case.find(kind) is not None for case in cases)
    for suite in root:
        assert suite.get("tests") == str(len(list(suite)))
    assert {one.tag for one in root.iter()} <= {"testsuites", "testsuite", "testcase", "failure", "error", "skipped"}


def test_junit_names_the_first_cause_at_the_step_that_failed() -> None:
    made = runs.rollout(NAMES, crashed=["books.example"], unreachable=["art.example"]).document()
    root = ET.fromstring(junit(made))
    failure = root.find("testsuite[@name='books.example']/testcase[@name='Services']/failure")
    assert (
        failure is not None and "rake-13.2.1" in failure.get("message", "") and "bundle install" in (failure.text or "")
    )
    error = root.find("testsuite[@name='art.example']/testcase/error")
    assert error is not None and "Connection timed out" in error.get("message", "")


@pytest.mark.parametrize(("fails", "number"), [(True, "1"), (False, "0")])
def test_junit_fails_for_a_queue_that_is_not_proved_where_the_run_does(fails: bool, number: str) -> None:
    made = runs.rollout(["a.example"], unproved=["a.example"], fails=fails).document()
    root = ET.fromstring(junit(made))
    assert root.get("failures") == number and ("It is a memorial." in junit(made)) is fails


def test_junit_of_an_unfinished_run_has_errors_for_what_is_missing() -> None:
    run = runs.Run("a.example")
    run.seen.started("a.example", run.task("Ask Rails", "mailer_check"), run.now)
    assert ET.fromstring(junit(run.document(RUNNING))).get("errors") != "0"


def test_the_summary_names_the_first_failure_its_fix_and_every_host() -> None:
    text = markdown(runs.rollout(NAMES, crashed=["books.example"]).document())
    assert "❌ **1 of 3 hosts did not pass.**" in text
    assert "What failed first: Services on books.example" in text and "**Fix:** Run bundle install" in text
    assert [line.split(" | ")[1] for line in text.splitlines() if line.startswith("| ")][2:] == [
        "books.example",
        "social.example",
        "art.example",
    ]


def test_the_summary_of_hostile_texts_holds_neither_html_nor_links_nor_more_lines() -> None:
    text = markdown(runs.hostile().document())
    # what is not made here
    mine = text.replace("<br>", "")
    assert not re.search(r"<|\]\(|`|\x1b|\x00|\u202e", mine)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(runs.HOSTILE) and {row.count("|") for row in rows} == {6}


@pytest.mark.parametrize("kind", FILES)
def test_no_file_holds_what_a_terminal_or_a_ci_runner_obeys(kind: str) -> None:
    text = render(runs.hostile().document(), [kind])[FILES[kind]]
    assert not [char for char in text if not char.isprintable() and char not in "\n" + UNPRINTABLE_BUT_HARMLESS]
    assert "##[" not in text and "##vso[" not in text
    assert not any(line.strip().startswith("::") for line in text.splitlines())


def test_a_text_of_any_kind_is_one_short_line() -> None:
    assert plain("a\r\nb|c <d> **e**") == "a b&#124;c &#60;d&#62; &#42;&#42;e&#42;&#42;"
    assert len(plain("x" * 5000)) == 600


def test_the_summary_of_a_large_fleet_stays_far_below_the_limit_of_a_job_page() -> None:
    assert len(markdown(runs.fleet(1000).document()).encode()) < 100_000


@pytest.mark.parametrize(
    ("made", "words", "tone"),
    [
        (runs.rollout(["a"]).document(), "The host is in order.", "good"),
        (runs.rollout(["a", "b"], same=["b"]).document(), "Both hosts are in order, 1 changed.", "good"),
        (runs.rollout(NAMES, same=NAMES).document(), "All 3 hosts are in order.", "good"),
        (runs.rollout(NAMES, unproved=NAMES[:1]).document(), "1 of 3 hosts is done, but not proved.", "bad"),
        (runs.rollout(["a"], unproved=["a"], fails=False).document(), "The host is done, but not proved.", "info"),
        (runs.rollout(NAMES, refused=NAMES).document(), "None of the 3 hosts passed.", "bad"),
        (runs.rollout(NAMES, unreachable=["art.example"]).document(), "1 of 3 hosts did not pass.", "bad"),
        (runs.rollout(NAMES, check_mode=True).document(), "3 of 3 hosts would change.", "info"),
        (runs.rollout(NAMES, same=NAMES, check_mode=True).document(), "All 3 hosts are in order.", "good"),
        (runs.rollout(["a"]).document(RUNNING), "Unfinished: 1 of 1 host done.", "busy"),
        (runs.rollout(["a"]).document(INTERRUPTED), "Interrupted: 1 of 1 host done.", "bad"),
        (runs.Run().document(), "No host ran a step of the rollout.", "idle"),
        (runs.drift_check(True).document(), "The host is as the inventory says.", "good"),
        (runs.drift_check(False).document(), "The host differs from the inventory.", "bad"),
        (runs.rollback().document(), "The host is rolled back.", "good"),
        (runs.rollback(check_mode=True).document(), "The host would be rolled back.", "info"),
        (runs.adoption().document(), "Both hosts are in the inventory, 1 adopted.", "good"),
        (runs.adoption(check_mode=True).document(), "1 of 2 hosts would be written into the inventory.", "info"),
    ],
)
def test_the_run_in_one_sentence(made: dict[str, t.Any], words: str, tone: str) -> None:
    assert verdict(made) == (words, tone)


def rollout_and_check() -> runs.Run:
    run = runs.rollout(NAMES)
    run.seen.play("Compare each instance with the inventory", NAMES, run.now, file="smtp_check.yml")
    return run


@pytest.mark.parametrize(
    ("run", "title", "mode"),
    [
        (runs.rollout(NAMES), "Mail rollout", "rollout"),
        (runs.rollout(NAMES, check_mode=True), "Mail rollout (dry run)", "dry run of the rollout, nothing was changed"),
        (runs.drift_check(False), "Mail drift check", "drift check, nothing was changed"),
        (runs.rollback(), "Mail rollback", "rollback"),
        (runs.rollback(check_mode=True), "Mail rollback (dry run)", "dry run of the rollback, nothing was changed"),
        (runs.adoption(), "Adoption of mail settings", "adoption"),
        (rollout_and_check(), "Mail: rollout, drift check", "rollout, drift check"),
    ],
)
def test_every_format_says_what_the_run_is_for(run: runs.Run, title: str, mode: str) -> None:
    made = run.document()
    assert f"<dt>Mode</dt><dd>{mode}</dd>" in page(made) and f"<title>{title}: " in page(made)
    assert markdown(made).startswith(f"## {title}\n")
    assert ET.fromstring(junit(made)).get("name") == title
    # a title of the operator's own does not hide it
    own = run.document(title="Night shift")
    said = f"Night shift ({mode.partition(', nothing')[0]})"
    assert said in page(own) and said in markdown(own) and ET.fromstring(junit(own)).get("name") == said


def test_a_drift_check_does_not_speak_of_a_failure_or_a_rollout() -> None:
    made = runs.drift_check(False).document()
    for text in (page(made), markdown(made)):
        assert "What differs from the inventory" in text and "What failed first" not in text
        assert "rollout" not in text.replace("rollout_report", "").replace("rollout.json", "").lower()


@pytest.mark.parametrize("alone", [True, False])
def test_a_host_that_did_not_answer_has_a_heading_of_its_own(alone: bool) -> None:
    run = runs.Run("a.example", "gone.example", playbook="smtp_check.yml")
    gone = ("unreachable", {"unreachable": True, "msg": "Connection timed out"})
    run.step(run.task("Find the instance", "instance_info", "check"), ["gone.example"], gone)
    made = (run if alone else runs.drift_check(False, after=run)).document()
    assert [one["state"] for one in made["problems"]] == (["unreachable"] if alone else ["unreachable", "drifted"])
    for text in (page(made), markdown(made)):
        differs, silent = text.find("What differs from the inventory"), text.find("Did not answer")
        assert silent > 0 and (differs < 0 if alone else 0 < differs < silent)


def test_what_was_put_back_is_not_shown_as_in_force() -> None:
    tried = page(runs.rollout(["a.example"], crashed=["a.example"]).document())
    assert "Environment file: tried, then restored" in tried and "the values that were tried are gone" in tried
    assert "Settings: in effect again, and as tried" in tried and "as Rails uses them now" not in tried
    kept = page(runs.rollout(["a.example"]).document())
    assert "restored" not in kept and "Environment file: before and after" in kept


def test_what_became_of_a_host_that_failed_stands_beside_the_cause() -> None:
    early = runs.rollout(NAMES, refused=NAMES).document()
    late = runs.rollout(NAMES, crashed=["books.example"]).document()
    for text in (page(early), markdown(early)):
        assert "Nothing was changed." in text and "restored" not in text
    for text in (page(late), markdown(late)):
        assert "was restored byte for byte" in text and "Nothing was changed." not in text
    assert "Nothing was changed." not in page(runs.drift_check(False).document())
    # two folders, two sentences: beside the cause that they share stands what they have in common
    both = runs.rollout(NAMES, crashed=NAMES[1:]).document()
    both["hosts"][0]["undone"] = both["hosts"][0]["undone"].replace("/home/mastodon/live", "/srv/mastodon")
    assert "Everything was rolled back" in markdown(both)
    both["hosts"][0]["variables"]["put_back"] = False
    assert "Everything was rolled back" not in markdown(both)


def test_services_that_nobody_touched_have_one_state() -> None:
    assert '>Before</th><th scope="col">After</th><th scope="col">What</th>' in page(runs.rollout(["a"]).document())
    run = runs.Run("a", playbook="smtp_check.yml")
    run.step(run.task("See", "instance_info"), ["a"], ("ok", runs.instance("a")))
    assert '>State</th><th scope="col">What</th>' in page(run.document())


def test_settings_are_in_the_operators_words_and_those_that_nobody_set_are_left_out() -> None:
    run = runs.rollout(["a.example"])
    made = run.document()
    by_rails = {"name": "main.open_timeout", "before": None, "planned": None, "rails": 5, "differs": False}
    made["hosts"][0]["settings"].append(by_rails)
    text = page(made)
    for words in ("STARTTLS if the relay offers it", "STARTTLS required", "localhost:25", "smtp.eu.mailgun.org:587"):
        assert words in text
    assert "Open timeout" not in text and "tls mode" not in text and "not set" not in text
    # one that Rails uses with another value than planned is shown whatever it is
    made["hosts"][0]["settings"][-1] = {**by_rails, "name": "main.port", "planned": 587, "rails": 25, "differs": True}
    assert "planned: 587" in page(made)


def test_a_message_that_begins_with_its_subject_says_it_once() -> None:
    made = runs.rollout(["a.example"], refused=["a.example"]).document()
    for text in (page(made), markdown(made), junit(made)):
        assert "smtp.eu.mailgun.org:587 rejected" in text
        assert "smtp.eu.mailgun.org:587: smtp" not in text and "587&#58; smtp" not in text


def test_the_page_of_an_unfinished_run_says_what_was_under_way() -> None:
    run = runs.Run("a.example", "b.example")
    task = run.task("Ask Rails", "mailer_check")
    for name in ("a.example", "b.example"):
        run.seen.started(name, task, run.now)
    run.now += 12
    assert "In progress then: Rails: a.example, b.example, for 12 s." in page(run.document(RUNNING))
    assert "Under way" not in page(run.document(FINISHED))


def test_a_dry_run_speaks_of_no_backup_and_no_mail_as_if_there_were_one() -> None:
    run = runs.rollout(["a.example"], check_mode=True)
    run.step(run.task("Queue", "queued_mail_check"), ["a.example"], ("ok", {**runs.QUEUE, "outcome": "not_sent"}))
    text = page(run.document())
    assert "none was sent" in text and "The previous file is kept" not in text and "not_sent" not in text
    assert "The previous file is kept" in page(runs.rollout(["a.example"]).document())


def test_the_page_says_which_mails_wait() -> None:
    group = {"place": "retry", "mailer": "UserMailer", "method": "reset_password_instructions", "count": 3, "fresh": 1}
    group |= {
        "expired": 2,
        "error_class": "Net::SMTPAuthenticationError",
        "cause": "login-refused",
        "error_message": "x@y",
    }
    dead = {
        "place": "dead",
        "mailer": "UserMailer",
        "method": "welcome",
        "count": 1,
        "gone": 1,
        "error_class": "EOFError",
    }
    run = runs.Run("a.example")
    result = {**runs.rails("a.example"), "waiting": {"complete": False, "error": "", "groups": [group, dead]}}
    run.step(run.task("Ask Rails", "mailer_check"), ["a.example"], ("ok", result))
    made = run.document()
    text = " ".join(re.sub("<[^>]+>", " ", page(made)).split())
    assert "Mails in Sidekiq (at least)" in text
    assert "3 password resets to be tried again 1 of use, 2 expired login-refused" in text
    assert "1 welcome mail given up 1 about something that is gone EOFError" in text
    assert "x@y" not in json.dumps(made)


def test_the_page_says_what_became_of_mails_that_were_retried() -> None:
    def said(dry: bool = False, **more: t.Any) -> str:
        retried = {**dict.fromkeys(runs.RETRIED, 0), "stopped": None, **more}
        made = runs.look_at_mails(check_mode=dry, retried=retried).document()
        return " ".join(re.sub("<[^>]+>", " ", page(made)).split())

    text = said(chosen=14, sent=9, failed=3, left=2, expired=5, dropped=4, stopped="failures")
    assert "Mails that were retried" in text
    assert "Chosen 14 Handed to the relay 9 Failed again 3 Left as they were 2 Expired, not retried 5" in text
    assert "Of these, deleted 4" in text and "three in a row failed again" in text
    assert "on the way" not in text and "recipient does not exist" not in text
    text = said(chosen=14, dry=True, left=14)
    assert "Mails that would be retried" in text and "Chosen 14" in text and "Handed" not in text and "Left" not in text
    assert "Mails that were retried" not in said()


def test_files_are_replaced_as_a_whole_and_nothing_is_left_beside(tmp_path: t.Any) -> None:
    folder = tmp_path / "new" / "report"
    files = render(runs.hostile().document(), list(FILES))
    replace(str(folder), {"rollout.json": "old"})
    replace(str(folder), files)
    assert sorted(one.name for one in folder.iterdir()) == sorted(FILES.values())
    assert json.loads((folder / "rollout.json").read_text())["run"]["state"] == FINISHED


def test_a_summary_is_added_to_what_is_there(tmp_path: t.Any) -> None:
    target = tmp_path / "summary.md"
    target.write_text("before\n")
    append(str(target), "after\n")
    assert target.read_text() == "before\n\nafter\n"


@pytest.mark.parametrize("asked", [False, True])
def test_a_step_that_nobody_asked_for_has_no_column(asked: bool) -> None:
    run = runs.rollout(["a.example"])
    skipped = {"changed": False, "skipped": True, "skip_reason": "There is nothing to do."}
    ends = ("ok", runs.ARRIVAL) if asked else ("skipped", skipped)
    run.step(run.task("Look for the mails", "mail_arrival_info", "rollout"), ["a.example"], ends)
    head = page(run.document()).partition('id="matrix"')[2].partition("</thead>")[0]
    assert (">Arrival<" in head) is asked and ">Queue<" in head

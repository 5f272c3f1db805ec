# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback in real runs of ansible-playbook: all ends that a run can have, and the files that it leaves."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.files import FILES

CHECKOUT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((CHECKOUT / "docs" / "rollout_report.schema.json").read_text())
SECRET = "correct horse battery staple"
#: How long anything may take that a test waits for; only a defect makes it wait so long.
PATIENCE = 120.0


class Run:
    """One ansible-playbook with the callback switched on, over hosts that are files of this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.report = folder / "report"
        self.summary = folder / "summary.md"
        self.process: subprocess.Popen[str] | None = None
        self.settings: dict[str, str] = {"MASTODON_ROLLOUT_REPORT_FORMATS": ",".join(FILES)}

    def start(
        self,
        hosts: t.Mapping[str, t.Mapping[str, t.Any]],
        *arguments: str,
        playbook: str = str(Path(__file__).with_name("run.yml")),
        **variables: t.Any,
    ) -> None:
        for name in hosts:
            (self.folder / f"{name}.env").write_text("LOCAL_DOMAIN=example.org\nSMTP_SERVER=localhost\n")
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        listed = {name: {**local, **own} for name, own in hosts.items()}
        inventory = self.folder / "hosts.yml"
        inventory.write_text(yaml.safe_dump({"fleet": {"hosts": listed}}))
        extra = {"secret": SECRET, "folder": str(self.folder), **variables}
        self.process = subprocess.Popen(
            [
                *(str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory)),
                *("-e", json.dumps(extra), *arguments, playbook),
            ],
            env={
                **os.environ,
                "ANSIBLE_CALLBACKS_ENABLED": "fediops.mastodon.rollout_report",
                "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".work" / "collections"),
                "ANSIBLE_HOME": str(self.folder / "home"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_SSH_TIMEOUT": "2",
                "LC_ALL": "C.UTF-8",
                "MASTODON_ROLLOUT_REPORT_DIRECTORY": str(self.report),
                "GITHUB_STEP_SUMMARY": str(self.summary),
                **self.settings,
            },
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self) -> tuple[int, str]:
        """Exit status and all that was printed."""
        assert self.process
        output, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output

    def document(self) -> dict[str, t.Any]:
        """The JSON file, which is whole and true to its schema whenever it is read."""
        made: dict[str, t.Any] = json.loads((self.report / "rollout.json").read_text())
        jsonschema.Draft202012Validator(SCHEMA).validate(made)
        return made

    def await_document(self, wanted: t.Callable[[dict[str, t.Any]], bool]) -> dict[str, t.Any]:
        """The file as soon as it says so, read again and again while the run goes on."""
        assert self.process
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if (self.report / "rollout.json").exists():
                made = self.document()
                if wanted(made):
                    return made
            if self.process.poll() is not None:
                pytest.fail(f"the run ended too early:\n{self.end()[1]}")
            time.sleep(0.02)
        raise AssertionError("it never came to that")

    def texts(self) -> str:
        """All files of the report and the summary together."""
        files = [*self.report.glob("*"), *([self.summary] if self.summary.exists() else [])]
        return "\n".join(one.read_text() for one in files)


@pytest.fixture
def run(tmp_path: Path) -> t.Iterator[Run]:
    made = Run(tmp_path)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.communicate()


@contextlib.contextmanager
def silent_relay() -> t.Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield listening.getsockname()[1]


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def states(made: dict[str, t.Any]) -> dict[str, str]:
    return {one["name"]: one["state"] for one in made["hosts"]}


def test_hosts_that_pass_fail_and_do_not_answer_are_all_in_every_file(run: Run) -> None:
    port = closed_port()
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": port}
    run.start({"good": {}, "bad": {"relay_port": port}, "gone": gone}, "--diff")
    status, output = run.end()
    assert status != 0, output
    made = run.document()
    assert states(made) == {"bad": "failed", "gone": "unreachable", "good": "changed"}
    assert made["run"]["state"] == "finished" and made["run"]["purposes"] == ["other"]
    bad = next(one for one in made["hosts"] if one["name"] == "bad")
    assert bad["cause"]["step"] == "relay" and str(port) in bad["cause"]["findings"][0]["subject"]
    variables = {one["name"]: one for one in bad["variables"]["changed"]}
    assert variables["SMTP_SERVER"]["before"] == "localhost" and variables["SMTP_SERVER"]["after"] == "smtp.example.org"
    assert variables["SMTP_PASSWORD"]["after"] == "(hidden)"
    page = (run.report / "rollout.html").read_text()
    suites = {one.get("name") for one in ET.parse(run.report / "rollout.xml").getroot()}
    summary = run.summary.read_text()
    for name in ("good", "bad", "gone"):
        assert f">{name}<" in page and name in suites and f"| {name} |" in summary
    metrics = text_string_to_metric_families((run.report / "rollout.prom").read_text())
    passed = {one.labels["host"]: one.value for family in metrics for one in family.samples if one.name.endswith("_ok")}
    assert passed == {"good": 1, "bad": 0, "gone": 0}
    assert f"Report: {run.report}" in output and SECRET not in run.texts()


@contextlib.contextmanager
def webhook() -> t.Iterator[tuple[str, list[dict[str, t.Any]]]]:
    """The address of a web server, and what has been posted to it."""
    posted: list[dict[str, t.Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append({"path": self.path, "token": self.headers["Authorization"], **json.loads(body)})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_unused: t.Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", posted
        server.shutdown()


def test_runs_are_kept_by_date_and_compared_with_the_last_one(run: Run) -> None:
    run.settings["MASTODON_ROLLOUT_REPORT_KEEP"] = "2"
    folders = []
    secret = {"MASTODON_ROLLOUT_REPORT_NOTIFY_TOKEN": "t0k3n-secret"}
    with webhook() as (url, posted):
        run.settings |= {"MASTODON_ROLLOUT_REPORT_NOTIFY_URL": f"{url}/s3cr3t-path", **secret}
        for bad in ({"relay_port": closed_port()}, {}, {}):
            run.start({"good": {}, "bad": bad})
            status, output = run.end()
            assert "s3cr3t" not in output and "t0k3n" not in output and "WARNING" not in output
            assert (status != 0) is bool(bad), output
            folders.append((run.report / "latest").resolve())
            assert f"Report: {folders[-1]}" in output
    # when it fails, and when that is over; the third run is as the second
    assert [(one["path"], one["token"], one["verdict"]) for one in posted] == [
        ("/s3cr3t-path", "Bearer t0k3n-secret", verdict) for verdict in ("bad", "good")
    ]
    assert SECRET not in json.dumps(posted)
    first, *kept = folders
    # the first is not among the newest two any more
    assert {one.name for one in run.report.iterdir()} == {*(one.name for one in kept), "latest", "rollout.prom"}
    run.report = kept[0]
    made = run.document()
    assert made["since"]["started"] == first.name[:11] + first.name[11:].replace("-", ":")
    assert [one["hosts"] for one in made["since"]["gone"]] == [["bad"]] and made["since"]["new"] == []
    hosts = {one["name"]: [each["state"] for each in one["earlier"]] for one in made["hosts"]}
    assert hosts == {"good": ["changed"], "bad": ["failed"]}


def test_a_dry_run_says_so_and_what_is_hidden_by_no_log_is_hidden_here_too(run: Run) -> None:
    run.start({"good": {}}, "--check", hide=True)
    status, output = run.end()
    assert status == 0, output
    made = run.document()
    good = made["hosts"][0]
    assert made["run"]["check_mode"] is True and "dry run" in run.summary.read_text()
    assert good["steps"]["settings"]["hidden"] and good["steps"]["edit"]["hidden"]
    assert good["variables"] is None and "smtp.example.org" not in run.texts()


@pytest.mark.parametrize(
    ("playbook", "purpose", "title"),
    [
        ("fediops.mastodon.smtp_rollout", "rollout", "Mail rollout (dry run)"),
        ("fediops.mastodon.smtp_rollback", "rollback", "Mail rollback (dry run)"),
        ("fediops.mastodon.smtp_adopt", "adopt", "Adoption of mail settings (dry run)"),
        # a playbook around one of the collection, and one around a part of its role
        ("- import_playbook: fediops.mastodon.smtp_check", "drift_check", "Mail drift check"),
        (
            "- {hosts: fleet, gather_facts: false, tasks: [import_role: {name: fediops.mastodon.mastodon_smtp}]}",
            "rollout",
            "Mail rollout (dry run)",
        ),
    ],
)
def test_the_report_knows_which_playbook_it_is_of(run: Run, playbook: str, purpose: str, title: str) -> None:
    if playbook.startswith("-"):
        (run.folder / "mine.yml").write_text(playbook)
        playbook = str(run.folder / "mine.yml")
    # No Mastodon is in this folder, so each ends at its first look.
    extra = {"mastodon_smtp_app_dir": str(run.folder / "nothing"), "mastodon_smtp_deployment": "systemd"}
    run.start({"one": {}}, "--check", playbook=playbook, mastodon_smtp_hosts="fleet", **extra)
    status, output = run.end()
    assert status == 2, output
    made = run.document()
    assert (made["run"]["purposes"], made["run"]["title"]) == ([purpose], title), output
    assert len(states(made)) == 1
    assert title in (run.report / "rollout.html").read_text() and f"\n## {title}\n" in run.summary.read_text()


@pytest.mark.parametrize(
    ("number", "ends_with", "state"),
    [
        (signal.SIGINT, 99, "interrupted"),
        (signal.SIGTERM, -signal.SIGTERM, "interrupted"),
        (signal.SIGKILL, -signal.SIGKILL, "unfinished"),
    ],
    ids=["INT", "TERM", "KILL"],
)
def test_a_run_that_is_ended_by_a_signal_leaves_its_report(
    run: Run, number: signal.Signals, ends_with: int, state: str
) -> None:
    with silent_relay() as port:
        run.start({"one": {"relay_port": port}, "two": {"relay_port": port}}, patience=PATIENCE)
        run.await_document(lambda made: len(made["waiting"]) == 2 and made["waiting"][0]["step"] == "relay")
        assert run.process
        run.process.send_signal(number)
        status, output = run.end()
    assert status == ends_with, output
    made = run.document()
    assert made["run"]["state"] == state
    assert states(made) == {"one": "unfinished", "two": "unfinished"}
    assert made["hosts"][0]["variables"]["changed"]
    page = (run.report / "rollout.html").read_text()
    if number == signal.SIGKILL:
        assert "it was killed" in page and not run.summary.exists()
    else:
        assert number.name in made["run"]["detail"] and number.name in page
        assert "Interrupted" in run.summary.read_text()
    # The metrics of the last run that finished stay, here none.
    assert {one.name for one in run.report.iterdir()} == set(FILES.values()) - {"rollout.prom"}


def test_a_signal_that_is_ignored_ends_neither_the_run_nor_the_report(run: Run) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup has it
    try:
        with silent_relay() as port:
            run.start({"one": {"relay_port": port}}, patience=PATIENCE)
            run.await_document(lambda made: bool(made["waiting"]) and made["waiting"][0]["step"] == "relay")
            assert run.process
            run.process.send_signal(signal.SIGHUP)
            run.process.send_signal(signal.SIGTERM)
            status, output = run.end()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert status == -signal.SIGTERM, output
    assert "SIGTERM" in run.document()["run"]["detail"]


def test_a_run_that_ansible_itself_breaks_off_leaves_its_report(run: Run) -> None:
    run.start({"good": {}}, break_off=True)
    status, output = run.end()
    assert status not in (0, 2), output
    made = run.document()
    assert made["run"]["state"] == "interrupted" and states(made) == {"good": "changed"}
    assert "Ansible stopped early" in run.summary.read_text()


def test_while_a_step_takes_long_it_is_said_what_is_waited_for_and_how_long_at_most(run: Run) -> None:
    run.settings["MASTODON_ROLLOUT_REPORT_PROGRESS_AFTER"] = "1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        run.start({"one": {}}, dns_port=silent.getsockname()[1], patience=PATIENCE)
        assert run.process and run.process.stdout
        # It is seen while the run goes on, though the output goes into a pipe.
        line = next(line for line in run.process.stdout if "name servers" in line)
        run.process.terminate()
        run.end()
    assert line.startswith("... one: waiting for the name servers (") and line.endswith(" so far, at most 2 min)\n")


def test_a_folder_that_cannot_be_written_costs_the_report_and_not_the_run(run: Run) -> None:
    run.report.write_text("a file")
    run.start({"good": {}})
    status, output = run.end()
    assert status == 0, output
    assert output.count("The rollout report cannot be written") == 1
    assert run.report.read_text() == "a file"


def test_a_webhook_that_does_not_answer_costs_a_warning_and_not_the_run(run: Run) -> None:
    port = closed_port()
    run.settings["MASTODON_ROLLOUT_REPORT_NOTIFY_URL"] = f"http://127.0.0.1:{port}/s3cr3t-path"
    run.settings["MASTODON_ROLLOUT_REPORT_NOTIFY_ON"] = "always"
    run.start({"good": {}})
    status, output = run.end()
    assert status == 0, output
    words = " ".join(output.split())
    assert "The notification was not delivered to 127.0.0.1: Connection refused." in words
    assert "s3cr3t" not in output

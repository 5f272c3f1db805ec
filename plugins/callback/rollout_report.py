# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rollout_report
type: aggregate
short_description: Writes a report of a rollout, and shows what slow steps are waiting for
version_added: 1.0.0
author:
  - The fediops.mastodon contributors (@fediops)
description:
  - Writes one report of a run of the collection's playbooks over any number of hosts. It is an HTML page without
    outside assets, JSON with a published schema (C(docs/rollout_report.schema.json)), JUnit XML, a Markdown summary,
    and on request metrics for Prometheus.
  - The page shows the steps of each host, what failed first and why, the settings before and after with secrets
    hidden, how long each step took, and the evidence from DNS, relay, Rails, services and queue.
  - The files are rewritten during the run, each time completely. A run that fails or is
    interrupted has its report, and one that is killed leaves the last state, marked as unfinished.
  - The Markdown summary is also appended to the file that the environment variable E(GITHUB_STEP_SUMMARY) names, as
    GitHub and Forgejo Actions set it.
  - While a task takes long, a line shows which hosts it is waiting for, for what, how long so far and the limit.
  - It keeps only data known not to be secret, and removes the secrets of the collection's own options from every text.
    A task with C(no_log) appears with its state and its time only.
requirements:
  - Enable it in the configuration, for instance by E(ANSIBLE_CALLBACKS_ENABLED=fediops.mastodon.rollout_report).
notes:
  - Values of variables before the edit are known only when the run has C(--diff).
options:
  directory:
    description:
      - The folder that the files go to. It is made if it is missing; files of an earlier report in it are replaced.
    type: path
    default: rollout-report
    env:
      - name: MASTODON_ROLLOUT_REPORT_DIRECTORY
    ini:
      - section: callback_rollout_report
        key: directory
  formats:
    description:
      - What is written. The files are C(rollout.html), C(rollout.json), C(rollout.xml), C(rollout.md) and
        C(rollout.prom).
      - V(openmetrics) is for the textfile collector of Prometheus' node_exporter. It is written only when a run has
        finished, so its age shows when no run does.
    type: list
    elements: str
    choices: [html, json, junit, markdown, openmetrics]
    default: [html, json, junit, markdown]
    env:
      - name: MASTODON_ROLLOUT_REPORT_FORMATS
    ini:
      - section: callback_rollout_report
        key: formats
  keep:
    description:
      - How many runs are kept. Each has a folder named by its beginning, and C(latest) leads to the newest. The report
        then says what is new since the last run of the same kind, what is gone and what is still there, and shows how
        each host has been.
      - V(0) means that only the last run is kept, in O(directory) itself. The file of V(openmetrics) is always there.
    type: int
    default: 0
    env:
      - name: MASTODON_ROLLOUT_REPORT_KEEP
    ini:
      - section: callback_rollout_report
        key: keep
  title:
    description:
      - The title of the report. Without one it says what the run is for, for instance V(Mail rollout) or V(Mail drift
        check).
    type: str
    env:
      - name: MASTODON_ROLLOUT_REPORT_TITLE
    ini:
      - section: callback_rollout_report
        key: title
  summary_file:
    description: A file to which the Markdown summary is appended at the end of the run. Empty means none.
    type: path
    env:
      - name: MASTODON_ROLLOUT_REPORT_SUMMARY_FILE
      - name: GITHUB_STEP_SUMMARY
    ini:
      - section: callback_rollout_report
        key: summary_file
  notify_url:
    description:
      - A webhook that is told about a finished run. It may be secret, and is never shown.
      - What is sent are the names of hosts, their states and the codes of findings. It is tried four times within half
        a minute; a delivery that fails is a warning, and changes nothing else.
    type: str
    env:
      - name: MASTODON_ROLLOUT_REPORT_NOTIFY_URL
    ini:
      - section: callback_rollout_report
        key: notify_url
  notify_shape:
    description:
      - What receives it. V(generic) is JSON with C(title), C(verdict), C(text), C(run), C(totals), C(hosts) and
        C(since).
      - V(ntfy) takes the address of a topic, V(matrix) one that ends with
        C(/_matrix/client/v3/rooms/ROOM/send/m.room.message). V(slack), V(mattermost) and V(discord) take that of an
        incoming webhook.
    type: str
    choices: [generic, ntfy, matrix, slack, mattermost, discord]
    default: generic
    env:
      - name: MASTODON_ROLLOUT_REPORT_NOTIFY_SHAPE
    ini:
      - section: callback_rollout_report
        key: notify_shape
  notify_token:
    description: A token for O(notify_url), sent as C(Bearer). Matrix needs one. It is never shown.
    type: str
    env:
      - name: MASTODON_ROLLOUT_REPORT_NOTIFY_TOKEN
    ini:
      - section: callback_rollout_report
        key: notify_token
  notify_on:
    description:
      - When it is sent. V(change) means that an error or warning is new or gone since the last kept run of the same
        kind, or that a host is no longer well or is well again. It needs O(keep); without an earlier run, it is sent if
        something is wrong.
      - V(always) means after each run.
    type: str
    choices: [change, always]
    default: change
    env:
      - name: MASTODON_ROLLOUT_REPORT_NOTIFY_ON
    ini:
      - section: callback_rollout_report
        key: notify_on
  progress_after:
    description:
      - After how many seconds of one task the report shows what it is waiting for, and the interval for repeating it.
      - V(0) means never.
    type: int
    default: 15
    env:
      - name: MASTODON_ROLLOUT_REPORT_PROGRESS_AFTER
    ini:
      - section: callback_rollout_report
        key: progress_after
"""

EXAMPLES = r"""
# ansible.cfg
# [defaults]
# callbacks_enabled = fediops.mastodon.rollout_report
# [callback_rollout_report]
# directory = report
"""

import atexit
import os
import platform
import signal
import sys
import threading
import time
import typing as t
import urllib.parse

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as ansible_version
from ansible.template import Templar

from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown
from ansible_collections.fediops.mastodon.plugins.plugin_utils._core import Ended
from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry, Record
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report import notify, progress
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.collect import Collector, Task
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.document import (
    FINISHED,
    INTERRUPTED,
    RUNNING,
    document,
    stamp,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.evidence import SECRET_OPTIONS
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.files import (
    FILES,
    append,
    due,
    earlier,
    folder_of,
    forget,
    place,
    render,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.history import with_history
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.words import step_of

#: Seconds between two writes during the run, unless a write takes long.
PAUSE = 2.0
#: The share of the time that writing may take.
SHARE = 0.1
#: Where the role sets the option chain of its steps.
CHAIN = "group/fediops.mastodon.chain"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CallbackModule(CallbackBase):
    """Passes the events of a run to a collector, and writes the report from it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "fediops.mastodon.rollout_report"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._seen = Collector()
        self._said = progress.Memory()
        # Events come from two threads, and a signal may interrupt the handling of one.
        self._guard = threading.RLock()
        self._changed = threading.Event()
        self._over = threading.Event()
        self._writer: threading.Thread | None = None
        self._previous: dict[int, t.Any] = {}
        self._process = os.getpid()
        self._play: t.Any = None
        self._told = False
        self._earlier: list[dict[str, t.Any]] | None = None
        self._folder = ""
        self._made: dict[str, t.Any] | None = None

    def set_options(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().set_options(*args, **kwargs)
        self._directory = str(self.get_option("directory"))
        self._formats = [str(one) for one in self.get_option("formats")]
        self._title = str(self.get_option("title") or "")
        self._summary = str(self.get_option("summary_file") or "")
        self._patience = int(self.get_option("progress_after"))
        self._keep = max(0, int(self.get_option("keep")))
        self._webhook = {name: str(self.get_option(f"notify_{name}") or "") for name in ("url", "shape", "token", "on")}

    # Called by Ansible.

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        flags = {name: bool(context.CLIARGS.get(name)) for name in ("check", "diff")}
        name = os.path.basename(str(getattr(playbook, "_file_name", "") or "playbook"))
        with self._guard:
            self._seen.begin(name, time.time(), check_mode=flags["check"], diff=flags["diff"])
        self._begin()

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play
        with self._guard:
            self._seen.play(str(play.get_name()), _hosts_of(play), time.time(), file=_file_of(play))
        self._changed.set()

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        limit = self._limit(host, task)
        secrets = self._secrets(host, task)
        with self._guard:
            made = _task(task)
            self._seen.hide(secrets)
            self._seen.started(str(host.get_name()), made, time.time())
            self._said.limits[str(host.get_name()), made.uuid] = limit
        self._changed.set()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._ended(result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._ended(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._ended(result, "skipped")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._ended(result, "unreachable")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:  # noqa: ARG002
        self._finish(FINISHED)

    # Internals.

    def _ended(self, result: t.Any, state: str) -> None:
        told = Ended(result)
        with self._guard:
            task = _task(told.task)
            entry = _left(told.host, task, state, told.result)
            whole = dict(told.result)
            if entry and not _is_hidden(whole):
                whole = {**entry.result, **whole}
            self._seen.ended(told.host, task, state, whole, time.time(), entry)
        self._changed.set()

    def _begin(self) -> None:
        """Write the report, keep writing it during the run, and catch ends that Ansible does not report."""
        self._over.clear()
        if self._writer is None and threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # Under nohup, SIGHUP is ignored and must stay so.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._on_signal)
            atexit.register(self._on_exit)
        if self._write(RUNNING) and (self._writer is None or not self._writer.is_alive()):
            self._writer = threading.Thread(target=self._keep_writing, name="rollout_report", daemon=True)
            self._writer.start()

    def _keep_writing(self) -> None:
        due = 0.0
        while not self._over.wait(1.0):
            self._say_progress()
            now = time.monotonic()
            if now < due or not self._changed.is_set():
                continue
            self._changed.clear()
            if not self._write(RUNNING):
                return
            due = time.monotonic() + max(PAUSE, (time.monotonic() - now) / SHARE)

    def _say_progress(self) -> None:
        if self._patience <= 0:
            return
        with self._guard:
            lines = progress.lines(self._seen.running, self._said, time.time(), self._patience)
        for line in lines:
            self._display.display(shown(line), color="bright gray")
        if lines:
            # Python would buffer output to a pipe until the end of the run.
            sys.stdout.flush()

    def _write(self, state: str, detail: str = "") -> bool:
        """Write all files. If the folder is not writable, report that once and stop the report, not the run."""
        try:
            with self._guard:
                made = document(self._seen, state, time.time(), detail=detail, title=self._title, versions=_versions())
            folder = folder_of(self._directory, stamp(self._seen.began), self._keep)
            if self._earlier is None:
                self._earlier = earlier(self._directory, folder, self._keep)
            made = with_history(made, self._earlier)
            place(self._directory, folder, render(made, due(self._formats, state)))
            self._folder, self._made = folder, made
            if state == FINISHED:
                forget(self._directory, folder, self._keep)
            if state != RUNNING and self._summary:
                append(self._summary, render(made, ["markdown"])[FILES["markdown"]])
        except OSError as why:
            self._display.warning(
                f"The rollout report cannot be written: {why.strerror}: {why.filename}. Set "
                "MASTODON_ROLLOUT_REPORT_DIRECTORY to a writable folder."
            )
            self.disabled = True
            return False
        return True

    def _finish(self, state: str, detail: str = "") -> None:
        if self.disabled or self._over.is_set():
            return
        self._over.set()
        if self._writer is not None and self._writer.is_alive():
            self._writer.join(timeout=10)
        if self._write(state, detail):
            names = ", ".join(FILES[one] for one in due(self._formats, state))
            self._display.display(f"Report: {self._folder} ({names})")
            if state == FINISHED and self._webhook["url"]:
                self._notify()

    def _notify(self) -> None:
        """Tell the webhook; its address may be a secret, so only the host's name is shown."""
        url = self._webhook["url"]
        try:
            if self._made is None or not notify.due(self._made, self._webhook["on"] == "always"):
                return
            message = notify.message_of(self._made)
            request = notify.request_of(self._webhook["shape"], url, self._webhook["token"], message)
        except ValueError as error:  # notify.Invalid, and what urllib says of an address
            why = str(error) if isinstance(error, notify.Invalid) else "notify_url is not an address."
            self._display.warning(f"Nobody was notified: {why}")
            return
        why = notify.deliver(request)
        if why:
            where = shown(urllib.parse.urlsplit(url).hostname or "")
            self._display.warning(f"The notification was not delivered to {where}: {shown(why)}.")

    def _on_signal(self, number: int, frame: t.Any) -> None:
        """Write what is known, then let the signal have its normal effect."""
        if os.getpid() == self._process:
            self._finish(INTERRUPTED, f"it got the signal {signal.Signals(number).name}.")
        previous = self._previous.get(number, signal.SIG_DFL)
        signal.signal(number, previous)
        if callable(previous):
            previous(number, frame)
        else:
            os.kill(os.getpid(), number)

    def _on_exit(self) -> None:
        if os.getpid() == self._process:
            self._finish(INTERRUPTED, "Ansible stopped early and said why in its own output.")

    def _limit(self, host: t.Any, task: t.Any) -> float | None:
        """How many seconds the task may take on this host at most, according to its options; None if unknown."""
        step = step_of(str(task.action))
        if self._patience <= 0 or step is None or not step.limits:
            return None
        given = [task.args.get(name, default) for name, default in step.limits.items()]
        if not all(isinstance(one, (int, float)) for one in given):
            given = self._template(host, task, given)
        try:
            return sum(float(one) for one in given)
        except (TypeError, ValueError):
            return None

    def _secrets(self, host: t.Any, task: t.Any) -> dict[str, t.Any]:
        """The secret options of one of the collection's steps, to be masked in every text.

        A step removes their values from its task; before it runs, the task has only their templates.
        """
        if step_of(str(task.action)) is None or not isinstance(task.args, t.Mapping):
            return {}
        given = {name: task.args[name] for name in SECRET_OPTIONS if task.args.get(name)}
        return dict(zip(given, self._template(host, task, list(given.values())), strict=True)) if given else {}

    def _template(self, host: t.Any, task: t.Any, given: list[t.Any]) -> list[t.Any]:
        """The values of templated options such as V({{ mastodon_smtp_rails_timeout }}); None if one has no value."""
        manager = self._play.get_variable_manager()
        variables = manager.get_vars(play=self._play, host=host, task=task, include_hostvars=False)
        templar = Templar(loader=self._play.get_loader(), variables=variables)
        worked_out = []
        for one in given:
            try:
                worked_out.append(templar.template(one))
            except AnsibleError:
                worked_out.append(None)
        return worked_out


def _left(host: str, task: Task, state: str, result: t.Mapping[str, t.Any]) -> Entry | None:
    """The step's entry in the record, if its result does not show everything."""
    if not task.part or not (state == "failed" or "msg" in result or _is_hidden(result)):
        return None
    return next((one for one in Record(host).entries().values() if one.uuid == task.uuid), None)


def _is_hidden(result: t.Mapping[str, t.Any]) -> bool:
    return "censored" in result or bool(result.get("_ansible_no_log"))


def _task(task: t.Any) -> Task:
    return Task(
        uuid=str(task._uuid),
        name=str(task.name or task.get_name()),
        action=str(task.action),
        arguments=task.args if isinstance(task.args, t.Mapping) else {},
        part=_part_of(task),
    )


def _part_of(task: t.Any) -> str:
    """The part of the role that a step belongs to, from its option C(chain), which the role sets for a block."""
    defaults = [one.get(CHAIN) for one in task.module_defaults or () if isinstance(one, t.Mapping)]
    given = [*defaults, task.args]
    return next((str(one["chain"]) for one in reversed(given) if isinstance(one, t.Mapping) and "chain" in one), "")


def _file_of(play: t.Any) -> str:
    """The name of the playbook file that contains a play; empty if Ansible does not provide it."""
    return os.path.basename(str(play.get_path() or "").rpartition(":")[0])


def _hosts_of(play: t.Any) -> list[str]:
    """The hosts of a play, or of its batch; Ansible has no public way to ask."""
    inventory = getattr(play.get_variable_manager(), "_inventory", None)
    if inventory is None:
        return []
    return [str(host.get_name()) for host in inventory.get_hosts(play.hosts, order=play.order)]


def _versions() -> dict[str, str]:
    return {"ansible-core": ansible_version, "python": platform.python_version()}

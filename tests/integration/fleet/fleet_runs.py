# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet on the lab: runs that die, are held, or meet one another; and what is left of the hosts afterwards."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from harness import BIN, CHECKOUT, ENV_FILE, INVENTORY, Lab, Run, run

sys.path.insert(0, str(CHECKOUT / "lab"))

from control import containers, seed
from control import fleet as machines
from mailboxes import Mailboxes

#: The steps as their tasks are called.
EDIT = "Edit the environment file"
CHECK = "Check Rails and send the test message"
RESTART = "Restart stale services"
QUEUE = "Prove the queue"
SUMMARY = "Sum up"
#: What an edit needs, in the order of the steps.
ALL = ["mailer", "services", "queue"]

#: What is not what these tests are about is left out, to be quick.
QUICK = {"mastodon_smtp_steady": 1, "mastodon_smtp_check_relay": False}
#: In which groups the hosts are.
GROUPS = {"mastodon_smtp_hosts": "mastodon,mastodon_spare"}
_marks = itertools.count(1)


@dataclasses.dataclass
class Background:
    """A rollout that runs beside the test."""

    process: subprocess.Popen[str]
    hold: Path

    def reached(self) -> None:
        """Wait until it is held."""
        while not self.hold.exists():
            assert self.process.poll() is None, self.process.communicate()[0]
            time.sleep(0.2)

    def go_on(self) -> Run:
        """Let it go on, and wait for its end."""
        self.hold.unlink(missing_ok=True)
        output = self.process.communicate(timeout=600)[0]
        return Run(self.process.returncode, output)


@dataclasses.dataclass(frozen=True)
class Relay:
    """How an instance of this fleet hands its mail to the relay.

    :ivar service: as the relay calls the port in its log.
    """

    login: str
    port: int = 587
    service: str = "submission"


class FleetLab(Lab):
    """The lab with the spare instance: three from source, of both Debian releases and three Mastodon releases.

    Each has another relay, as inventories have them. The first has that of the lab's own inventory, the second is in a
    group whose relay wants TLS from the first byte, the third has another login, its password in the vault of a group.
    """

    hosts = ("masto1", "masto2", "masto4")
    relays: t.ClassVar = {
        "masto1": Relay("masto1@relay.test"),
        "masto2": Relay("masto2@relay.test", 465, "submissions"),
        "masto4": Relay("masto4-bulk@relay.test"),
    }

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.inventories = (INVENTORY, folder)
        self._secrets = json.loads(seed.SECRETS.read_text())
        for name, content in {
            # A deeper group would outrank this one.
            "hosts.yml": {
                "implicit_tls": {"hosts": {"masto2": {}}, "vars": {"ansible_group_priority": 10}},
                "one_vault": {"hosts": {"masto4": {}}},
            },
            "group_vars/implicit_tls.yml": {"mastodon_smtp_port": 465, "mastodon_smtp_tls": "implicit"},
            "host_vars/masto4.yml": {
                "mastodon_smtp_login": self.relays["masto4"].login,
                "mastodon_smtp_password": "{{ vault_smtp_passwords[inventory_hostname] }}",
            },
        }.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content))
        vault = {"vault_smtp_passwords": {"masto4": self.password("masto4")}}
        # the lab's configuration names its vault password
        words = ("encrypt", "--output", str(folder / "group_vars/one_vault.yml"))
        done = run(str(BIN / "ansible-vault"), *words, env=self.environment, stdin=json.dumps(vault))
        assert done.status == 0, done.output

    def ssh(self, host: str, command: str, *, stdin: str = "", check: bool = True) -> str:
        """By way of Docker: these tests look often, and what they try comes by SSH."""
        if stdin or not check:
            return super().ssh(host, command, stdin=stdin, check=check)
        return containers.execute(machines.machine(host), "sh", "-c", command) + "\n"

    def password(self, host: str) -> str:
        kind = "bulk_logins" if "-bulk@" in self.relays[host].login else "logins"
        return str(self._secrets[kind][host])


class Fleet:
    """The instances of the lab, and rollouts over them."""

    def __init__(self, lab: FleetLab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.mark = f"mark-{os.getpid()}-{next(_marks)}@{lab.hosts[0]}.test"

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.lab.hosts

    def start(self, *arguments: str, env: t.Mapping[str, str] | None = None, **variables: t.Any) -> Background:
        """A rollout in a process group of its own."""
        hold = self.folder / f"hold-{next(_marks)}"
        wanted = {
            **QUICK,
            "mastodon_smtp_reply_to": self.mark,
            "mastodon_smtp_batches": ["100%"],
            **GROUPS,
            **variables,
        }
        process = subprocess.Popen(
            [
                str(BIN / "ansible-playbook"),
                *(*self.lab.inventory_options, "fediops.mastodon.smtp_rollout", "-e", json.dumps(wanted)),
                *arguments,
            ],
            cwd=CHECKOUT,
            env={
                **os.environ,
                **self.lab.environment,
                "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback"),
                "ANSIBLE_CALLBACKS_ENABLED": "fleet_stop",
                "FLEET_HOLD": str(hold),
                **(env or {}),
            },
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return Background(process, hold)

    def rollout(self, *arguments: str, env: t.Mapping[str, str] | None = None, **variables: t.Any) -> Run:
        """A rollout from its beginning to its end."""
        return self.start(*arguments, env=env, **variables).go_on()

    def killed(self, at: str, after: float = 0, *arguments: str, **variables: t.Any) -> Run:
        """A rollout whose controller is killed right before a task, or so many seconds after it began."""
        done = self.rollout(*arguments, env={"FLEET_KILL_AT": at, "FLEET_KILL_IN": str(after)}, **variables)
        assert done.status == -signal.SIGKILL, done.output
        return done

    def infos(self, hosts: t.Sequence[str]) -> dict[str, dict[str, t.Any]]:
        """What instance_info says about hosts, asked all at once."""
        done = run(
            str(BIN / "ansible"),
            *("-i", str(INVENTORY), ",".join(hosts), "-m", "fediops.mastodon.instance_info", "--one-line"),
            env={**self.lab.environment, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        )
        assert done.status == 0, done.output
        found = {}
        for line in done.output.splitlines():
            host, _unused, rest = line.partition(" | SUCCESS => ")
            if rest:
                found[host] = json.loads(rest)["instance"]
        assert set(found) == set(hosts), done.output
        return found

    def missing(self, host: str) -> list[str]:
        """What is noted as not yet proved."""
        text = self.lab.ssh(host, f"cat {ENV_FILE}.smtp-unproved 2>/dev/null; true")
        return list(json.loads(text)["outstanding"]) if text.strip() else []

    def left_behind(self, host: str) -> list[str]:
        """Files beside the environment file, by the ends of their names."""
        names = self.lab.ssh(host, f"ls -A $(dirname {ENV_FILE})").split()
        return sorted(name.replace(".env.production", "") for name in names if ".env.production" in name)

    def mails(self, host: str) -> dict[str, int]:
        """How many mails with this test's mark came from a host: the test message, and the one through the queue.

        The mark is a setting (Reply-To), so the mail through the queue has it only when Sidekiq runs on the new file.
        """
        boxes = {"test": "admin@example.com", "queue": "alice@example.com"}
        return {what: len(self._marked(host, box)) for what, box in boxes.items()}

    def _marked(self, host: str, mailbox: str) -> list[dict[str, t.Any]]:
        sender = self.lab.variables[host]["mastodon_smtp_from_address"]
        found = Mailboxes().messages(mailbox)
        return [one for one in found if one["From"] == sender and self.mark in (one.get("Reply-To") or "")]

    def taken_by_relay(self, host: str) -> set[tuple[str, str]]:
        """Through which service of the relay, and with which login, the mails of this test came from a host."""
        mails = [*self._marked(host, "admin@example.com"), *self._marked(host, "alice@example.com")]
        ids = {one for mail in mails for line in mail["Received"] for one in re.findall(r" ESMTPSA id (\w+)", line)}
        log = self.lab.ssh("relay", "journalctl --no-pager")
        line = re.compile(r"postfix/(\w+)/smtpd\[\d+\]: (\w+): client=.* sasl_username=(\S+)")
        return {(service, login) for service, known, login in line.findall(log) if known in ids}

    def agree(self, *hosts: str) -> None:
        """File and processes agree, nothing is half done, nothing odd lies about."""
        for host, found in self.infos(hosts or self.hosts).items():
            assert [one["name"] for one in found["services"] if one["state"] != "running"] == []
            assert [one["name"] for one in found["services"] if one["stale"] and one["role"] != "streaming"] == []
            assert found["unproved"] == []
            assert self.left_behind(host) in (["", ".before-smtp", ".last-smtp", ".last-smtp.sha256"], [""])

    def proved(self, *hosts: str) -> None:
        """The rollout of this test is in force on these hosts (all), and each mail arrived exactly once."""
        hosts = hosts or self.hosts
        self.agree(*hosts)
        deadline = time.monotonic() + 15
        for host in hosts:
            relay = self.lab.relays[host]
            wanted = {f"SMTP_REPLY_TO={self.mark}", f"SMTP_PORT={relay.port}", f"SMTP_LOGIN={relay.login}"}
            assert wanted <= set(self.lab.ssh(host, f"cat {ENV_FILE}").splitlines())
            while self.mails(host) != {"test": 1, "queue": 1} and time.monotonic() < deadline:
                time.sleep(0.5)
            assert self.mails(host) == {"test": 1, "queue": 1}, (host, self.mails(host))

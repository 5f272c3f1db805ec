# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as tests see it: hosts over SSH, modules and playbooks through the real Ansible, mailboxes over IMAP."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
INVENTORY = CHECKOUT / ".work" / "lab" / "inventory"
VAULT_PASSWORD = CHECKOUT / ".work" / "lab" / "vault-password"
#: The tests run in a lane's environment; its own ansible is the one to test.
BIN = Path(sys.executable).parent
LIVE = "/home/mastodon/live"
ENV_FILE = f"{LIVE}/.env.production"

#: Runs on a host; the secret comes by standard input.
SEARCH = """
import glob, os, subprocess, sys
secret = sys.stdin.buffer.read()
assert len(secret) > 7
for top in ("/home", "/root", "/etc", "/tmp", "/var", "/run", "/dev/shm", "/opt", "/srv"):
    for folder, folders, names in os.walk(top):
        for path in sorted(os.path.join(folder, name) for name in names):
            try:
                if os.path.isfile(path) and secret in open(path, "rb").read():
                    print(path)
            except OSError:
                pass
if secret in subprocess.run(["journalctl", "--no-pager", "-o", "export"], stdout=subprocess.PIPE).stdout:
    print("journal")
for path in glob.glob("/proc/[0-9]*/cmdline"):
    try:
        if secret in open(path, "rb").read():
            print("process " + path.split("/")[2])
    except OSError:
        pass
"""


@dataclasses.dataclass(frozen=True)
class Run:
    """One finished command: exit status and all that it printed."""

    status: int
    output: str

    def task(self, name: str) -> str:
        """What a play printed under the first task with this name."""
        found = re.search(rf"^TASK \[[^\]]*{re.escape(name)}\].*?(?=^TASK \[|^PLAY |\Z)", self.output, re.M | re.S)
        assert found, f"no task {name!r} in:\n{self.output}"
        return found[0]


def run(*command: str, env: t.Mapping[str, str] | None = None, stdin: str = "", timeout: float = 600) -> Run:
    """A command in the checkout; stdout and stderr together, as a person would see them."""
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, **(env or {})},
        input=stdin,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def kill_with_children(pid: int) -> None:
    """SIGKILL for a process and all that it has started: Ansible's workers have sessions of their own."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    for one in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def run_target(name: str, folder: Path, *arguments: str) -> Run:
    """A role of tests/integration/targets on this machine alone, through the real ansible-playbook.

    :param folder: for the playbook and what Ansible keeps.
    """
    play = folder / "play.yml"
    play.write_text(f"- hosts: localhost\n  connection: local\n  gather_facts: false\n  roles: [{name}]\n")
    return run(
        *(str(BIN / "ansible-playbook"), "-i", "localhost,", *arguments, str(play)),
        env={
            "ANSIBLE_ROLES_PATH": str(CHECKOUT / "tests" / "integration" / "targets"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".work" / "collections"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_NOCOLOR": "1",
        },
    )


class Lab:
    """The running lab of this checkout."""

    hosts = ("masto1", "masto2")
    #: The newest stack of Debian, with Mastodon 4.6, in a group of its own.
    newest = "masto5"
    #: Later ones outrank earlier ones.
    inventories: tuple[Path, ...] = (INVENTORY,)

    def __init__(self) -> None:
        self.environment = {
            "ANSIBLE_CONFIG": str(CHECKOUT / "lab" / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".work" / "collections"),
            "ANSIBLE_HOME": str(CHECKOUT / ".work" / "ansible-home"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",  # molecule asks for it
            "LC_ALL": "C.UTF-8",
        }

    @property
    def inventory_options(self) -> list[str]:
        """What tells Ansible which hosts there are."""
        return [option for path in self.inventories for option in ("-i", str(path))]

    def ssh(self, host: str, command: str, *, stdin: str = "", check: bool = True) -> str:
        """The output of a shell command that root runs on a host."""
        at = self._connection(host)
        options = ["-i", str(at["ansible_ssh_private_key_file"]), *shlex.split(at["ansible_ssh_common_args"])]
        remote = command if at["ansible_user"] == "root" else f"sudo -n sh -c {shlex.quote(command)}"
        done = run("ssh", "-q", *options, f"{at['ansible_user']}@{at['ansible_host']}", remote, stdin=stdin)
        assert not check or done.status == 0, f"{host}: {command}: {done.output}"
        return done.output

    def _connection(self, host: str) -> dict[str, t.Any]:
        """How Ansible reaches a host: from the file that script/lab up writes anew (JSON below a comment)."""
        text = (INVENTORY / "hosts.yml").read_text()
        everything = json.loads(text[text.index("{") :])["all"]
        groups = [everything]
        for group in groups:
            groups += group.get("children", {}).values()
        found = next(group["hosts"][host] for group in groups if host in group.get("hosts", {}))
        return {**everything["vars"], **found}

    def module(
        self,
        host: str,
        name: str,
        options: t.Mapping[str, t.Any] | None = None,
        *,
        check_mode: bool = False,
        login: t.Mapping[str, t.Any] | None = None,
    ) -> dict[str, t.Any]:
        """The result of one module of the collection on one host, with C(failed) always there.

        :param login: variables such as C(ansible_user), in place of the inventory's.
        """
        done = run(
            str(BIN / "ansible"),
            *(*self.inventory_options, host, "-m", f"fediops.mastodon.{name}"),
            *(["-a", json.dumps(options)] if options else []),  # an empty dictionary would be taken for words
            *(["--check"] if check_mode else []),
            *(["-e", json.dumps(login)] if login else []),
            "--diff",
            env={**self.environment, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        )
        found = re.search(rf"^{host} \| (\S+).*? => (\{{.*^\}})", done.output, re.M | re.S)
        assert found, f"no result of {name} on {host} in:\n{done.output}"
        result: dict[str, t.Any] = json.loads(found[2])
        result.setdefault("failed", found[1] in ("FAILED!", "UNREACHABLE!"))
        return result

    def playbook(
        self, *arguments: str, env: t.Mapping[str, str] | None = None, lab: bool = True, **variables: t.Any
    ) -> Run:
        """ansible-playbook over the lab's inventory (or another one that is given); variables become extra vars."""
        extra = ["-e", json.dumps(variables)] if variables else []
        return run(
            str(BIN / "ansible-playbook"),
            *(self.inventory_options if lab else []),
            *extra,
            *arguments,
            env={**self.environment, **(env or {})},
            timeout=900,
        )

    def rollout(self, *arguments: str, env: t.Mapping[str, str] | None = None, **variables: t.Any) -> Run:
        """The playbook that everything is about."""
        return self.playbook("fediops.mastodon.smtp_rollout", *arguments, env=env, **variables)

    def reset(self, *hosts: str) -> None:
        """Hosts back to their first state: settings that do not work, empty mailboxes."""
        done = run(str(CHECKOUT / "script/lab"), "reset", *hosts)
        assert done.status == 0, done.output

    def unthrottle(self) -> None:
        """Forget failed mails, and how often a password reset was asked for: five are allowed in half an hour."""
        done = run(str(CHECKOUT / "script/lab"), "unthrottle")
        assert done.status == 0, done.output

    @functools.cached_property
    def variables(self) -> dict[str, dict[str, t.Any]]:
        """The variables of each host as the inventory has them, vault decrypted."""
        done = run(
            str(BIN / "ansible-inventory"),
            *(*self.inventory_options, "--list", "--export", "--vault-password-file", str(VAULT_PASSWORD)),
            env=self.environment,
        )
        assert done.status == 0, done.output
        inventory = json.loads(done.output[done.output.index("{") :])
        found: dict[str, dict[str, t.Any]] = {}
        for host, own in inventory["_meta"]["hostvars"].items():
            found[host] = dict(own)
            for group in inventory.values():
                if isinstance(group, dict) and host in group.get("hosts", []):
                    found[host] = {**group.get("vars", {}), **found[host]}
            found[host] = {**inventory.get("all", {}).get("vars", {}), **found[host]}
        return found

    def password(self, host: str) -> str:
        """The relay password of a host, in clear: to search for it where it must not be."""
        return str(plain(self.variables[host]["mastodon_smtp_password"]))

    def checksum(self, host: str, path: str = ENV_FILE) -> str:
        """SHA-256 of a file on a host."""
        return self.ssh(host, f"sha256sum {path}").split()[0]

    def processes(self, host: str) -> dict[str, str]:
        """Main process and start of each Mastodon unit: equal before and after means not restarted."""
        shown = self.ssh(
            host,
            "systemctl show 'mastodon-*.service' -p Id -p MainPID -p ExecMainStartTimestampMonotonic -p NRestarts",
        )
        found: dict[str, str] = {}
        for block in shown.strip().split("\n\n"):
            fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            found[fields.pop("Id")] = " ".join(f"{key}={fields[key]}" for key in sorted(fields))
        return found

    def places_of(self, host: str, secret: str) -> list[str]:
        """Where a secret stands on a host: paths of files, C(journal), and C(process N) for command lines."""
        script = "/root/.fediops-search.py"
        self.ssh(host, f"cat > {script}", stdin=SEARCH)
        try:
            return self.ssh(host, f"python3 {script}", stdin=secret).splitlines()
        finally:
            self.ssh(host, f"rm -f {script}")

    @contextlib.contextmanager
    def changed_host(self, *hosts: str) -> t.Iterator[None]:
        """Hosts that a test is free to break; put back afterwards."""
        try:
            yield
        finally:
            self.reset(*hosts)


def plain(value: t.Any) -> t.Any:
    """ansible-inventory shows values that came out of a vault or a template in a wrapper of their own."""
    if isinstance(value, dict) and "__ansible_vault" in value:
        raise AssertionError("the vault was not decrypted")
    return value

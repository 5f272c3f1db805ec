# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole playbooks on this machine: the real role, plan and edit; stand-ins where an instance would be needed."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import fleet
import yaml
from secret_search import shapes

HERE = Path(__file__).resolve().parent


@dataclasses.dataclass
class Run:
    """One ansible-playbook that has ended.

    :ivar seen: the processes whose command line showed the secret meanwhile.
    """

    status: int
    output: str
    seen: list[str]


class Light:
    """A controller with an inventory of light hosts, each with an environment file of its own."""

    def __init__(self, folder: Path, hosts: int = 1, *, lying: bool = False) -> None:
        self.folder = folder
        self.tree = fleet.collection(folder)
        modules = self.tree / "ansible_collections" / "fediops" / "mastodon" / "plugins" / "modules"
        self._replace(modules / "smtp_adopt.py")
        if lying:
            self._replace(modules / "mail_services.py")
        (folder / "inventory").mkdir()
        made = fleet.inventory(folder, hosts)
        self.inventory = folder / "inventory" / "hosts.yml"
        made.rename(self.inventory)

    @staticmethod
    def _replace(module: Path) -> None:
        module.unlink()
        module.symlink_to(HERE / "modules" / module.name)

    def variables(self, **variables: t.Any) -> None:
        """Set variables of the whole fleet in the inventory, one below the other; those of connections at the end."""
        listed = yaml.safe_load(self.inventory.read_text())
        others = {name: one for name, one in listed["mastodon"]["vars"].items() if name not in variables}
        ours = {name: one for name, one in variables.items() if not name.startswith("ansible_")}
        listed["mastodon"]["vars"] = {**ours, **others, **variables}
        self.inventory.write_text(yaml.safe_dump(listed, sort_keys=False, allow_unicode=True, width=4096))

    def env_file(self, number: int = 0) -> str:
        return (self.folder / f"host{number:03}" / ".env.production").read_text()

    def settings(self) -> dict[str, str]:
        """The environment of a run."""
        return {
            **fleet.environment(self.folder, self.tree),
            "ANSIBLE_LIBRARY": str(HERE / "library"),
            "ANSIBLE_REMOTE_TMP": str(self.folder / "remote"),
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
        }

    def play(
        self, playbook: str, *arguments: str, secret: str = "", inventory: Path | None = None, **settings: str
    ) -> Run:
        """Run a playbook of the collection (by its name) or another one (by its text)."""
        if playbook.startswith("-"):
            path = self.folder / "mine.yml"
            path.write_text(playbook)
            playbook = str(path)
        else:
            playbook = f"fediops.mastodon.{playbook}"
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory or self.inventory)]
        environment = {**self.settings(), **settings}
        process = subprocess.Popen(
            [*command, *arguments, playbook],
            env=environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        seen: list[str] = []
        watch = threading.Thread(target=_watch, args=(process, secret, seen))
        watch.start()
        try:
            output, _unused = process.communicate(timeout=300)
        finally:
            process.kill()
            watch.join()
        return Run(process.returncode, output, seen)


def _watch(process: subprocess.Popen[str], secret: str, seen: list[str]) -> None:
    """Look at the command lines and environments of all processes, until this one has ended."""
    wanted = [one.encode() for one in shapes(secret)] if secret else []
    while wanted and process.poll() is None:
        for folder in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    data = (folder / name).read_bytes()
                except OSError:
                    continue
                if int(folder.name) != os.getpid() and any(one in data for one in wanted):
                    seen.append(f"{name} of {data.split(chr(0).encode())[0].decode(errors='replace')}")
        time.sleep(0.05)

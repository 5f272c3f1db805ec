# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Compose host of the lab as tests see it, with Docker's and Compose's own words as the judge.

Run as a program it notes, or compares, what a run must not touch: compose_host.py --save | --compare [--but KEY ...]
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import typing as t
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import CHECKOUT, Lab, Run

NAME = "masto3"
PROJECT = "/srv/mastodon"
ENV_FILE = f"{PROJECT}/.env.production"
COMPOSE_FILE = f"{PROJECT}/docker-compose.yml"
NOTE = CHECKOUT / ".work" / "compose-snapshot.json"


@dataclasses.dataclass(frozen=True)
class ComposeHost:
    """masto3, with root's Engine unless another is named.

    :ivar project: the directory of the Compose file.
    :ivar engine: what stands before a docker command, to speak to the Engine.
    :ivar login: how Ansible logs in, where that is not as the inventory has it.
    """

    lab: Lab = dataclasses.field(default_factory=Lab)
    project: str = PROJECT
    engine: str = ""
    login: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    def ssh(self, command: str, *, stdin: str = "", check: bool = True) -> str:
        return self.lab.ssh(NAME, command, stdin=stdin, check=check)

    def docker(self, words: str, *, check: bool = True) -> str:
        return self.ssh(f"cd {self.project} && {self.engine} docker {words}", check=check)

    def compose(self, words: str, *, check: bool = True) -> str:
        return self.docker(f"compose {words}", check=check)

    def module(self, name: str, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
        return self.lab.module(NAME, name, options, check_mode=check_mode, login=self.login)

    def at(self, **changed: t.Any) -> ComposeHost:
        """The same host, seen otherwise."""
        return dataclasses.replace(self, **changed)

    def rollout(self, *arguments: str, **variables: t.Any) -> Run:
        return self.lab.rollout(*arguments, mastodon_smtp_hosts="mastodon_compose", **variables)

    def variables(self) -> dict[str, t.Any]:
        """The variables that the inventory has for it, vault decrypted."""
        lab = Lab()
        lab.hosts = (NAME,)  # type: ignore[assignment]
        return lab.variables[NAME]

    def containers(self) -> dict[str, str]:
        """Id, start and restarts of each service's container: equal before and after means not touched."""
        shape = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}} {{.RestartCount}}'
        listed = self.docker(f"inspect --format '{shape}' $({self.engine} docker ps --all --quiet)")
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def config(self, service: str) -> dict[str, str]:
        """What Compose itself makes of the files for a service."""
        found = json.loads(self.compose("config --format json 2> /dev/null"))["services"][service]["environment"]
        return {name: value.replace("$$", "$") for name, value in found.items()}

    def environment(self, service: str) -> dict[str, str]:
        """What the service's container was started with."""
        given = json.loads(self.docker(f"inspect $({self.engine} docker compose ps -q {service} 2> /dev/null)"))
        return dict(one.split("=", 1) for one in given[0]["Config"]["Env"])

    def look(self) -> dict[str, object]:
        """Everything that a dry run must leave as it is."""
        boxes = [sys.executable, str(CHECKOUT / "lab" / "mailboxes.py"), "count"]
        counts = subprocess.run(boxes, capture_output=True, text=True, check=True)
        files = f"{ENV_FILE} {COMPOSE_FILE}"
        return {
            "containers": self.containers(),
            "files": self.ssh(f"sha256sum {files}; stat -c '%n %U %G %a %Y' {files}"),
            "folder": self.ssh(f"ls -A {PROJECT}; sha256sum {PROJECT}/.env*"),
            "images": self.ssh("docker images --no-trunc --quiet | sort"),
            "mailboxes": counts.stdout,
        }


def main() -> None:
    now = json.loads(json.dumps(ComposeHost().look()))
    if sys.argv[1:] == ["--save"]:
        NOTE.write_text(json.dumps(now))
        return
    before = json.loads(NOTE.read_text())
    changed = [key for key in now if now[key] != before[key] and key not in sys.argv[2:]]
    for key in changed:
        print(f"{key}: before {before[key]}\n{key}: now    {now[key]}")
    if changed:
        sys.exit(1)
    print(f"nothing was touched: {', '.join(key for key in now if key not in sys.argv[2:])} are as before")


if __name__ == "__main__":
    main()

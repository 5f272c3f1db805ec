# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Docker host for the tests of the Compose driver.

It answers with what a real one printed (recorded/), changed as a test wants, and notes what it was asked. Recorded with
Docker Engine 26.1 and Compose 2.26 of Debian 13, on the lab's host masto3.
"""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path

from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.driver import ComposeDriver, find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.engine import Engine
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Completed, Hints
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Processes

RECORDED = Path(__file__).parent / "recorded"
ENV = "LOCAL_DOMAIN=masto3.test\nSMTP_SERVER=localhost\nSMTP_PORT=25\nSMTP_SSL=true\nREDIS_HOST=redis\n"
VERSION_RB = "def major\n  4\nend\ndef minor\n  4\nend\ndef patch\n  8\nend\n"


class Docker(Engine):
    """The recorded host. Tests change C(containers_), C(raw), C(resolved), C(images) and C(refuse)."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.project = folder / "mastodon"
        self.project.mkdir()
        (self.project / ".env.production").write_text(ENV)
        (self.project / "docker-compose.yml").write_text("services: {}\n")
        self.containers_: list[dict[str, t.Any]] = self._recorded("docker-26-inspect.json")
        self.raw = self._recorded("compose-2.26-config-raw.json")
        self.resolved = self._recorded("compose-2.26-config-resolved.json")
        image = self._recorded("docker-26-image.json")
        self.images: dict[str, t.Any] = {"mastodon:4.4.8": image, image[0]["Id"]: image}
        self.networks = self._recorded("docker-26-network.json")
        self.version = "2.26.1-4\n"
        self.logs: dict[str, bytes] = {}
        self.in_app: dict[str, Completed] = {"cat": Completed(0, VERSION_RB.encode())}
        #: the beginning of a command -> how it fails
        self.refuse: dict[str, str] = {}
        self.asked: list[list[str]] = []

    def _recorded(self, name: str) -> t.Any:
        return json.loads((RECORDED / name).read_text().replace("/srv/mastodon", str(self.project)))

    def container(self, service: str) -> dict[str, t.Any]:
        return next(one for one in self.containers_ if one["Config"]["Labels"]["com.docker.compose.service"] == service)

    def set_env(self, service: str, name: str, value: str | None) -> None:
        """Another value in a running container; None takes it out."""
        env = self.container(service)["Config"]["Env"]
        env[:] = [one for one in env if not one.startswith(f"{name}=")] + ([f"{name}={value}"] if value else [])

    def model_env(self, name: str, value: str | None, services: t.Sequence[str] = ("web", "sidekiq")) -> None:
        """Another value in what Compose makes of the files."""
        for service in services:
            environment = self.resolved["services"][service]["environment"]
            environment.pop(name, None)
            if value is not None:
                environment[name] = value

    def own_entry(self, service: str, name: str, raw: str | None, value: str | None) -> None:
        """An C(environment:) entry, before and after interpolation."""
        self.raw["services"][service].setdefault("environment", {})[name] = raw
        self.model_env(name, value, [service])

    def second_project(self, name: str, folder: Path | None = None) -> Path:
        """The same project once more, elsewhere or in a folder that is named."""
        folder = folder or self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "docker-compose.yml").write_text("services: {}\n")
        for one in copy.deepcopy(self.containers_):
            labels = one["Config"]["Labels"]
            labels["com.docker.compose.project"] = name
            labels["com.docker.compose.project.working_dir"] = str(folder)
            labels["com.docker.compose.project.config_files"] = str(folder / "docker-compose.yml")
            one["Id"] = name + one["Id"]
            self.containers_.append(one)
        return folder

    def driver(self, **hints: t.Any) -> ComposeDriver:
        return find(Hints(**hints), self, Processes("/nowhere"))

    def commands(self, word: str) -> list[list[str]]:
        """The commands so far that have this word in them."""
        return [one for one in self.asked if word in one]

    # In place of running a program

    def _run(self, command: t.Sequence[str], *_more: t.Any, **_options: t.Any) -> Completed:
        self.asked.append(list(command))
        words = " ".join(command)
        for beginning, said in self.refuse.items():
            if words.startswith(beginning) or f" {beginning}" in words:
                return Completed(1, b"", said.encode())
        if command[0] != "docker":
            raise AssertionError(f"unexpected: {words}")
        answer = getattr(self, f"_answer_{command[1]}", None)
        if answer is None:
            raise AssertionError(f"unexpected: {words}")
        return t.cast(Completed, answer(list(command)))

    def _answer_ps(self, command: list[str]) -> Completed:
        project = command[-1].partition("project=")[2]
        found = [
            one["Id"]
            for one in self.containers_
            if not project or one["Config"]["Labels"]["com.docker.compose.project"] == project
        ]
        return Completed(0, "\n".join(found).encode())

    def _answer_inspect(self, command: list[str]) -> Completed:
        return Completed(0, json.dumps([one for one in self.containers_ if one["Id"] in command]).encode())

    def _answer_image(self, command: list[str]) -> Completed:
        found = self.images.get(command[-1])
        return Completed(0, json.dumps(found).encode()) if found else Completed(1, b"[]", b"Error: No such image")

    def _answer_network(self, command: list[str]) -> Completed:
        return Completed(0, json.dumps([one for one in self.networks if one["Name"] in command]).encode())

    def _answer_compose(self, command: list[str]) -> Completed:
        if command[2] == "version":
            return Completed(0, self.version.encode())
        if "config" in command:
            return Completed(0, json.dumps(self.raw if "--no-interpolate" in command else self.resolved).encode())
        return Completed(0)

    def _answer_exec(self, command: list[str]) -> Completed:
        return self.in_app.get(command[3], Completed(1))

    def _answer_run(self, command: list[str]) -> Completed:
        return self.in_app.get("image " + command[command.index("--entrypoint") + 1], Completed(1))

    def _answer_rm(self, _command: list[str]) -> Completed:
        return Completed(0)

    def _answer_logs(self, command: list[str]) -> Completed:
        return Completed(0, self.logs.get(command[-1], b""))

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""docker and docker compose, as functions."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import glob
import os
import pwd
import re
import typing as t

from ... import _lifeline
from ..._diagnosis.redact import one_line, redact
from ..._findings.compose import TABLE
from ..._findings.instance import TABLE as INSTANCE
from ..._findings.model import FindingError
from .. import process
from ..model import Completed
from . import client
from .containers import Container, parse_containers, parse_image, parse_internal
from .project import Project

_ABSENT = re.compile(r"Cannot connect to the Docker daemon|Is the docker daemon running|error during connect", re.I)
_DENIED = re.compile(r"permission denied", re.I)
_NO_COMPOSE = re.compile(r"is not a docker command|unknown command|unknown flag: --project", re.I)
_NO_IMAGE = re.compile(r"No such image|pull access denied|manifest unknown|failed to resolve reference", re.I)
#: Compose quotes a line of an environment file that it cannot parse; the line may hold a secret.
_QUOTED_LINE = re.compile(r"(unterminated quoted value|near|unexpected character .{0,300}? in) .*", re.S)
_PROGRESS = re.compile(r"^[ \t]*(?:Container|Network|Volume|Image) \S+[ \t]+\S+[ \t\r]*$", re.M)

#: Variables by which this user's own clients find their Engine.
_CLIENT = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "XDG_RUNTIME_DIR")
#: Seconds that a query may take.
_PATIENCE = 60.0
#: Seconds that a stopping Sidekiq gets to finish its jobs; its own timeout is 25 s (Sidekiq, lib/sidekiq/config.rb).
GRACE = 30
_KEEP = (0, 32 * 1024 * 1024)


class Engine:
    """The Docker Engine that this user's client talks to. Methods raise FindingError (engine-*, compose-*)."""

    def __init__(self) -> None:
        self._compose: list[str] | None = None
        self._images: dict[str, tuple[str, dict[str, str]]] = {}

    def containers(self, project: str = "") -> list[Container]:
        """All containers created by Compose, running or not; with C(project), only those of that project."""
        label = "label=com.docker.compose.project" + (f"={project}" if project else "")
        listing = self._ask(["docker", "ps", "--all", "--quiet", "--no-trunc", "--filter", label])
        ids = listing.stdout.decode("ascii", "replace").split()
        if not ids:
            return []
        # If a container has gone meanwhile, docker still prints the others.
        found = parse_containers(self._run(["docker", "inspect", "--type", "container", *ids]).stdout)
        return sorted((one for one in found if not one.oneoff), key=lambda one: (one.service, one.number))

    def named(self, ids: t.Sequence[str]) -> list[Container]:
        """These containers, whoever created them; those that do not exist are left out."""
        return parse_containers(self._run(["docker", "inspect", "--type", "container", *ids]).stdout) if ids else []

    def image(self, name: str) -> tuple[str, dict[str, str]]:
        """Id and environment of an image; an empty id when the image is not on this host."""
        if name not in self._images:
            done = self._run(["docker", "image", "inspect", name])
            self._images[name] = parse_image(done.stdout) if done.returncode == 0 else ("", {})
        return self._images[name]

    def internal_networks(self, names: t.Iterable[str]) -> dict[str, bool]:
        """Network -> whether it is internal (without access to the outside), for those that exist."""
        return parse_internal(self._run(["docker", "network", "inspect", *names]).stdout)

    def config(self, project: Project, *, resolved: bool) -> bytes:
        """The output of C(docker compose config); see project.

        :param resolved: interpolated and with the environment files applied; Compose refuses a file it cannot read.
        """
        options = ["--format", "json", *(() if resolved else ("--no-interpolate",))]
        return self.compose(project, ["config", *options]).stdout

    def replace(self, project: Project, services: t.Sequence[str], scale: t.Mapping[str, int]) -> None:
        """Recreate the containers of exactly these services, from images on this host.

        A restart would not do: it keeps the old environment (mastodon#18579). The number of containers stays the same.
        """
        options = ["--detach", "--no-deps", "--no-build", "--pull", "never", "--force-recreate"]
        options += ["--timeout", str(GRACE)]
        for name, count in scale.items():
            options += ["--scale", f"{name}={count}"]
        with _lifeline.finished_first():  # an interrupted recreate would leave services without a container
            self.compose(project, ["up", *options, *services], code="containers-not-replaced", patience=client.REPLACE)

    def compose(
        self, project: Project, words: t.Sequence[str], *, code: str = "compose-refused", patience: float = _PATIENCE
    ) -> Completed:
        """Run one Compose command for a project."""
        command = [*self.compose_command(), *project.arguments, *words]
        done = self._run(command, patience, directory=project.directory)
        if done.returncode != 0:
            raise self._refusal(code, f"docker compose {words[0]} for {project.shown}", done)
        return done

    def compose_command(self) -> list[str]:
        """The command for Compose 2 on this host: the docker plugin, or the standalone program."""
        if self._compose is None:
            version = ""
            for command in (["docker", "compose"], ["docker-compose"]):
                try:
                    done = self._run([*command, "version", "--short"])
                except FindingError:
                    continue
                version = done.stdout.decode("utf-8", "replace").strip().lstrip("v") if done.returncode == 0 else ""
                if version and not version.startswith("1."):
                    self._compose = command
                    break
            else:
                message = (
                    f"Only docker-compose {version} is installed."
                    if version
                    else "Neither docker compose nor docker-compose is installed."
                )
                raise FindingError(TABLE.finding("compose-missing", "docker compose", message))
        return self._compose

    def in_container(self, container: str, words: t.Sequence[str]) -> Completed:
        """Run a short command in a running container."""
        return self._run(["docker", "exec", container, *words])

    def in_image(self, image: str, words: t.Sequence[str]) -> Completed:
        """Run a short command in a one-off container without a network, from an image on this host."""
        command = ["docker", "run", "--rm", "--network", "none", "--pull", "never", "--entrypoint", words[0]]
        return self._run([*command, image, *words[1:]])

    def remove(self, container: str) -> None:
        """Remove a container, if it exists."""
        with _lifeline.finished_first():
            self._run(["docker", "rm", "--force", container])

    def log(self, container: Container, since: str = "", lines: int | None = None) -> bytes:
        """A container's log since a time, or its last lines; each line begins with its timestamp."""
        which = [*(["--since", since] if since else []), *(["--tail", str(lines)] if lines else [])]
        done = self._run(["docker", "logs", "--timestamps", *which, container.id])
        if done.returncode != 0:
            raise self._refusal("log-unreadable", f"docker logs {container.name}", done, INSTANCE)
        return done.stdout + done.stderr

    def environment(self) -> dict[str, str]:
        """The environment for docker: without Ansible's own variables, which the Compose file might interpolate."""
        home = os.environ.get("HOME") or pwd.getpwuid(os.geteuid()).pw_dir
        fixed = {"PATH": client.PATH, "HOME": home, "LC_ALL": "C", "COMPOSE_ANSI": "never"}
        given = {name: os.environ[name] for name in _CLIENT if os.environ.get(name)}
        own = f"/run/user/{os.geteuid()}/docker.sock"
        if not {"DOCKER_HOST", "DOCKER_CONTEXT"} & set(given) and os.path.exists(own):
            given["DOCKER_HOST"] = f"unix://{own}"  # rootless
        return {**fixed, **given}

    def _ask(self, command: t.Sequence[str]) -> Completed:
        done = self._run(command)
        if done.returncode != 0:
            raise self._refusal("engine-answer", " ".join(command[:2]), done)
        return done

    def _run(self, command: t.Sequence[str], patience: float = _PATIENCE, directory: str | None = None) -> Completed:
        try:
            done = process.run(
                command, environment=self.environment(), timeout=patience, keep=_KEEP, directory=directory
            )
        except OSError as error:
            if directory and not os.path.isdir(directory):
                fix = client.PORTAINER_FIX if client.in_portainer(directory) else ""
                message = "The project's directory does not exist on this host."
                raise FindingError(TABLE.finding("compose-file-missing", directory, message, fix)) from None
            raise FindingError(client.unusable(command[0], error)) from None
        if done.timed_out:
            message = f"It did not answer within {patience:.0f} s."
            raise FindingError(TABLE.finding("engine-answer", " ".join(command[:2]), message))
        return done

    def _refusal(self, code: str, subject: str, done: Completed, table: t.Any = TABLE) -> FindingError:
        said = done.stderr.decode("utf-8", "replace")
        words = one_line(redact(_QUOTED_LINE.sub(r"\1 ...", _PROGRESS.sub("", said))), 500)
        message = f"It said: {words or f'exit status {done.returncode}'}"
        if _ABSENT.search(said):
            return FindingError(TABLE.finding("engine-down", "docker", f"{message}{rootless_hint()}"))
        if _DENIED.search(said) and "docker" in said:
            return FindingError(INSTANCE.finding("not-permitted", "docker", message, _DENIED_FIX))
        if _NO_COMPOSE.search(said):
            return FindingError(TABLE.finding("compose-missing", "docker compose", message))
        if _NO_IMAGE.search(said):
            return FindingError(TABLE.finding("image-missing", subject, message))
        if "no such file or directory" in said and code == "compose-refused":
            code = "compose-file-missing"
        return FindingError(table.finding(code, subject, message))


_DENIED_FIX = "Run the task with become: true, or log in as a user of the group docker."


def rootless_hint(owner: int | None = None) -> str:
    """A hint at rootless Engines of other users of the host; empty when there are none.

    :param owner: consider only the user with this number.
    """
    names = []
    for path in sorted(glob.glob("/run/user/*/docker.sock")):
        number = path.split("/")[3]
        if not number.isdecimal() or int(number) == os.geteuid() or owner not in (None, int(number)):
            continue
        try:
            names.append(pwd.getpwuid(int(number)).pw_name)
        except KeyError:
            names.append(f"uid {number}")
    if not names:
        return ""
    return f" A rootless Engine of {', '.join(names)} is running: log in as that user or become it."

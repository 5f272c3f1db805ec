# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The C(docker run) or C(docker create) of a unit, as data. No I/O here.

Source: Docker CLI, cli/command/container/opts.go and run.go.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import os.path
import re
import typing as t

from ..systemd.units import Unit

#: Options without a value; each other one has one.
_SWITCHES = frozenset(
    (
        "detach",
        "disable-content-trust",
        "help",
        "init",
        "interactive",
        "no-healthcheck",
        "oom-kill-disable",
        "privileged",
        "publish-all",
        "quiet",
        "read-only",
        "rm",
        "sig-proxy",
        "tty",
        "use-api-socket",
    )
)
_SHORT = {
    "a": "attach",
    "c": "cpu-shares",
    "d": "detach",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "p": "publish",
    "P": "publish-all",
    "q": "quiet",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}
#: What a container that only runs a check must not have: it would be in the way of the service, or pass for it.
_NOT_FOR_CHECKS = re.compile(
    r"(?:name|detach|rm|tty|interactive|attach|publish|publish-all|expose|restart|cidfile|ip6?|mac-address|hostname|"
    r"network-alias|net-alias|label|label-file|log-.*|health-.*|no-healthcheck|sig-proxy|stop-.*|pull|quiet)"
)
_DOCKER = re.compile(r"(?:^|/)docker$")
_ENV = re.compile(r"(?:^|/)env$")
#: Options with which C(docker start) stays as long as its container. Source: Docker CLI, container/start.go.
_IN_FOREGROUND = frozenset(("-a", "--attach", "-ai", "-ia", "-i", "--interactive"))


@dataclasses.dataclass(frozen=True)
class DockerRun:
    """One command that makes a container.

    :ivar options: (name without dashes, value), in their order; a switch has the value C(true).
    :ivar command: what follows the image.
    """

    options: tuple[tuple[str, str], ...] = dataclasses.field(repr=False)
    image: str
    command: tuple[str, ...]

    def every(self, *names: str) -> list[str]:
        """The values of an option, by all of its names."""
        return [value for name, value in self.options if name in names]

    @property
    def name(self) -> str:
        """The container's name; empty if Docker chooses one."""
        return (self.every("name") or [""])[-1]

    @property
    def given(self) -> dict[str, str | None]:
        """The variables of its C(--env); None for one that is taken from the caller's environment."""
        pairs = (one.partition("=") for one in self.every("env"))
        return {name: value if equals else None for name, equals, value in pairs}

    @property
    def program(self) -> str:
        """Entrypoint and command as one text."""
        return " ".join([*self.every("entrypoint"), *self.command])

    @property
    def filled_in(self) -> list[str]:
        """Where systemd fills in variables ($NAME) in what a check needs; a path of a file is told elsewhere."""
        needed = [
            (name, value) for name, value in self.options if name == "name" or not _NOT_FOR_CHECKS.fullmatch(name)
        ]
        found = [f"--{name}" for name, value in needed if "$" in value and name != "env-file"]
        return list(dict.fromkeys(found + ["image"] * ("$" in self.image)))

    def seen_from(self, directory: str) -> DockerRun:
        """The same, with the paths of its environment files complete."""
        options = [
            (name, os.path.join(directory, value) if name == "env-file" else value) for name, value in self.options
        ]
        return dataclasses.replace(self, options=tuple(options))

    def for_check(self, name: str, words: t.Sequence[str]) -> list[str]:
        """The command that runs something else once, as the service would be run."""
        kept = [one for one in self.options if not _NOT_FOR_CHECKS.fullmatch(one[0])]
        options = [f"--{option}={value}" for option, value in kept]
        always = ["--rm", "--interactive", "--pull", "never", "--name", name]
        return ["docker", "run", *always, *options, self.image, *words]


def of_unit(unit: Unit) -> DockerRun | None:
    """The command that makes the container that the unit runs; None if that is not clear.

    A container of ExecStartPre= counts only if ExecStart= starts it: others do something else, like a migration.
    """
    # systemd prints the path of the program before its words.
    programs = [_docker(text.split()[1:]) for text in unit.exec_start]
    if len(programs) != 1:
        return None
    if programs[0][:1] == ["run"]:
        return _command(programs[0])
    name = _attached(programs[0])
    made = [_command(words) for text in unit.exec_start_pre if (words := _docker(text.split()[1:]))[:1] == ["create"]]
    return next((one for one in made if one and name and one.name == name), None)


def parse(words: t.Sequence[str]) -> DockerRun | None:
    """A command as data; None if it is not C(docker run) or C(docker create)."""
    rest = _docker(words)
    return _command(rest) if rest[:1] in (["run"], ["create"]) else None


def _docker(words: t.Sequence[str]) -> list[str]:
    """What a command tells docker to do; empty if its program is another, such as a shell, which may do more."""
    rest = list(words[1:] if words[:1] and _ENV.search(words[0]) else words)
    if not rest or not _DOCKER.search(rest.pop(0)):
        return []
    return rest[1:] if rest[:1] == ["container"] else rest


def _command(words: t.Sequence[str]) -> DockerRun | None:
    options, at = _options(words, 1)
    return DockerRun(tuple(options), words[at], tuple(words[at + 1 :])) if at < len(words) else None


def _attached(words: t.Sequence[str]) -> str:
    """The container that C(docker start) runs in the foreground; empty if it is another command."""
    switches = {word for word in words[1:] if word.startswith("-")}
    names = [word for word in words[1:] if word not in switches]
    attached = bool(switches) and switches <= _IN_FOREGROUND
    return names[0] if list(words[:1]) == ["start"] and attached and len(names) == 1 else ""


def _options(words: t.Sequence[str], at: int) -> tuple[list[tuple[str, str]], int]:
    """The options, and where the image is."""
    found: list[tuple[str, str]] = []
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        word = words[at]
        at += 1
        if word == "--":
            break
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            name, equals, value = _short(word[1:], found)
        if not equals and name in _SWITCHES:
            value = "true"
        elif not equals:
            value = words[at] if at < len(words) else ""
            at += 1
        found.append((name, value))
    return found, at


def _short(letters: str, found: list[tuple[str, str]]) -> tuple[str, str, str]:
    """The last option of C(-itv/a:/b): its name, and its value if it has one; those before it go into C(found)."""
    for place, letter in enumerate(letters):
        name = _SHORT.get(letter, letter)
        rest = letters[place + 1 :]
        if name not in _SWITCHES:
            return name, "=" if rest else "", rest[1:] if rest.startswith("=") else rest
        if not rest:
            return name, "", ""
        if rest.startswith("="):
            return name, "=", rest[1:]
        found.append((name, "true"))
    return letters, "", ""

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an instance's variables come from: its environment file, and the layers above and below it.

Rails never overrides the environment that its process was started with. Of several dotenv files, the first that sets a
variable wins (dotenv: Dotenv::Rails, which Mastodon loads in config/application.rb).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .._dotenv import dialects, traps
from .._dotenv.dialects import decode, generations, values
from .._files import gate
from .._files.snapshot import LARGEST, checksum, followed, look, opened, placed
from .._findings.instance import TABLE
from .._findings.model import Finding, FindingError
from .._mailer.names import BULK, MAIN
from . import file_owners
from .model import Elsewhere

#: The file to which the settings are written, unless a hint names another.
ENV_FILE = ".env.production"

#: The files that dotenv reads in production, the winner first. Source: dotenv, lib/dotenv/rails.rb.
RAILS_FILES = (".env.production.local", ".env.local", ENV_FILE, ".env")

#: Names the version of dotenv that Mastodon loads.
GEMFILE_LOCK = "Gemfile.lock"

#: Prefixes of mail variables. Source: Mastodon config/email.yml, config/environments/production.rb.
MAIL_PREFIXES = (MAIN, BULK)


@dataclasses.dataclass(frozen=True)
class Layer:
    """One source of a process's variables.

    :ivar kind: C(Environment), C(EnvironmentFile) or a dotenv file's name.
    :ivar path: the file; for C(Environment), the service.
    :ivar data: the file's bytes; None for C(Environment).
    :ivar reader: the dialect of the file, a name of _dotenv.dialects.
    :ivar given: the assignments of an C(Environment).
    :ivar unset: names, and C(NAME=value) for just that value, that do not get through this layer.
    :ivar blocks: names that no process gets, whatever the layers below set.
    :ivar where: name -> the file and line that set it, where that is not C(path).
    """

    kind: str
    path: str
    data: bytes | None = dataclasses.field(default=None, repr=False)
    reader: str = "ruby"
    given: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    unset: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    where: t.Callable[[str], tuple[str, int]] | None = None

    def variables(self, environment: t.Mapping[str, str]) -> dict[str, str]:
        """The variables that it sets, for a reader that already has this environment.

        :raises FindingError: the reader rejects the file.
        """
        found = dict(self.given) if self.data is None else values(self.data, self.reader, environment)
        return without(found, self.unset)

    def place(self, name: str) -> tuple[str, int]:
        """The file and the line that set a variable; line 0 if unknown."""
        if self.where is not None:
            return self.where(name)
        return self.path, line_of(name, self.data or b"")


def without(variables: t.Mapping[str, str], unset: t.Iterable[str]) -> dict[str, str]:
    """What UnsetEnvironment= leaves: a name takes any value out, C(NAME=value) only that one (systemd.exec(5))."""
    gone = set(unset)
    return {name: text for name, text in variables.items() if not {name, f"{name}={text}"} & gone}


def line_of(name: str, data: bytes) -> int:
    """The last line of an environment file that begins to set a variable; 0 if none is seen to."""
    sets = re.compile(rb"\s*(?:export\s+)?" + re.escape(name.encode()) + rb"\s*[=:]")
    return max((number for number, line in enumerate(data.splitlines(), 1) if sets.match(line)), default=0)


@dataclasses.dataclass(frozen=True)
class EnvFile:
    """The environment file and its content.

    :ivar path: with symbolic links resolved.
    :ivar noted: findings if links were followed, or if somebody else writes the file.
    """

    path: str
    data: bytes = dataclasses.field(repr=False)
    noted: tuple[Finding, ...] = ()

    @property
    def checksum(self) -> str:
        """sha256 of the bytes, hexadecimal."""
        return checksum(self.data)


def read_env_file(path: str, others: t.Sequence[str] = ()) -> EnvFile:
    """Read the environment file, following links.

    :param others: files that the services read; suggested to the operator when this one is missing.
    :raises FindingError: what is wrong with the file, and what to do.
    """
    try:
        with opened(path) as place:
            data = look(place).data
            decode(data)
            others_file = file_owners.about(place.target, data, [link.target for link in place.links])
            return EnvFile(place.target, data, (*followed(place), *others_file))
    except FindingError as error:
        finding = placed(error.finding, path)
        if finding.code == "env-file-missing" and others:
            message = f"{finding.message} The services read {' and '.join(others)}."
            finding = dataclasses.replace(finding, message=message)
        raise FindingError(finding) from None


def read_regular(path: str) -> bytes:
    """The bytes of a regular file.

    :raises OSError: EINVAL if it is not a regular file, EFBIG if it is too large to be settings.
    """
    return gate.read(path, LARGEST)


def installed_ruby(app_dir: str) -> str:
    """The generation of the Ruby gem in an app directory, as a name of _dotenv.dialects; all of them if unknown."""
    try:
        text = read_regular(os.path.join(app_dir, GEMFILE_LOCK)).decode("utf-8", "replace")
    except OSError:
        text = ""
    return dialects.installed_ruby(text)


def dotenv_layers(app_dir: str, env_file: EnvFile | None, reader: str, findings: list[Finding]) -> list[Layer]:
    """The dotenv files of an app directory that exist, the winner first.

    :param env_file: the file used in place of the app's C(.env.production); None: read that file itself.
    :param reader: the gem that reads them, see installed_ruby().
    :param findings: receives a finding for each file that cannot be read; the file is skipped.
    """
    found = []
    for name in RAILS_FILES:
        if name == ENV_FILE and env_file is not None:
            found.append(Layer(name, env_file.path, env_file.data, reader))
        else:
            found += filter(None, [file_layer(name, os.path.join(app_dir, name), reader, findings)])
    return found


def file_layer(
    kind: str, path: str, reader: str, findings: list[Finding], read: t.Callable[[str], bytes] = read_regular
) -> Layer | None:
    """A file as a layer; None if it does not exist, or cannot be read (with a finding added to C(findings)).

    :param read: reads it, as read_regular does.
    """
    try:
        return Layer(kind, path, read(path), reader)
    except FileNotFoundError:
        return None
    except OSError as error:
        findings.append(TABLE.finding("layer-unreadable", path, f"Reading it failed: {error.strerror}."))
        return None


def resolve(layers: t.Sequence[Layer], findings: list[Finding]) -> dict[str, str]:
    """The variables that a process with these layers sees. A layer that its reader rejects becomes a finding.

    :param layers: the winner first.
    """
    seen: dict[str, str] = {}
    for layer in layers:
        try:
            for name, value in layer.variables(seen).items():
                seen.setdefault(name, value)
        except FindingError as refused:
            findings.append(placed(refused.finding, layer.path))
    return seen


def misread(env_file: EnvFile, readers: t.Sequence[str], variables: t.Mapping[str, str]) -> list[Finding]:
    """What the environment file says about mail and its readers read otherwise; never a value.

    A file that a reader rejects is reported by resolve().

    :param variables: all variables that Rails sees, for references to them.
    """
    source = decode(env_file.data)
    readings = [(one, one.read(source, variables)) for one in generations(readers)]
    found = traps.find(source, readings, variables, lambda name: name.startswith(MAIL_PREFIXES))
    return [placed(one, env_file.path) for one in found if one.severity == "warning"]


def elsewhere(layers: t.Sequence[Layer], env_file: str) -> list[Elsewhere]:
    """The mail variables that layers other than the environment file set, the winner first."""
    found = []
    wins = True
    for layer in layers:
        if layer.data is not None and gate.real(layer.path) == env_file:
            wins = False
            continue
        try:
            seen: dict[str, str | None] = {**layer.variables({}), **dict.fromkeys(layer.blocks)}
        except FindingError:
            continue  # resolve() has reported it
        for name in mail_variables(seen):
            path, line = layer.place(name)
            found.append(Elsewhere(name, layer.kind, path, line, wins, seen[name]))
    return list(dict.fromkeys(found))


def mail_variables(variables: t.Iterable[str]) -> tuple[str, ...]:
    """The names of mail variables among these, sorted."""
    return tuple(sorted(name for name in variables if name.startswith(MAIL_PREFIXES)))

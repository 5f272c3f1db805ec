# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an instance's variables come from: its environment file, and the layers above and below it.

Rails never overrides what its process was started with, and of several dotenv files the first one that sets a variable
wins (dotenv: Dotenv::Rails, which Mastodon loads in config/application.rb).
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import typing as t

from .._dotenv.dialects import values
from .._files import gate
from .._files.snapshot import LARGEST
from .._findings.env_file import TABLE as FILES
from .._findings.instance import TABLE
from .._findings.model import Finding, FindingError
from .model import Override

#: The file that the operator's settings are written to, unless a hint says otherwise.
ENV_FILE = ".env.production"

#: What dotenv reads in production, the winner first. Source: dotenv, lib/dotenv/rails.rb.
RAILS_FILES = (".env.production.local", ".env.local", ENV_FILE, ".env")

#: A variable that decides about mail begins so. Source: Mastodon config/email.yml, config/environments/production.rb.
MAIL_PREFIXES = ("SMTP_", "BULK_SMTP_")


@dataclasses.dataclass(frozen=True)
class Layer:
    """One source of variables of a process.

    :ivar kind: C(Environment), C(EnvironmentFile) or a dotenv file's name.
    :ivar path: the file; for C(Environment) the service that has it.
    :ivar data: a file's bytes; None for C(Environment).
    :ivar reader: the dialect that it is read with, a name of _dotenv.dialects.
    :ivar given: the assignments of an C(Environment).
    """

    kind: str
    path: str
    data: bytes | None = dataclasses.field(default=None, repr=False)
    reader: str = "ruby"
    given: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def variables(self, environment: t.Mapping[str, str]) -> dict[str, str]:
        """What it sets, for a reader that already has this environment. FindingError if the reader refuses it."""
        if self.data is None:
            return dict(self.given)
        return values(self.data, self.reader, environment)


@dataclasses.dataclass(frozen=True)
class EnvFile:
    """The environment file as it was read.

    :ivar path: with symbolic links resolved.
    :ivar links: those that led there.
    """

    path: str
    data: bytes = dataclasses.field(repr=False)
    links: tuple[gate.Link, ...] = ()

    def followed(self, asked: str) -> list[Finding]:
        """That it is not where the path says that was asked for."""
        if not self.links:
            return []
        message = f"It is reached through a symbolic link to {self.path}; that file is read and edited."
        return [FILES.finding("link-followed", asked, message)]

    @property
    def checksum(self) -> str:
        """sha256 of the bytes, hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


def read_env_file(path: str, others: t.Sequence[str] = ()) -> EnvFile:
    """Read the environment file, following links. FindingError says what is wrong with it and what to do.

    :param others: files that the services read themselves: named as the likely right ones when this one is missing.
    """
    data, target, links = _read(path, others)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"Line {line} holds the byte 0x{data[error.start]:02x}, which is not UTF-8."
        raise FindingError(TABLE.finding("env-file-not-utf8", f"{target}:{line}", message)) from None
    return EnvFile(target, data, links)


def _read(path: str, others: t.Sequence[str]) -> tuple[bytes, str, tuple[gate.Link, ...]]:
    def refuse(code: str, message: str, fix: str = "") -> FindingError:
        return FindingError(TABLE.finding(code, path, message, fix))

    try:
        with gate.enter(path) as place:
            return place.read(LARGEST), place.target, place.links
    except gate.Refused as error:
        raise FindingError(FILES.finding("link-not-followed", path, f"{error.strerror}.", error.fix)) from None
    except IsADirectoryError:
        raise refuse("env-file-not-a-file", "It is a directory.") from None
    except FileNotFoundError:
        if os.path.islink(path):
            message = f"It is a symbolic link to {gate.real(path)}, which does not exist."
            raise refuse("env-file-dangling-link", message) from None
        seen = f" The services read {' and '.join(others)}." if others else ""
        raise refuse("env-file-missing", f"The file does not exist.{seen}") from None
    except PermissionError:
        who = f"uid {os.geteuid()}" if os.geteuid() else "root"
        raise refuse("not-permitted", f"{who} is not allowed to read it.") from None
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise refuse("env-file-not-a-file", "It is not a regular file.") from None
        if error.errno == errno.EFBIG:
            message = f"It is larger than {LARGEST // 1024} KB."
            raise FindingError(FILES.finding("env-file-too-large", path, message)) from None
        raise refuse("env-file-unreadable", f"Reading it failed: {error.strerror}.") from None


def read_regular(path: str) -> bytes:
    """The bytes of a regular file. OSError with EINVAL for what is none, EFBIG for what cannot be settings."""
    return gate.read(path, LARGEST)


def dotenv_layers(app_dir: str, env_file: EnvFile | None, findings: list[Finding]) -> list[Layer]:
    """The dotenv files of an app directory that exist, the winner first.

    :param env_file: what stands in the place of the app's C(.env.production); None: nothing but that file itself.
    :param findings: what cannot be read is left out and said here.
    """
    found = []
    for name in RAILS_FILES:
        if name == ENV_FILE and env_file is not None:
            found.append(Layer(name, env_file.path, env_file.data))
        else:
            found += filter(None, [file_layer(name, os.path.join(app_dir, name), "ruby", findings)])
    return found


def file_layer(kind: str, path: str, reader: str, findings: list[Finding]) -> Layer | None:
    """A file as a layer; None if it does not exist, or cannot be read (then C(findings) says so)."""
    try:
        return Layer(kind, path, read_regular(path), reader)
    except FileNotFoundError:
        return None
    except OSError as error:
        findings.append(TABLE.finding("layer-unreadable", path, f"Reading it failed: {error.strerror}."))
        return None


def resolve(layers: t.Sequence[Layer], findings: list[Finding]) -> dict[str, str]:
    """What a process that has these layers sees, the winner first. A layer its reader refuses is a finding."""
    seen: dict[str, str] = {}
    for layer in layers:
        try:
            for name, value in layer.variables(seen).items():
                seen.setdefault(name, value)
        except FindingError as refused:
            findings.append(dataclasses.replace(refused.finding, subject=f"{layer.path}: {refused.finding.subject}"))
    return seen


def overrides(layers: t.Sequence[Layer], env_file: str) -> list[Override]:
    """The mail variables in the layers that win over the environment file."""
    found = []
    for layer in layers:
        if layer.data is not None and gate.real(layer.path) == env_file:
            break
        try:
            names = mail_variables(layer.variables({}))
        except FindingError:
            continue  # resolve() has said so
        found += [Override(name, layer.kind, layer.path) for name in names]
    return list(dict.fromkeys(found))


def mail_variables(variables: t.Iterable[str]) -> tuple[str, ...]:
    """The names among them that decide about mail, sorted."""
    return tuple(sorted(name for name in variables if name.startswith(MAIL_PREFIXES)))

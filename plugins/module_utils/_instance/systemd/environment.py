# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environment of the instance's services, rebuilt for running our own commands. No I/O here."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import os.path
import re
import typing as t

from ..layers import without
from ..process import Account
from .units import Unit

#: systemd's default PATH for services, with Debian's sbin directories. Source: systemd.exec(5).
STANDARD_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

#: Programs in the same directory as the instance's Ruby. If a unit calls one of them by its absolute path, that
#: directory identifies the Ruby; a shell or env in front does not. Source: Mastodon dist/*.service.
_RUBY_PROGRAMS = ("bundle", "bundler", "ruby", "puma", "sidekiq", "rails", "rake")
#: An absolute path in a command.
ABSOLUTE = re.compile(r"(?<![^\s'\";=])/[^\s'\";]+")

#: Directories of rbenv, as installed by Mastodon's documentation, and of similar tools.
_IN_HOME = (".rbenv/shims", ".rbenv/bin", ".local/share/mise/shims", ".asdf/shims")


def app_environment(
    unit: Unit,
    account: Account,
    files: t.Sequence[t.Mapping[str, str]] = (),
    running: t.Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment for a command in the app.

    In the order of systemd.exec(5): the variables of a login, Environment=, the files of EnvironmentFile= (the last one
    wins), minus UnsetEnvironment=; and always Rails' production environment.

    :param files: the variables of the unit's environment files.
    :param running: the environment of the unit's main process; only its PATH is used, and only if the unit starts its
        program through a shell that sets it.
    """
    environment = {
        "HOME": account.home,
        "USER": account.name,
        "LOGNAME": account.name,
        "SHELL": account.shell or "/bin/sh",
        "LANG": "C.UTF-8",  # Ruby takes the encoding of its input from here
    }
    environment = without({**environment, **given_to(unit, files)}, unit.unset_environment)
    environment["RAILS_ENV"] = "production"
    environment["PATH"] = _path(unit, account, environment.get("PATH", ""), (running or {}).get("PATH", ""))
    return environment


def given_to(unit: Unit, files: t.Sequence[t.Mapping[str, str]]) -> dict[str, str]:
    """The variables that systemd sets for the unit's processes.

    :param files: the variables of the unit's environment files, in the order in which they are read.
    """
    given = dict(unit.environment)
    for variables in files:
        given.update(variables)
    return without(given, unit.unset_environment)


def _path(unit: Unit, account: Account, given: str, running: str) -> str:
    """A PATH that finds the unit's Ruby before any other, followed by the usual directories."""
    ruby = [
        os.path.dirname(path)
        for program in unit.exec_start
        for path in ABSOLUTE.findall(program)
        if os.path.basename(path) in _RUBY_PROGRAMS
    ]
    own = given.split(":") if given else []
    from_shell = running.split(":") if not ruby and not own else []
    in_home = [os.path.join(account.home, folder) for folder in _IN_HOME]
    every = [*ruby, *own, *from_shell, *in_home, *STANDARD_PATH]
    return ":".join(dict.fromkeys(folder for folder in every if folder.startswith("/")))

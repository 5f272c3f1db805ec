# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units that run Mastodon in a container in a way that is not driven: why not, and that it is told."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from ..._findings.instance import TABLE
from ..._findings.model import Finding, FindingError
from ..compose import on_disk
from ..compose.project import EnvFile
from ..model import MAIL_ROLES
from ..roles import role_by
from ..systemd.units import Unit
from .caller import environment_of
from .docker_run import DockerRun

_NAMES = re.compile(r"mastodon|glitch")
_DOCKER = re.compile(r"\bdocker\b")
#: Variables that lead docker to another Engine than ours. Source: Docker CLI, cli/command/cli.go.
_OTHER_ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT")
_FIX = (
    "Let the unit run docker itself, in the foreground and as root, with --name and --env-file (docs/deployments.md). "
    "If the unit belongs to another instance, name the units of this one with mastodon_smtp_services."
)


@dataclasses.dataclass(frozen=True)
class Left:
    """A unit that is not driven.

    :ivar home: the directory of its environment file, which identifies an instance; empty if it has none.
    :ivar why: why not, as a sentence.
    """

    unit: str
    home: str
    why: str


def why(unit: Unit, run: DockerRun | None) -> str:
    """Why a unit is not driven, as a sentence; empty if it is.

    :param run: its command; None if that is not clear.
    """
    if run is None:
        return "Its command is not docker run, and not docker start --attach of what docker create has made."
    if run.filled_in:
        return f"systemd fills in a variable ($) in the {' and '.join(run.filled_in)} of its docker run."
    if not run.name:
        return "Its docker run has no --name."
    if not run.every("env-file"):
        return "Its docker run has no --env-file."
    if run.every("detach"):
        return "Its docker run has --detach (-d): systemd does not see whether the container still runs."
    if unit.user not in ("", "root", "0"):
        return f"It runs docker as the user {unit.user}, who may use another Docker Engine."
    unread: list[Finding] = []  # reported when the instance was found
    leads = sorted(set(_OTHER_ENGINE) & set(environment_of(unit, unread)))
    return f"It sets {' and '.join(leads)}, which may lead to another Docker Engine." if leads else ""


def is_mastodon(run: DockerRun) -> bool:
    """Whether the image's name or the variables show Mastodon."""
    if _NAMES.search(run.image) or "LOCAL_DOMAIN" in run.given:
        return True
    return any("LOCAL_DOMAIN" in on_disk.variables(EnvFile(path, "raw")) for path in run.every("env-file"))


def sends_mail(unit: Unit, run: DockerRun | None) -> bool:
    """Whether a unit that is not driven runs web or Sidekiq of a Mastodon in a container."""
    text = " ".join(unit.exec_start)
    if role_by(run.program if run else text, (), ()) not in MAIL_ROLES:
        return False
    return bool(run and is_mastodon(run)) or bool(_DOCKER.search(text) and _NAMES.search(text))


def refuse(left: t.Iterable[Left], wanted: str, *, alone: bool) -> None:
    """Refuse an instance that has a unit that is not driven: it would keep the old settings.

    :param wanted: the directory that the operator names; empty if none.
    :param alone: no unit of the instance is driven.
    :raises FindingError: C(mastodon-not-driven).
    """
    for one in left:
        if not wanted or (one.home == wanted if one.home else not alone):
            raise FindingError(TABLE.finding("mastodon-not-driven", one.unit, one.why, _FIX))

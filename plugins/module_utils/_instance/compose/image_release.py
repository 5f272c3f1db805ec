# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mastodon's release, read from a container or an image."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .. import release
from ..model import Completed
from .containers import Container
from .engine import Engine

_COMMAND = ("cat", release.PATH, release.CONFIG)


def release_of(engine: Engine, containers: t.Sequence[Container], image: str, variables: t.Mapping[str, str]) -> str:
    """The release, from the code in a running container, else the image's label, else the image; empty if unknown.

    :param containers: those of web and Sidekiq.
    :param image: the image of a new container.
    """
    ordered = sorted(containers, key=lambda one: one.state != "running")
    for one in ordered:
        if one.state == "running":
            found = _read(engine.in_container(one.id, _COMMAND), variables)
            if found:
                return found
    for one in ordered:
        label = one.release_label.lstrip("v")
        if label[:1].isdecimal():
            return label
    if image and engine.image(image)[0]:
        return _read(engine.in_image(image, _COMMAND), variables) or ""
    return ""


def _read(done: Completed, variables: t.Mapping[str, str]) -> str | None:
    """The release in the command's output, which has both files in one text; their formats do not overlap.

    Up to 4.3 the second file does not exist, and the command fails after printing the first.
    """
    both = done.stdout.decode("utf-8", "replace")
    return release.read(both, variables, both)

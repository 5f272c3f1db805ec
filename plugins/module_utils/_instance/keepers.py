# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who keeps a process running, from its control groups and the programs above it. No I/O here."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

#: unit: a unit of the host's systemd. user-unit: one of a user's own systemd. machine: a container that is a host of
#: its own (LXC, systemd-nspawn). openrc, runit and the like: another supervisor. hand: a login session, a terminal.
Kind = t.Literal[
    "unit",
    "user-unit",
    "docker",
    "podman",
    "containerd",
    "kubernetes",
    "machine",
    "openrc",
    "runit",
    "s6",
    "daemontools",
    "supervisor",
    "pm2",
    "hand",
]

#: Keepers whose processes have their own root directory, with their own users.
IN_CONTAINERS: tuple[Kind, ...] = ("docker", "podman", "containerd", "kubernetes", "machine")


@dataclasses.dataclass(frozen=True)
class Keeper:
    """Who keeps a process running.

    :ivar name: of the unit, the service or the machine, or the container's id; empty when it is not known.
    :ivar user: number of the user whose own systemd or container engine it is; None for the host's.
    """

    kind: Kind
    name: str = ""
    user: int | None = None


_ID = r"(?P<name>[0-9a-f]{12,64})"
#: What a control group's path says, the outermost keeper first: a container in a machine is the machine's affair.
#: Sources: systemd.slice(5); systemd-nspawn(1); Docker Engine, cgroup drivers systemd and cgroupfs; Podman, libpod
#: --cgroups; Kubernetes, kubelet cgroup manager; LXC, lxc.cgroup.dir.container; OpenRC, sh/rc-cgroup.sh.
_PATHS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"/(?:[\w-]*-)?kubepods(?:[./-]|$)"), "kubernetes"),
    (re.compile(r"^/lxc(?:\.payload\.|/)(?P<name>[^/]+)"), "machine"),
    (re.compile(r"^/machine\.slice/(?:systemd-nspawn@|machine-)(?P<name>[^/]+)\.(?:service|scope)"), "machine"),
    # a container with a systemd of its own
    (
        re.compile(rf"/(?:docker[-/]|libpod-){_ID}(?:\.scope)?/(?:[^/]+/)?(?:init\.scope|system\.slice)(?:/|$)"),
        "machine",
    ),
    (re.compile(rf"/libpod-(?:payload-)?{_ID}"), "podman"),
    (re.compile(rf"/docker[-/]{_ID}"), "docker"),
    (re.compile(rf"/(?:nerdctl-|cri-containerd-|default/){_ID}"), "containerd"),
    (re.compile(r"/user@\d+\.service/(?:[^/]+\.slice/)*(?P<name>[^/]+\.service)(?:/|$)"), "user-unit"),
    (re.compile(r"^/user\.slice/"), "hand"),
    # without pam_systemd, a login or a user's cron job has no scope of its own
    (
        re.compile(r"^/system\.slice/(?:.*/)?(?:sshd?|cron|crond|atd|(?:\w+-)?getty@[^/]*|sshd@[^/]*)\.service(?:/|$)"),
        "hand",
    ),
    (re.compile(r"/(?P<name>[^/]+\.service)(?:/|$)"), "unit"),
    (re.compile(r"^/openrc[./](?P<name>[^/]+)"), "openrc"),
)
_USER = re.compile(r"/user(?:@|-)(\d+)\.(?:service|slice)/")

#: What the name of a program above it says, the nearest first; a shell or a terminal is a person's.
_PROGRAMS: dict[str, Kind] = {
    "supervise-daemo": "openrc",  # names have 15 characters at most
    "openrc-run": "openrc",
    "openrc-run.sh": "openrc",
    "runsv": "runit",
    "s6-supervise": "s6",
    "supervise": "daemontools",
    "supervisord": "supervisor",
    "sshd": "hand",
    "sshd-session": "hand",
    "login": "hand",
    "tmux: server": "hand",
    "screen": "hand",
}


def keeper(
    groups: t.Iterable[tuple[str, str]], base: str, above: t.Sequence[tuple[str, str]], init: Kind | None = None
) -> Keeper:
    """Who keeps a process running.

    :param groups: (controllers, path) of its control groups.
    :param base: the control group of process 1, which all paths of a container begin with that shares its host's.
    :param above: (program, title) of its parent, of that one's parent, and so on.
    :param init: what starts services on this host, if it is not systemd and known.
    """
    paths = [(name, path[len(base) :] if base and path.startswith(f"{base}/") else path) for name, path in groups]
    for shape, kind in _PATHS:
        for _unused, path in paths:
            found = shape.search(path)
            if found:
                supervisor = _supervisor(above) if kind in ("unit", "user-unit") else None
                if supervisor:
                    return supervisor
                user = _USER.search(path) if kind in ("user-unit", "podman", "docker", "hand") else None
                return Keeper(kind, found.groupdict().get("name") or "", int(user[1]) if user else None)
    for name, path in paths:
        if name == "name=openrc" and path.strip("/"):
            return Keeper("openrc", path.strip("/"))
    if (supervisor := _supervisor(above)) is not None:
        return supervisor
    by_hand = any(_PROGRAMS.get(program) == "hand" for program, _unused in above)
    return Keeper("hand" if by_hand else init or "hand")


def _supervisor(above: t.Iterable[tuple[str, str]]) -> Keeper | None:
    """The supervisor above a process; it may itself be a unit of systemd, which then keeps all its programs."""
    for program, title in above:
        if title.startswith("PM2 "):
            return Keeper("pm2")
        kind = _PROGRAMS.get(program, "hand")
        if kind != "hand":
            words = title.split()
            return Keeper(kind, words[1] if kind in ("runit", "s6", "daemontools") and len(words) > 1 else "")
    return None

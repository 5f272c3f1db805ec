# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the socket on which Mastodon's web service serves pages. No I/O here.

Mastodon's config/puma.rb binds SOCKET, else BIND and PORT (the same in 3.5.0, 4.3.0, 4.5.15 and 4.6.5). It runs before
dotenv, so only the environment that the process was started with counts, not the environment file. The process may have
other sockets: Mastodon's exporter for Prometheus (4.4 and later) and Puma's control server.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import typing as t

from .procfs import Listener

_HOST, _PORT = "127.0.0.1", 3000
#: Source: Mastodon 4.4 config/initializers/prometheus_exporter.rb, which runs after dotenv.
_EXPORTER = ("MASTODON_PROMETHEUS_EXPORTER_PORT", 9394)

#: A wildcard address includes the loopback address.
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
#: The title of Puma's main process: puma 6.6.0 (tcp://127.0.0.1:3000,unix:///run/puma.sock) [live].
#: Source: Puma lib/puma/launcher.rb, title.
_TITLE = re.compile(r"^puma \d\S* \(([^)]*)\)")


def choose(
    listeners: t.Sequence[Listener],
    environment: t.Mapping[str, str],
    titles: t.Iterable[str] = (),
    variables: t.Mapping[str, str] | None = None,
) -> Listener | None:
    """The socket for pages: the one that the environment names, else the only one, else one in Puma's title.

    If several remain, TCP wins over a Unix socket, then BIND's address, then loopback, then the lowest port. The
    exporter's port is never chosen. None when no socket remains.

    :param environment: the environment that the process was started with.
    :param titles: the titles of its processes.
    :param variables: the variables that Rails sees, dotenv included; they decide where the exporter listens.
    """
    exporter = port_of(variables or {}, *_EXPORTER)
    named = [one for one in listeners if _named(one, environment)]
    others = [one for one in listeners if one.path or one.port != exporter]
    binds = [bind for title in titles for found in _TITLE.finditer(title) for bind in found[1].split(",")]
    titled = [one for one in others if any(_bound(one, bind) for bind in binds)]
    return min(named or titled or others, key=lambda one: _rank(one, environment.get("BIND", "")), default=None)


def default(environment: t.Mapping[str, str]) -> str:
    """The address that config/puma.rb derives from an environment, in the format of url()."""
    path = environment.get("SOCKET", "")
    return url(Listener(0, path=path) if path else Listener(0, environment.get("BIND") or _HOST, port(environment)))


def url(listener: Listener) -> str:
    """C(http://127.0.0.1:3000), or C(unix:/path)."""
    if listener.path:
        return f"unix:{listener.path}"
    host = _ANYWHERE.get(listener.host.strip("[]"), listener.host.strip("[]"))
    return f"http://[{host}]:{listener.port}" if ":" in host else f"http://{host}:{listener.port}"


def port(environment: t.Mapping[str, str]) -> int:
    """The port that config/puma.rb takes from an environment or uses by default."""
    return port_of(environment, "PORT", _PORT)


def port_of(variables: t.Mapping[str, str], name: str, otherwise: int) -> int:
    """The port in a variable; C(otherwise) when it has none."""
    given = variables.get(name, "")
    return int(given) if given.isdecimal() else otherwise


def _named(one: Listener, environment: t.Mapping[str, str]) -> bool:
    """Whether the environment names this socket. A relative path is relative to the app directory."""
    path = environment.get("SOCKET", "")
    if path:
        return one.path == path or one.path.endswith("/" + path.lstrip("./"))
    return not one.path and one.port == port(environment)


def _bound(one: Listener, bind: str) -> bool:
    """Whether a bind of Puma's title (tcp://host:port, unix://path) is this socket."""
    scheme, _unused, place = bind.partition("://")
    if scheme == "unix":
        return bool(one.path) and one.path.endswith(place.lstrip("./"))
    return not one.path and place.partition("?")[0].endswith(f":{one.port}")


def _rank(one: Listener, bind: str) -> tuple[bool, bool, bool, int, str]:
    local = one.host in _ANYWHERE or one.host == "::1" or one.host.startswith("127.")
    return bool(one.path), one.host != bind.strip("[]"), not local, one.port, one.path or one.host

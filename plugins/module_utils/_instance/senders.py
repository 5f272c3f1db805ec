# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mail variables of each service that sends mail: resolved once, for every use. No I/O here."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import re
import types
import typing as t

from .._findings.instance import TABLE
from .._findings.model import Finding
from . import layers
from .model import Role, Sender

#: The layer of a variable that a process has although no file, unit or Compose file is seen to set it.
OF_PROCESS = "process"
#: Sidekiq's options for the queues that it serves; without any, config/sidekiq.yml names them all.
#: Source: Sidekiq lib/sidekiq/cli.rb, option_parser; Mastodon config/sidekiq.yml.
_QUEUES = re.compile(r"\s(?:-q|--queue)[\s=]*([^\s,'\";]+)")


def sending_order(role: Role, program: str) -> int:
    """Sorts services: first a Sidekiq that serves the queue of mails, then any other, then web.

    :param program: the command that it is started with.
    """
    if role != "sidekiq":
        return 2
    queues = _QUEUES.findall(program)
    return 0 if not queues or "mailers" in queues else 1


def of_process(running: t.Mapping[str, str], known: t.Mapping[str, str]) -> dict[str, str]:
    """The mail variables of a running process that have another value than its known layers give them.

    A variable that the process lacks shows nothing: Ruby overwrites the beginning of that memory with its title.
    """
    return {name: running[name] for name in layers.mail_variables(running) if known.get(name) != running[name]}


def resolved(
    service: str,
    role: Role,
    stack: t.Sequence[layers.Layer],
    env_file: str,
    variables: t.Mapping[str, str],
    own: t.Mapping[str, str],
) -> Sender:
    """One service that sends mail.

    :param stack: its layers, the winner first.
    :param variables: what they result in.
    :param own: what its processes have beyond that; see of_process().
    """
    above = [layers.Layer(OF_PROCESS, service, given=own)] if own else []
    elsewhere = tuple(layers.elsewhere([*above, *stack], env_file))
    return Sender(service, role, elsewhere, types.MappingProxyType({**variables, **own}))


def about_overrides(senders: t.Sequence[Sender], env_file: str) -> list[Finding]:
    """A finding for each mail variable that overrides the environment file in some service."""
    services: dict[t.Any, list[str]] = {}
    for sender in senders:
        for one in sender.overrides:
            services.setdefault(one, []).append(sender.service)
    found = []
    for one, names in services.items():
        verb = "unsets" if one.value is None else "sets"
        message = f"{one.layer} {verb} it there for {' and '.join(names)}, which overrides {env_file}."
        if one.layer == OF_PROCESS:
            message = (
                f"The service's processes are started with it; no file is seen to set it. It overrides {env_file}."
            )
        found.append(TABLE.finding("override-hides-file", f"{one.variable} in {one.place}", message))
    return found

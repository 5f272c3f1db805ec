# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose turn it is to log in; the module of the same name does the work on the target.

Relays lock accounts. So of all hosts with the same login and password one tries it first, alone, whatever the strategy.
When it is let in, the others follow side by side. When it is refused, they leave the login out and fail.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._run import Busy, Note

#: Seconds that a host waits for its turn: several of the longest dialogues, with a slow way to each host.
PATIENCE = 600.0


class Probe(t.Protocol):
    """Runs the module on the target, with the task's options but for what is changed."""

    def __call__(self, **changes: t.Any) -> Result: ...


class ActionModule(HostStep):
    """The controller's half of the step C(smtp_relay_info)."""

    SECRETS: t.ClassVar[frozenset[str]] = frozenset({"password"})
    QUIET: t.ClassVar[frozenset[str]] = frozenset({"login"})

    def key(self, options: Result) -> str:
        """The two relays are two steps."""
        return "relay_bulk" if options.get("relay") == "bulk" else "relay"

    def linked(self, options: Result, task_vars: Result) -> Result | None:
        """The relay is that of the plan. It is told the sender, and who gets the test message."""
        instance = self.instance()
        relay = (self.known.plan or {}).get("bulk_relay" if options.get("relay") == "bulk" else "relay")
        if instance is None or not relay:
            return None
        told = bool(self.known.setting("check_envelope"))
        recipient = options.get("recipient") if self.known.setting("send") != "never" else None
        made = {
            **{name: relay.get(name) for name in ("host", "port", "tls", "verify", "auth", "ca_file", "login")},
            **{name: one for name, one in options.items() if one},
            "helo_domain": relay.get("helo_domain") or str(task_vars.get("inventory_hostname") or ""),
            "alternative_ports": relay.get("alternatives"),
            "provider_hint": relay.get("hint"),
            "sender": self.known.envelope_sender if told else None,
            "recipient": recipient if told else None,
            # Units have the host's network, so that nothing but a file of authorities has to be looked at from theirs.
            "vantage": "host" if instance.get("deployment") == "systemd" and not relay.get("ca_file") else "instance",
        }
        return {**{name: one for name, one in made.items() if one not in (None, "")}, **self.known.found}

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Run the module, with the login or without, as the other hosts' logins went."""

        def probe(**changes: t.Any) -> Result:
            return self.ask(task_vars, module_args={**options, **changes})

        note = note_about(options)
        host = str(task_vars.get("inventory_hostname", "another host"))
        return probe() if note is None else take_turn(probe, note, host)


def note_about(options: t.Mapping[str, t.Any]) -> Note | None:
    """The note about a login at a relay; None where none is tried, or each host is to try for itself."""
    if not boolean(options.get("share_verdict", True), strict=False) or options.get("auth") == "none":
        return None
    host, login, password = (str(options.get(name) or "") for name in ("host", "login", "password"))
    if boolean(options.get("skip_auth", False), strict=False) or not (host and login and password):
        return None
    return Note("login", host.lower(), login, password)


def take_turn(probe: Probe, note: Note, host: str) -> Result:
    """Log in first, after the first, or not at all.

    A host that does not get as far as the login says nothing about it. The next one is then first. Those that wait look
    side by side how far they get without the login, so that a blocked port does not cost each host's time in a row.
    """
    gets_there = False
    while True:
        try:
            with note.locked(PATIENCE):
                known = note.read()
                if known is None or (known["accepted"] is None and gets_there):
                    return _told(probe(), note, host)
        except Busy:
            return probe(skip_auth=True)
        if known["accepted"] is not None:
            break
        ahead = probe(skip_auth=True)
        if ahead.get("failed") or ahead.get("unreachable"):
            return ahead
        gets_there = True
    if known["accepted"]:
        return _told(probe(), note, host, only_refusal=True)
    return probe(refused_on=known["host"])


def _told(result: Result, note: Note, host: str, *, only_refusal: bool = False) -> Result:
    """The result, after the others were told how the login went. One without an answer counts as refused."""
    login = (result.get("relay") or {}).get("auth") or {}
    accepted = bool(login.get("accepted")) if login.get("tried") else None
    if not only_refusal or accepted is False:
        note.write({"accepted": accepted, "host": host})
    return result

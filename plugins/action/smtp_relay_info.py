# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides which host logs in to the relay first; the module of the same name does the work on the host.

Relays lock accounts after failed logins. So of all hosts with the same login and password, one tries it first, alone,
whatever the strategy. If it succeeds, the others follow in parallel. If it is refused, they skip the login and fail.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.refusals import NOT_THE_LOGIN
from ansible_collections.fediops.mastodon.plugins.plugin_utils._accepted import EVERY_CODE
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import HostStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import hint_of_host
from ansible_collections.fediops.mastodon.plugins.plugin_utils._run import Busy, Note

#: Seconds that a host waits for its turn: several of the longest dialogues, with slow connections to the hosts.
PATIENCE = 600.0


class Probe(t.Protocol):
    """Runs the module on the host with the task's options and the given changes."""

    def __call__(self, **changes: t.Any) -> Result: ...


class ActionModule(HostStep):
    """The controller's part of the step C(smtp_relay_info)."""

    ACCEPTABLE: t.ClassVar[frozenset[str]] = EVERY_CODE
    SECRETS: t.ClassVar[frozenset[str]] = frozenset({"password"})
    QUIET: t.ClassVar[frozenset[str]] = frozenset({"login"})

    def key(self, options: Result) -> str:
        """The main relay and the bulk relay are two steps."""
        return "relay_bulk" if options.get("relay") == "bulk" else "relay"

    def linked(self, options: Result, task_vars: Result) -> Result | None:
        """Take the relay from the plan, and try the envelope with the sender and the test recipient."""
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
            # Units have the host's network, so only a CA file needs to be checked from their point of view.
            "vantage": "host" if instance.get("deployment") == "systemd" and not relay.get("ca_file") else "instance",
        }
        return {
            **{name: one for name, one in made.items() if one not in (None, "")},
            **self.known.found,
            **self.known.handed(),
        }

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Run the module with or without the login, depending on how it went for the other hosts."""

        hint = options.get("provider_hint") or hint_of_host(str(options.get("host") or ""))
        options = {**options, **({"provider_hint": hint} if hint else {})}

        def probe(**changes: t.Any) -> Result:
            return self.ask(task_vars, module_args={**options, **changes})

        note = note_about(options)
        host = str(task_vars.get("inventory_hostname", "another host"))
        return probe() if note is None else take_turn(probe, note, host)


def note_about(options: t.Mapping[str, t.Any]) -> Note | None:
    """The shared note about a login; None if no login is tried, or each host tries for itself."""
    if not boolean(options.get("share_verdict", True), strict=False) or options.get("auth") == "none":
        return None
    host, login, password = (str(options.get(name) or "") for name in ("host", "login", "password"))
    if boolean(options.get("skip_auth", False), strict=False) or not (host and login and password):
        return None
    return Note("login", host.lower(), login, password)


def take_turn(probe: Probe, note: Note, host: str) -> Result:
    """Log in first, after the first host, or not at all.

    A host that does not get as far as the login leaves it undecided. The others then probe in parallel without the
    login, and the first of them that gets through logs in next, so that a blocked port does not delay each in turn.
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
    """Record for the other hosts how the login went, and return the result.

    No answer counts as refused. A refusal that is not about the login (the relay is busy, or does not accept this
    host's address) leaves it undecided, so that another host tries.
    """
    login = (result.get("relay") or {}).get("auth") or {}
    accepted = bool(login.get("accepted")) if login.get("tried") else None
    if accepted is False and _beside_the_login(result):
        accepted = None
    if not only_refusal or accepted is False:
        note.write({"accepted": accepted, "host": host})
    return result


def _beside_the_login(result: Result) -> bool:
    errors = {one.get("code") for one in result.get("findings") or () if one.get("severity") == "error"}
    return bool(errors) and errors <= NOT_THE_LOGIN

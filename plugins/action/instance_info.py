# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module of the same name, whose answer goes through the gate."""

from __future__ import annotations

import dataclasses
import secrets
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, worst_first
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import PREFIXES, variable
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.provider_rules import about_host
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import Result
from ansible_collections.fediops.mastodon.plugins.plugin_utils._host_step import UNREACHED, HostStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._known import NOT_RUNNING, NOT_SERVED
from ansible_collections.fediops.mastodon.plugins.plugin_utils._names import MISSPELT
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import presets


class ActionModule(HostStep):
    """The controller's part of the step C(instance_info)."""

    KEY: t.ClassVar[str] = "instance"
    UNREACHED: t.ClassVar[str] = UNREACHED
    ACCEPTABLE: t.ClassVar[frozenset[str]] = NOT_RUNNING | {"half-not-driven"}

    def linked(self, options: Result, task_vars: Result) -> Result | None:  # noqa: ARG002
        """Skip the step if the role's variables are unusable; with misspelt names, the rest is still worth a look."""
        wrong = self.known.wrong("variables")
        codes = {one["code"] for entry in wrong for one in entry.result.get("findings") or ()}
        if wrong and not (codes and codes <= MISSPELT):
            return None
        self.unshown["digest_key"] = key = secrets.token_hex(16)
        return {**options, "handed": {"digest_key": key}}

    def perform(self, options: Result, task_vars: Result) -> Result:
        """Run the module, and say which of the hosts in use do not exist: the presets that know it are here.

        Before a rollout it is an error that no Sidekiq will run: the edit would be undone, since nothing proves it.
        """
        done = super().perform(options, task_vars)
        known = [Finding(**one) for one in done.get("findings") or ()]
        if self.part == "preflight":
            known = [dataclasses.replace(one, severity="error") if one.code == NOT_SERVED else one for one in known]
        found = worst_first([*known, *about_hosts((done.get("instance") or {}).get("effective"))])
        return {**done, "findings": [one.as_dict() for one in found]} if found else done


def about_hosts(effective: t.Any) -> list[Finding]:
    """A warning for each relay in use whose host does not exist. An error would stop the edit that mends it.

    :param effective: as the module returns it; from the host, so any part of it may be missing.
    """
    found: list[Finding] = []
    for relay, prefix in PREFIXES.items():
        part = effective.get(relay) if isinstance(effective, dict) else None
        settings = part.get("settings") if isinstance(part, dict) else None
        host = settings.get("address") if isinstance(settings, dict) else None
        if isinstance(host, str):
            role = variable("", bulk=relay == "bulk")
            found += about_host(host, presets(), f"{prefix}SERVER", role, "warning")
    return found

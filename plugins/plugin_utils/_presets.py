# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The providers' presets, from providers.yml beside this file."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import functools
import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import (
    Endpoint,
    Preset,
)

FILE = Path(__file__).with_name("providers.yml")


@functools.cache
def documents() -> dict[str, dict[str, t.Any]]:
    """The entries of the file, by name of the provider; the key C(sender) is for the DNS check."""
    loaded: dict[str, dict[str, t.Any]] = yaml_load(FILE.read_text(encoding="utf-8"))
    return loaded


@functools.cache
def presets() -> dict[str, Preset]:
    """The presets of smtp_settings, by name."""
    return {name: _preset(name, entry) for name, entry in documents().items()}


def _preset(name: str, entry: dict[str, t.Any]) -> Preset:
    return Preset(
        name=name,
        title=entry["title"],
        hosts=entry.get("hosts", {}),
        also=tuple(entry.get("also", [])),
        aliases=tuple(entry.get("aliases", [])),
        endpoints=tuple(Endpoint(one["port"], one["tls"]) for one in entry.get("endpoints", [])),
        auth=tuple(entry.get("auth", [])),
        refused_auth=entry.get("refused_auth", {}),
        needs_login=entry.get("needs_login", True),
        login=entry.get("login", ""),
        login_form=entry.get("login_form", ""),
        login_hint=entry.get("login_hint", ""),
        password_hint=entry.get("password_hint", ""),
        sender_is=entry.get("sender_is", ""),
        allow_list=entry.get("allow_list", ""),
        named_by_helo=entry.get("named_by_helo", False),
        advice=tuple(entry.get("advice", [])),
        warn=entry.get("warn", False),
    )


def hint_of_host(host: str) -> str:
    """The hint of the provider that a host belongs to, for settings that name no provider; empty if none is known."""
    return next((preset.hint for preset in presets().values() if host and preset.regions_of(host)), "")


# Read now: Ansible loads this file once, and then starts a process for each host and task.
presets()

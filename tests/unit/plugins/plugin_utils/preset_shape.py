# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an entry of providers.yml must look like."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import AUTH_METHODS

_REQUIRED = {"title", "sender", "source", "checked", "confidence"}
_TEXTS = {
    "title", "login", "login_form", "login_hint", "password_hint", "sender_is", "allow_list", "limits", "checked",
    "confidence",
}  # fmt: skip
_OTHERS = {
    "hosts", "also", "aliases", "endpoints", "auth", "refused_auth", "needs_login", "named_by_helo", "advice", "warn",
    "sender", "source",
}  # fmt: skip
_RETURN_PATH_MODES = {"same_domain", "subdomain_records", "subdomain_cname", "provider"}


def problems(name: str, entry: t.Any) -> list[str]:
    """What is wrong with the shape of one entry; empty when it is right."""
    if not isinstance(entry, dict):
        return [f"{name}: is no mapping"]
    found = [f"{name}: {key} is missing" for key in sorted(_REQUIRED - set(entry))]
    found += [f"{name}: {key} is no known key" for key in sorted(set(entry) - _TEXTS - _OTHERS)]
    found += [f"{name}: {key} is no text" for key in sorted(_TEXTS & set(entry)) if not isinstance(entry[key], str)]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        found.append(f"{name}: the name is not in lower case")
    if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", str(entry.get("checked"))):
        found.append(f"{name}: checked is no date in quotes")
    if entry.get("confidence") not in ("A", "B", "C"):
        found.append(f"{name}: confidence is not A, B or C")
    if not entry.get("source") or not all(str(one).startswith("https://") for one in entry["source"]):
        found.append(f"{name}: source is no list of https:// addresses")
    if set(entry.get("auth", [])) - set(AUTH_METHODS) or "none" in entry.get("auth", []):
        found.append(f"{name}: auth names something that Mastodon cannot do")
    if entry.get("login_form", "address") not in ("address", "token"):
        found.append(f"{name}: login_form is neither address nor token")
    if entry.get("sender_is", "alias") not in ("login", "alias"):
        found.append(f"{name}: sender_is is neither login nor alias")
    if set(entry.get("refused_auth", {})) & set(entry.get("auth", [])):
        found.append(f"{name}: auth names a refused mechanism")
    return found + _host_problems(name, entry) + _sender_problems(name, entry.get("sender"))


def _host_problems(name: str, entry: dict[str, t.Any]) -> list[str]:
    found = []
    for region, host in entry.get("hosts", {}).items():
        if ("{region}" in host) != (region == "*"):
            found.append(f"{name}: only the region * has {{region}} in its host")
        if not re.fullmatch(r"[a-z0-9.-]+", host.replace("{region}", "r")):
            found.append(f"{name}: {host} is no host name")
    found += [
        f"{name}: {host} is no host name" for host in entry.get("also", []) if not re.fullmatch(r"[a-z0-9.-]+", host)
    ]
    ports = [one.get("port") for one in entry.get("endpoints", [])]
    if len(ports) != len(set(ports)) or not all(isinstance(port, int) and 0 < port < 65536 for port in ports):
        found.append(f"{name}: endpoints have a port twice, or one that is no port")
    if any(
        set(one) != {"port", "tls"} or one["tls"] not in ("starttls", "implicit", "none")
        for one in entry.get("endpoints", [])
    ):
        found.append(f"{name}: an endpoint is not {{port, tls}} with starttls, implicit or none")
    if entry.get("hosts") and not entry.get("endpoints"):
        found.append(f"{name}: hosts without endpoints")
    return found


def _sender_problems(name: str, sender: t.Any) -> list[str]:
    if not isinstance(sender, dict):
        return [f"{name}: sender is no mapping"]
    found = []
    if sender.get("return_path", {}).get("mode") not in _RETURN_PATH_MODES:
        found.append(f"{name}: return_path has no known mode")
    spf = sender.get("spf")
    if spf is not None and spf.get("needed_on") not in ("return_path", "from", "never"):
        found.append(f"{name}: spf has no known needed_on")
    dkim = sender.get("dkim")
    if dkim is not None and (dkim.get("type") not in ("cname", "txt") or ("selectors" in dkim) == ("pattern" in dkim)):
        found.append(f"{name}: dkim needs a type, and either selectors or a pattern")
    return found

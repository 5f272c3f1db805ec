# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converts the DNS part of a provider preset for this package."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .sender import Relay, ReturnPathMode


def relay_of(name: str, preset: t.Mapping[str, t.Any], region: str = "") -> Relay:
    """The DNS part of one entry of C(providers.yml) (its C(sender) key; the format is described at the file's top)."""
    sender = preset.get("sender") or {}
    path, spf, dkim = (sender.get(one) or {} for one in ("return_path", "spf", "dkim"))
    return Relay(
        name=name,
        return_path_mode=t.cast(ReturnPathMode, path.get("mode", "same_domain")),
        return_path_domain=_in_region(path.get("domain", ""), region),
        return_path_label=_in_region(path.get("label", ""), region),
        return_path_target=_in_region(path.get("cname_target") or path.get("mx_target") or "", region),
        spf_include=_in_region(spf.get("include", ""), region),
        spf_literal=bool(spf.get("literal", False)),
        selectors=tuple(str(one).lower() for one in dkim.get("selectors", ())),
        dkim_target=_in_region(dkim.get("target", ""), region),
    )


def _in_region(text: t.Any, region: str) -> str:
    return str(text).replace("{region}", region) if region else str(text)

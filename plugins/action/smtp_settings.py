# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings and release -> the variables to set and to remove. Documented in the module of the same name."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import NAMES, READERS, generations
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, errors, worst_first
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.settings import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer import yaml_value
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.elsewhere import contradictions
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import (
    AUTH_METHODS,
    TLS_MODES,
    VERIFY_MODES,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import (
    Request,
    Wanted,
)
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._names import known, ours, unknown, without_consequences
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import presets
from ansible_collections.fediops.mastodon.plugins.plugin_utils._snippets import snippets

# Loaded here, once, instead of in the process of each host's task.
_READ = (known(), generations(READERS), yaml_value)

_RELAY_SPEC: dict[str, dict[str, t.Any]] = {
    "provider": {"type": "str"},
    "region": {"type": "str"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "tls": {"type": "str", "choices": list(TLS_MODES)},
    "auth": {"type": "str", "choices": list(AUTH_METHODS)},
    "login": {"type": "str"},
    "verify": {"type": "str", "choices": list(VERIFY_MODES), "default": "peer"},
    "ca_file": {"type": "str"},
    "helo_domain": {"type": "str"},
}


#: As instance_info returns it.
_SENDER_SPEC: dict[str, dict[str, t.Any]] = {
    "service": {"type": "str", "default": ""},
    "role": {"type": "str"},
    "elsewhere": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "variable": {"type": "str", "default": ""},
            "layer": {"type": "str", "default": ""},
            "path": {"type": "str", "default": ""},
            "line": {"type": "int", "default": 0},
            "wins": {"type": "bool", "default": True},
            "set": {"type": "bool", "default": True},
            "value": {"type": "str"},
            "digest": {"type": "str"},
        },
    },
}


class ActionModule(ControllerStep):
    """The step C(smtp_settings)."""

    # Some providers use one token as both login and password.
    QUIET: t.ClassVar[frozenset[str]] = frozenset({"login", "bulk"})
    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {
        **_RELAY_SPEC,
        "password": {"type": "str", "no_log": True},
        "from_address": {"type": "str"},
        "reply_to": {"type": "str"},
        "return_path": {"type": "str"},
        "delivery_method": {"type": "str", "choices": ["smtp", "sendmail"], "default": "smtp"},
        "bulk": {"type": "dict", "options": _RELAY_SPEC},
        "bulk_password": {"type": "str", "no_log": True},
        "mastodon_release": {"type": "str"},
        "local_domain": {"type": "str"},
        "readers": {"type": "list", "elements": "str", "choices": [*NAMES], "default": ["ruby", "node", "compose"]},
        "accept": {"type": "list", "elements": "str", "default": []},
        "current": {"type": "list", "elements": "str", "default": []},
        "variables": {"type": "list", "elements": "str", "default": []},
        "senders": {"type": "list", "elements": "dict", "default": [], "options": _SENDER_SPEC},
        "env_file": {"type": "str", "default": ".env.production"},
        "digest_key": {"type": "str", "no_log": True},
    }

    KEY: t.ClassVar[str] = "settings"
    EXACT: t.ClassVar[frozenset[str]] = frozenset({"plan", "snippets"})

    def linked(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any] | None:
        """Plan for the instance that was found, and refuse unknown variables with the role's prefix."""
        instance = self.known.instance
        if instance is None:
            return None
        return {
            "readers": instance["readers"],
            **options,
            "mastodon_release": instance["release"],
            "local_domain": instance["local_domain"],
            "current": instance["mail_variables"],
            "variables": ours(task_vars),
            "senders": instance.get("senders") or [],
            "env_file": instance["env_file"],
            "digest_key": self.known.result("instance").get("digest_key"),
        }

    def conclude_from(
        self,
        options: dict[str, t.Any],
        task_vars: dict[str, t.Any],  # noqa: ARG002
    ) -> tuple[list[Finding], dict[str, t.Any]]:
        """The plan, and all findings about the settings."""
        done, findings = plan(_request(options), presets(), options["accept"])
        clashes = contradictions(done, options["senders"], options["env_file"], options["digest_key"] or "")
        findings = worst_first([*findings, *TABLE.accept(clashes, options["accept"])])
        strangers = TABLE.accept(unknown(options["variables"]), options["accept"])
        # An accepted unknown variable is the operator's own and not a misspelt setting, so it has no consequences.
        findings = without_consequences(findings, errors(strangers))
        planned = done.as_dict()
        if self.part:  # in the role, smtp_variables reports the strangers, before any host is contacted
            return findings, {"plan": planned}
        return [*strangers, *findings], {"plan": planned, "snippets": snippets(planned)}

    def unmasked(self, findings: list[Finding]) -> frozenset[str]:
        """The plan, if the operator has accepted that one of its public values contains the text of a password.

        Masking it would put asterisks into the environment file.
        """
        accepted = any(one.code == "secret-in-value" and one.severity == "info" for one in findings)
        return frozenset(["plan"]) if accepted else frozenset()


def _request(options: dict[str, t.Any]) -> Request:
    bulk = options["bulk"]
    return Request(
        relay=_wanted(options, options["password"]),
        bulk=_wanted(bulk, options["bulk_password"]) if bulk else None,
        bulk_password_given=bool(options["bulk_password"]),
        from_address=options["from_address"] or "",
        reply_to=options["reply_to"] or "",
        return_path=options["return_path"] or "",
        delivery_method=options["delivery_method"],
        mastodon_release=options["mastodon_release"] or "",
        local_domain=options["local_domain"] or "",
        readers=tuple(options["readers"]),
        current=tuple(options["current"]),
    )


def _wanted(options: dict[str, t.Any], password: str | None) -> Wanted:
    texts = {name: options[name] or "" for name in _RELAY_SPEC if name != "port"}
    return Wanted(**texts, port=options["port"], password=password or "")

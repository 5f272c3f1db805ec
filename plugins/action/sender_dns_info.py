# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Senders -> what receivers will find in DNS. Runs on the controller; see the module of the same name."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import ipaddress
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import (
    Finding,
    FindingError,
    worst_first,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.sender_dns import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.nearest import provider_meant
from ansible_collections.fediops.mastodon.plugins.plugin_utils._accepted import EVERY_CODE
from ansible_collections.fediops.mastodon.plugins.plugin_utils._action import ControllerStep
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns import facts, libraries, queries, rules, sender
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.presets import relay_of
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import documents
from ansible_collections.fediops.mastodon.plugins.plugin_utils._run import Busy, Note

#: Number of senders that are checked in parallel.
AT_ONCE = 8
#: Seconds for one SPF evaluation (RFC 7208, section 4.6.4, asks for at least 20).
EVALUATION = 20.0

_SENDER_SPEC: dict[str, dict[str, t.Any]] = {
    "from_address": {"type": "str"},
    "return_path": {"type": "str"},
    "bounce_domain": {"type": "str"},
    "dkim_domain": {"type": "str"},
    "provider": {"type": "str"},
    "region": {"type": "str"},
    "selectors": {"type": "list", "elements": "str"},
    "spf_include": {"type": "str"},
    "relay_addresses": {"type": "list", "elements": "str"},
    "bulk": {"type": "bool"},
}

#: The findings that fail the step, by C(fail_on).
_BLOCKING: dict[str, tuple[str, ...]] = {"error": ("error",), "warning": ("error", "warning"), "never": ()}


class ActionModule(ControllerStep):
    """The step C(sender_dns_info)."""

    ARGUMENT_SPEC: t.ClassVar[dict[str, t.Any]] = {
        **_SENDER_SPEC,
        "senders": {
            "type": "list",
            "elements": "dict",
            "options": {**_SENDER_SPEC, "from_address": {"type": "str", "required": True}},
        },
        "nameservers": {"type": "list", "elements": "str"},
        "port": {"type": "int", "default": 53},
        "timeout": {"type": "float", "default": 3.0},
        "lifetime": {"type": "float", "default": 60.0},
        "fail_on": {"type": "str", "choices": ["error", "warning", "never"], "default": "error"},
        "share_verdict": {"type": "bool", "default": True},
    }
    SPEC_RULES: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["from_address", "senders"]],
        "mutually_exclusive": [["from_address", "senders"]],
    }

    KEY: t.ClassVar[str] = "dns"
    ACCEPTABLE: t.ClassVar[frozenset[str]] = EVERY_CODE

    def linked(self, options: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any] | None:  # noqa: ARG002
        """Take the sender from the plan."""
        sender_of_plan = (self.known.plan or {}).get("sender")
        return {**options, "from_address": sender_of_plan["address"]} if sender_of_plan else None

    def fail_on(self) -> str:
        """In the role, mastodon_smtp_dns_fail_on decides for the rollout and the drift check alike."""
        return str(self.known.setting("dns_fail_on") or "error")

    def conclude_from(
        self,
        options: dict[str, t.Any],
        task_vars: dict[str, t.Any],  # noqa: ARG002
    ) -> tuple[list[Finding], dict[str, t.Any]]:
        """Check the DNS of each sender; every sender and every query only once."""
        wanting = libraries.missing()
        optional = [one for one in wanting if one.startswith("spftrace")]
        if wanting != optional:
            message = f"The Python that runs ansible-playbook lacks {' and '.join(wanting)}."
            fix = libraries.remedy(wanting)
            return [TABLE.finding("dns-packages-missing", "sender_dns_info", message, fix)], _nothing()
        senders, findings = _senders(options)
        if optional:
            message = f"SPF is not checked: the Python that runs ansible-playbook lacks {optional[0]}."
            fix = libraries.remedy(optional)
            findings.append(TABLE.finding("dns-packages-missing", "SPF", message, fix, severity="unknown"))
        try:
            settings = _settings(options)
        except FindingError as refused:
            return [*findings, refused.finding], _nothing()
        judged = _judge(senders, settings, share=options["share_verdict"], evaluate=not optional)
        findings += [one for each in judged for one in each.findings]
        return findings, _evidence(findings, judged, settings)

    def blocking(self, findings: list[Finding], options: dict[str, t.Any]) -> list[Finding]:
        """The findings that C(fail_on) makes blocking."""
        return [one for one in findings if one.severity in _BLOCKING[options["fail_on"]]]


def _nothing() -> dict[str, t.Any]:
    return {"verdict": "error", "domains": {}, "sender_dns": [], "nameservers": []}


def _senders(options: dict[str, t.Any]) -> tuple[list[sender.Sender], list[Finding]]:
    """The senders to check, without duplicates, and findings about invalid ones."""
    found: dict[sender.Sender, None] = {}
    findings: list[Finding] = []
    for entry in [options] if options["senders"] is None else options["senders"]:
        own = {name: options[name] if entry[name] is None else entry[name] for name in _SENDER_SPEC}
        try:
            found.setdefault(sender.sender_from(own, _relay(own)))
        except FindingError as refused:
            findings.append(refused.finding)
    return list(found), findings


def _relay(options: dict[str, t.Any]) -> sender.Relay:
    name = options["provider"]
    if not name:
        return sender.Relay()
    entry = documents().get(name)
    if entry is None:
        asked = provider_meant(name, {known: one.get("aliases", ()) for known, one in documents().items()})
        message = f'"{name}" is not a provider with a preset{asked} Known providers: {", ".join(sorted(documents()))}.'
        fix = "Leave provider out, and set spf_include or relay_addresses and selectors."
        raise FindingError(TABLE.finding("sender-option-invalid", "provider", message, fix))
    return relay_of(name, entry, options["region"] or "")


def _settings(options: dict[str, t.Any]) -> queries.Settings:
    given = options["nameservers"]
    for one in given or ():
        try:
            ipaddress.ip_address(one.partition("%")[0])
        except ValueError:
            message = f'"{one}" is not an IP address; specify a name server by its address.'
            raise FindingError(TABLE.finding("sender-option-invalid", "nameservers", message)) from None
    for name in ("timeout", "lifetime"):
        if not options[name] > 0:
            message = f"{name} must be greater than 0, not {options[name]:g}."
            raise FindingError(TABLE.finding("sender-option-invalid", name, message, "Give it in seconds."))
    if not 0 < options["port"] < 65536:
        message = f"{options['port']} is not a port."
        raise FindingError(TABLE.finding("sender-option-invalid", "port", message, "Leave it out for port 53."))
    return queries.Settings(
        nameservers=tuple(given or queries.system_nameservers()),
        port=options["port"],
        timeout=options["timeout"],
        lifetime=options["lifetime"],
    )


@dataclasses.dataclass(frozen=True)
class _Judged:
    """The result for one sender, in a form that hosts can share.

    :ivar shown: its entry in the result.
    """

    domain: str
    findings: tuple[Finding, ...]
    shown: dict[str, t.Any]

    @classmethod
    def of(cls, judgement: rules.Judgement) -> _Judged:
        return cls(judgement.facts.sender.from_domain, judgement.findings, judgement.as_dict())

    @classmethod
    def read(cls, note: dict[str, t.Any]) -> _Judged:
        return cls(note["domain"], tuple(Finding(**one) for one in note["findings"]), note["shown"])

    def as_note(self) -> dict[str, t.Any]:
        return {"domain": self.domain, "findings": [one.as_dict() for one in self.findings], "shown": self.shown}


def _judge(
    senders: list[sender.Sender], settings: queries.Settings, *, share: bool, evaluate: bool = True
) -> list[_Judged]:
    resolver = queries.Resolver(settings)

    def look(which: sender.Sender) -> _Judged:
        def time_limit() -> float:
            return min(EVALUATION, resolver.remaining())

        found = facts.gather(which, resolver.ask, time_limit=time_limit, evaluate=evaluate)
        return _Judged.of(rules.judge(found))

    def one(which: sender.Sender) -> _Judged:
        return _once(which, settings, look) if share else look(which)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, senders))


def _once(which: sender.Sender, settings: queries.Settings, look: t.Callable[[sender.Sender], _Judged]) -> _Judged:
    """Check a sender, or wait for the result if another host of this run checks it with the same name servers."""
    note = Note("sender", repr(which), repr(settings))
    with contextlib.suppress(Busy), note.locked(settings.lifetime + EVALUATION):
        known = note.read()
        if known is not None:
            return _Judged.read(known)
        judged = look(which)
        note.write(judged.as_note())
        return judged
    return look(which)


def _evidence(findings: list[Finding], judged: list[_Judged], settings: queries.Settings) -> dict[str, t.Any]:
    by_domain: dict[str, list[Finding]] = {}
    for one in judged:
        by_domain.setdefault(one.domain, []).extend(one.findings)
    return {
        "verdict": rules.verdict_of(findings),
        "domains": {
            domain: {
                "verdict": rules.verdict_of(some),
                "findings": [one.as_dict() for one in worst_first(some)],
            }
            for domain, some in by_domain.items()
        },
        "sender_dns": [one.shown for one in judged],
        "nameservers": list(settings.nameservers),
    }

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings and release -> the variables to set and to remove, and what Rails must then report."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .._dotenv.encoder import refusal
from .._findings.model import Finding, weigh, worst_first
from .._findings.provider import TABLE as PROVIDER
from .._findings.settings import TABLE
from . import email_yml
from .address import OUTER_BLANKS, Mailbox
from .effective import Effective, effective, sendmail_fails
from .names import BULK, CREDENTIAL, MAIN
from .relay_case import Case
from .relay_rules import check
from .release import ERAS, Era, Release, era_of, since
from .request_rules import about_current, about_release, sender
from .settings import Preset, Relay, Request, Wanted, resolve
from .variables import VARIABLES

#: Era from which on it holds, TLS mode -> variables (without prefix). TLS variables that are not named are removed.
TLS_FORMS: tuple[tuple[str, dict[str, dict[str, str]]], ...] = (
    ("3.4", {"implicit": {"TLS": "true"}, "starttls": {}, "starttls_optional": {}, "none": {}}),
    (
        "3.5",
        {
            "implicit": {"TLS": "true"},
            "starttls": {},
            "starttls_optional": {},
            "none": {"ENABLE_STARTTLS_AUTO": "false"},
        },
    ),
    (
        "4.0",
        {
            "implicit": {"TLS": "true"},
            "starttls": {"ENABLE_STARTTLS": "always"},
            "starttls_optional": {"ENABLE_STARTTLS": "auto"},
            "none": {"ENABLE_STARTTLS": "never"},
        },
    ),
    (
        "4.5.0-rc.1",  # rejects implicit TLS unless STARTTLS is off, mastodon#36639
        {
            "implicit": {"TLS": "true", "ENABLE_STARTTLS": "never"},
            "starttls": {"ENABLE_STARTTLS": "always"},
            "starttls_optional": {"ENABLE_STARTTLS": "auto"},
            "none": {"ENABLE_STARTTLS": "never"},
        },
    ),
    (
        "4.5",
        {
            "implicit": {"TLS": "true"},
            "starttls": {"ENABLE_STARTTLS": "always"},
            "starttls_optional": {"ENABLE_STARTTLS": "auto"},
            "none": {"ENABLE_STARTTLS": "never"},
        },
    ),
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to do on one instance.

    :ivar set: variable -> text, without secrets.
    :ivar remove: variables that must not be set.
    :ivar secrets: variable -> text; as_dict() returns only the names.
    :ivar effective: what Rails must report with these variables.
    :ivar relay: the relay with all defaults filled in; None when mail goes through sendmail.
    """

    set: dict[str, str]
    remove: list[str]
    secrets: dict[str, str] = dataclasses.field(repr=False)
    effective: Effective
    release: Release
    era: Era
    local_domain: str
    relay: Relay | None
    bulk_relay: Relay | None
    sender: Mailbox | None

    def as_dict(self) -> dict[str, t.Any]:
        """The plan as the step returns it, without secrets."""
        expected = self.effective.as_dict()
        if not self.local_domain:  # Rails falls back to LOCAL_DOMAIN, which is unknown here, so nothing is expected
            for name, prefix in (("main", MAIN), ("bulk", BULK)):
                if expected[name] and f"{prefix}DOMAIN" not in self.set:
                    del expected[name]["settings"]["domain"]
        return {
            "set": dict(self.set),
            "remove": list(self.remove),
            "secret_variables": sorted(self.secrets),
            "effective": expected,
            "release": str(self.release),
            "era": self.era.name,
            "relay": self._relay(self.relay, MAIN),
            "bulk_relay": self._relay(self.bulk_relay, BULK),
            "sender": {"address": self.sender.address, "domain": self.sender.domain} if self.sender else None,
        }

    def _relay(self, relay: Relay | None, prefix: str) -> dict[str, t.Any] | None:
        if relay is None:
            return None
        used = self.effective.main if prefix == MAIN else self.effective.bulk
        return {
            "host": relay.host,
            "port": relay.port,
            "tls": relay.tls,
            "auth": relay.auth,
            "login": self.set.get(f"{prefix}LOGIN"),
            "verify": relay.verify,
            "ca_file": used.settings.get("ca_file") if used else None,
            "helo_domain": relay.helo_domain or self.local_domain or None,
            "alternatives": [dataclasses.asdict(one) for one in relay.alternatives],
            "hint": relay.hint,
        }


def plan(
    request: Request, presets: t.Mapping[str, Preset], accepted: t.Collection[str] = ()
) -> tuple[Plan, list[Finding]]:
    """The plan for one instance, and all findings about it, worst first.

    The plan is complete: mail variables that Mastodon knows and the plan does not set are removed, so that old lines in
    the file have no effect. Carry it out only if no finding is an error.

    :param presets: name -> preset.
    :param accepted: codes of errors that the operator knowingly accepts.
    """
    release = Release.parse(request.mastodon_release)
    era = era_of(release)
    findings = list(about_release(request.mastodon_release, release))
    box, found = sender(request, era)
    findings += found
    senders = {"from_address": box.address} if box else {}
    relay, found = _main_relay(request, presets, senders)
    findings += found
    bulk, found = _bulk_relay(request, presets, era, relay, senders)
    findings += found

    variables = _headers(request, era, release, box)
    secrets: dict[str, str] = {}
    for one, prefix in ((relay, MAIN), (bulk, BULK)):
        if one:
            public, private = _variables(one, prefix, era)
            variables.update(public)
            secrets.update(private)
    known_secrets = {one.password for one in (relay, bulk) if one and one.password}
    for name in [name for name, text in variables.items() if text in known_secrets]:
        secrets[name] = variables.pop(name)  # Postmark: one token is login and password
    done = Plan(
        set=variables,
        remove=[name for name in VARIABLES if name not in variables and name not in secrets],
        secrets=secrets,
        effective=effective({**variables, **secrets}, release, request.local_domain),
        release=release,
        era=era,
        local_domain=request.local_domain,
        relay=relay,
        bulk_relay=bulk,
        sender=box,
    )
    findings += _about_values(done, request)
    findings += _about_masking(done, request)
    findings += _about_effect(done, findings)
    findings += about_current(request.current)
    return done, worst_first(weigh(findings, TABLE.named(accepted) | PROVIDER.named(accepted)))


def _main_relay(
    request: Request, presets: t.Mapping[str, Preset], senders: t.Mapping[str, str]
) -> tuple[Relay | None, list[Finding]]:
    if request.delivery_method != "smtp":
        if request.relay.host or request.relay.provider:
            meaning = TABLE.rows["sendmail-with-relay"].meaning
            return None, [TABLE.finding("sendmail-with-relay", "delivery_method", meaning)]
        return None, []
    return _checked(request.relay, request, presets, senders, bulk=False)


def _checked(
    wanted: Wanted, request: Request, presets: t.Mapping[str, Preset], senders: t.Mapping[str, str], *, bulk: bool
) -> tuple[Relay, list[Finding]]:
    preset = presets.get(wanted.provider)
    relay = resolve(wanted, preset)
    return relay, check(Case(wanted, preset, relay, bulk, presets, senders, request.local_domain))


def _bulk_relay(
    request: Request,
    presets: t.Mapping[str, Preset],
    era: Era,
    main: Relay | None,
    senders: t.Mapping[str, str],
) -> tuple[Relay | None, list[Finding]]:
    if request.bulk is None:
        if not request.bulk_password_given:
            return None, []
        return None, [TABLE.finding("bulk-password-alone", "bulk_password", TABLE.rows["bulk-password-alone"].meaning)]
    if request.delivery_method != "smtp":
        return None, [TABLE.finding("bulk-with-sendmail", "bulk", TABLE.rows["bulk-with-sendmail"].meaning)]
    relay, findings = _checked(request.bulk, request, presets, senders, bulk=True)
    if not since(era, "4.4.0"):
        message = f"Mastodon {request.mastodon_release} has no separate relay for bulk mail; that came with 4.4."
        return None, [*findings, TABLE.finding("bulk-unsupported", "bulk", message)]
    if main and relay.host and (relay.host, relay.login) == (main.host, main.login):
        findings.append(TABLE.finding("bulk-same-account", "bulk", TABLE.rows["bulk-same-account"].meaning))
    return relay, findings


def _headers(request: Request, era: Era, release: Release, box: Mailbox | None) -> dict[str, str]:
    texts = {
        "SMTP_FROM_ADDRESS": request.from_address.strip(OUTER_BLANKS),
        "SMTP_REPLY_TO": request.reply_to.strip(OUTER_BLANKS),
        "SMTP_RETURN_PATH": request.return_path.strip(OUTER_BLANKS),
        "SMTP_DELIVERY_METHOD": "" if request.delivery_method == "smtp" else request.delivery_method,
    }
    if box and not texts["SMTP_RETURN_PATH"] and Release.parse("3.5.0-rc.1") <= release <= Release.parse("3.5.0"):
        texts["SMTP_RETURN_PATH"] = box.address  # mastodon#17982: 3.5.0 sends nothing without one
    return {name: text for name, text in texts.items() if text and VARIABLES[name].read_by(era)}


def _variables(relay: Relay, prefix: str, era: Era) -> tuple[dict[str, str], dict[str, str]]:
    """The variables of one relay: (public, secret)."""
    forms = [form for name, form in TLS_FORMS if since(era, name)][-1]
    public = {"SERVER": relay.host, "PORT": str(relay.port), "AUTH_METHOD": relay.auth, **forms[relay.tls]}
    if relay.encrypted:
        public["OPENSSL_VERIFY_MODE"] = relay.verify
        public["CA_FILE"] = relay.ca_file
    public["DOMAIN"] = relay.helo_domain
    private = {}
    if relay.auth != "none":
        public[CREDENTIAL["login"]] = relay.login
        private[CREDENTIAL["password"]] = relay.password
    return (
        {prefix + name: text for name, text in public.items() if text},
        {prefix + name: text for name, text in private.items() if text},
    )


def _about_values(done: Plan, request: Request) -> t.Iterator[Finding]:
    """Values that the release misreads, or that cannot be written for one of the file's readers."""
    for name, text in {**done.set, **done.secrets}.items():
        harm = _harm(name, text, done.era) if done.era.yaml else ""
        if harm:
            message = f"Mastodon {done.release} reads the value from config/email.yml, and {harm}."
            helps = not _harm(name, text, ERAS[-1])
            fix = "Use another value, or upgrade to Mastodon 4.4.1 or newer, which quotes this one." if helps else ""
            yield TABLE.finding("value-misread", name, message, fix)
        refused = refusal(name, text, request.readers) if request.readers else None
        if refused:
            yield refused


def _about_masking(done: Plan, request: Request) -> t.Iterator[Finding]:
    """Ansible masks a secret wherever its text appears, so nothing else in the plan may contain that text."""
    password = CREDENTIAL["password"]
    passwords = {MAIN + password: request.relay.password, BULK + password: request.bulk and request.bulk.password}
    values = {**done.set, "local_domain": done.local_domain, "mastodon_release": str(done.release)}
    whole = done.as_dict()
    for relay in (whole["relay"], whole["bulk_relay"]):
        if relay:
            del relay["hint"]  # for people only
    words = {"the words of the plan": "\n".join(_leaves(whole))}
    for name, secret in passwords.items():
        if not secret:
            continue
        for shown in (values, words):
            holders = [holder for holder, text in shown.items() if secret in text]
            for holder in holders:
                message = (
                    f"The value of {name} is part of {holder}, which is not secret; hiding it in output would garble "
                    "that."
                )
                yield TABLE.finding("secret-in-value", holder, message)
            if holders:
                break


def _leaves(value: object) -> t.Iterator[str]:
    """All values in a plan to which Ansible's masking applies, as text."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, (str, float)) or type(value) is int:  # pylint: disable=unidiomatic-typecheck
        yield str(value)


def _harm(name: str, text: str, era: Era) -> str:
    if name.endswith("SMTP_PORT"):
        as_it_is = text.isdecimal() and not text.startswith("0")
        return "" if as_it_is else "the value is read as something else there"
    return email_yml.problem(name, text, era)


def _about_effect(done: Plan, findings: t.Sequence[Finding]) -> t.Iterator[Finding]:
    """Findings where the release behaves differently from what was asked for."""
    used = done.effective
    for relay, seen, option in ((done.relay, used.main, "tls"), (done.bulk_relay, used.bulk, "bulk.tls")):
        if relay and seen and seen.tls_mode != relay.tls:
            message = f"Mastodon {done.release} does not support tls {relay.tls}: it would use {seen.tls_mode}."
            instead = f"set mastodon_smtp_{option}: {seen.tls_mode} and accept what that means"
            fix = f"Upgrade to Mastodon 4.1 or newer, or {instead}."
            yield TABLE.finding("tls-not-possible", option, message, fix)
    if used.delivery_method == "sendmail" and sendmail_fails(done.era):
        message = f"Mastodon {done.release} cannot send through sendmail: every mail ends with an ArgumentError."
        yield TABLE.finding("sendmail-not-possible", "delivery_method", message)
    elif used.error and not any(one.severity == "error" for one in findings):
        message = f"Mastodon {done.release} would answer {used.error.error_class}: {used.error.message}."
        yield TABLE.finding("rails-would-refuse", "settings", message)

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict of mailer_check, from Rails' answer. No I/O."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import types
import typing as t

from .._diagnosis.diagnose import diagnose
from .._diagnosis.model import Context
from .._diagnosis.redact import one_line, redact
from .._findings.mailer import TABLE
from .._findings.model import Finding
from .._findings.queue import OF_TEST
from .._instance.model import Instance
from .._mailer.compare import Difference, differences, shown
from .._mailer.names import CREDENTIALS
from .._mailer.release import Release, era_of
from .._mailer.session import mechanism, session
from .._masking import SECRET_NAME
from .._waiting.model import Group, Waiting
from .._waiting.verdict import findings as waiting_findings
from .accounts import Account
from .answer import TOO_MUCH, boot_failure, failure, too_much
from .check import Asked, Request
from .queue_way import choose
from .shape import Misshapen, check_answer

#: Causes of a failed mail that say nothing about the settings, or may be those of one mail: its recipient, a relay that
#: puts mail off or does not say why it refuses, an error of the mailer.
OF_ONE_MAIL = OF_TEST | {"recipient-refused", "relay-refused", "delivery-failed"}


@dataclasses.dataclass
class Verdict:
    """The return values of mailer_check; the same keys in success and failure.

    :ivar rails: the versions release, rails, mail, net_smtp, ruby; None if Rails did not answer.
    :ivar effective: the settings that Rails uses, in the shape of _mailer.effective; None if Rails did not answer.
    :ivar password_matches: whether Rails has the intended passwords; None without a password or an answer.
    :ivar queue: what proves the queue (queue_way.Choice.as_dict); None if that was not asked.
    :ivar waiting: the mails that wait in Sidekiq (_waiting.model.Waiting.as_dict); None if they were not counted.
    :ivar planned: whether the verdict is about the planned file instead of the present one.
    """

    findings: list[Finding] = dataclasses.field(default_factory=list)
    rails: dict[str, str | None] | None = None
    effective: dict[str, t.Any] | None = None
    differences: list[Difference] = dataclasses.field(default_factory=list)
    password_matches: bool | None = None
    test_message: list[dict[str, t.Any]] = dataclasses.field(default_factory=list)
    queue: dict[str, t.Any] | None = None
    waiting: dict[str, t.Any] | None = None
    planned: bool = False

    def as_dict(self) -> dict[str, t.Any]:
        """Everything but the findings, as JSON."""
        return {
            "rails": self.rails,
            "effective": self.effective,
            "differences": [one.as_dict() for one in self.differences],
            "password_matches": self.password_matches,
            "test_message": self.test_message,
            "queue": self.queue,
            "waiting": self.waiting,
            "planned": self.planned,
        }


def conclude_from(
    instance: Instance,
    request: Request,
    asked: Asked,
    expected: t.Mapping[str, t.Any] | None,
    hints: t.Mapping[str, str] = types.MappingProxyType({}),
) -> Verdict:
    """The verdict on one run.

    :param expected: the settings that the plan expects, in the shape of _mailer.effective; None compares nothing.
    :param hints: relay -> the provider preset's hint about logins, one sentence.
    """
    known = Context(
        release=f"Mastodon {instance.release}" if instance.release else "",
        file=instance.env_file,
        recipient=request.send_to or "",
        secrets=known_secrets(instance, request),
    )
    answer = asked.answer
    if answer is None:
        known = dataclasses.replace(known, variable=_broken_variable(instance, request))
        return Verdict([_no_answer(instance, request, asked, known)])
    try:
        check_answer(answer)
    except Misshapen as odd:
        message = f"The answer of Rails cannot be read: {odd}."
        return Verdict([TABLE.finding("rails-answer-unreadable", instance.app_dir, message)])
    if "failure" in answer:
        words = redact(_words(answer["failure"]), known.secrets)
        return Verdict([TABLE.finding("rails-no-answer", instance.app_dir, f"The check failed: {one_line(words)}.")])
    effective = _effective(answer)
    verdict = Verdict(
        rails=answer["versions"],
        effective=effective,
        planned=request.planned and answer["planned_read"] is not False,
    )
    verdict.findings += _about_app(answer, instance)
    _choose_for_queue(verdict, request, answer, instance)
    _count_waiting(verdict, request, answer, known, instance)
    if request.planned and not verdict.planned:
        message = f"Rails does not read {instance.env_file} with dotenv, so it showed its current settings."
        verdict.findings.append(TABLE.finding("planned-not-shown", instance.env_file, message))
        return verdict
    if expected is not None:
        verdict.differences = differences(expected, effective)
        verdict.findings += [_difference(one, instance) for one in verdict.differences]
    verdict.password_matches = _password_matches(answer)
    verdict.findings += _credentials(answer, instance)
    verdict.findings += _rehearsals(answer, known, hints)
    for sent in answer["messages"]:
        told = {key: sent[key] for key in ("relay", "to", "message_id", "envelope_from", "answer")}
        told["answer"] = told["answer"] and redact(told["answer"], known.secrets, (known.recipient, known.sender))
        told["accepted"] = sent["error"] is None
        verdict.test_message.append(told)
        verdict.findings += _sent(sent, answer, known, hints)
    return verdict


def _choose_for_queue(verdict: Verdict, request: Request, answer: t.Mapping[str, t.Any], instance: Instance) -> None:
    """Choose the mail that will prove the queue. In a dry run it is an error if none can, so it can still be fixed."""
    if not request.accounts:
        return
    secrets = known_secrets(instance, request)
    told = {name: Account.told(seen) for name, seen in answer.get("accounts", {}).items()}
    told = {name: dataclasses.replace(one, error=redact(one.error, secrets)) for name, one in told.items()}
    account, recipient = request.accounts.get("account", ""), request.accounts.get("recipient", "")
    choice = choose(account, recipient, told, instance.roles, "error" if request.planned else "warning")
    verdict.queue = choice.as_dict()
    verdict.findings += choice.findings


def _count_waiting(
    verdict: Verdict, request: Request, answer: t.Mapping[str, t.Any], known: Context, instance: Instance
) -> None:
    """The mails that wait, and what they mean where Sidekiq runs here: elsewhere other hosts tell it."""
    if answer.get("waiting") is None:
        return
    waiting = Waiting.told(answer["waiting"])

    def cause(group: Group) -> Finding:
        error = {"class": group.error_class, "message": group.error_message}
        name = "main" if "main" in answer["relays"] else next(iter(answer["relays"]), "")
        context = _context(name, answer, known, {}) if name else known
        return diagnose(failure({"stage": None, "chain": [error]}), context)

    def judged(group: Group) -> Group:
        told = dataclasses.replace(group, error_message=redact(group.error_message, known.secrets))
        return dataclasses.replace(told, cause=cause(told).code) if told.error_class else told

    waiting = dataclasses.replace(waiting, groups=tuple(map(judged, waiting.groups)))
    verdict.waiting = waiting.as_dict()
    if "sidekiq" in instance.roles:
        # A test message that the relay has just taken is newer than any failure.
        works = any(one["error"] is None for one in answer["messages"])
        verdict.findings += waiting_findings(waiting, cause, OF_ONE_MAIL, repairing=request.repairing or works)


def _misread(relay: str, answer: t.Mapping[str, t.Any]) -> bool:
    """Whether Rails has another login or password for this relay than the intended one."""
    return not all(answer["matches"].get(relay, {}).values())


def known_secrets(instance: Instance, request: Request) -> tuple[str, ...]:
    """The texts that must not appear in any message: the given secrets, and those of the environment file.

    A secret of the file that is part of common paths (the password "mastodon") is not masked: that would only make
    messages unreadable.
    """
    ordinary = " ".join((instance.app_dir, instance.env_file, instance.user, instance.local_domain, instance.release))
    of_file = [
        value
        for name, value in instance.variables.items()
        if len(value) >= 6 and value not in ordinary and SECRET_NAME.search(name)
    ]
    return (*request.secrets.values(), *of_file)


def _variables(instance: Instance, request: Request) -> dict[str, str]:
    """The variables that Rails has read: the planned ones in a dry run, else the present ones."""
    if not request.planned:
        return dict(instance.variables)
    kept = {name: text for name, text in instance.variables.items() if name not in request.remove}
    return {**kept, **request.set, **request.secrets}


def _broken_variable(instance: Instance, request: Request) -> str:
    """The variable that keeps Rails from starting; found by reading config/email.yml once for each variable."""
    from .._mailer.email_yml import broken_variable

    return broken_variable(_variables(instance, request), Release.parse(instance.release), instance.local_domain)


def _no_answer(instance: Instance, request: Request, asked: Asked, known: Context) -> Finding:
    completed = asked.completed
    if completed.timed_out:
        sent = " A test message may have been sent." if request.send_to and not request.planned else ""
        message = f"Rails did not answer within {request.timeout:g} seconds and was stopped.{sent}"
        return TABLE.finding("rails-timeout", instance.app_dir, message)
    if completed.returncode == 0 and too_much(completed.stdout, completed.truncated):
        return TABLE.finding("rails-no-answer", instance.app_dir, TOO_MUCH)
    if completed.returncode == 0:
        last = completed.stderr.decode("utf-8", "replace") or completed.stdout.decode("utf-8", "replace")
        words = one_line(redact(last[-600:], known.secrets)) or "nothing at all"
        message = f"bin/rails runner ended without running the check. It said: {words}"
        return TABLE.finding("rails-no-answer", instance.app_dir, message)
    return diagnose(boot_failure(completed.stderr, instance.code), known)


def _words(error: t.Mapping[str, t.Any]) -> str:
    return " <- ".join(f"{one['class']}: {one['message']}" for one in error["chain"])


def _effective(answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The answer in the shape of _mailer.effective; the TLS and AUTH modes are derived from Rails' own settings."""
    relays: dict[str, t.Any] = {"main": None, "bulk": None}
    for name, relay in answer["relays"].items():
        relays[name] = {**relay, **_modes(relay, answer)}
    broken = next((one for one in answer["rehearsals"].values() if one), None)
    error = {**broken["chain"][0], "stage": broken["stage"]} if broken else None
    return {
        "delivery_method": answer["delivery_method"],
        "from": answer["from"],
        "reply_to": answer["reply_to"],
        "return_path": answer["return_path"],
        "error": error,
        **relays,
    }


def _modes(relay: t.Mapping[str, t.Any], answer: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The TLS and AUTH modes that result from settings reported by Rails."""
    era = era_of(Release.parse(answer["versions"]["release"] or ""))
    settings = {**relay["settings"], "user_name": relay["login_set"] or None, "password": relay["password_set"] or None}
    opened = session(settings, era)
    return {"tls_mode": opened.tls_mode, "auth_mode": mechanism(settings, era), "verify_mode": opened.verify_mode}


def _about_app(answer: t.Mapping[str, t.Any], instance: Instance) -> list[Finding]:
    """Findings about what the application itself does to mail, independent of the settings."""
    found = []
    subject = "config/environments/production.rb"
    if not answer["perform_deliveries"]:
        message = f"Rails in {instance.app_dir} drops every mail (perform_deliveries is false)."
        found.append(TABLE.finding("deliveries-off", subject, message))
    if not answer["raise_delivery_errors"]:
        message = "Rails treats every mail as sent (raise_delivery_errors is false): a rejected one is lost silently."
        found.append(TABLE.finding("delivery-errors-hidden", subject, message))
    if answer["delivery_method"] in ("file", "test", "letter_opener", "letter_opener_web"):
        message = f"The delivery method is {answer['delivery_method']}: no mail leaves the host."
        found.append(TABLE.finding("mail-kept-local", subject, message))
    return found


def _override(variables: t.Iterable[str], instance: Instance) -> str:
    """A sentence naming the layer that overrides one of the variables; empty if none does."""
    wanted = set(variables)
    for one in instance.overrides_of_first:
        if one.variable in wanted:
            return (
                f"{one.variable} is set by {one.layer} in {one.place}, which overrides {instance.env_file}: remove it."
            )
    return ""


def _difference(one: Difference, instance: Instance) -> Finding:
    message = f"Rails uses {shown(one.actual)}, but the plan says {shown(one.expected)}"
    message += f" ({one.variable})." if one.variable else "."
    fix = _override([one.variable], instance) or (
        f"Look for {one.variable or 'this setting'} in the units' Environment= and in .env.production.local, and for "
        "changes in config/environments/production.rb and config/email.yml."
    )
    return TABLE.finding("effective-differs", one.setting, message, fix)


def _password_matches(answer: t.Mapping[str, t.Any]) -> bool | None:
    verdicts = [relay["password"] for relay in answer["matches"].values() if "password" in relay]
    return all(verdicts) if verdicts else None


def _credentials(answer: t.Mapping[str, t.Any], instance: Instance) -> list[Finding]:
    """The findings for credentials that differ from the intended ones, compared by digest."""
    found = []
    for variable, (relay, what) in CREDENTIALS.items():
        if answer["matches"].get(relay, {}).get(what) is False:
            held = answer["relays"][relay][f"{what}_set"]
            message = (
                f"The {what} that Rails uses is not the configured one: something reads {variable} differently."
                if held
                else f"Rails has no {what} although one is configured: something empties {variable}."
            )
            found.append(TABLE.finding(f"{what}-misread", variable, message, _override([variable], instance)))
    return found


def _context(name: str, answer: t.Mapping[str, t.Any], known: Context, hints: t.Mapping[str, str]) -> Context:
    relay = answer["relays"][name]
    settings = relay["settings"]
    port = str(settings.get("port") or 25)
    modes = _modes(relay, answer)
    return dataclasses.replace(
        known,
        host=str(settings.get("address") or "localhost"),
        port=int(port) if port.isdecimal() else None,
        tls=modes["tls_mode"],
        auth=modes["auth_mode"],
        relay=t.cast(t.Literal["main", "bulk"], name),
        as_intended=bool(answer["matches"].get(name)) and not _misread(name, answer),
        hint=hints.get(name, ""),
        sender=answer["from"] or "",
    )


def _rehearsals(answer: t.Mapping[str, t.Any], known: Context, hints: t.Mapping[str, str]) -> list[Finding]:
    """The findings for what the mail gem rejects before it connects."""
    return [
        diagnose(failure(error), _context(name, answer, known, hints))
        for name, error in answer["rehearsals"].items()
        if error is not None
    ]


def _sent(
    sent: t.Mapping[str, t.Any], answer: t.Mapping[str, t.Any], known: Context, hints: t.Mapping[str, str]
) -> list[Finding]:
    if sent["error"] is None:
        return []
    context = _context(sent["relay"], answer, known, hints)
    if sent["envelope_from"]:
        context = dataclasses.replace(context, sender=sent["envelope_from"])
    finding = diagnose(failure(sent["error"]), context)
    # A misread credential is the cause and already reported; the refused login is only its consequence.
    return [] if finding.code == "login-refused" and _misread(sent["relay"], answer) else [finding]

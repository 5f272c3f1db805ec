# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a host of a rollout ended, in sentences."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import os
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import TLS_WORDS
from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.check_names import CHECK_NAMES
from ansible_collections.fediops.mastodon.plugins.plugin_utils._services import renewed

#: Infos that an operator must see all the same: another file than the named one was edited, mails were sent to people.
TOLD = {"link-followed", "mails-retried"}


def host_summary(result: t.Mapping[str, t.Any], *, whole: bool = True) -> list[str]:
    """One line per fact that an operator wants to see, the headline first.

    :param result: the fact mastodon_smtp_result as smtp_summary returns it.
    :param whole: whether every step ran; with C(--tags) some have nothing to tell.
    """
    dry = bool(result["check_mode"])
    if "restored_from" in result:
        return _rollback(result, dry)
    first = [result["headline"], *result["to_prove"], *([result["undone"]] if result["undone"] else [])]
    if not whole:
        return [*first, *_findings(result["findings"])]
    return [
        *first,
        f"Mastodon {result['release']} in {result['app_dir']}, {_versions(result['rails'])}",
        _variables(result, dry),
        *(_seen_relay(one) for one in result["relays"]),
        *([_seen_dns(one) for one in result["sender_dns"]] or ["Preflight: the sender's DNS was not checked"]),
        *_relay(result, dry),
        *_test_messages(result),
        *_services(result, dry),
        *_queued(result),
        *_arrived(result),
        *_findings(result["findings"]),
    ]


def waiting_summary(result: t.Mapping[str, t.Any]) -> list[str]:
    """The same for smtp_waiting: the mails that wait in Sidekiq, and what became of those that were retried."""
    if "sidekiq" not in result["roles"]:
        return ["Sidekiq runs on another host; the mails are shown there."]
    told = _findings(result["findings"])
    return [*(["Dry run, nothing was sent."] if result["check_mode"] else []), *(told or ["No mail waits in Sidekiq."])]


def _rollback(result: t.Mapping[str, t.Any], dry: bool) -> list[str]:
    """The same for smtp_rollback, which neither asks Rails nor sends mail."""
    if result["restored_from"]:
        verb = "would be restored" if dry else "was restored"
        kinds = _by_kind(result["changed_variables"])
        first = f"{result['env_file']} {verb} from {result['restored_from']}{f': {kinds}' if kinds else ''}"
    else:
        first = f"{result['env_file']} is as it was before the last edit: there was nothing to restore."
    told = ["Dry run, nothing was touched."] if dry else []
    return [*told, first, *_services(result, dry), *_findings(result["findings"])]


def adopt_summary(adopted: t.Mapping[str, t.Any], host: str, dry: bool) -> list[str]:
    """What was adopted, where it was written, and what to do next.

    :param adopted: the result of smtp_adopt.
    """
    files, names = " and ".join(adopted["written"]), ", ".join(adopted["variables"])
    if not adopted["written"]:
        first = f"In order: {' and '.join(adopted['files'])} already says what this instance uses."
    elif dry:
        first = f"Dry run, nothing was written: {files} would be, with {names}."
    else:
        first = f"Written: {files}, with {names}."
    told = [f"{one['severity']}: {Finding(**one).sentence()}" for one in adopted["findings"]]
    return [first, *told, *_next(adopted, host, dry and bool(adopted["written"]))]


def _next(adopted: t.Mapping[str, t.Any], host: str, dry: bool) -> list[str]:
    if dry:
        return ["Next: the same command without --check writes it."]
    lines = []
    if adopted["placeholders"]:
        vault = os.path.join(os.path.dirname(adopted["files"][0]), "vault.yml")
        lines.append(f"Next: put {', '.join(adopted['placeholders'])} into a vault (ansible-vault create {vault}).")
    lines.append(
        f"{'Then' if lines else 'Next'}: ansible-playbook fediops.mastodon.smtp_check --limit {host} (with your "
        "inventory and vault password) checks that the instance matches what was written."
    )
    return lines


def _versions(rails: t.Mapping[str, t.Any]) -> str:
    names = (("Rails", "rails"), ("mail gem", "mail"), ("Ruby", "ruby"))
    return ", ".join(f"{name} {rails[key]}" for name, key in names if rails.get(key))


def _variables(result: t.Mapping[str, t.Any], dry: bool) -> str:
    changed = result["changed_variables"]
    if not changed:
        return f"{result['env_file']} already says what the inventory says."
    kinds = _by_kind(changed)
    backup = f" (previous state: {result['backup_file']})" if result.get("backup_file") and not dry else ""
    return f"{result['env_file']}{' would be edited' if dry else ''}: {kinds}{backup}"


def _by_kind(changed: t.Iterable[t.Mapping[str, str]]) -> str:
    by_kind: dict[str, list[str]] = {}
    for one in changed:
        by_kind.setdefault(one["what"], []).append(one["name"])
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in by_kind.items())


def encryption(mode: str) -> str:
    """The encryption that the settings ask for, in words."""
    return TLS_WORDS.get(mode, "none") + (" required" if mode == "starttls" else "")


def _relay(result: t.Mapping[str, t.Any], dry: bool) -> list[str]:
    lines = []
    for relay, label in (("main", ""), ("bulk", "announcements ")):
        seen, planned = result["effective"].get(relay), result["planned"].get(relay)
        if not seen or not planned:
            continue
        settings = seen["settings"]
        login = f"login with {planned['auth_mode']}" if planned["auth_mode"] != "none" else "no login"
        tls = encryption(planned["tls_mode"])
        verb = "would send" if dry else "sends"
        lines.append(f"Rails {verb} {label}through {settings['address']}:{settings['port']}, {tls}, {login}")
    lines.append(f"From: {result['effective'].get('from')}")
    return lines


def _seen_relay(seen: t.Mapping[str, t.Any]) -> str:
    """The probe's result for a relay, from this host."""
    used = next((one for one in seen["addresses"] if one["outcome"] == "answered"), None)
    tls = seen["tls_details"]
    facts = [
        f"answers at {used['address']}" if used else "does not answer",
        _seen_tls(tls) if tls else "no encryption",
        "login accepted" if seen["auth"]["accepted"] else "no login" if not seen["auth"]["tried"] else "login refused",
        *(f"{step} accepted" for step, tried in seen["envelope"].items() if tried and tried["accepted"]),
    ]
    return f"Preflight: {seen['host']}:{seen['port']} {', '.join(facts)}"


def _seen_tls(tls: t.Mapping[str, t.Any]) -> str:
    left = f" for {tls['days_left']} more days" if tls["days_left"] is not None else ""
    return f"{tls['version']}, certificate {'valid' + left if tls['verified'] else 'not verified'}"


def _seen_dns(seen: t.Mapping[str, t.Any]) -> str:
    """The DNS result for a sender: how many checks passed, and which did not."""
    by_outcome: dict[str, list[str]] = {}
    for rule in seen["rules"]:
        by_outcome.setdefault(rule["outcome"], []).append(CHECK_NAMES.get(rule["id"], rule["id"]))
    kept = len(by_outcome.get("ok", []) + by_outcome.get("info", []))
    words = {"error": "failed", "warning": "with a warning", "unknown": "not answered"}
    others = [f"{len(found)} {words[one]} ({', '.join(found)})" for one in words if (found := by_outcome.get(one))]
    checked = kept + sum(len(by_outcome.get(one, [])) for one in words)
    return f"Preflight: DNS of {seen['from_domain']}: {', '.join([f'{kept} of {checked} checks passed', *others])}"


def _test_messages(result: t.Mapping[str, t.Any]) -> list[str]:
    """Those that a relay has taken; of the others a finding tells."""
    return [
        f"The {one['relay']} relay accepted the test message {one['message_id']} for {one['to']}: {one['answer']}"
        for one in result["test_messages"]
        if one.get("accepted", True)
    ]


def _services(result: t.Mapping[str, t.Any], dry: bool) -> list[str]:
    word = renewed(result.get("deployment"))
    what = f", would be {word}" if dry else f", {word} by this run"
    return [f"{one['name']}: {_state(one['after'])}{what if one['restarted'] else ''}" for one in result["services"]]


def _state(service: t.Mapping[str, t.Any]) -> str:
    """The state, and since when; a service that does not run has no such time."""
    return f"{service['state']} since {service['since']}" if service["since"] else str(service["state"])


#: Successful outcomes of a mail through the queue, as far as the log shows them.
FATE_WORDS = {
    "delivered": "Sidekiq delivered it to the relay",
    "performed": "Sidekiq's job ended without an error",
}


def _queued(result: t.Mapping[str, t.Any]) -> list[str]:
    queued = result.get("queued_mail")
    if "sidekiq" not in result["roles"]:
        return ["Sidekiq runs on another host; the queue is proved there."]
    if not queued:
        return []
    what = "test mail" if queued["way"] == "plain" else "password reset"
    job = queued["job"] or {}
    where = f" (job {job['id']} of the queue {job['queue']})" if job.get("id") else ""
    end = FATE_WORDS.get(queued["outcome"], queued["outcome"])
    return [f"The {what} for {queued['to']} went through the queue{where}: {end}, after {queued['waited']:g} s"]


def _arrived(result: t.Mapping[str, t.Any]) -> list[str]:
    """The mails that the receivers' mailboxes have; those that did not arrive are findings."""
    lines = []
    for one in result.get("arrivals") or ():
        if one["arrived"]:
            after = "" if one["seconds"] is None else f" {one['seconds']:g} s after it was sent"
            dmarc = one["receiver"]["dmarc"] or one["judged"]["dmarc"]
            lines.append(f"The {one['name']} arrived in {one['folder']} of {one['mailbox']}{after} (DMARC: {dmarc})")
    return lines


def _findings(findings: t.Iterable[t.Mapping[str, str]]) -> list[str]:
    return [
        f"{one['severity']}: {Finding(**t.cast(t.Any, one)).sentence()}"
        for one in findings
        if one["severity"] != "info" or one["code"] in TOLD
    ]

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs to report on: the events that the chain sends, with results as the modules return them."""

from __future__ import annotations

import typing as t

from ansible_collections.fediops.mastodon.plugins.plugin_utils._record import Entry
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.collect import Collector, Task
from ansible_collections.fediops.mastodon.plugins.plugin_utils._report.document import FINISHED, document

#: The clock of every run begins here.
BEGAN = 1_790_000_000.0
PASSWORD = "correct horse battery staple"

#: Texts that want to be more than text, for a browser, a Markdown page, a terminal or an XML parser.
HOSTILE = [
    "<script>window.pwned=1</script>",
    '"><img src=x onerror="window.pwned=1">',
    "'\"><svg/onload=window.pwned=1>",
    "</style></script><script>window.pwned=1</script>",
    "{{ 7*7 }} ${7*7} &lt;b&gt; &#60;",
    "| a | b |\n\n# head\n- [x](javascript:window.pwned=1) `code` <b>bold</b> ![i](//x.test/i.png)",
    "a\x00b\x1b[31mred\x07\u202egnp.exe\u2028line\ud800",
    "]]><x/> --> <!-- &entity;",
    "javascript:window.pwned=1",
    "::stop-commands::t ##[set-output name=x;]y ##vso[task.setvariable]z",
    "\x1b]0;title\x07\x9b2J\x85\u2028\u2066\u200b\ufeff\U000e0041\r::error::x",
]


def finding(code: str, severity: str, subject: str, message: str, fix: str) -> dict[str, str]:
    return {"code": code, "severity": severity, "subject": subject, "message": message, "fix": fix}


REFUSED = finding(
    "login-refused",
    "error",
    "smtp.eu.mailgun.org:587",
    'smtp.eu.mailgun.org:587 rejected the login: "535 5.7.8 Authentication failed".',
    "Check mastodon_smtp_login and mastodon_smtp_password; Mailgun wants the SMTP credentials of the domain.",
)
CRASHED = finding(
    "service-crash-loop",
    "error",
    "mastodon-sidekiq.service",
    "It has ended and been started again 2 times. The end of its log: Could not find rake-13.2.1 in installed gems",
    "Run bundle install as the user mastodon; the whole log is in journalctl -u mastodon-sidekiq.",
)
DMARC = finding(
    "dmarc-missing",
    "warning",
    "social.example",
    'Publish _dmarc.social.example TXT "v=DMARC1; p=none". No DMARC record was found.',
    "p=none changes nothing for the mail that is sent today.",
)


class Run:
    """A run as it goes on: tasks in the order of the chain, each host in turn."""

    def __init__(self, *names: str, check_mode: bool = False, playbook: str = "smtp_rollout.yml") -> None:
        self.seen = Collector()
        self.now = BEGAN
        self.names = list(names)
        self._number = 0
        self.begin(playbook, check_mode=check_mode)

    def begin(self, playbook: str, *, check_mode: bool = False) -> None:
        """A playbook begins; a second one on the same command line goes on in the same report."""
        self.seen.begin(playbook, self.now, check_mode=check_mode, diff=True)
        self.seen.play("Preflight of all hosts (read-only)", self.names, self.now)

    def task(self, name: str, action: str, part: str = "", **arguments: t.Any) -> Task:
        """A step of the collection, by itself or in a part of the role."""
        self._number += 1
        return Task(f"uuid-{self._number}", name, f"fediops.mastodon.{action}", arguments, part)

    def step(
        self,
        task: Task,
        hosts: t.Iterable[str],
        result: t.Callable[[str], tuple[str, dict[str, t.Any]]] | tuple[str, dict[str, t.Any]],
        seconds: float = 1.0,
    ) -> None:
        """All these hosts do a task, at the same time."""
        wanted = list(hosts)
        for host in wanted:
            self.seen.started(host, task, self.now)
        for place, host in enumerate(wanted):
            state, given = result(host) if callable(result) else result
            entry = None
            if task.part and given.get("msg"):
                outcome = "failed" if given.get("failed", True) or task.part != "rollout" else "not_proved"
                entry = Entry(task.name, outcome, (given["msg"],), given, task.uuid)
            self.seen.ended(host, task, state, given, self.now + seconds * (1 + (place * 7 % 11) / 10), entry)
        self.now += seconds * 2.2

    def document(self, state: str = FINISHED, **more: t.Any) -> dict[str, t.Any]:
        return document(self.seen, state, self.now, versions={"ansible-core": "2.21.5", "python": "3.13.0"}, **more)


def instance(host: str, release: str = "4.5.3") -> dict[str, t.Any]:
    services = [
        {"name": f"mastodon-{role}.service", "role": role, "state": "running", "since": "2026-11-01T03:12:09Z"}
        for role in ("sidekiq", "streaming", "web")
    ]
    return {
        "changed": False,
        "findings": [],
        "instance": {
            "deployment": "systemd",
            "app_dir": "/home/mastodon/live",
            "user": "mastodon",
            "env_file": "/home/mastodon/live/.env.production",
            "release": release,
            "local_domain": host,
            "services": [{**one, "stale": False, "restarts": 0} for one in services],
            "overrides": [],
            "mail_variables": ["SMTP_SERVER"],
            "effective": _effective("localhost", "25", "auto"),
        },
    }


def _effective(address: str, port: str, starttls: str) -> dict[str, t.Any]:
    return {
        "delivery_method": "smtp",
        "from": "Mastodon <notifications@social.example>",
        "reply_to": None,
        "return_path": None,
        "error": None,
        "main": {
            "settings": {"address": address, "port": port, "enable_starttls": starttls, "ca_file": "/etc/ssl/ca.crt"},
            "login_set": True,
            "password_set": True,
            "tls_mode": "starttls" if starttls == "always" else "starttls_optional",
            "verify_mode": "peer",
            "auth_mode": "plain",
        },
        "bulk": None,
    }


NOW = _effective("smtp.eu.mailgun.org", "587", "always")
PLAN: dict[str, t.Any] = {
    "changed": False,
    "findings": [],
    "plan": {
        "set": {"SMTP_SERVER": "smtp.eu.mailgun.org", "SMTP_PORT": "587", "SMTP_ENABLE_STARTTLS": "always"},
        "remove": ["SMTP_SSL"],
        "secret_variables": ["SMTP_PASSWORD"],
        "effective": NOW,
        "release": "4.5.3",
        "sender": {"address": "notifications@social.example", "domain": "social.example"},
    },
}
DNS: dict[str, t.Any] = {
    "changed": False,
    "verdict": "warning",
    "nameservers": ["192.0.2.53"],
    "findings": [DMARC],
    "domains": {"social.example": {"verdict": "warning", "findings": [DMARC]}},
    "sender_dns": [
        {
            "from_domain": "social.example",
            "return_path_domain": "mg.social.example",
            "dkim_domain": "social.example",
            "provider": "mailgun",
            "verdict": "warning",
            "rules": [{"id": "M1", "outcome": "warning"}, {"id": "D1", "outcome": "ok"}],
            "records": {
                "mx": {
                    "name": "social.example",
                    "type": "MX",
                    "status": "records",
                    "records": ["10 mx.social.example"],
                },
                "spf": {
                    "name": "mg.social.example",
                    "type": "TXT",
                    "status": "records",
                    "records": ["v=spf1 include:mailgun.org ~all"],
                },
                "dmarc": {"name": "_dmarc.social.example", "type": "TXT", "status": "nxdomain", "records": []},
            },
            "zone": '; warning dmarc-missing: None was found.\n_dmarc.social.example. 3600 IN TXT "v=DMARC1; p=none"\n',
        }
    ],
}


def relay(*, accepted: bool = True, findings: t.Sequence[dict[str, str]] = ()) -> dict[str, t.Any]:
    return {
        "changed": False,
        "findings": list(findings),
        "relay": {
            "host": "smtp.eu.mailgun.org",
            "port": 587,
            "tls": "starttls",
            "speaks": "starttls",
            "stage": None if accepted else "auth",
            "greeting": "220 smtp.eu.mailgun.org ESMTP",
            "addresses": [{"family": "ipv4", "address": "192.0.2.25", "outcome": "answered", "seconds": 0.02}],
            "open_ports": [],
            "tls_details": {
                "version": "TLSv1.3",
                "cipher": "TLS_AES_256_GCM_SHA384",
                "verified": True,
                "issuer": "CN=Example CA",
                "not_after": "2027-02-01T00:00:00Z",
                "days_left": 69,
            },
            "auth": {
                "mechanism": "plain",
                "tried": True,
                "accepted": accepted,
                "answer": "235 2.7.0 OK" if accepted else "535 5.7.8 Authentication failed",
            },
        },
    }


EDIT: dict[str, t.Any] = {
    "changed": True,
    "changed_variables": [
        {"name": "SMTP_SERVER", "what": "changed"},
        {"name": "SMTP_PORT", "what": "changed"},
        {"name": "SMTP_SSL", "what": "removed"},
        {"name": "SMTP_PASSWORD", "what": "added"},
    ],
    "backup_file": "/home/mastodon/live/.env.production.last-smtp",
    "checksum_before": "aa",
    "checksum_after": "bb",
    "findings": [],
    "diff": {
        "before": "SMTP_SERVER=localhost\nSMTP_PORT=25\nSMTP_SSL=true\n",
        "after": "SMTP_SERVER=smtp.eu.mailgun.org\nSMTP_PORT=587\nSMTP_PASSWORD=(hidden, added)\n",
        "before_header": "/home/mastodon/live/.env.production",
    },
}


def rails(host: str) -> dict[str, t.Any]:
    return {
        "changed": False,
        "findings": [],
        "rails": {"release": "4.5.3", "rails": "8.0.3", "mail": "2.8.1", "net_smtp": "0.5.1", "ruby": "3.4.7"},
        "effective": NOW,
        "differences": [],
        "password_matches": True,
        "waiting": {"complete": True, "error": "", "groups": []},
        "test_message": [
            {
                "relay": "main",
                "to": "admin@social.example",
                "message_id": f"674164a2b1f3_2c8c1d0@{host}",
                "envelope_from": "bounces@mg.social.example",
                "answer": "250 2.0.0 Ok: queued as 4XyZ1q0000",
            }
        ],
    }


def services(*, findings: t.Sequence[dict[str, str]] = ()) -> dict[str, t.Any]:
    old = {"state": "running", "since": "2026-11-01T03:12:09Z", "restarts": 0}
    new = {"state": "running", "since": "2026-11-24T15:02:54Z", "restarts": 0}
    return {
        "changed": True,
        "ready_after": 14.5,
        "findings": list(findings),
        "services": [
            {"name": "mastodon-sidekiq.service", "role": "sidekiq", "stale": True, "restarted": True}
            | {"before": old, "after": new},
            {"name": "mastodon-streaming.service", "role": "streaming", "stale": True, "restarted": False}
            | {"before": old, "after": old},
        ],
    }


QUEUE: dict[str, t.Any] = {
    "changed": False,
    "findings": [],
    "outcome": "delivered",
    "job": {"id": "82325230-88b1", "queue": "mailers", "attempts": 1},
    "message_id": "674164a2b1f3_99@social.example",
    "error": None,
    "waited": 1.4,
}


ARRIVAL: dict[str, t.Any] = {
    "changed": False,
    "findings": [],
    "all_arrived": False,
    "arrivals": [
        {
            "name": "test message",
            "message_id": "674164a2b1f3_98@social.example",
            "to": "admin@example.com",
            "deleted": True,
            "arrived": True,
            "mailbox": "admin@example.com",
            "folder": "Junk",
            "junk": True,
            "seconds": 2.0,
            "receiver": {"dmarc": "", "results": []},
            "judged": {"dmarc": "fail"},
        },
        {"name": "queued mail", "message_id": "x@social.example", "to": "admin@example.com", "arrived": False},
    ],
}


def drift_check(in_order: bool, severity: str = "error", after: Run | None = None) -> Run:
    """A drift check of one host. It may follow another run of the same command."""
    run = after or Run("a.example", playbook="smtp_check.yml")
    if after:
        run.begin("smtp_check.yml")
    one = ["a.example"]
    run.step(run.task("Check the variables", "smtp_variables", "check"), one, ("ok", {}))
    run.step(run.task("Find the instance", "instance_info", "check"), one, ("ok", instance("a.example")))
    seen = relay() if in_order else let_go_on(failed(relay(accepted=False, findings=[REFUSED])))
    run.step(run.task("Probe the relay", "smtp_relay_info", "check"), one, ("ok", seen))
    same = {**EDIT, "changed": False, "changed_variables": [] if in_order else EDIT["changed_variables"]}
    run.step(run.task("Compare the file with the plan", "env_file", "check"), one, ("ok", same))
    unchanged = {**services(), "changed": False}
    run.step(run.task("Look for stale services", "mail_services", "check"), one, ("ok", unchanged))
    blocking = [] if in_order else [finding("file-differs", severity, ".env.production", "It differs.", "Roll out.")]
    verdict = {"in_order": in_order, "findings": blocking, "blocking": blocking, "message": "It differs."}
    summary = ["Not in order: 1 error.", "It differs."]
    run.step(run.task("Sum up", "smtp_summary", "check"), one, ("ok", {**verdict, "summary": summary}))
    if not in_order:
        end = Task("verdict", "Fail when something is not in order", "ansible.builtin.fail")
        run.step(end, one, ("failed", {"failed": True, "msg": "\n".join(summary)}))
    return run


def rollback(*, check_mode: bool = False) -> Run:
    """A roll-back of one host."""
    run = Run("a.example", playbook="smtp_rollback.yml", check_mode=check_mode)
    one = ["a.example"]
    run.step(run.task("Check the variables", "smtp_variables", "rollback"), one, ("ok", {}))
    run.step(run.task("Find the instance", "instance_info", "rollback"), one, ("ok", instance("a.example")))
    put_back = run.task(
        "Put the environment file back as it was before the last edit", "env_file", "rollback", state="restored"
    )
    run.step(put_back, one, ("changed", EDIT))
    run.step(run.task("Restart stale services", "mail_services", "rollback"), one, ("changed", services()))
    outcome = "would roll back" if check_mode else "rolled back"
    run.step(run.task("Sum up", "smtp_summary", "rollback"), one, ("ok", summed_up(outcome)))
    return run


RETRIED = dict.fromkeys(
    ("chosen", "sent", "failed", "passed", "moving", "left", "expired", "dropped", "refused", "old"), 1
)


def look_at_mails(*, check_mode: bool = False, retried: dict[str, t.Any] | None = None) -> Run:
    """The mails that wait on one host are retried."""
    run = Run("a.example", playbook="smtp_waiting.yml", check_mode=check_mode)
    one = ["a.example"]
    run.step(run.task("Check the variables", "smtp_variables", "waiting"), one, ("ok", {}))
    run.step(run.task("Find the instance", "instance_info", "waiting"), one, ("ok", instance("a.example")))
    told = {
        "waiting": {"complete": True, "error": "", "groups": []},
        "retried": retried or {**RETRIED, "stopped": None},
    }
    found = {"findings": [finding("mails-retried", "info", "Sidekiq", "It is so.", "")]}
    step = run.task("Show the mails that wait, and retry them", "waiting_mails", "waiting")
    run.step(step, one, ("ok" if check_mode else "changed", {**told, **found}))
    run.step(
        run.task("Sum up", "smtp_summary", "waiting"), one, ("ok", summed_up("in order" if check_mode else "changed"))
    )
    return run


def adoption(*, check_mode: bool = False) -> Run:
    """Two instances are adopted; what the second uses is in the inventory already."""
    run = Run("a.example", "b.example", playbook="smtp_adopt.yml", check_mode=check_mode)
    seen = {
        "files": ["/inv/host_vars/a.example/mastodon_smtp.yml"],
        "variables": ["mastodon_smtp_host"],
        "findings": [],
    }
    run.step(run.task("Check the variables", "smtp_variables", "adopt"), run.names, ("ok", {}))
    run.step(
        run.task("Write what this instance uses into the inventory", "smtp_adopt", "adopt"),
        run.names,
        lambda host: ("changed" if host[0] == "a" else "ok", {"changed": host[0] == "a", **seen}),
    )
    return run


def let_go_on(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """As a step shows bad news in a part of the role that goes on: its task ends well, and smtp_summary fails."""
    return {**result, "failed": False}


def shown_of(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """As the report gets a step that fails: its sentences, and what it has left in the record."""
    return {**result, "changed": False}


def failed(result: dict[str, t.Any], message: str = "") -> dict[str, t.Any]:
    found = result.get("findings") or []
    text = message or "\n".join(f"{one['subject']}: {one['message']} {one['fix']} [{one['code']}]" for one in found)
    return {**result, "failed": True, "msg": text}


def summed_up(outcome: str, **more: t.Any) -> dict[str, t.Any]:
    """What smtp_summary returns."""
    return {"changed": False, "outcome": outcome, "summary": f"Summary: {outcome}.", **more}


NO_ACCOUNT = finding("account-gets-no-mail", "error", "x@social.example", "It is a memorial.", "Set another one.")
NOT_PROVED = (
    "Done, not proved: the mail settings are in place and in use, but the queue is not proved. It is a memorial."
)


def rollout(
    names: t.Sequence[str],
    *,
    refused: t.Container[str] = (),
    crashed: t.Container[str] = (),
    unreachable: t.Container[str] = (),
    same: t.Container[str] = (),
    unproved: t.Container[str] = (),
    fails: bool = True,
    check_mode: bool = False,
    after: Run | None = None,
) -> Run:
    """The whole chain over these hosts; the named ones end otherwise. It may follow another run of the same command."""
    run = after or Run(*names, check_mode=check_mode)
    if after:
        run.begin("smtp_rollout.yml", check_mode=check_mode)
    gone = {"unreachable": True, "msg": "Failed to connect to the host via ssh: Connection timed out"}
    run.step(run.task("Check the variables", "smtp_variables", "preflight"), names, ("ok", {}), 0.1)
    run.step(
        run.task("Find the instance", "instance_info", "preflight"),
        names,
        lambda host: ("unreachable", gone) if host in unreachable else ("ok", instance(host)),
        1.5,
    )
    left = [name for name in names if name not in unreachable]
    plan = run.task("Plan the settings", "smtp_settings", "preflight", password=PASSWORD)
    run.step(plan, left, ("ok", PLAN), 0.2)
    bad = let_go_on(failed(relay(accepted=False, findings=[REFUSED])))
    run.step(
        run.task("Probe the relay", "smtp_relay_info", "preflight", password=PASSWORD),
        left,
        lambda host: ("ok", bad) if host in refused else ("ok", relay()),
        0.8,
    )
    run.step(run.task("Check the sender's DNS", "sender_dns_info", "preflight"), left, ("ok", DNS), 0.6)
    said = {"failed": True, "msg": f"{bad['msg']}\nNothing has been changed on any host."}
    run.step(
        run.task("Stop this host if anything is wrong", "smtp_summary", "preflight"),
        left,
        lambda host: ("failed", said) if host in refused else ("ok", {}),
        0.1,
    )
    left = [name for name in left if name not in refused]
    nothing = {
        **EDIT,
        "changed": False,
        "changed_variables": [],
        "backup_file": None,
        "diff": {"before": "", "after": ""},
    }
    run.step(
        run.task("Edit the environment file", "env_file", "rollout", secrets={"SMTP_PASSWORD": PASSWORD}),
        left,
        lambda host: ("ok", nothing) if host in same else ("changed", EDIT),
        0.9,
    )
    ask = run.task("Check Rails and send the test message", "mailer_check", "rollout")
    run.step(ask, left, lambda host: ("ok", rails(host)), 6)
    restart, queue, sum_up = (
        run.task(name, action, "rollout")
        for name, action in (
            ("Restart stale services", "mail_services"),
            ("Prove the queue", "queued_mail_check"),
            ("Sum up", "smtp_summary"),
        )
    )
    if check_mode:
        run.step(restart, left, lambda host: ("ok" if host in same else "changed", services()), 1)
        run.step(
            queue, left, ("skipped", {"changed": False, "skipped": True, "skip_reason": "There is nothing to do."})
        )
        run.step(sum_up, left, lambda host: ("ok", summed_up("in order" if host in same else "would change")))
        return run
    crash = shown_of(failed(services(findings=[CRASHED])))
    run.step(
        restart,
        left,
        lambda host: ("failed", crash) if host in crashed else ("ok" if host in same else "changed", services()),
        24,
    )
    back = [name for name in left if name in crashed]
    put_back = run.task("Put the environment file back as it was", "env_file", "undo", state="restored")
    run.step(put_back, back, ("changed", {"changed": True}), 0.8)
    run.step(run.task("Restart the services on it", "mail_services", "undo"), back, ("changed", services()), 20)
    undone = "/home/mastodon/live/.env.production was restored byte for byte, and the services run on it again."
    told = summed_up("failed", undone=undone, summary=f"Restart stale services: {crash['msg']}\n{undone}")
    run.step(run.task("Sum up", "smtp_summary", "undo"), back, ("ok", told))
    end = Task("fail", "Report the first cause", "ansible.builtin.fail")
    run.step(end, back, ("failed", {"failed": True, "msg": told["summary"]}))
    left = [name for name in left if name not in crashed]
    unmade = {**QUEUE, "failed": False, "msg": "No account.", "outcome": "not_sent", "findings": [NO_ACCOUNT]}
    run.step(queue, left, lambda host: ("ok", unmade if host in unproved else QUEUE), 2)
    weighed = {**NO_ACCOUNT, "severity": "error" if fails else "warning"}
    missing = summed_up("not proved", headline=NOT_PROVED, fails=fails, to_prove=["Set it."], findings=[weighed])
    missing |= {"cause": {"step": queue.name, "message": NOT_PROVED, "findings": [weighed]}} if fails else {}
    ends = {name: summed_up("in order" if name in same else "changed") for name in left}
    run.step(sum_up, left, lambda host: ("ok", missing if host in unproved else ends[host]))
    end = Task("fail-2", "Fail when the queue is not proved", "ansible.builtin.fail")
    bad = [name for name in left if name in unproved and fails]
    run.step(end, bad, ("failed", {"failed": True, "msg": missing["summary"]}))
    return run


def fleet(number: int = 200) -> Run:
    """A fleet in which everything happens."""
    names = [f"social-{place:03}.example" for place in range(1, number + 1)]
    return rollout(
        names,
        refused=names[40:44],
        crashed=names[90:91],
        unreachable=names[120:123],
        same=names[150:180],
    )


def hostile() -> Run:
    """Every text that comes from outside is one that attacks."""
    names = [f"{text}-{place}" for place, text in enumerate(HOSTILE)]
    run = Run(*names)
    everything = " ".join(HOSTILE)
    nasty = finding("<b>code</b>", "error", everything, everything, everything)

    def seen(host: str) -> tuple[str, dict[str, t.Any]]:
        found = instance(host)
        found["instance"].update(app_dir=everything, release=everything, env_file=everything)
        found["instance"]["overrides"] = [{"variable": everything, "layer": everything, "path": everything}]
        found["instance"]["services"][0]["name"] = everything
        return "ok", found

    run.step(run.task(everything, "instance_info", "preflight"), names, seen)
    plan = {"plan": {**PLAN["plan"], "set": {"SMTP_SERVER": everything}, "sender": {"domain": everything}}}
    run.step(run.task(everything, "smtp_settings", "preflight"), names, ("ok", plan))
    dns = {
        **DNS["sender_dns"][0],
        "from_domain": everything,
        "records": {everything: {"name": everything}},
        "zone": everything,
    }
    dns["records"]["mx"] = {"name": everything, "status": everything, "records": [everything]}
    looked = {"sender_dns": [dns], "domains": {everything: {"findings": [nasty]}}, "nameservers": [everything]}
    run.step(run.task(everything, "sender_dns_info", "preflight"), names[:1], ("ok", looked))
    answer = relay()
    answer["relay"].update(host=everything, greeting=everything, stage=everything)
    answer["relay"]["auth"]["answer"] = everything
    run.step(run.task(everything, "smtp_relay_info", "preflight"), names, ("ok", answer))
    edit = {**EDIT, "diff": {"before": f"SMTP_SERVER={everything}\n", "after": f"SMTP_SERVER={everything}\n"}}
    run.step(run.task(everything, "env_file", "rollout"), names, ("changed", edit))
    booted = rails(everything)
    booted["test_message"][0].update(answer=everything, to=everything)
    booted["effective"] = {**NOW, "from": everything, "error": {"class": everything, "message": everything}}
    run.step(run.task(everything, "mailer_check", "rollout"), names, ("ok", booted))
    run.step(run.task(everything, "mail_services", "rollout"), names, ("failed", failed(services(findings=[nasty]))))
    end = run.task(everything, "smtp_summary", "undo")
    run.step(end, names, ("ok", summed_up("failed", undone=everything, summary=everything)))
    stop = run.task(everything, "smtp_fleet", "rollout")
    run.step(stop, names[:1], ("failed", {"failed": True, "msg": everything, "not_started": names}))
    return run

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Rails on the lab's hosts really makes of mail variables, against what effective() says it does.

Every era is asked on both hosts: the settings, the TLS mode, the mechanism and the verification of the certificate
that Net::SMTP is about to use, and the class of the error where Rails refuses to start or to build a session. The first
cases of an era boot the whole application with their variables; the others evaluate its configuration of mail again in
a fork, see verdict.rb.

What is real there: Rails' configuration and YAML (Psych) of two generations, the mail gem 2.7.1 and 2.8.1 with their
address parsers, net-smtp of two generations. What is not: of the mail gem's way to build a session, the versions that
Debian does not have are played by lab/app/live/lib/lab/mail_gem.rb. So the prediction is asked for each host's own
net-smtp, and mail 2.8.0.1 (Mastodon 4.1.0) is taken for 2.8.1, as the lab does.
"""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import json
import random
import typing as t
from pathlib import Path

import pytest
from harness import Lab

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer import effective as model
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import ERAS, Era, Release, era_of
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.variables import VARIABLES
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.program import program

RELEASES = {
    "3.4": "3.4.10", "3.5": "3.5.19", "4.0": "4.0.15", "4.1.0": "4.1.0", "4.1": "4.2.29", "4.3": "4.3.23",
    "4.4.0": "4.4.0", "4.4": "4.4.22", "4.5.0-rc.1": "4.5.0-rc.1", "4.5": "4.6.5",
}  # fmt: skip
CASES_PER_ERA = 25
BOOTS_PER_ERA = 1
LOCAL = "social.example.org"
MARK = "rails-verdict:"
#: Rails 7.0 and later add these by themselves.
BY_RAILS = ("open_timeout", "read_timeout")

#: The error of a refusal that comes after the connection, where the rehearsal has ended (test_words.py shows those).
UNSEEN = ("unseen", "build")

_FLAGS = ["true", "true", "false", "1", "True", ""]
#: What a variable may hold, by the end of its name. Repeated values are likelier.
POOLS: dict[str, list[str]] = {
    "SERVER": ["smtp.example.com", "smtp.example.com", "127.0.0.1", "", "0123"],
    "PORT": ["587", "587", "465", "25", "0587", "587 # submission", "12:30", ""],
    "LOGIN": ["user", "user@example.com", "user", "", "0123", "yes", "~"],
    "PASSWORD": ["c0rrect-h0rse", "c0rrect-h0rse", "", "123456", "no", "p #1", " "],
    "DOMAIN": ["helo.example.com", "", "yes", "1_000", "null"],
    "AUTH_METHOD": [
        "plain",
        "login",
        "cram_md5",
        "none",
        "none",
        "",
        "PLAIN",
        "NONE",
        "cram-md5",
        "null",
        "AUTH LOGIN",
        "yes",
    ],
    "CA_FILE": ["/etc/ssl/certs/ca-certificates.crt", "/etc/ca.pem", "", "off", "/etc/my #1.pem"],
    "OPENSSL_VERIFY_MODE": ["peer", "none", "none", "", "0", "PEER", "false", "peeer", "client_once"],
    "ENABLE_STARTTLS": ["always", "never", "auto", "false", "true", "Never", '"false"', ":always", ""],
    "ENABLE_STARTTLS_AUTO": ["true", "false", "false", "0", ""],
    "TLS": _FLAGS,
    "SSL": _FLAGS,
    "FROM_ADDRESS": [
        "a@example.com",
        "Example <a@example.com>",
        '"Ex, ample" <a@example.com>',
        "notifications",
        "J. Doe <a@b>",
    ],
    "REPLY_TO": ["r@example.com", "", " ", "0x1F"],
    "RETURN_PATH": ["b@example.com", "", "off"],
    "DELIVERY_METHOD": ["smtp", "smtp", "smtp", "smtp", "sendmail", "test", "", "nonsense"],
}
#: Values that break something, or nearly: one case in four gets one of them.
BREAKING: list[tuple[str, str]] = [
    ("SMTP_PASSWORD", "@home"), ("SMTP_PASSWORD", "*alias"), ("SMTP_PASSWORD", "[open"), ("SMTP_LOGIN", "a: b"),
    ("SMTP_DOMAIN", "{x"), ("SMTP_CA_FILE", "'open"), ("SMTP_SERVER", "- dash"), ("SMTP_PORT", "%25"),
    ("BULK_SMTP_PASSWORD", "!!"), ("SMTP_FROM_ADDRESS", "a@"), ("SMTP_FROM_ADDRESS", "Example <a@example.com"),
    ("SMTP_DOMAIN", "*a"), ("SMTP_DOMAIN", "a\n"), ("SMTP_DOMAIN", "a\n# b"), ("SMTP_DOMAIN", "a\n      b"),
    ("SMTP_DOMAIN", "a\n    domain: evil.example"), ("SMTP_DOMAIN", "a\u2028b"), ("SMTP_CA_FILE", "a\u0085b"),
    ("SMTP_PASSWORD", "a\u0080b"), ("SMTP_REPLY_TO", "a\uffffb"), ("SMTP_SERVER", "a\u0085b"),
    ("SMTP_DELIVERY_METHOD", "[a]"), ("SMTP_DELIVERY_METHOD", "-.INF"), ("SMTP_OPENSSL_VERIFY_MODE", ':"sym"'),
    ("SMTP_FROM_ADDRESS", "a@b.example\u00a0"), ("SMTP_FROM_ADDRESS", "grp: ;"), ("SMTP_FROM_ADDRESS", " "),
    ("SMTP_FROM_ADDRESS", "a@b@c"), ("SMTP_FROM_ADDRESS", "Mastodon [x] <a@b>"), ("SMTP_AUTH_METHOD", "? x"),
]  # fmt: skip


def generated(chance: random.Random) -> dict[str, str]:
    """Variables of one case."""
    variables: dict[str, str] = {}
    for name in VARIABLES:
        likely = 0.45 if name.startswith("SMTP_") else 0.2
        if chance.random() < likely:
            suffix = name.partition("SMTP_")[2]
            variables[name] = chance.choice(POOLS[suffix])
    if chance.random() < 0.5:  # a login in order, so that something else than the login is what is refused
        variables.update(SMTP_LOGIN="user", SMTP_PASSWORD="c0rrect-h0rse", SMTP_AUTH_METHOD="plain")
    if chance.random() < 0.5:
        variables["SMTP_OPENSSL_VERIFY_MODE"] = chance.choice(["peer", "none"])
    if chance.random() < 0.25:
        name, text = chance.choice(BREAKING)
        variables[name] = text
    if chance.random() < 0.9:
        variables["LOCAL_DOMAIN"] = LOCAL
    return variables


def cases() -> list[tuple[str, dict[str, str]]]:
    """(release, variables), the same on each run."""
    found = []
    for era, release in RELEASES.items():
        chance = random.Random(f"{era}, again")
        found += [(release, generated(chance)) for _unused in range(CASES_PER_ERA)]
    return found


Verdict = tuple[str, dict[str, str], dict[str, t.Any]]


def _ask(lab: Lab, host: str) -> list[Verdict]:
    """Each case with what the host's Rails said."""
    nothing_to_send = {"mark": MARK, "salt": "00", "digests": {}, "send": [], "to": None, "subject": "x"}
    text = program({**nothing_to_send, "body": {"main": "x", "bulk": "x"}}).decode("utf-8")
    asked = [
        {"release": release, "variables": variables, "boot": number % CASES_PER_ERA < BOOTS_PER_ERA}
        for number, (release, variables) in enumerate(cases())
    ]
    script = (Path(__file__).parent / "verdict.rb").read_text(encoding="utf-8")
    lab.ssh(host, "cat > /tmp/rails-verdict.rb", stdin=script)
    try:
        output = lab.ssh(
            host,
            "cd /home/mastodon/live && runuser -u mastodon -- env HOME=/home/mastodon LANG=C.UTF-8 "
            "PATH=/home/mastodon/.rbenv/shims:/usr/local/bin:/usr/bin:/bin bundle exec ruby /tmp/rails-verdict.rb",
            stdin=json.dumps({"mark": MARK, "program": text, "cases": asked}) + "\n",
        )
    finally:
        lab.ssh(host, "rm -f /tmp/rails-verdict.rb")
    answers = [json.loads(line) for line in output.split("\n") if line.startswith("{")]
    assert len(answers) == len(asked), output[-2000:]
    return [(release, variables, answer) for (release, variables), answer in zip(cases(), answers)]


@pytest.fixture(scope="module")
def verdicts(lab: Lab) -> dict[str, list[Verdict]]:
    """What both hosts said, asked side by side."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(lab.hosts, pool.map(lambda host: _ask(lab, host), lab.hosts)))


def _predicted(release: str, variables: dict[str, str], net_smtp: str) -> dict[str, t.Any]:
    def played(one: Release) -> Era:
        era = era_of(one)
        return dataclasses.replace(era, net_smtp=net_smtp, mail="2.8.1" if era.mail == "2.8.0.1" else era.mail)

    original = model.era_of
    model.era_of = played
    try:
        found = model.effective(variables, Release.parse(release), variables.get("LOCAL_DOMAIN", ""))
    finally:
        model.era_of = original
    return {**found.as_dict(), "late": found.error is not None and found.error.late}


def _settings(relay: dict[str, t.Any] | None, expected: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """A relay's settings to compare: nil is absent, and Rails' own time-outs do not count unless they are predicted."""
    if relay is None:
        return None
    kept = {key: value for key, value in relay["settings"].items() if value is not None}
    for key in BY_RAILS:
        if expected and expected["settings"].get(key) is None:
            kept.pop(key, None)
    return {**kept, "login_set": relay["login_set"], "password_set": relay["password_set"]}


def _text(value: t.Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _said(answer: dict[str, t.Any], expected: dict[str, t.Any]) -> dict[str, t.Any]:
    """Rails' answer in the words of the prediction."""
    real = answer["answer"]
    assert real is not None, answer["printed"]
    if "boot" in real:
        return {"error": (real["boot"][0][0], "boot")}
    assert "failure" not in real, real
    failed = next((one for one in (real["rehearsals"].get("main"), real["rehearsals"].get("bulk")) if one), None)
    if answer["method_error"]:
        failed = {"chain": [{"class": answer["method_error"]}], "stage": "build"}
    said: dict[str, t.Any] = {
        "error": (failed["chain"][0]["class"], failed["stage"]) if failed else None,
        "headers": [real[name] for name in ("delivery_method", "from", "reply_to", "return_path")],
        "sessions": [(one["tls"], one["auth"], one["verify"]) for one in answer["seen"]],
    }
    for name in ("main", "bulk"):
        said[name] = _settings(real["relays"].get(name), expected[name])
    return said


def _expected(expected: dict[str, t.Any]) -> dict[str, t.Any]:
    error = expected["error"]
    if error and error["stage"] == "boot":
        return {"error": (error["class"], "boot")}
    sessions: list[tuple[str, ...]] | None = []
    if expected["late"] or (error and not error["message"].startswith("bulk relay: ")):
        sessions = None  # whether the bulk relay is refused as well is not part of the prediction
    else:
        for name in ("main", "bulk"):
            if expected[name] and expected["delivery_method"] == "smtp" and not (error and name == "bulk"):
                sessions.append(tuple(expected[name][mode] for mode in ("tls_mode", "auth_mode", "verify_mode")))
    return {
        "error": UNSEEN if expected["late"] else (error["class"], error["stage"]) if error else None,
        # The report has headers as text, whatever YAML made of them.
        "headers": [_text(expected[name]) for name in ("delivery_method", "from", "reply_to", "return_path")],
        "sessions": sessions,
        "main": _settings(expected["main"], expected["main"]),
        "bulk": _settings(expected["bulk"], expected["bulk"]),
    }


@pytest.mark.parametrize("host", Lab.hosts)
def test_rails_does_what_we_predict(host: str, verdicts: dict[str, list[Verdict]]) -> None:
    answers = verdicts[host]
    versions = next(
        one["answer"]["versions"] for *_unused, one in answers if one["answer"] and "versions" in one["answer"]
    )
    net_smtp = "0.3" if versions["net_smtp"].startswith("0.3") else "0.5"
    wrong, outcomes = [], collections.Counter()
    for release, variables, answer in answers:
        expected = _predicted(release, variables, net_smtp)
        said, predicted = _said(answer, expected), _expected(expected)
        if predicted.get("sessions", []) is None:
            said["sessions"] = None
        if predicted["error"] == UNSEEN and (said["error"] or ("", "build"))[1] == "build":
            said["error"] = UNSEEN
        if said["error"] == ("Psych::BadAlias", "boot") and versions["ruby"].startswith("3.1"):
            said["error"] = ("Psych::AnchorNotDefined", "boot")  # its child, since Psych 5
        outcomes[(release, said["error"][1] if said["error"] else "sends")] += 1
        if said != predicted:
            differing = {
                key: (predicted.get(key), said.get(key)) for key in predicted if predicted.get(key) != said.get(key)
            }
            wrong.append(f"{release} {variables}\n    predicted, said: {differing}")
    assert not wrong, f"{len(wrong)} of {len(answers)} wrong with {versions}:\n" + "\n".join(wrong[:12])
    assert len(answers) >= 200
    for release in RELEASES.values():  # neither all refused nor all accepted
        assert outcomes[(release, "sends")] >= 3, outcomes
        assert outcomes[(release, "build")] + outcomes[(release, "boot")] >= 3, outcomes


def test_every_era_is_asked() -> None:
    assert {name: era_of(Release.parse(release)).name for name, release in RELEASES.items()} == {
        era.name: era.name for era in ERAS
    }

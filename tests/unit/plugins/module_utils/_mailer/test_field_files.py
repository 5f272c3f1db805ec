# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shapes of .env.production from public guides, scripts and threads: what a person must be told of each, and no more.

The shapes are rewritten: names and secrets are made up. Each is read as Ruby reads it, as in instance_info and
smtp_adopt.
"""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import decode, values
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import layers
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.adopt import Adopted, adopt
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import presets

FROM = "SMTP_FROM_ADDRESS=notifications@social.example"
LOGIN = "SMTP_LOGIN=masto@social.example\nSMTP_PASSWORD=Xk93hdmQw7"
RELAY = f"SMTP_SERVER=smtp.relay.example\nSMTP_PORT=587\n{LOGIN}\n{FROM}"
PLAIN = "SMTP_AUTH_METHOD=plain"
NONE = "SMTP_OPENSSL_VERIFY_MODE=none"
PEER = "SMTP_OPENSSL_VERIFY_MODE=peer"
MAILGUN = f"SMTP_SERVER=smtp.mailgun.org\nSMTP_PORT=587\n{LOGIN}\n{FROM}"
SES = "email-smtp.eu-west-1.amazonaws.com"

#: Row of the reports, release, file -> codes; "stop:" stands for an error that a rollout would stop at.
FILES: tuple[tuple[str, str, str, str], ...] = (
    ("f01", "4.2.10", f"{RELAY}\n{PLAIN}\n{NONE}", "stop:verify-off"),
    ("f02", "4.3.4", f"{RELAY}\n{PLAIN}\n{PEER}\nSMTP_ENABLE_STARTTLS=auto", ""),
    ("f03", "4.1.2", RELAY.replace(FROM, "SMTP_FROM_ADDRESS='notifications@social.example"), "env-quote-open"),
    ("f03 at the end", "4.1.2", f'{RELAY}"', "env-quote-open adopt-unusable"),
    ("f04", "4.2.10+hometown-1.1.1", f"{RELAY}\n{PLAIN}\n{NONE}", "stop:verify-off"),
    ("f06", "4.2.8", f"{RELAY}\nSMTP_SSL=true".replace("587", "465"), ""),
    ("f07", "4.4.5", f"{RELAY}\nSMTP_SSL=true".replace("smtp.relay.example", "email-smtp.amazonaws.com")
     .replace("587", "465"), "stop:host-unknown"),
    ("f08", "4.0.2", f"{RELAY}\n{PLAIN}".replace("smtp.relay.example", SES), ""),
    ("f09", "4.3.2", f"{RELAY}\n{NONE}\nSMTP_ENABLE_STARTTLS=auto", "stop:verify-off"),
    ("f10", "4.0.2", f"{RELAY}\n{NONE}\n".replace("Xk93hdmQw7", "abcd efgh ijkl mnop")
     .replace("=notifications@social.example", "=Social <notifications@social.example>"), "stop:verify-off"),
    ("f11", "4.1.2", f"{RELAY}\n{NONE}\nSMTP_SSL=true\nSMTP_TLS=true".replace("587", "465"), "stop:verify-off"),
    ("f12", "4.0.2", f"{RELAY}\n{NONE} # \u9a8c\u8bc1\nSMTP_ENABLE_STARTTLS_AUTO=true # \u52a0\u5bc6",
     "stop:verify-off"),
    ("f13", "4.2.0", "\n".join(" " * 14 + one for one in f"{RELAY}\n{PLAIN}\n{NONE}".split("\n")), "stop:verify-off"),
    ("f14", "4.0.2", f"{RELAY}\n{NONE}\nSMTP_SSL=true".replace("587", "465"), "stop:verify-off"),
    ("f15", "4.1.0", f"{RELAY}\nSMTP_TLS=false", ""),
    ("f16", "4.3.0", f"{RELAY}\n{NONE}\nSMTP_SSL=true\nSMTP_TLS=false".replace("587", "465"), "stop:verify-off"),
    ("f17", "4.4.0", f"{RELAY}\nSMTP_TLS=true\nSMTP_CA_FILE=/etc/ssl/certs/ca-certificates.crt".replace("587", "465"),
     ""),
    ("f18", "4.5.0", f"{RELAY}\n{NONE}\nSMTP_ENABLE_STARTTLS=auto", "stop:verify-off"),
    ("f19", "4.1.4", "SMTP_SERVER=localhost\nSMTP_PORT=25\nSMTP_LOGIN=\nSMTP_PASSWORD=\nSMTP_AUTH_METHOD=none\n"
     "SMTP_OPENSSL_VERIFY_MODE=none\nSMTP_FROM_ADDRESS=", "adopt-unusable"),
    ("f20", "4.2.9", RELAY.replace("Xk93hdmQw7", "AReallyGo0Dpas$word"), "env-secret-altered"),
    ("f21", "4.5.2", "SMTP_DELIVERY_METHOD=file", "delivery-off adopt-unusable"),
    ("f22", "4.3.8", RELAY.replace("=Xk93", "= Xk93"), ""),
    ("f23", "4.3.8", f"{RELAY}\nSMTP_AUTH_METHOD=AUTH LOGIN".replace("notifications@", ""), "adopt-unusable"),
    ("f24", "4.3.8", f"{RELAY}\nSMTP_DOMAIN=@gmail.com", "stop:helo-invalid"),
    ("f25", "4.3.8", f"SMTP_SERVER=localhost\nSMTP_PORT=25\nSMTP_LOGIN=\nSMTP_PASSWORD=\n{FROM}\n"
     "SMTP_AUTH_METHOD=none\nSMTP_ENABLE_STARTTLS=never", ""),
    ("f25b", "4.4.3", f"SMTP_SERVER=localhost\nSMTP_PORT=25\nSMTP_LOGIN=\nSMTP_PASSWORD=\n{FROM}\n"
     "SMTP_ENABLE_STARTTLS=never", "credential-blank"),
    ("f26", "4.1.0", f"{RELAY}\nSMTP_TLS=true", "stop:port-contradicts-tls"),
    ("f27", "4.2.1", f"{RELAY}\n{NONE} # could be none or peer", "stop:verify-off"),
    ("f28", "4.2.1", f"{RELAY}\n```", ""),
    ("f29", "4.3.3", f"{RELAY}\nSMTP_DELIVERY_METHOD=sendmail", "settings-unused"),
    ("f30", "4.3.3", RELAY.replace("SMTP_SERVER", "SMTP_HOST"), "variable-unread"),
    ("f31", "4.5.1", f"SMTP_SERVER=localhost\nSMTP_PORT=25\n{FROM}\nSMTP_AUTH_METHOD=none\nSMTP_ENABLE_STARTTLS=never\n"
     "SMTP_OPENSSL_VERIFY_MODE=none", ""),
    ("f32", "4.3.1", f"{RELAY}\n{NONE}\nSMTP_TLS=true\nSMTP_SSL=true".replace("587", "465"), "stop:verify-off"),
    ("f33", "3.5.3", f"{RELAY}\n{NONE}\nSMTP_TLS=true".replace("smtp.relay.example", "smtp-relay.sendinblue.com"),
     "stop:port-contradicts-tls stop:verify-off"),
    ("f34", "4.0.2", f"{RELAY}\n{NONE}\nSMTP_SSL=true\nSMTP_TLS=true".replace("587", "465"), "stop:verify-off"),
    ("f36", "4.3.3", f"{RELAY}\nSMTP_ENABLE_STARTTLS_AUTO=true # a long comment, with 'quotes' and $words # and more",
     ""),
    ("f37", "4.3.3", f"{RELAY}\nSMTP_ENABLE_STARTTLS_AUTO=true\n".replace("\n", "\r\n"), ""),
    ("f38", "4.3.3", f"\ufeff{RELAY}\nSMTP_ENABLE_STARTTLS_AUTO=true", ""),
    ("f39", "4.3.0", f"{RELAY}\nSMTP_DOMAIN=social.example", ""),
    ("f40", "4.0.2", f"{RELAY}\nSMTP_ENABLE_STARTTLS=auto", ""),
    ("f41", "4.2.9", f"SMTP_SERVER=old.example\nSMTP_PORT=25\n{RELAY}", ""),
    ("f42", "4.3.3", f"{RELAY}\nSMTP_DOMAIN=", "helo-blank"),
    ("f44",
     "4.6.0-alpha.1+glitch", f"{RELAY}\n{NONE}".replace(FROM, 'SMTP_FROM_ADDRESS="Example, Inc. <a@social.example>"'),
     "stop:address-name-unquoted stop:verify-off"),
    ("g01", "4.3.8", RELAY.replace("Xk93hdmQw7", "AReallyGo0Dpas$word"), "env-secret-altered"),
    ("g02", "4.3.8", RELAY.replace("Xk93hdmQw7", "Abc123#Def456"), "env-secret-altered"),
    ("g05", "4.3.8", RELAY.replace("Xk93hdmQw7", "BAbc+/Def456=="), ""),
    ("g06", "4.3.8", RELAY.replace("Xk93hdmQw7", "Abc123 #Def456"), "env-secret-altered"),
    ("g07", "4.3.8", RELAY.replace("Xk93hdmQw7", "Abc$(id)Def"), "env-command-runs"),
    ("g09", "4.3.8", RELAY.replace("587", "587 # STARTTLS"), ""),
    # Other cases of the kinds.
    ("blank password", "4.5.3", RELAY.replace("Xk93hdmQw7", ""), "credential-blank stop:password-not-given"),
    ("blank bulk login", "4.5.3", f"{RELAY}\nBULK_SMTP_SERVER=b.example\nBULK_SMTP_LOGIN=\nBULK_SMTP_PASSWORD=",
     "credential-blank"),
    ("blank bulk login, no bulk relay", "4.5.3", f"{RELAY}\nBULK_SMTP_LOGIN=\nBULK_SMTP_PASSWORD=", ""),
    ("blank login, 4.4.0",
     "4.4.0", f"SMTP_SERVER=localhost\nSMTP_PORT=25\nSMTP_LOGIN=\nSMTP_PASSWORD=\n{FROM}\nSMTP_AUTH_METHOD=none",
     ""),
    ("blank HELO name, 4.5", "4.5.3", f"{RELAY}\nSMTP_DOMAIN=", "helo-blank"),
    ("a typing mistake", "4.5.3", f"{RELAY}\nSMTP_AUTH_METOD=plain", "variable-unread"),
    ("SMTP_USERNAME", "4.5.3", RELAY.replace("SMTP_LOGIN", "SMTP_USERNAME"), "variable-unread adopt-unusable"),
    ("SMTP_USER too", "4.5.3", f"{RELAY}\nSMTP_USER=masto@social.example", "variable-unread"),
    ("mail in memory", "4.2.9", f"{RELAY}\nSMTP_DELIVERY_METHOD=test", "delivery-off settings-unused adopt-unusable"),
    ("sendmail alone", "4.5.3", f"SMTP_DELIVERY_METHOD=sendmail\n{FROM}", ""),
    ("a WorkMail host without its region", "4.5.3", RELAY.replace("smtp.relay.example", "smtp.mail.awsapps.com"),
     "stop:host-unknown"),
    ("another port than the standard", "4.2.8", f"{RELAY}\nSMTP_TLS=true", "stop:port-contradicts-tls"),
)  # fmt: skip


def read(text: str, release: str) -> tuple[Adopted, list[Finding]]:
    file = layers.EnvFile("/live/.env.production", f"LOCAL_DOMAIN=social.example\n{text}\n".encode())
    decode(file.data)
    seen = values(file.data, "ruby", {})
    adopted, findings = adopt(seen, release, "social.example", layers.mail_variables(seen), presets())
    return adopted, [*layers.misread(file, ["ruby"], seen), *findings]


def code(one: Finding) -> str:
    stopped = re.search(r" \[([a-z0-9-]+)\]$", one.message)
    return f"stop:{stopped[1]}" if stopped else one.code


@pytest.mark.parametrize(("release", "text", "codes"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_what_is_told_of_a_file_from_the_field(release: str, text: str, codes: str) -> None:
    adopted, findings = read(text, release)
    told = {code(one) for one in findings if one.severity != "info"}
    assert told == set(codes.split()), [one.sentence() for one in findings]
    secrets: t.Iterable[str] = re.findall(r"PASSWORD= ?(\S{6,})", text)
    assert not any(secret in one.sentence() for secret in secrets for one in findings)
    assert "Xk93" not in repr(adopted)


def test_a_name_that_nothing_reads_leads_to_the_right_one() -> None:
    told = {one.subject: one for one in read(RELAY.replace("SMTP_SERVER", "SMTP_HOST"), "4.5.3")[1]}
    assert told["SMTP_HOST"].message.endswith("; it reads SMTP_SERVER, which is not set.")
    assert told["SMTP_HOST"].fix.startswith("Rename it to SMTP_SERVER")
    told = {one.subject: one for one in read(f"{RELAY}\nSMTP_HOST=x\nSMTP_AUTH_METOD=plain", "4.5.3")[1]}
    assert told["SMTP_HOST"].message.endswith("; it reads SMTP_SERVER.")
    assert told["SMTP_HOST"].fix.startswith("Remove the line")
    assert told["SMTP_AUTH_METOD"].message.endswith("; did you mean SMTP_AUTH_METHOD?")


def test_a_blank_login_is_adopted_as_no_login() -> None:
    text = f"SMTP_SERVER=localhost\nSMTP_PORT=25\nSMTP_LOGIN=\nSMTP_PASSWORD=\n{FROM}\nSMTP_ENABLE_STARTTLS=never"
    adopted, findings = read(text, "4.4.3")
    assert adopted.settings["auth"] == "none" and "login" not in adopted.settings and adopted.secrets == {}
    (blank,) = [one for one in findings if one.code == "credential-blank"]
    assert "4.4.3 logs in with an empty user name" in blank.message and "SMTP_AUTH_METHOD=none" in blank.fix


@pytest.mark.parametrize("release", ["4.2.8", "4.3.8", "4.4.5", "4.5.3"])
def test_what_is_only_written_in_another_way_is_one_info(release: str) -> None:
    found = read(f"{RELAY}\nSMTP_SSL=true".replace("587", "465"), release)[1]
    assert [(one.code, one.severity) for one in found] == [("adopt-rewrites", "info")]


def test_a_file_of_compose_is_read_as_compose_reads_it() -> None:  # f27b
    text = f"{RELAY}\n{NONE} # could be none or peer\nSMTP_ENABLE_STARTTLS_AUTO=true # or false"
    file = layers.EnvFile("/srv/.env.production", f"LOCAL_DOMAIN=social.example\n{text}\n".encode())
    seen = values(file.data, "compose", {})
    findings = adopt(seen, "4.4.0", "social.example", layers.mail_variables(seen), presets())[1]
    assert {code(one) for one in findings if one.severity != "info"} == {"stop:verify-off"}
    assert layers.misread(file, ["compose"], seen) == []


def test_an_export_without_a_value_is_refused_by_the_newest_gem() -> None:  # f05
    with pytest.raises(FindingError, match="env-file-refused"):
        read("export SMTP_LOGIN=", "4.4.5")


def test_an_export_without_a_value_is_adopted_where_the_installed_gem_reads_it() -> None:  # f05
    text = f"#!/bin/sh\nexport SMTP_SERVER=localhost\nexport SMTP_PORT=25\nexport SMTP_LOGIN=\nexport {FROM}\n"
    file = layers.EnvFile("/live/.env.production", text.encode())
    seen = values(file.data, "ruby-2.8", {})  # Gemfile.lock of 4.2.0: dotenv 2.8.1
    adopted, findings = adopt(seen, "4.2.0", "social.example", layers.mail_variables(seen), presets())
    assert (adopted.settings["host"], adopted.settings["auth"]) == ("localhost", "none")
    assert [one.code for one in findings if one.severity == "error"] == []
    assert layers.misread(file, ["ruby-2.8", "node"], seen) == []

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay of the lab asks for what it says it asks for."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
import typing as t

import pytest
from harness import CHECKOUT, Lab, run

CA = CHECKOUT / ".work" / "lab" / "ca.pem"
TEXT = "Subject: from the tests of the lab\n\nx\n"


@pytest.fixture(scope="module")
def address(lab: Lab) -> str:
    assert lab.variables
    done = run(str(CHECKOUT / "script/lab"), "status")
    return next(line.split()[1] for line in done.output.splitlines() if line.startswith("relay"))


class Trusting(smtplib.SMTP):
    """Connects to an address and checks the certificate for the relay's name, as if DNS knew it."""

    def __init__(self, address: str, port: int, name: str = "smtp.relay.test") -> None:
        super().__init__(address, port, timeout=20, local_hostname="tests.test")
        self._host = name


@contextlib.contextmanager
def submission(address: str, port: int = 587, name: str = "smtp.relay.test") -> t.Iterator[smtplib.SMTP]:
    with Trusting(address, port, name) as session:
        session.starttls(context=ssl.create_default_context(cafile=str(CA)))
        yield session


@pytest.mark.parametrize("port", [587, 2525])
def test_submission_wants_tls_before_anything_else(address: str, port: int) -> None:
    with smtplib.SMTP(address, port, timeout=20) as session:
        session.ehlo()
        assert session.has_extn("starttls")
        assert not session.has_extn("auth")
        assert session.mail("notifications@masto1.test")[0] == 530


def test_submission_wants_a_login(address: str) -> None:
    with submission(address) as session:
        session.ehlo()
        assert set(session.esmtp_features["auth"].split()) >= {"PLAIN", "LOGIN", "CRAM-MD5"}
        session.mail("notifications@masto1.test")
        assert session.rcpt("admin@example.com")[0] in (530, 553, 554)


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login", "auth_cram_md5"])
def test_every_mechanism_accepts_the_awkward_password(lab: Lab, address: str, mechanism: str) -> None:
    password = lab.password("masto1")
    assert {"#", "$", " ", '"'} <= set(password)
    with submission(address) as session:
        session.ehlo()
        session.user, session.password = lab.variables["masto1"]["mastodon_smtp_login"], password
        name = mechanism.removeprefix("auth_").upper().replace("_", "-")
        assert session.auth(name, getattr(session, mechanism))[0] == 235


def test_a_wrong_password_is_refused(lab: Lab, address: str) -> None:
    with submission(address) as session, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        session.login(lab.variables["masto1"]["mastodon_smtp_login"], "wrong")
    assert refused.value.smtp_code == 535


def test_a_mailbox_password_sends_no_mail(address: str, mailboxes: t.Any) -> None:
    with submission(address) as session, pytest.raises(smtplib.SMTPAuthenticationError):
        session.login("admin@example.com", mailboxes._where["password"])


@pytest.mark.parametrize(
    ("sender", "recipient", "code"),
    [
        ("notifications@masto1.test", "admin@example.com", 250),
        ("bounces@masto1.test", "admin@example.com", 250),
        ("notifications@masto2.test", "admin@example.com", 553),
        ("somebody@elsewhere.test", "admin@example.com", 553),
        ("notifications@masto1.test", "refused@example.com", 550),
        ("notifications@masto1.test", "nosuchuser@example.com", 550),
        ("notifications@masto1.test", "busy@example.com", 450),
        ("notifications@masto1.test", "far@away.test", 250),
    ],
)
def test_a_login_sends_as_itself_and_recipients_answer(
    lab: Lab, address: str, sender: str, recipient: str, code: int
) -> None:
    with submission(address) as session:
        session.login(lab.variables["masto1"]["mastodon_smtp_login"], lab.password("masto1"))
        session.mail(sender)
        assert session.rcpt(recipient)[0] == code


def test_implicit_tls(lab: Lab, address: str) -> None:
    context = ssl.create_default_context(cafile=str(CA))
    context.check_hostname = False  # the session goes to the address; the name is tested with STARTTLS
    with smtplib.SMTP_SSL(address, 465, timeout=20, context=context) as session:
        assert session.login(lab.variables["masto2"]["mastodon_smtp_login"], lab.password("masto2"))[0] == 235


def test_port_25_takes_mail_for_its_own_and_relays_nothing(address: str) -> None:
    with smtplib.SMTP(address, 25, timeout=20) as session:
        session.ehlo()
        assert not session.has_extn("auth")
        session.mail("anybody@elsewhere.test")
        assert session.rcpt("admin@example.com")[0] == 250
        assert session.rcpt("far@away.test")[0] == 554


def test_the_certificate_is_good_for_one_name_and_one_ca_only(address: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="match"), submission(address, name="mx.relay.test"):
        pass
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self.signed"), submission(address, 10587):
        pass


@pytest.mark.parametrize("host", Lab.hosts)
def test_hosts_know_the_relay_by_name_and_trust_it(lab: Lab, host: str) -> None:
    program = """
import smtplib, ssl
session = smtplib.SMTP("smtp.relay.test", 587, timeout=20)
session.starttls(context=ssl.create_default_context(cafile="/etc/ssl/certs/ca-certificates.crt"))
print(session.ehlo()[0], smtplib.SMTP("mx.relay.test", 25, timeout=20).ehlo()[0])
"""
    assert lab.ssh(host, "python3 -", stdin=program).split() == ["250", "250"]

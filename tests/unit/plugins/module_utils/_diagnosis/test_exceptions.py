# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python's own exceptions, raised for real by smtplib and ssl against a scripted server on loopback."""

# The scripted dialogues are defined below the tables that use them.
# pylint: disable=unnecessary-lambda

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.diagnose import diagnose
from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.exceptions import from_exception, from_reply
from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.model import Context, Stage

Answers = dict[str, str]
HELLO = {"": "220 relay", "EHLO": "250-relay\r\n250 AUTH PLAIN"}


@contextlib.contextmanager
def relay(answers: Answers, *, hold: float = 0.0) -> t.Iterator[int]:
    """A relay on loopback that answers each verb as told, then hangs up at the first one it was not told about.

    The answer to "" is the greeting; without it the relay waits C(hold) seconds in silence and hangs up.
    """
    server = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()
    clients: list[socket.socket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            client, _unused = server.accept()
            clients.append(client)
            with client, client.makefile("rwb") as stream:
                if "" not in answers:
                    done.wait(hold)
                    return
                stream.write(f"{answers['']}\r\n".encode())
                stream.flush()
                for line in stream:
                    answer = answers.get(line.split()[0].decode("latin-1").upper() if line.split() else "?")
                    if answer is None:
                        return
                    stream.write(f"{answer}\r\n".encode())
                    stream.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        done.set()
        server.close()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def failing(run: t.Callable[[], t.Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        run()
    return caught.value


def connect(port: int, timeout: float = 5.0) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port, "probe.example", timeout=timeout)


def login(port: int, password: str = "wrong") -> None:
    smtp = connect(port)
    smtp.ehlo()
    smtp.user, smtp.password = "me", password
    smtp.auth("PLAIN", smtp.auth_plain)


@pytest.mark.parametrize(
    ("answers", "run", "stage", "code"),
    [
        ({"": "421 4.3.2 later"}, connect, "banner", "relay-busy"),
        ({"": "554 5.7.1 no"}, connect, "banner", "greeting-refused"),
        ({}, connect, "banner", "relay-hung-up"),
        ({**HELLO, "STARTTLS": "454 4.7.0 no"}, lambda port: starttls(port), "starttls", "starttls-not-offered"),
        (
            {"": "220 r", "EHLO": "250-r\r\n250 STARTTLS", "STARTTLS": "454 4.7.0 no"},
            lambda port: starttls(port),
            "starttls",
            "starttls-refused",
        ),
        ({**HELLO, "AUTH": "535 5.7.8 no"}, login, "auth", "login-refused"),
        ({**HELLO, "AUTH": "534 5.7.9 no"}, login, "auth", "login-mechanism-too-weak"),
        ({**HELLO, "AUTH": "454 4.7.0 no"}, login, "auth", "login-temporary"),
        (HELLO, login, "auth", "relay-hung-up"),
        (HELLO, lambda port: login(port, "pässwort"), "auth", "credentials-not-ascii"),
        ({"": "220 r", "EHLO": "250 r"}, lambda port: connect(port).login("a", "b"), "auth", "login-not-offered"),
        (
            {"": "220 r", "EHLO": "250-r\r\n250 AUTH GSSAPI"},
            lambda port: connect(port).login("a", "b"),
            "auth",
            "login-mechanism-not-offered",
        ),
        (
            {**HELLO, "MAIL": "250 ok", "RCPT": "550 5.1.1 who", "RSET": "250 ok"},
            lambda port: connect(port).sendmail("a@b.example", ["c@d.example"], "x"),
            "rcpt",
            "recipient-refused",
        ),
        (
            {**HELLO, "MAIL": "550 5.1.8 no such domain", "RSET": "250 ok"},
            lambda port: connect(port).sendmail("a@b.example", ["c@d.example"], "x"),
            "mail",
            "sender-domain-bad",
        ),
        ({"": "220 plain text"}, lambda port: implicit(port), "tls", "tls-on-plaintext-port"),
    ],
)
def test_smtplib(answers: Answers, run: t.Callable[[int], t.Any], stage: Stage, code: str) -> None:
    with relay(answers) as port:
        error = failing(lambda: run(port))
    assert diagnose(from_exception(stage, error), Context(host="127.0.0.1", port=587, tls="starttls")).code == code


def starttls(port: int) -> None:
    smtp = connect(port)
    smtp.ehlo()
    smtp.starttls(context=ssl.create_default_context())


def implicit(port: int, timeout: float = 5.0) -> smtplib.SMTP_SSL:
    return smtplib.SMTP_SSL("127.0.0.1", port, "probe.example", timeout=timeout, context=ssl.create_default_context())


@pytest.mark.parametrize(
    ("run", "stage", "context", "code"),
    [
        (connect, "banner", Context(port=465, tls="starttls"), "plaintext-on-tls-port"),
        (connect, "banner", Context(port=587, tls="starttls"), "relay-silent"),
        (implicit, "tls", Context(port=465, tls="implicit"), "relay-silent"),
        (implicit, "tls", Context(port=587, tls="implicit"), "tls-on-plaintext-port"),
    ],
)
def test_a_relay_that_says_nothing(
    run: t.Callable[[int, float], t.Any], stage: Stage, context: Context, code: str
) -> None:
    with relay({}, hold=20) as port:
        error = failing(lambda: run(port, 0.3))
    assert diagnose(from_exception(stage, error), context).code == code


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    failure = from_exception("connect", failing(lambda: connect(port)))
    assert "Errno::ECONNREFUSED" in failure.classes
    assert diagnose(failure, Context(host="192.0.2.1", port=port)).code == "relay-connection-refused"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (socket.gaierror(-2, "Name or service not known"), "relay-name-unknown"),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "name-resolution-failed"),
        (OSError(101, "Network is unreachable"), "relay-unreachable"),
        (OSError(113, "No route to host"), "relay-unreachable"),
        (socket.timeout("timed out"), "relay-connect-timeout"),
        (OSError(110, "Connection timed out"), "relay-connect-timeout"),
        (FileNotFoundError(2, "No such file or directory"), "ca-file-missing"),
        (ConnectionResetError(104, "Connection reset by peer"), "relay-reset"),
    ],
)
def test_what_the_system_says(error: OSError, code: str) -> None:
    assert diagnose(from_exception("connect", error), Context(host="192.0.2.1", port=587)).code == code


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (9, "certificate-not-yet-valid"),
        (10, "certificate-expired"),
        (18, "certificate-untrusted"),
        (19, "certificate-untrusted"),
        (20, "certificate-untrusted"),
        (62, "certificate-wrong-name"),
        (64, "certificate-wrong-name"),
        (23, "certificate-refused"),
    ],
)
def test_certificates_are_told_apart_by_number(number: int, code: str) -> None:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    error.verify_code = number
    assert diagnose(from_exception("tls", error)).code == code


@pytest.mark.parametrize("text", ["TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SIGNATURE_TYPE", "UNSUPPORTED_PROTOCOL"])
def test_a_relay_with_old_tls(text: str) -> None:
    assert diagnose(from_exception("tls", ssl.SSLError(1, f"[SSL: {text}]"))).code == "tls-versions-differ"


def test_causes_are_followed_and_the_password_is_not_quoted() -> None:
    def login() -> None:
        try:
            "gehéim".encode("ascii")
        except UnicodeEncodeError as inner:
            raise RuntimeError("login") from inner

    failure = from_exception("auth", failing(login))
    assert failure.classes == ("RuntimeError", "UnicodeEncodeError")
    assert "gehéim" not in diagnose(failure).message
    assert "geh" not in from_exception("auth", failing(lambda: "gehéim".encode("ascii"))).message


def test_a_reply_of_many_lines() -> None:
    failure = from_reply("auth", 534, b"5.7.9 Application-specific password required.\n5.7.9 Learn more at x")
    assert (failure.code, failure.enhanced) == (534, "5.7.9")
    assert diagnose(failure).code == "app-password-needed"

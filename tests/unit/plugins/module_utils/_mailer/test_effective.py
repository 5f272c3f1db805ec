# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sections 3.2 to 3.4 of what is known about Mastodon's mail variables, cell by cell: row of the table - release."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.effective import Effective, effective
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import BULK, MAIN
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import Release, era_of
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.variables import VARIABLES

LOCAL = "social.example.org"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

#: The columns of section 3.2, each by releases at both of its ends.
COLUMNS = {
    "3.4": ["3.4.0", "3.4.10"],
    "3.5": ["3.5.0", "3.5.19"],
    "4.0-4.3": ["4.0.0", "4.0.15", "4.1.0", "4.1.25", "4.2.0", "4.2.29", "4.3.0", "4.3.23"],
    "4.4.0": ["4.4.0"],
    "4.4": ["4.4.1", "4.4.22"],
    "4.5": ["4.5.0-rc.2", "4.5.0", "4.6.5"],
}
ALL = tuple(COLUMNS)
BEFORE_YAML = ("3.4", "3.5", "4.0-4.3")
YAML = ("4.4.0", "4.4", "4.5")
ABSENT = object()


def used(variables: dict[str, str], release: str) -> Effective:
    return effective(variables, Release.parse(release), LOCAL)


def setting(variables: dict[str, str], release: str, key: str) -> t.Any:
    """One setting of the main relay as Rails has it; the same rule must hold for the bulk relay where there is one."""
    found = used(variables, release)
    assert found.main is not None, found.error
    value = found.main.settings.get(key, ABSENT)
    bulk_variables = {"BULK_SMTP_SERVER": "bulk.example.com"}
    bulk_variables.update({f"BULK_{name}": text for name, text in variables.items()})
    bulk = used(bulk_variables, release).bulk
    if Release.parse(release) < Release.parse("4.4.0"):
        assert bulk is None
    elif key != "address":
        assert bulk is not None
        assert bulk.settings.get(key, ABSENT) == value
    return value


# (row, columns, variables, key, value)
SETTINGS: list[tuple[str, t.Iterable[str], dict[str, str], str, t.Any]] = [
    ("SERVER", ALL, {"SMTP_SERVER": "smtp.example.com"}, "address", "smtp.example.com"),
    ("SERVER unset", ALL, {}, "address", None),
    ("SERVER numeric", (*BEFORE_YAML, "4.4", "4.5"), {"SMTP_SERVER": "0123"}, "address", "0123"),
    ("SERVER numeric", ("4.4.0",), {"SMTP_SERVER": "0123"}, "address", 83),
    ("PORT", BEFORE_YAML, {"SMTP_PORT": "587"}, "port", "587"),
    ("PORT", YAML, {"SMTP_PORT": "587"}, "port", 587),
    ("PORT unset", ALL, {}, "port", None),
    ("PORT with a comment", BEFORE_YAML, {"SMTP_PORT": "587 # x"}, "port", "587 # x"),
    ("PORT with a comment", YAML, {"SMTP_PORT": "587 # x"}, "port", 587),
    ("DOMAIN", ALL, {"SMTP_DOMAIN": "helo.example.com"}, "domain", "helo.example.com"),
    ("DOMAIN unset", ALL, {}, "domain", LOCAL),
    ("DOMAIN blank", BEFORE_YAML, {"SMTP_DOMAIN": ""}, "domain", ""),
    ("DOMAIN blank", YAML, {"SMTP_DOMAIN": ""}, "domain", None),
    ("AUTH_METHOD none", ALL, {"SMTP_AUTH_METHOD": "none"}, "authentication", None),
    ("AUTH_METHOD unset", ALL, {}, "authentication", "plain"),
    ("AUTH_METHOD blank", BEFORE_YAML, {"SMTP_AUTH_METHOD": ""}, "authentication", ""),
    ("AUTH_METHOD blank", YAML, {"SMTP_AUTH_METHOD": ""}, "authentication", "plain"),
    ("AUTH_METHOD null", BEFORE_YAML, {"SMTP_AUTH_METHOD": "null"}, "authentication", "null"),
    ("AUTH_METHOD null", YAML, {"SMTP_AUTH_METHOD": "null"}, "authentication", "plain"),
    ("AUTH_METHOD ~", YAML, {"SMTP_AUTH_METHOD": "~"}, "authentication", "plain"),
    ("CA_FILE", ALL, {"SMTP_CA_FILE": "/ca.pem"}, "ca_file", "/ca.pem"),
    ("CA_FILE unset", ("3.4",), {}, "ca_file", None),
    ("CA_FILE unset", ALL[1:], {}, "ca_file", BUNDLE),
    ("CA_FILE blank", ("3.4",), {"SMTP_CA_FILE": ""}, "ca_file", None),
    ("CA_FILE blank", ("3.5", "4.0-4.3"), {"SMTP_CA_FILE": ""}, "ca_file", BUNDLE),
    ("CA_FILE blank", YAML, {"SMTP_CA_FILE": ""}, "ca_file", None),
    ("VERIFY_MODE", ALL, {"SMTP_OPENSSL_VERIFY_MODE": "none"}, "openssl_verify_mode", "none"),
    ("VERIFY_MODE unset", ALL, {}, "openssl_verify_mode", None),
    ("VERIFY_MODE no", YAML, {"SMTP_OPENSSL_VERIFY_MODE": "no"}, "openssl_verify_mode", False),
    ("VERIFY_MODE blank", YAML, {"SMTP_OPENSSL_VERIFY_MODE": ""}, "openssl_verify_mode", None),
    ("VERIFY_MODE 0", YAML, {"SMTP_OPENSSL_VERIFY_MODE": "0"}, "openssl_verify_mode", 0),
    ("VERIFY_MODE off", YAML, {"SMTP_OPENSSL_VERIFY_MODE": "off"}, "openssl_verify_mode", False),
    *((f"{name} false", ("3.4",), {f"SMTP_{name}": "false"}, name.lower(), "false") for name in ("TLS", "SSL")),
    *((f"{name} false", ("3.5", "4.0-4.3"), {f"SMTP_{name}": "false"}, name.lower(), False) for name in ("TLS", "SSL")),
    *((f"{name} 1", ("3.5", "4.0-4.3"), {f"SMTP_{name}": "1"}, name.lower(), False) for name in ("TLS", "SSL")),
    *((f"{name} 1", YAML, {f"SMTP_{name}": "1"}, name.lower(), None) for name in ("TLS", "SSL")),
    *((f"{name} false", YAML, {f"SMTP_{name}": "false"}, name.lower(), None) for name in ("TLS", "SSL")),
    *((f"{name} true", ALL[1:], {f"SMTP_{name}": "true"}, name.lower(), True) for name in ("TLS", "SSL")),
    *((f"{name} blank", ALL, {f"SMTP_{name}": ""}, name.lower(), None) for name in ("TLS", "SSL")),
    ("STARTTLS_AUTO unset", ("3.4", "3.5", "4.0-4.3", "4.4.0", "4.4"), {}, "enable_starttls_auto", True),
    ("STARTTLS_AUTO", ("3.4",), {"SMTP_ENABLE_STARTTLS_AUTO": "false"}, "enable_starttls_auto", "false"),
    ("STARTTLS_AUTO", ("3.5", "4.0-4.3"), {"SMTP_ENABLE_STARTTLS_AUTO": "false"}, "enable_starttls_auto", False),
    ("STARTTLS_AUTO 0", ("3.5", "4.0-4.3"), {"SMTP_ENABLE_STARTTLS_AUTO": "0"}, "enable_starttls_auto", True),
    ("STARTTLS_AUTO", ("4.4.0", "4.4"), {"SMTP_ENABLE_STARTTLS_AUTO": "false"}, "enable_starttls_auto", True),
    ("STARTTLS_AUTO", ("4.5",), {"SMTP_ENABLE_STARTTLS_AUTO": "false"}, "enable_starttls", False),
    ("STARTTLS_AUTO key", ("4.5",), {"SMTP_ENABLE_STARTTLS_AUTO": "false"}, "enable_starttls_auto", ABSENT),
    (
        "STARTTLS_AUTO beside ENABLE_STARTTLS",
        ("4.0-4.3",),
        {"SMTP_ENABLE_STARTTLS_AUTO": "false", "SMTP_ENABLE_STARTTLS": "auto"},
        "enable_starttls_auto",
        True,
    ),
    ("STARTTLS", ("3.4", "3.5"), {"SMTP_ENABLE_STARTTLS": "always"}, "enable_starttls", ABSENT),
    ("STARTTLS always", ("4.0-4.3", "4.4.0", "4.4"), {"SMTP_ENABLE_STARTTLS": "always"}, "enable_starttls", True),
    ("STARTTLS never", ("4.0-4.3", "4.4.0", "4.4"), {"SMTP_ENABLE_STARTTLS": "never"}, "enable_starttls", False),
    ("STARTTLS auto", ("4.0-4.3", "4.4.0", "4.4"), {"SMTP_ENABLE_STARTTLS": "auto"}, "enable_starttls", None),
    ("STARTTLS yes", ("4.0-4.3", "4.4.0", "4.4"), {"SMTP_ENABLE_STARTTLS": "yes"}, "enable_starttls", None),
    ("STARTTLS always", ("4.5",), {"SMTP_ENABLE_STARTTLS": "always"}, "enable_starttls", "always"),
    ("STARTTLS never", ("4.5",), {"SMTP_ENABLE_STARTTLS": "never"}, "enable_starttls", False),
    ("STARTTLS auto", ("4.5",), {"SMTP_ENABLE_STARTTLS": "auto"}, "enable_starttls", "auto"),
    ("STARTTLS yes", ("4.5",), {"SMTP_ENABLE_STARTTLS": "yes"}, "enable_starttls", "auto"),
    ("STARTTLS beside TLS", ("4.5",), {"SMTP_TLS": "true"}, "enable_starttls", None),
    ("STARTTLS quoted false", ("4.5",), {"SMTP_ENABLE_STARTTLS": '"false"'}, "enable_starttls", False),
    ("timeouts", ("3.4", "3.5"), {}, "read_timeout", ABSENT),
    ("timeouts", YAML, {}, "read_timeout", 20),
]


def cells(rows: t.Iterable[tuple[t.Any, ...]]) -> t.Iterator[t.Any]:
    for row, columns, *rest in rows:
        for column in columns:
            for release in COLUMNS[column]:
                yield pytest.param(release, *rest, id=f"{row}-{release}")


@pytest.mark.parametrize(("release", "variables", "key", "value"), list(cells(SETTINGS)))
def test_3_2_setting(release: str, variables: dict[str, str], key: str, value: t.Any) -> None:
    found = setting(variables, release, key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("release", "timeout"), [("4.0.15", ABSENT), ("4.1.0", ABSENT), ("4.1.1", 20), ("4.2.0", 20), ("4.3.23", 20)]
)
def test_3_2_timeouts_of_4_0_to_4_3(release: str, timeout: t.Any) -> None:
    assert setting({}, release, "read_timeout") == timeout


#: (row, columns, SMTP_OPENSSL_VERIFY_MODE, whether the certificate is verified); on Ruby 3 and later.
VERIFY: list[tuple[str, t.Iterable[str], str | None, str]] = [
    ("unset", ALL, None, "peer"),
    ("peer", ALL, "peer", "peer"),
    ("none", ALL, "none", "none"),
    ("NONE", ALL, "NONE", "none"),
    ("blank", YAML, "", "peer"),
    ("0", YAML, "0", "none"),
    ("1", YAML, "1", "peer"),
    *((word, YAML, word, "peer") for word in ("false", "off", "no")),
]


@pytest.mark.parametrize(("release", "text", "mode"), list(cells(VERIFY)))
@pytest.mark.parametrize("tls", ["SMTP_TLS", "SMTP_SSL", ""])
def test_3_2_verify_mode(release: str, text: str | None, mode: str, tls: str) -> None:
    given = {} if text is None else {"SMTP_OPENSSL_VERIFY_MODE": text}
    main = used({**given, **({tls: "true"} if tls else {})}, release).main
    assert main is not None
    assert main.verify_mode == mode


@pytest.mark.parametrize("release", ["4.1.1", "4.3.0", "4.4.1", "4.6.5"])
def test_without_encryption_nothing_is_verified(release: str) -> None:
    main = used({"SMTP_ENABLE_STARTTLS": "never", "SMTP_OPENSSL_VERIFY_MODE": "peer"}, release).main
    assert main is not None
    assert (main.tls_mode, main.verify_mode) == ("none", "none")


#: (row, columns, login, password, login set, password set)
CREDENTIALS = [
    ("set", ALL, "user", "secret", True, True),
    ("unset", ALL, None, None, False, False),
    ("blank", (*BEFORE_YAML, "4.4.0"), "", "", False, False),
    ("blank", ("4.4", "4.5"), "", "", True, True),
    ("white space", BEFORE_YAML, " ", " ", False, False),
    ("null", ("4.4.0",), "null", "~", False, False),
    ("null", ("4.4", "4.5"), "null", "~", True, True),
    ("no", ("4.4.0",), "no", "false", False, False),
    ("number", ("4.4.0",), "0123", "0", True, True),
]


@pytest.mark.parametrize(("release", "login", "password", "login_set", "password_set"), list(cells(CREDENTIALS)))
def test_3_2_credentials(
    release: str, login: str | None, password: str | None, login_set: bool, password_set: bool
) -> None:
    given = {"SMTP_LOGIN": login, "SMTP_PASSWORD": password}
    main = used({name: text for name, text in given.items() if text is not None}, release).main
    assert main is not None
    assert (main.login_set, main.password_set) == (login_set, password_set)
    assert "user_name" not in main.settings
    assert "password" not in main.settings


#: (row, columns, variables, from, reply_to, return_path, delivery_method)
HEADERS = [
    ("defaults", ALL, {}, "notifications@localhost", None, None, "smtp"),
    (
        "set",
        ALL[1:],
        {
            "SMTP_FROM_ADDRESS": "Example <a@example.org>",
            "SMTP_REPLY_TO": "b@example.org",
            "SMTP_RETURN_PATH": "c@example.org",
            "SMTP_DELIVERY_METHOD": "sendmail",
        },
        "Example <a@example.org>",
        "b@example.org",
        "c@example.org",
        "sendmail",
    ),
    (
        "RETURN_PATH is not read",
        ("3.4",),
        {"SMTP_REPLY_TO": "b@example.org", "SMTP_RETURN_PATH": "c@example.org"},
        "notifications@localhost",
        "b@example.org",
        None,
        "smtp",
    ),
    (
        "numbers",
        ("4.4.0",),
        {"SMTP_FROM_ADDRESS": "0x1F", "SMTP_REPLY_TO": "12:30", "SMTP_RETURN_PATH": "off"},
        31,
        45000,
        None,
        "smtp",
    ),
    (
        "numbers",
        ("3.5", "4.0-4.3", "4.4", "4.5"),
        {"SMTP_FROM_ADDRESS": "0x1F", "SMTP_REPLY_TO": "12:30", "SMTP_RETURN_PATH": "off"},
        "0x1F",
        "12:30",
        "off",
        "smtp",
    ),
    (
        "a quoted name",
        (*BEFORE_YAML, "4.4", "4.5"),
        {"SMTP_FROM_ADDRESS": '"A, b: c" <a@b.example>'},
        '"A, b: c" <a@b.example>',
        None,
        None,
        "smtp",
    ),
    (
        "blank",
        BEFORE_YAML,
        {"SMTP_REPLY_TO": "", "SMTP_RETURN_PATH": " "},
        "notifications@localhost",
        None,
        None,
        "smtp",
    ),
    ("blank", YAML, {"SMTP_REPLY_TO": "", "SMTP_RETURN_PATH": ""}, "notifications@localhost", None, None, "smtp"),
]


@pytest.mark.parametrize(("release", "variables", "sender", "reply_to", "return_path", "method"), list(cells(HEADERS)))
def test_3_2_headers(
    release: str, variables: dict[str, str], sender: str, reply_to: t.Any, return_path: t.Any, method: str
) -> None:
    found = used(variables, release).as_dict()
    assert (found["from"], found["reply_to"], found["return_path"], found["delivery_method"]) == (
        sender,
        reply_to,
        return_path,
        method,
    )


#: (row, columns, variables, error class, stage)
REFUSED = [
    ("FROM unparsable", ALL, {"SMTP_FROM_ADDRESS": "a@"}, "Mail::Field::IncompleteParseError", "boot"),
    ("FROM quoted, bare", ("4.4.0",), {"SMTP_FROM_ADDRESS": '"A" <a@b.example>'}, "RuntimeError", "boot"),
    ("DELIVERY_METHOD blank", YAML, {"SMTP_DELIVERY_METHOD": ""}, "NoMethodError", "boot"),
    ("DELIVERY_METHOD blank", BEFORE_YAML, {"SMTP_DELIVERY_METHOD": ""}, "RuntimeError", "build"),
    ("VERIFY_MODE blank", BEFORE_YAML, {"SMTP_OPENSSL_VERIFY_MODE": ""}, "NameError", "build"),
    ("VERIFY_MODE 0", BEFORE_YAML, {"SMTP_OPENSSL_VERIFY_MODE": "0"}, "NameError", "build"),
    ("VERIFY_MODE misspelt", ALL, {"SMTP_OPENSSL_VERIFY_MODE": "peeer"}, "NameError", "build"),
    *(
        (f"{name} with {text}", ("4.4.0",), {name: text}, "RuntimeError", "boot")
        for name in ("SMTP_SERVER", "SMTP_LOGIN", "SMTP_PASSWORD", "SMTP_REPLY_TO", "SMTP_RETURN_PATH")
        for text in ("%x", "|x", ">x", "{x", "'x", '"x', "]x", "`x", "- x", "? x", "a: b")
    ),
    *(
        (f"{prefix}{name} with {text}", YAML, {f"{prefix}{name}": text}, "RuntimeError", "boot")
        for prefix in ("SMTP_", "BULK_SMTP_")
        for name in ("PORT", "DOMAIN", "AUTH_METHOD", "CA_FILE", "OPENSSL_VERIFY_MODE", "ENABLE_STARTTLS")
        for text in ("@x", "x: y")
    ),
    ("DELIVERY_METHOD with @", YAML, {"SMTP_DELIVERY_METHOD": "@x"}, "RuntimeError", "boot"),
    ("PASSWORD with @", ("4.4.0",), {"SMTP_PASSWORD": "@home"}, "RuntimeError", "boot"),
    ("PASSWORD with [", ("4.4.0",), {"SMTP_PASSWORD": "[x"}, "RuntimeError", "boot"),
    ("PASSWORD with *", ("4.4.0",), {"SMTP_PASSWORD": "*secret"}, "Psych::AnchorNotDefined", "boot"),
    ("CA_FILE with a colon", YAML, {"SMTP_CA_FILE": "/my: ca.pem"}, "RuntimeError", "boot"),
    *(
        (f"FROM {text!r}", ALL, {"SMTP_FROM_ADDRESS": text}, "ArgumentError", "build")
        for text in ("", " ", ";", "Name <a>")
    ),
    *(
        (f"FROM {text!r}", (*BEFORE_YAML, "4.4", "4.5"), {"SMTP_FROM_ADDRESS": text}, "ArgumentError", "build")
        for text in ("grp: ;", ",", "g: , ;")
    ),
    (
        "FROM of nobody, otherwise than by SMTP",
        ALL,
        {"SMTP_FROM_ADDRESS": ";", "SMTP_DELIVERY_METHOD": "test"},
        "ArgumentError",
        "build",
    ),
    ("DOMAIN with a colon", YAML, {"SMTP_DOMAIN": "a: b"}, "RuntimeError", "boot"),
]
NO_LOGIN = {"SMTP_AUTH_METHOD": "none"}


@pytest.mark.parametrize(("release", "variables", "error_class", "stage"), list(cells(REFUSED)))
def test_3_2_and_3_5_refusal(release: str, variables: dict[str, str], error_class: str, stage: str) -> None:
    error = used({**NO_LOGIN, **variables}, release).error
    assert error is not None
    assert (error.error_class, error.stage) == (error_class, stage)
    assert variables.get("SMTP_PASSWORD", "no password") not in error.message


@pytest.mark.parametrize("release", ["4.4.1", "4.6.5"])
@pytest.mark.parametrize("secret", ["@home", "[x", "*secret", "a: b", "0123", "yes", "a #b"])
def test_3_5_quoted_values_survive(release: str, secret: str) -> None:
    given = {"SMTP_LOGIN": secret, "SMTP_PASSWORD": secret, "SMTP_SERVER": secret}
    found = used(given, release)
    assert found.error is None
    assert found.main is not None
    assert found.main.settings["address"] == secret


@pytest.mark.parametrize("release", [one for column in YAML for one in COLUMNS[column]])
@pytest.mark.parametrize("name", ["SMTP_ENABLE_STARTTLS_AUTO", "SMTP_TLS", "SMTP_SSL"])
def test_3_5_flags_are_compared_before_yaml_sees_them(release: str, name: str) -> None:
    assert used({**NO_LOGIN, name: "@x: {"}, release).error is None


def test_3_2_the_variables_of_the_bulk_relay() -> None:
    names = "PORT SERVER LOGIN PASSWORD DOMAIN AUTH_METHOD CA_FILE OPENSSL_VERIFY_MODE ENABLE_STARTTLS "
    names += "ENABLE_STARTTLS_AUTO TLS SSL"
    bulk = {name for name in VARIABLES if name.startswith("BULK_SMTP_")}
    assert bulk == {f"BULK_SMTP_{name}" for name in names.split()}
    for name in bulk:
        assert not VARIABLES[name].read_by(era_of(Release.parse("4.3.23")))
        assert VARIABLES[name].read_by(era_of(Release.parse("4.4.0")))


def test_3_2_bulk_inherits_nothing() -> None:
    main = {
        "SMTP_SERVER": "smtp.example.com", "SMTP_PORT": "587", "SMTP_LOGIN": "user", "SMTP_PASSWORD": "secret",
        "SMTP_DOMAIN": "helo.example.com", "SMTP_TLS": "true", "SMTP_CA_FILE": "/ca.pem",
    }  # fmt: skip
    bulk = used({**main, "BULK_SMTP_SERVER": "bulk.example.com"}, "4.4.1").bulk
    assert bulk is not None
    assert bulk.as_dict() == {
        "settings": {
            "address": "bulk.example.com", "port": None, "domain": LOCAL, "authentication": "plain", "ca_file": BUNDLE,
            "openssl_verify_mode": None, "enable_starttls": None, "enable_starttls_auto": True, "tls": None,
            "ssl": None, "read_timeout": 20,
        },
        "login_set": False,
        "password_set": False,
        "tls_mode": "starttls_optional",
        "auth_mode": "none",
        "verify_mode": "peer",
    }  # fmt: skip


@pytest.mark.parametrize("server", ["", " "])
def test_3_2_bulk_needs_a_server(server: str) -> None:
    assert used({"BULK_SMTP_SERVER": server, "BULK_SMTP_PORT": "25"}, "4.6.5").bulk is None


@pytest.mark.parametrize("release", ["3.4.10", "3.5.19", "4.3.23", "4.4.0", "4.6.5"])
def test_3_2_names_that_mastodon_does_not_read(release: str) -> None:
    names = "SMTP_HOST SMTP_USER SMTP_FROM SMTP_READ_TIMEOUT BULK_SMTP_FROM_ADDRESS BULK_SMTP_REPLY_TO "
    names += "BULK_SMTP_RETURN_PATH BULK_SMTP_DELIVERY_METHOD"
    misnomers = dict.fromkeys(names.split(), "x: y")
    assert used(misnomers, release) == used({}, release)


TLS_COLUMNS = {
    "3.4": ["3.4.10"],
    "3.5": ["3.5.19"],
    "4.0": ["4.0.15"],
    "4.1-4.3": ["4.1.25", "4.2.29", "4.3.0", "4.3.23"],
    "4.4": ["4.4.0", "4.4.1", "4.4.22"],
    "4.5": ["4.5.0-rc.2", "4.6.5"],
}
A, R, P, S, X = "starttls_optional", "starttls", "none", "implicit", "ArgumentError"
#: Section 3.3, a row each: variables, then the six columns. X: refused.
TLS: list[tuple[str, tuple[str, ...]]] = [
    ("", (A, A, A, A, A, A)),
    ("TLS=true", (S, S, S, S, S, S)),
    ("SSL=true", (S, S, S, S, S, S)),
    ("TLS=false", (S, A, A, A, A, A)),
    ("TLS=1", (S, A, A, A, A, A)),
    ("TLS=True", (S, A, A, A, A, A)),
    ("ENABLE_STARTTLS_AUTO=false", (A, A, A, P, A, P)),
    ("ENABLE_STARTTLS=never", (A, A, A, P, P, P)),
    ("ENABLE_STARTTLS=always", (A, A, R, R, R, R)),
    ("ENABLE_STARTTLS=false", (A, A, A, A, A, A)),
    ("ENABLE_STARTTLS=true", (A, A, A, A, A, A)),
    ("ENABLE_STARTTLS=Never", (A, A, A, A, A, A)),
    ("SSL=false ENABLE_STARTTLS=always", (S, A, R, A, R, R)),
    ("SSL=false ENABLE_STARTTLS=never", (S, A, A, A, P, P)),
    ("TLS=true ENABLE_STARTTLS=never", (S, S, S, S, S, S)),
    ("TLS=true ENABLE_STARTTLS=auto", (S, S, S, S, S, X)),
    ("TLS=true ENABLE_STARTTLS=always", (S, S, S, S, S, X)),
]


def _tls_cells() -> t.Iterator[t.Any]:
    for row, modes in TLS:
        variables = dict(one.split("=") for one in row.split())
        for releases, mode in zip(TLS_COLUMNS.values(), modes):
            for release in releases:
                yield pytest.param(release, variables, mode, id=f"{row or 'nothing'}-{release}")


@pytest.mark.parametrize("prefix", ["SMTP_", "BULK_SMTP_"])
@pytest.mark.parametrize(("release", "variables", "mode"), list(_tls_cells()))
def test_3_3_tls(release: str, variables: dict[str, str], mode: str, prefix: str) -> None:
    given = {prefix + name: text for name, text in variables.items()}
    given.update({"SMTP_AUTH_METHOD": "none", "BULK_SMTP_AUTH_METHOD": "none", "BULK_SMTP_SERVER": "bulk.example.com"})
    found = used(given, release)
    relay = found.main if prefix == "SMTP_" else found.bulk
    if relay is None:
        assert Release.parse(release) < Release.parse("4.4.0")
        return
    if mode == X:
        assert found.error is not None
        assert (found.error.error_class, found.error.stage) == (X, "build")
        assert "mutually exclusive" in found.error.message
    else:
        assert found.error is None
        assert relay.tls_mode == mode


def test_3_3_4_1_0_cannot_switch_starttls_off_by_auto() -> None:
    error = used({**NO_LOGIN, "SMTP_ENABLE_STARTTLS_AUTO": "false"}, "4.1.0").error
    assert error is not None
    assert error.error_class == "NoMethodError"
    assert used({**NO_LOGIN, "SMTP_ENABLE_STARTTLS": "never"}, "4.1.0").error is None


@pytest.mark.parametrize(
    ("variables", "mode"),
    [
        ({"SMTP_TLS": "true"}, X),
        ({"SMTP_TLS": "true", "SMTP_ENABLE_STARTTLS": "always"}, X),
        ({"SMTP_TLS": "true", "SMTP_ENABLE_STARTTLS": "never"}, S),
        ({"SMTP_ENABLE_STARTTLS": "always"}, R),
        ({"SMTP_ENABLE_STARTTLS": "never"}, P),
        ({}, A),
    ],
)
def test_4_5_0_rc_1_refuses_tls(variables: dict[str, str], mode: str) -> None:
    found = used({**NO_LOGIN, **variables}, "4.5.0-rc.1")
    assert found.error.error_class == X if found.error else found.main and found.main.tls_mode == mode


@pytest.mark.parametrize("release", ["4.1.25", "4.2.29", "4.3.0", "4.3.23"])
def test_3_3_a_false_ssl_takes_verify_mode_with_it(release: str) -> None:
    """Note (3): the mail gem's own TLS context is not used, so even a nonsensical verify mode does not matter."""
    given = {**NO_LOGIN, "SMTP_OPENSSL_VERIFY_MODE": "nonsense"}
    assert used({**given, "SMTP_SSL": "false"}, release).error is None
    assert used({**given, "SMTP_TLS": "false"}, release).error is not None
    for text, mode in (("false", "peer"), ("", "none")):
        main = used({**NO_LOGIN, "SMTP_OPENSSL_VERIFY_MODE": "none", "SMTP_SSL": text}, release).main
        assert main is not None
        assert (main.tls_mode, main.verify_mode) == (A, mode)


AUTH_COLUMNS = {
    "4.2": ["3.4.10", "3.5.19", "4.0.15", "4.2.29"],
    "4.3": ["4.3.0", "4.3.23"],
    "4.4.0": ["4.4.0"],
    "4.4.1": ["4.4.1", "4.4.22", "4.6.5"],
}
USER, WRONG = "missing user name", "wrong authentication type"
#: Section 3.4, a row each: variables, then the four columns: the mechanism, or a part of the ArgumentError's text.
AUTH: list[tuple[str, dict[str, str], tuple[str, ...]]] = [
    ("no login, no method", {}, ("none", USER, USER, USER)),
    ("no login, none", {"AUTH_METHOD": "none"}, ("none", "none", "none", "none")),
    ("blank, no method", {"LOGIN": "", "PASSWORD": ""}, ("none", USER, USER, "plain")),
    ("blank, none", {"LOGIN": "", "PASSWORD": "", "AUTH_METHOD": "none"}, ("none", "none", "none", "plain")),
    ("set, none", {"LOGIN": "u", "PASSWORD": "p", "AUTH_METHOD": "none"}, ("plain",) * 4),
    ("set, method blank", {"LOGIN": "u", "PASSWORD": "p", "AUTH_METHOD": ""}, (WRONG, WRONG, "plain", "plain")),
    ("no login, NONE", {"AUTH_METHOD": "NONE"}, ("none", f"{WRONG} NONE", f"{WRONG} NONE", f"{WRONG} NONE")),
    ("PLAIN", {"LOGIN": "u", "PASSWORD": "p", "AUTH_METHOD": "PLAIN"}, ("plain",) * 4),
    ("LOGIN", {"LOGIN": "u", "PASSWORD": "p", "AUTH_METHOD": "LOGIN"}, ("login",) * 4),
    ("cram_md5", {"LOGIN": "u", "PASSWORD": "p", "AUTH_METHOD": "cram_md5"}, ("cram_md5",) * 4),
    ("cram-md5", {"LOGIN": "u", "PASSWORD": "p", "AUTH_METHOD": "cram-md5"}, (WRONG, *("cram_md5",) * 3)),
    ("login alone", {"LOGIN": "u"}, ("missing secret phrase",) * 4),
    ("password alone", {"PASSWORD": "p"}, (USER,) * 4),
    ("misspelt", {"LOGIN": "u", "PASSWORD": "p", "AUTH_METHOD": "AUTH LOGIN"}, (f"{WRONG} AUTH LOGIN",) * 4),
]


def _auth_cells() -> t.Iterator[t.Any]:
    for row, variables, outcomes in AUTH:
        for releases, outcome in zip(AUTH_COLUMNS.values(), outcomes):
            for release in releases:
                yield pytest.param(release, variables, outcome, id=f"{row}-{release}")


@pytest.mark.parametrize(("release", "variables", "outcome"), list(_auth_cells()))
def test_3_4_auth(release: str, variables: dict[str, str], outcome: str) -> None:
    found = used({f"SMTP_{name}": text for name, text in variables.items()}, release)
    if " " in outcome:
        assert found.error is not None
        assert (found.error.error_class, found.error.stage) == ("ArgumentError", "build")
        assert outcome in found.error.message
    else:
        assert found.error is None
        assert found.main is not None
        assert found.main.auth_mode == outcome


@pytest.mark.parametrize("release", ["3.5.19", "4.0.0", "4.1.0", "4.1.1", "4.3.23", "4.4.1", "4.6.5"])
@pytest.mark.parametrize("sender", ["", " ", "grp: ;"])
def test_a_return_path_stands_in_for_a_sender_of_nobody(release: str, sender: str) -> None:
    given = {**NO_LOGIN, "SMTP_FROM_ADDRESS": sender, "SMTP_RETURN_PATH": "b@example.com"}
    assert used(given, release).error is None
    assert used({**given, "SMTP_RETURN_PATH": " "}, release).error is not None


@pytest.mark.parametrize("release", [one for column in COLUMNS.values() for one in column])
@pytest.mark.parametrize(
    "sender", ["a@b.example\u00a0", "\u00a0a@b.example", "a\u2003@b.example", "<a@b.example\u202f>"]
)
def test_other_blanks_are_a_part_of_the_address(release: str, sender: str) -> None:
    """Mastodon boots and says MAIL FROM with them."""
    assert used({**NO_LOGIN, "SMTP_FROM_ADDRESS": sender}, release).error is None


@pytest.mark.parametrize("release", [one for column in COLUMNS.values() for one in column])
@pytest.mark.parametrize("prefix", ["SMTP_", "BULK_SMTP_"])
@pytest.mark.parametrize(
    ("password", "method", "error_class"),
    [
        ("pässword12", "cram_md5", "Encoding::CompatibilityError"),
        ("p€ssword", "CRAM_MD5", "Encoding::CompatibilityError"),
        ("ä" * 64, "cram_md5", "Encoding::CompatibilityError"),
        ("ä" * 65, "cram_md5", None),
        ("a" * 64, "cram_md5", None),
        ("pässword12", "plain", None),
        ("pässword12", "login", None),
    ],
)
def test_cram_md5_works_on_characters(
    release: str, prefix: str, password: str, method: str, error_class: str | None
) -> None:
    login = {f"{prefix}LOGIN": "jürgen", f"{prefix}PASSWORD": password, f"{prefix}AUTH_METHOD": method}
    bulk = {"BULK_SMTP_SERVER": "bulk.example.com", "BULK_SMTP_AUTH_METHOD": "none"}
    found = used({**NO_LOGIN, **bulk, **login}, release)
    if prefix == BULK and found.bulk is None:
        return
    if prefix == MAIN or Release.parse(release) >= Release.parse("4.4.0"):
        assert (found.error.error_class if found.error else None) == error_class
    assert password not in str(found.as_dict())


@pytest.mark.parametrize(("release", "fails"), [("4.0.15", False), ("4.1.0", True), ("4.1.1", False), ("4.6.5", False)])
def test_sendmail_of_4_1_0(release: str, fails: bool) -> None:
    error = used({"SMTP_DELIVERY_METHOD": "sendmail"}, release).error
    assert bool(error) == fails
    if error:
        assert (error.error_class, error.stage) == ("ArgumentError", "build")
        assert "expected to be an Array" in error.message


def test_sendmail_never_builds_a_session() -> None:
    found = used({"SMTP_DELIVERY_METHOD": "sendmail"}, "4.3.0")
    assert found.error is None
    assert found.delivery_method == "sendmail"


def test_an_error_of_the_bulk_relay_is_reported_after_the_main_one() -> None:
    given = {"BULK_SMTP_SERVER": "b.example.com", **NO_LOGIN}
    error = used(given, "4.6.5").error
    assert error is not None
    assert error.message.startswith("bulk relay: ")
    assert used({**given, "SMTP_LOGIN": "u"}, "4.6.5").error is not None


def test_the_shape_that_other_steps_rely_on() -> None:
    given = {"SMTP_SERVER": "smtp.example.com", "SMTP_PORT": "587", "SMTP_LOGIN": "u", "SMTP_PASSWORD": "p"}
    assert used({**given, "SMTP_ENABLE_STARTTLS": "always"}, "4.6.5").as_dict() == {
        "delivery_method": "smtp",
        "from": "notifications@localhost",
        "reply_to": None,
        "return_path": None,
        "error": None,
        "main": {
            "settings": {
                "address": "smtp.example.com", "port": 587, "domain": LOCAL, "authentication": "plain",
                "ca_file": BUNDLE, "openssl_verify_mode": None, "enable_starttls": "always", "tls": None, "ssl": None,
                "read_timeout": 20,
            },
            "login_set": True,
            "password_set": True,
            "tls_mode": "starttls",
            "auth_mode": "plain",
            "verify_mode": "peer",
        },
        "bulk": None,
    }  # fmt: skip

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret whose text in the file and value differ is told: which variable and how, never a piece of it."""

from __future__ import annotations

import re

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv import traps
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import decode, generations
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import edit
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding

REFERENCE, CUT, BACKSLASH, QUOTES = "follows a $", "from the # on", "backslash", "quotes"


def found(text: str, *readers: str, known: tuple[str, ...] = ()) -> list[Finding]:
    source = decode(text.encode())
    environment = dict.fromkeys(known, "k")
    return traps.find(source, [(one, one.read(source, environment)) for one in generations(readers)], known)


# In brackets: the row of the field reports that has this kind.
@pytest.mark.parametrize(
    ("text", "reader", "kind"),
    [
        ("SMTP_PASSWORD=AReallyGo0Dpas$word", "ruby", REFERENCE),  # g01, f20
        ("SMTP_PASSWORD=Ab${word}12", "ruby", REFERENCE),
        ('SMTP_PASSWORD="Ab$word12"', "ruby", REFERENCE),
        ("SMTP_PASSWORD=$ecretword12", "ruby", REFERENCE),
        ("SMTP_PASSWORD=Ab$$word12", "ruby", REFERENCE),
        ("SMTP_PASSWORD=Ab$1word", "ruby", REFERENCE),
        ("BULK_SMTP_PASSWORD=Abc$word", "compose", REFERENCE),
        ("SMTP_LOGIN=us$er@example.org", "ruby", REFERENCE),
        ("SMTP_PASSWORD=Ab$word12", "sh", REFERENCE),
        ("SECRET_KEY_BASE=Ab$word12", "ruby", REFERENCE),
        ("SMTP_PASSWORD=Abc123#Def456", "ruby", CUT),  # g02
        ("SMTP_PASSWORD=Abc123 #Def456", "ruby", CUT),  # g06
        ("SMTP_PASSWORD=#Abc123Def456", "ruby", CUT),
        ("SMTP_PASSWORD=Abc123#Def456", "node", CUT),
        ("SMTP_PASSWORD=Abc123 #Def456", "compose", CUT),
        ("SMTP_PASSWORD=Abc123 #Def456", "sh", CUT),
        ("SMTP_PASSWORD=Abc\\Def456", "ruby", BACKSLASH),
        ('SMTP_PASSWORD="Abc\\Def456"', "ruby", BACKSLASH),
        ("SMTP_PASSWORD=Abc\\Def456", "systemd", BACKSLASH),
        ("SMTP_PASSWORD=Abc\\Def456", "sh", BACKSLASH),
        ("SMTP_PASSWORD=Ab'c'Def456", "sh", QUOTES),
        ('SMTP_PASSWORD=Ab"c"Def456', "sh", QUOTES),
    ],
)
def test_the_variable_and_the_kind_are_told(text: str, reader: str, kind: str) -> None:
    (one,) = [finding for finding in found(f"Z=1\n{text}\n", reader) if finding.code == "env-secret-altered"]
    name, _separator, secret = text.partition("=")
    assert (one.severity, one.subject) == ("warning", f"line 2 ({name})") and kind in one.message
    assert not any(piece in one.sentence() for piece in re.findall(r"\w{3,}", secret))


@pytest.mark.parametrize(
    ("text", "reader"),
    [
        ("SMTP_PASSWORD=BAbc+/Def456==", "ruby"),  # g05
        ("SMTP_PORT=587 # STARTTLS\nSMTP_PASSWORD=AbcDef456", "ruby"),  # g09
        ("SMTP_PASSWORD=AbcDef456 # from the console", "ruby"),
        ("SMTP_PASSWORD='Abc$word#Def\"\\x'", "ruby"),
        ("SMTP_PASSWORD='Abc$word#Def'  # quoted", "ruby"),
        ("SMTP_PASSWORD='Abc$word'#quoted", "ruby"),
        ("SMTP_PASSWORD=Abc123#Def456", "compose"),
        ("SMTP_PASSWORD=Abc123#Def456", "systemd"),
        ("SMTP_PASSWORD=Abc$word", "systemd"),
        ("SMTP_PASSWORD=Abc$word", "node"),
        ("SMTP_PASSWORD=Abc\\$word", "ruby"),
        ("SMTP_PASSWORD=Abc$$word", "compose"),
        ('SMTP_PASSWORD="Ab\\"c"', "ruby"),
        ("SMTP_PASSWORD=Abc$!Def", "ruby"),
        ("SMTP_PASSWORD=abcd efgh ijkl mnop", "ruby"),  # f10: an app password with blanks
        ("SMTP_PASSWORD= AbcDef456", "ruby"),  # f22: a blank before it
        ("SMTP_PASSWORD=", "ruby"),
        ("SMTP_PASSWORD=  # none", "ruby"),
        ("TOKEN=abc\nSMTP_PASSWORD=$TOKEN", "ruby"),
        ("TOKEN=abc\nSMTP_PASSWORD=x-$TOKEN", "ruby"),
        ("SMTP_PASSWORD=${MAIL_TOKEN}", "ruby"),
        ("SMTP_FROM_ADDRESS=notifications@${LOCAL_DOMAIN}", "ruby"),
        ("DATABASE_URL=postgres://$DB_USER:x@$DB_HOST/mastodon", "ruby"),
        ("GREETING=hello$word # x", "ruby"),
        ("SMTP_PORT=587#", "ruby"),
    ],
)
def test_nothing_is_told_of_a_value_that_is_meant(text: str, reader: str) -> None:
    assert [one.code for one in found(f"{text}\n", reader)] == []


def test_a_name_from_elsewhere_is_known() -> None:
    text = "SMTP_PASSWORD=x-$TOKEN\n"
    assert [one.code for one in found(text, "ruby")] == ["env-secret-altered"]
    assert found(text, "ruby", known=("TOKEN",)) == []


def test_a_command_and_a_quote_have_codes_of_their_own() -> None:
    assert [one.code for one in found("SMTP_PASSWORD=Abc$(id)Def\n", "ruby")] == ["env-command-runs"]  # g07
    assert [one.code for one in found("SMTP_PASSWORD='Abc'def\n", "ruby")] == ["env-text-after-quote"]
    assert [one.code for one in found("SMTP_PASSWORD='Abcdef\n", "ruby")] == ["env-quote-open"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('SMTP_FROM_ADDRESS=Social <a@example.org>"', True),  # f03
        ("SMTP_SERVER=smtp.example.org'", True),
        ('SMTP_FROM_ADDRESS="Social" <a@example.org>', False),
        ("SMTP_FROM_ADDRESS=Joe's <a@example.org>", False),
        ('SMTP_PASSWORD=Abcdef"', False),  # it may be a part of the password
    ],
)
def test_a_quote_that_only_closes(text: str, told: bool) -> None:
    codes = [one.code for one in found(text + "\n", "ruby")]
    assert ("env-quote-open" in codes) is told


def test_only_what_matters_to_mail_can_be_asked_for() -> None:
    text = "OTHER_TOKEN=a$word\nfoo bar\nA=$(id)\nSMTP_PASSWORD=b$word\n"
    source = decode(text.encode())
    readings = [(one, one.read(source, {})) for one in generations(["ruby"])]
    told = traps.find(source, readings, only=lambda name: name.startswith("SMTP_"))
    assert [(one.code, one.subject) for one in told] == [("env-secret-altered", "line 4 (SMTP_PASSWORD)")]


@pytest.mark.parametrize("readers", [("ruby",), ("ruby", "node"), ("compose",)])
@pytest.mark.parametrize("secret", ["battery'staple\\horse", "a\\b", "pa$$word", "it's # 1", 'say "x"'])
def test_an_edit_raises_no_alarm_about_what_it_writes(secret: str, readers: tuple[str, ...]) -> None:
    outcome = edit(b"A=1\n", set={"SMTP_PASSWORD": secret}, remove=(), readers=readers)
    assert outcome.changes and outcome.findings == []
    # and the next look at it finds nothing altered
    assert "env-secret-altered" not in [one.code for one in found(outcome.data.decode(), *readers)]

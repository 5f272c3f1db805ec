# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diff by names: what is secret never shows, neither ours nor the file's."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv import mask
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import READERS, decode
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import edit

READER = READERS["ruby"][-1]
FILE = b"SECRET_KEY_BASE=zq0\nSMTP_SERVER=old\nSMTP_PASSWORD=zq1\nDB_PASS=zq2\nSMTP_SSL='x y'\n"


def diff(wanted: dict[str, str], secrets: dict[str, str], remove: tuple[str, ...] = ()) -> tuple[str, str]:
    made = edit(FILE, set={**wanted, **secrets}, remove=remove, readers=["ruby", "node"])
    assert made.changes
    return mask.diff(decode(FILE), decode(made.data), made.changes, secrets, READER)


def test_changed_variables_by_name_and_nothing_around_them() -> None:
    before, after = diff({"SMTP_SERVER": "relay", "SMTP_PORT": "587"}, {"SMTP_PASSWORD": "zq3"}, ("SMTP_SSL",))
    assert before == "SMTP_SERVER=old\nSMTP_PASSWORD=(hidden)\nSMTP_SSL='x y'\n"
    assert after == "SMTP_SERVER=relay\nSMTP_PORT=587\nSMTP_PASSWORD=(hidden, changed)\n"


@pytest.mark.parametrize(
    "name",
    [
        "SMTP_PASSWORD",
        "SECRET_KEY_BASE",
        "OTP_SECRET",
        "VAPID_PRIVATE_KEY",
        "AWS_ACCESS_KEY_ID",
        "DB_PASS",
        "DEEPL_API_KEY",
        "DATABASE_URL",
        "REDIS_URL",
        "SIDEKIQ_REDIS_URL",
        "HCAPTCHA_SECRET_KEY",
        "ES_PASS",
        "X_TOKEN",
        "GOOGLE_CREDENTIALS",
        "LDAP_PASSWORD",
        "ACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT",
    ],
)
def test_a_name_that_looks_like_a_secret_is_hidden_even_among_set(name: str) -> None:
    before, after = diff({name: "zqzq"}, {})
    assert "zq" not in before + after
    assert f"{name}=(hidden, " in after


def test_a_secret_is_hidden_wherever_it_stands() -> None:
    _before, after = diff({"SMTP_LOGIN": "zqtoken"}, {"SMTP_THING": "zqtoken"})
    assert "zq" not in after


def test_an_address_with_a_login_is_hidden() -> None:
    _before, after = diff({"SMTP_RELAY": "smtp://user:zqzq@relay.example"}, {})
    assert after == "SMTP_RELAY=(hidden, added)\n"


def test_removed_secret() -> None:
    assert diff({}, {}, ("SMTP_PASSWORD",)) == ("SMTP_PASSWORD=(hidden)\n", "")

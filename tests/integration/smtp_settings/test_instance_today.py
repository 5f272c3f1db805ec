# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What instance_info says of a file that somebody wrote by hand is what Rails says, and a plan mends that file."""

from __future__ import annotations

import json
import typing as t

import pytest
from harness import BIN, ENV_FILE, Lab, run

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.compare import differences
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.variables import VARIABLES

#: Contradictory, stale, blank and mistaken: what each release makes of it differs.
BY_HAND = {
    "SMTP_SERVER": "old.relay.test",
    "SMTP_PORT": "2525",
    "SMTP_LOGIN": "",
    "SMTP_PASSWORD": "",
    "SMTP_HOST": "smtp.example.com",
    "SMTP_SSL": "false",
    "SMTP_ENABLE_STARTTLS": "always",
    "SMTP_OPENSSL_VERIFY_MODE": "none",
    "BULK_SMTP_SERVER": "bulk.relay.test",
}
#: Host -> TLS mode, verification, mechanism, and whether a relay for bulk mail is used.
TODAY = {
    "masto1": ("starttls", "none", "plain", True),  # 4.5: blank is a login
    "masto2": ("starttls_optional", "peer", "none", False),  # 4.2: a false SSL takes STARTTLS and verify mode with it
}
PASSWORD = "c0rrect-h0rse.battery"


def planned(lab: Lab, instance: dict[str, t.Any]) -> dict[str, t.Any]:
    options = {
        "host": "smtp.example.com",
        "login": "user",
        "password": PASSWORD,
        "from_address": '"Example, Inc." <a@example.com>',
        "mastodon_release": instance["release"],
        "local_domain": instance["local_domain"],
        "current": instance["mail_variables"],
    }
    done = run(
        str(BIN / "ansible"),
        *(
            "-i",
            "localhost,",
            "-c",
            "local",
            "localhost",
            "-m",
            "fediops.mastodon.smtp_settings",
            "-a",
            json.dumps(options),
        ),
        env={**lab.environment, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
    )
    assert done.status == 0, done.output
    result: dict[str, t.Any] = json.loads(done.output[done.output.index("{") :])
    return result


@pytest.mark.parametrize("host", Lab.hosts)
def test_a_file_of_today_is_told_and_mended(lab: Lab, host: str) -> None:
    readers = ["ruby", "node"]
    with lab.changed_host(host):
        others = [name for name in VARIABLES if name not in BY_HAND]
        by_hand = {"path": ENV_FILE, "readers": readers, "set": BY_HAND, "remove": others}
        written = lab.module(host, "env_file", by_hand)
        assert not written["failed"], written
        instance = lab.module(host, "instance_info")["instance"]
        told, rails = instance["effective"], lab.module(host, "mailer_check", {"timeout": 120})["effective"]
        assert differences(told, rails) == []
        for one in (told, rails):
            main = one["main"]
            assert (main["tls_mode"], main["verify_mode"], main["auth_mode"], bool(one["bulk"])) == TODAY[host]

        result = planned(lab, instance)
        assert [(one["code"], one["subject"]) for one in result["findings"]] == [("variable-unread", "SMTP_HOST")]
        plan = result["plan"]
        edit = {
            "path": ENV_FILE, "readers": readers, "set": plan["set"], "remove": plan["remove"],
            "secrets": {"SMTP_PASSWORD": PASSWORD},
        }  # fmt: skip
        assert lab.module(host, "env_file", edit)["changed"] is True
        assert lab.module(host, "env_file", edit)["changed"] is False
        mended = lab.module(host, "instance_info")["instance"]
        assert mended["effective"] == plan["effective"]
        assert "SMTP_HOST" in mended["mail_variables"]

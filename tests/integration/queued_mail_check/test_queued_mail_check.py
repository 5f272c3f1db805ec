# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""queued_mail_check through the real web form, Redis, Sidekiq and relay of the lab, on both generations of Rails.

Its failures are in ../rollout/faults.yml.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import typing as t

import pytest
from harness import CHECKOUT, ENV_FILE, Lab, run

ACCOUNT = "alice@example.com"


class Host:
    """One host whose services run on settings that work."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name

    def settle(self) -> None:
        """Settings that work, and services that run on them."""
        given = self.lab.variables[self.name]
        settings = {
            "SMTP_SERVER": given["mastodon_smtp_host"],
            "SMTP_PORT": "587",
            "SMTP_LOGIN": given["mastodon_smtp_login"],
            "SMTP_FROM_ADDRESS": given["mastodon_smtp_from_address"],
            "SMTP_ENABLE_STARTTLS": "always",
        }
        secrets = {"SMTP_PASSWORD": self.lab.password(self.name)}
        remove = ["SMTP_TLS", "SMTP_SSL", "SMTP_AUTH_METHOD", "SMTP_OPENSSL_VERIFY_MODE", "SMTP_CA_FILE"]
        remove += ["SMTP_DELIVERY_METHOD", "SMTP_RETURN_PATH"]
        edit = {"path": ENV_FILE, "readers": ["ruby", "node"], "set": settings, "secrets": secrets, "remove": remove}
        for module, options in (("env_file", edit), ("mail_services", {"state": "current", "steady": 1})):
            done = self.lab.module(self.name, module, options)
            assert not done["failed"], done

    def check(self, **options: t.Any) -> dict[str, t.Any]:
        return self.lab.module(self.name, "queued_mail_check", {"deadline": 60, **options})

    @contextlib.contextmanager
    def spoilt(self, spoil: str, mend: str) -> t.Iterator[None]:
        self.lab.ssh(self.name, spoil)
        try:
            yield
        finally:
            self.lab.ssh(self.name, mend)
            self.settle()


@pytest.fixture(scope="module", params=Lab.hosts)
def host(request: pytest.FixtureRequest, lab: Lab) -> t.Iterator[Host]:
    lab.reset(request.param)
    made = Host(lab, request.param)
    made.settle()
    yield made
    lab.reset(request.param)


def found(result: dict[str, t.Any]) -> list[str]:
    return [one["code"] for one in result["findings"]]


def arrivals(mailbox: str) -> list[str]:
    """The Message-IDs in a mailbox."""
    done = run(sys.executable, str(CHECKOUT / "lab/mailboxes.py"), "list", "--mailbox", mailbox)
    return [one["Message-ID"].strip("<>") for one in json.loads(done.output)]


@pytest.mark.parametrize(("way", "recipient"), [("reset", ACCOUNT), ("enqueue", "admin@example.com")])
def test_a_mail_through_the_queue_arrives(host: Host, way: str, recipient: str) -> None:
    before = arrivals(recipient)
    result = host.check(**{way: recipient})
    # Rails 7.2 on masto1 does not log deliveries, Rails 6.1 on masto2 does.
    outcome = {"masto1": "performed", "masto2": "delivered"}[host.name]
    assert (result["outcome"], result["findings"], result["changed"]) == (outcome, [], False), result
    assert (result["job"]["queue"], result["job"]["attempts"]) == ("mailers", 1)
    until = time.monotonic() + 30
    while not (new := [one for one in arrivals(recipient) if one not in before]) and time.monotonic() < until:
        time.sleep(0.5)
    assert len(new) == 1
    assert result["message_id"] in ((new[0],) if way == "enqueue" or outcome == "delivered" else (None,))
    assert "reset_password_token" not in json.dumps(result)


def test_check_mode_sends_nothing(host: Host) -> None:
    result = host.lab.module(host.name, "queued_mail_check", {"reset": ACCOUNT}, check_mode=True)
    assert (result["failed"], result["outcome"], result["job"]) == (False, "not_sent", None)


def test_an_account_that_gets_no_mail_is_told_by_its_haste_where_deliveries_are_not_logged(host: Host) -> None:
    (finding,) = host.check(reset="bob@example.com")["findings"]
    assert finding["severity"] == {"masto1": "warning", "masto2": "error"}[host.name]


def test_services_on_old_settings_are_what_counts(host: Host) -> None:
    """The file is right, but Sidekiq was not restarted: the case that a test from a console never shows."""
    spoil = (
        f"cp -a {ENV_FILE} /root/good && sed -i 's/^SMTP_PORT=.*/SMTP_PORT=5999/' {ENV_FILE} "
        f"&& systemctl restart mastodon-sidekiq && sleep 15 && cp -a /root/good {ENV_FILE}"
    )
    with host.spoilt(spoil, "systemctl restart mastodon-sidekiq; rm /root/good"):
        result = host.check(reset=ACCOUNT)
    assert (result["outcome"], found(result)) == ("failed", ["relay-connection-refused"]), result
    assert result["error"]["class"] == "Errno::ECONNREFUSED"

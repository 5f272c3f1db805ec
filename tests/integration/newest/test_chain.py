# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole chain on Mastodon 4.6.5, whose Rails 8.1 has no ActionMailer::Base.mail, with Sidekiq 8.1 and mail 2.9.1.

The tests of this file go one after the other: from settings that do not work to a rollout and back.
"""

from __future__ import annotations

import json
import sys
import threading
import typing as t
from pathlib import Path

import pytest
import yaml
from harness import CHECKOUT, ENV_FILE, LIVE, Lab, Run, run

HOST = Lab.newest
#: A mailbox behind the relay that is no account of the server.
STRANGER = "postmaster@example.com"


def flat(done: Run) -> str:
    return " ".join(done.output.split())


def mails() -> int:
    """How many lie in all mailboxes."""
    counts: dict[str, int] = json.loads(run(sys.executable, str(CHECKOUT / "lab/mailboxes.py"), "count").output)
    return sum(counts.values())


def state(lab: Lab) -> tuple[str, dict[str, str], str]:
    """The file, the processes, and what Rails may have written."""
    return (
        lab.checksum(HOST),
        lab.processes(HOST),
        lab.ssh(HOST, f"find {LIVE}/tmp -type f | sort | xargs -r sha256sum"),
    )


def rollout(lab: Lab, *arguments: str, **variables: t.Any) -> Run:
    variables = {"mastodon_smtp_steady": 2, **variables}
    return lab.rollout("--limit", HOST, *arguments, mastodon_smtp_hosts="fleet", **variables)


@pytest.fixture(scope="module")
def newest(lab: Lab) -> t.Iterator[Lab]:
    """The host in its first state."""
    lab.reset(HOST)
    yield lab
    lab.reset(HOST)


def test_the_lab_plays_what_rails_8_1_took_away(newest: Lab) -> None:
    program = "begin; ActionMailer::Base.mail(to: 'a@b.test'); rescue NoMethodError => e; puts e.name; end"
    told = newest.ssh(
        HOST, f"cd {LIVE} && runuser -u mastodon -- env RAILS_ENV=production bin/rails runner -", stdin=program
    )
    assert told.split()[-1] == "mail"
    assert newest.module(HOST, "instance_info")["instance"]["release"] == "4.6.5"


def test_the_dry_run_boots_with_a_cache_that_it_only_reads(newest: Lab) -> None:
    before, sent = state(newest), mails()
    done = rollout(newest, "--check", "--diff")
    assert done.status == 0 and "Dry run, nothing was touched: this instance would change." in flat(done), done.output
    assert "Rails would send through smtp.relay.test:587, STARTTLS required" in flat(done)
    assert (state(newest), mails()) == (before, sent)


@pytest.mark.parametrize(
    ("account", "words"),
    [("erin@example.com", "The account is a memorial"), ("nobody@nowhere.test", "no account with this address")],
)
def test_the_dry_run_says_that_nothing_can_prove_the_queue(newest: Lab, account: str, words: str) -> None:
    before = state(newest)
    done = rollout(newest, "--check", mastodon_smtp_test_account=account, mastodon_smtp_test_recipient="")
    assert done.status != 0 and words in flat(done) and "[account-gets-no-mail]" in flat(done), done.output
    assert "Dry run, nothing was touched: this instance would change" in flat(done)
    assert "but the queue would not be proved." in flat(done)
    assert "To prove it: Set mastodon_smtp_test_account" in flat(done)
    assert state(newest) == before


#: As unattended-upgrades may do it: once a rollout has restarted web, and it answers, and all services are watched.
SOMEBODY_ELSE = """
old=$(systemctl show -P MainPID mastodon-web)
up='import urllib.request; urllib.request.urlopen("http://127.0.0.1:3000/health")'
until now=$(systemctl show -P MainPID mastodon-web); [ "$now" != 0 ] && [ "$now" != "$old" ]; do sleep 0.3; done
until python3 -c "$up" 2> /dev/null; do sleep 0.3; done
sleep 8; systemctl restart mastodon-web
systemctl show -P ExecMainStartTimestamp --timestamp=utc mastodon-web
"""


def test_a_rollout_with_an_account_and_again(newest: Lab) -> None:
    """In the steady time of the first one somebody else restarts web."""
    sent = mails()
    meanwhile: list[str] = []
    other = threading.Thread(
        target=lambda: meanwhile.append(newest.ssh(HOST, "timeout 120 bash -s", stdin=SOMEBODY_ELSE))
    )
    other.start()
    done = rollout(newest, mastodon_smtp_steady=15)
    other.join()
    _weekday, day, clock, _utc = meanwhile[0].split()
    assert f"mastodon-web.service: running since {day}T{clock}Z" in flat(done), (meanwhile, done.output)
    assert done.status == 0 and "Done and proved: the mail settings are in place and in use." in flat(done), done.output
    assert "The password reset for alice@example.com went through the queue" in flat(done)
    assert mails() == sent + 2
    again = rollout(newest)
    assert again.status == 0 and "In order: there was nothing to change." in flat(again), again.output
    assert mails() == sent + 2


def test_the_drift_check_finds_it_in_order(newest: Lab) -> None:
    done = newest.playbook("fediops.mastodon.smtp_check", "--limit", HOST, mastodon_smtp_hosts="fleet")
    assert done.status == 0 and "In order: file, effective settings and running services" in flat(done), done.output
    wrong = newest.playbook(
        *("fediops.mastodon.smtp_check", "--limit", HOST),
        mastodon_smtp_hosts="fleet",
        mastodon_smtp_test_account="erin@example.com",
    )
    assert wrong.status == 0 and "warning: erin@example.com: The account is a memorial" in flat(wrong), wrong.output


def test_a_drop_in_that_contradicts_the_inventory_is_not_in_order(newest: Lab) -> None:
    """The check names it, and a rollout does not begin; Sidekiq needs no restart for that."""
    folder, before = "/run/systemd/system/mastodon-sidekiq.service.d", state(newest)
    newest.ssh(HOST, f"mkdir -p {folder} && printf '[Service]\\nEnvironment=SMTP_PORT=465\\n' > {folder}/old.conf")
    newest.ssh(HOST, "systemctl daemon-reload")
    try:
        check = newest.playbook("fediops.mastodon.smtp_check", "--limit", HOST, mastodon_smtp_hosts="fleet")
        done = rollout(newest)
    finally:
        newest.ssh(HOST, f"rm -r {folder} && systemctl daemon-reload")
    for run_ in (check, done):
        assert run_.status != 0 and f"Remove SMTP_PORT from {folder}/old.conf, line 2." in flat(run_), run_.output
    assert "Nothing has been changed on any host." in flat(done) and state(newest) == before


def test_a_web_service_that_is_stopped_is_not_in_order(newest: Lab) -> None:
    newest.ssh(HOST, "systemctl stop mastodon-web; systemctl reset-failed mastodon-web")
    try:
        done = newest.playbook("fediops.mastodon.smtp_check", "--limit", HOST, mastodon_smtp_hosts="fleet")
    finally:
        newest.ssh(HOST, "systemctl start mastodon-web")
    assert done.status == 2 and "[service-stopped]" in flat(done) and "Not in order: " in flat(done), done.output


def test_after_five_resets_the_settings_are_good_all_the_same(newest: Lab) -> None:
    for _unused in range(5):
        assert not newest.module(HOST, "queued_mail_check", {"reset": "alice@example.com"})["failed"]
    done = rollout(newest, mastodon_smtp_send="always")
    assert done.status == 0 and "The password reset for alice@example.com went through the queue" in flat(done), (
        done.output
    )


@pytest.mark.parametrize(
    ("recipient", "words"),
    [
        ("admin@example.com", "The password reset for admin@example.com went through the queue"),
        (STRANGER, f"The test mail for {STRANGER} went through the queue"),
    ],
)
def test_without_an_account_the_recipient_gets_what_proves_most(newest: Lab, recipient: str, words: str) -> None:
    sent = mails()
    done = rollout(
        newest, mastodon_smtp_send="always", mastodon_smtp_test_account="", mastodon_smtp_test_recipient=recipient
    )
    assert done.status == 0 and words in flat(done), done.output
    assert mails() == sent + 2


def test_a_wrong_account_beside_a_recipient_is_a_warning(newest: Lab) -> None:
    done = rollout(
        *(newest,),
        mastodon_smtp_send="always",
        mastodon_smtp_test_account="nobody@nowhere.test",
        mastodon_smtp_test_recipient=STRANGER,
    )
    assert done.status == 0 and f"The test mail for {STRANGER} went through the queue" in flat(done), done.output
    assert "warning: nobody@nowhere.test: This server has no account with this address." in flat(done)


def test_without_anybody_to_mail_it_is_done_and_not_proved(newest: Lab) -> None:
    """The advice that it gives holds: the next run sends, though there is nothing else to do."""
    nobody = {"mastodon_smtp_test_account": "", "mastodon_smtp_test_recipient": ""}
    done = rollout(newest, mastodon_smtp_reply_to="desk@masto5.test", **nobody)
    assert done.status == 0 and "Done, not proved" in flat(done) and "[queue-not-proved]" in flat(done), done.output
    check = newest.playbook("fediops.mastodon.smtp_check", "--limit", HOST, mastodon_smtp_hosts="fleet", **nobody)
    assert "[queue-not-proved]" in flat(check) and "In order: " not in flat(check), check.output
    sent = mails()
    done = rollout(newest, mastodon_smtp_reply_to="desk@masto5.test")
    assert done.status == 0 and "Done and proved" in flat(done) and mails() == sent + 1, done.output


def test_a_memorial_alone_takes_nothing_back(newest: Lab) -> None:
    before = newest.checksum(HOST)
    alone = {"mastodon_smtp_test_account": "erin@example.com", "mastodon_smtp_test_recipient": ""}
    done = rollout(newest, mastodon_smtp_reply_to="help@masto5.test", **alone)
    assert done.status != 0 and "[account-gets-no-mail]" in flat(done), done.output
    assert "Done, not proved: " in flat(done) and "The new settings stay in" in flat(done)
    assert newest.checksum(HOST) != before
    services = newest.module(HOST, "instance_info")["instance"]
    assert services["unproved"] == ["queue"]
    assert [one["stale"] for one in services["services"] if one["role"] in ("web", "sidekiq")] == [False, False]
    # The next run makes the proof that is missing, and needs nothing else.
    processes, sent = newest.processes(HOST), mails()
    done = rollout(newest, mastodon_smtp_reply_to="help@masto5.test")
    assert done.status == 0 and "went through the queue" in flat(done), done.output
    assert (newest.processes(HOST), mails()) == (processes, sent + 1)


def test_a_relay_that_refuses_the_mail_of_the_queue_undoes_it(newest: Lab) -> None:
    before = newest.checksum(HOST)
    done = rollout(newest, mastodon_smtp_reply_to="other@masto5.test", mastodon_smtp_test_account="refused@example.com")
    assert done.status != 0 and "[recipient-refused]" in flat(done), done.output
    assert "was restored byte for byte, and the services run on it again" in flat(done)
    assert newest.checksum(HOST) == before
    assert newest.ssh(HOST, "redis-cli zcard retry; redis-cli zcard dead").split() == ["0", "0"]


def test_a_rollback_and_what_adopt_reads(newest: Lab, tmp_path: Path) -> None:
    wanted = newest.checksum(HOST, f"{ENV_FILE}.last-smtp")
    done = newest.playbook("fediops.mastodon.smtp_rollback", "--limit", HOST, mastodon_smtp_hosts="fleet")
    assert done.status == 0 and newest.checksum(HOST) == wanted, done.output
    done = newest.playbook(
        *("fediops.mastodon.smtp_adopt", "--limit", HOST),
        mastodon_smtp_hosts="fleet",
        mastodon_smtp_adopt_dir=str(tmp_path / "adopted"),
    )
    assert done.status == 0, done.output
    adopted = yaml.safe_load((tmp_path / "adopted" / "mastodon_smtp.yml").read_text())
    assert adopted["mastodon_smtp_host"] == "smtp.relay.test"

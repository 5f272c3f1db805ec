# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mails of an outage, on every generation of Sidekiq and in containers: smtp_check tells who waits for them."""

from __future__ import annotations

import json
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import CHECKOUT, LIVE, Lab, Run, run

RUBY = "PATH=/home/mastodon/.rbenv/shims:/usr/bin:/bin"
RUNNER = {
    "masto1": f"cd {LIVE} && runuser -u mastodon -- env RAILS_ENV=production {RUBY} bin/rails runner -",
    "masto3": "cd /srv/mastodon && docker compose exec --no-TTY web bin/rails runner -",
}
RUNNER["masto2"] = RUNNER["masto5"] = RUNNER["masto1"]
#: Who gets the test message.
RECIPIENT = "admin@example.com"
REDIS = {"masto3": "cd /srv/mastodon && docker compose exec --no-TTY redis redis-cli"}
#: For these two the relay is down, for the others it no longer accepts the password.
DOWN = ("masto1", "masto3")
LOGINS = "/etc/dovecot/users-smtp"
REFUSE = f"sed -i.right -E 's/^(masto[25][^:]*:)/\\1not-/' {LOGINS} && ! cmp -s {LOGINS} {LOGINS}.right"
MEND = f"systemctl start postfix; ! test -e {LOGINS}.right || mv {LOGINS}.right {LOGINS}"
#: People ask while mail fails: grace twice, so her first link is worthless; frank long ago; carol's mail is
#: given up. The rest is tried again in hours, as after a long outage. A job of another kind has failed too.
OUTAGE = r"""
require "sidekiq/api"
user = ->(name) { User.find_by(email: "#{name}@example.com") }
%w[grace frank carol].each { |name| user.(name).send_reset_password_instructions }
sleep 0.1
user.("grace").send_reset_password_instructions
user.("bob").send_confirmation_instructions
Sidekiq::Client.push("class" => "Foreign", "queue" => "default", "args" => ["ActionMailer"])
failed = Sidekiq::RetrySet.new
300.times { failed.size < 6 ? sleep(0.1) : break }
user.("frank").keep("reset_password_sent_at", 7.hours.ago.utc.iso8601(6))
failed.find { |job| job.item.to_s.include?("/User/3\"") }.kill
failed.to_a.each { |job| Sidekiq.redis { |redis| redis.zadd("retry", (Time.now.to_f + 24_500).to_s, job.value) } }
puts failed.size
"""


def flat(done: Run) -> str:
    return " ".join(done.output.split())


def summary(done: Run, host: str) -> str:
    """What the run said at its end about a host."""
    return flat(Run(done.status, done.task("Result").partition(f"[{host}]")[2].partition("]: ")[0]))


def everywhere(work: t.Callable[[str], str], hosts: t.Collection[str] = RUNNER) -> dict[str, str]:
    with ThreadPoolExecutor(len(hosts)) as pool:
        return dict(zip(hosts, pool.map(work, hosts)))


def sets(lab: Lab) -> dict[str, str]:
    """What Sidekiq keeps of failed jobs, on each host."""

    def read(host: str) -> str:
        redis = REDIS.get(host, "redis-cli")
        return lab.ssh(host, f"{redis} zrange retry 0 -1 withscores; {redis} zrange dead 0 -1 withscores")

    return everywhere(read)


def check(lab: Lab, *arguments: str, **variables: t.Any) -> Run:
    asked = {"mastodon_smtp_hosts": "fleet", "mastodon_smtp_check_relay": False, **variables}
    return lab.playbook("fediops.mastodon.smtp_check", *arguments, **asked)


@pytest.fixture
def outage(lab: Lab) -> t.Iterator[dict[str, str]]:
    """Mail fails after a rollout, while people ask for mails; afterwards Redis is empty again."""

    def ask(host: str) -> str:
        return lab.ssh(host, f"{RUNNER[host]} 2>&1", stdin=OUTAGE).split()[-1]

    try:
        lab.reset()
        done = lab.rollout(mastodon_smtp_hosts="fleet", mastodon_smtp_steady=2, mastodon_smtp_batches=["100%"])
        assert done.status == 0 and "mails-" not in done.output, done.output
        lab.ssh("relay", REFUSE)
        made = everywhere(ask, [host for host in RUNNER if host not in DOWN])
        lab.ssh("relay", "systemctl stop postfix")
        made.update(everywhere(ask, DOWN))
        assert set(made.values()) == {"5"} and set(made) == set(RUNNER), made
        yield sets(lab)
    finally:
        lab.ssh("relay", MEND)
        lab.reset()


def test_the_check_tells_who_waits_and_that_mail_fails_now(lab: Lab, outage: dict[str, str]) -> None:
    # Fails although file, settings and services are right: with the relay's check off, only these mails tell.
    done = check(lab, "-vvvv")
    assert done.status == 2, done.output
    said = flat(done)
    assert said.count("Not in order: 1 error") >= len(RUNNER), done.output
    assert said.count("[mails-fail-now]") >= len(RUNNER)
    for host in RUNNER:
        words = "Nothing listens at smtp.relay.test:587" if host in DOWN else "smtp.relay.test:587 rejected the login"
        assert words in summary(done, host), (host, done.output)
    assert said.count("4 mails wait since") >= len(RUNNER)
    assert "(3 password resets and 1 confirmation, of which 2 have expired); the next try is in 6 h 4" in said
    assert said.count("Sidekiq has given up 1 mail") >= len(RUNNER) and "1 was given up." in said
    # No address, no token, at any verbosity.
    jobs = [line for text in outage.values() for line in text.splitlines() if line.startswith("{")]
    tokens = {one for job in jobs for one in tokens_of(json.loads(job))}
    assert len(tokens) >= 4 * len(RUNNER)
    told = [one for one in (*tokens, "bob@example.com", "carol@example.com", "grace@example.com") if one in done.output]
    assert not told, told

    # The relay is mended: a test message is the proof that mail works now, and who waits is still told.
    lab.ssh("relay", MEND)
    mended = check(lab, mastodon_smtp_check_send=True)
    said = flat(mended)
    assert mended.status == 0 and "[mails-fail-now]" not in said, mended.output
    assert said.count("In order, with 2 warnings") == len(RUNNER), mended.output
    assert "[mails-waiting]" in said and "[mails-lost]" in said
    assert sets(lab) == outage
    what_makes_sense_is_sent_once_and_the_rest_is_left(lab)


def tokens_of(job: t.Any) -> list[str]:
    """The links' tokens in a mail job."""
    if not str(job.get("wrapped", "")).startswith("ActionMailer"):
        return []
    return [one for one in job["args"][0]["arguments"][3]["args"] if isinstance(one, str)]


def waits(lab: Lab, *arguments: str, **variables: t.Any) -> Run:
    asked = {"mastodon_smtp_hosts": "fleet", "mastodon_smtp_retry_waiting": "fresh", **variables}
    return lab.playbook("fediops.mastodon.smtp_waiting", *arguments, **asked)


def arrived(name: str) -> int:
    listed = run(sys.executable, str(CHECKOUT / "lab/mailboxes.py"), "list", "--mailbox", f"{name}@example.com")
    return len(json.loads(listed.output))


def failed_jobs(text: str) -> dict[str, str]:
    """Each failed job, by its text, with its score."""
    lines = text.split("\n")
    return {line: lines[at + 1] for at, line in enumerate(lines) if line.startswith("{")}


def what_makes_sense_is_sent_once_and_the_rest_is_left(lab: Lab) -> None:
    """The rest of the test above, since an outage takes long to make."""
    before = {host: failed_jobs(text) for host, text in sets(lab).items()}
    people = ("grace", "bob", "carol", "frank")
    had = {name: arrived(name) for name in (*people, "admin")}
    where = json.loads((path := CHECKOUT / ".work/lab/mailboxes.json").read_text())
    hidden = f"{{{{ (lookup('ansible.builtin.file', '{path}') | from_json).password }}}}"  # -v shows the command line
    mailbox = {"host": where["host"], "port": where["port"], "tls": "none", "login": RECIPIENT, "password": hidden}

    tried = waits(lab, "--check")
    assert tried.status == 0, tried.output
    assert flat(tried).count("3 mails that failed earlier would be retried, at most 20 a minute") == len(RUNNER)
    assert {host: failed_jobs(text) for host, text in sets(lab).items()} == before

    done = lab.rollout(
        "-vvvv",
        mastodon_smtp_hosts="fleet",
        mastodon_smtp_batches=["100%"],
        mastodon_smtp_send="always",
        mastodon_smtp_steady=2,
        mastodon_smtp_check_relay=False,
        mastodon_smtp_retry_waiting="fresh",
        mastodon_smtp_retry_rate=60,
        mastodon_smtp_arrival_mailboxes=[mailbox],
        mastodon_smtp_arrival_cleanup=True,
    )
    said = flat(done)
    assert done.status == 0, done.output
    assert said.count("3 of 3 mails that failed earlier were handed to the relay.") >= len(RUNNER), done.output
    # The mailbox is the witness of the test message, on every deployment, and its password is in no output.
    assert said.count(f"The test message arrived in INBOX of {RECIPIENT}") >= len(RUNNER), done.output
    assert where["password"] not in done.output and arrived("admin") == had["admin"]
    assert "2 mails (2 password resets) are expired, so they are not retried." in said, done.output
    assert "[mails-waiting]" not in said.partition("Sum up")[2] and "[mails-lost]" not in said.partition("Sum up")[2]
    now = {name: arrived(name) - had[name] for name in people}
    assert now == {"grace": len(RUNNER), "bob": len(RUNNER), "carol": len(RUNNER), "frank": 0}
    left = {host: failed_jobs(text) for host, text in sets(lab).items()}
    for host, jobs in left.items():
        assert len(jobs) == 3 and jobs.items() <= before[host].items(), jobs
        assert any('"class":"Foreign"' in job for job in jobs)
    tokens = {one for jobs in before.values() for job in jobs for one in tokens_of(json.loads(job))}
    assert tokens and not [one for one in (*tokens, "bob@example.com", "carol@example.com") if one in done.output]

    dropped = waits(lab, mastodon_smtp_drop_expired=True)
    assert dropped.status == 0 and "are expired, so they are deleted" in flat(dropped), dropped.output
    assert "Mails that failed earlier, on" in flat(dropped)
    for host, text in sets(lab).items():
        assert [json.loads(job)["class"] for job in failed_jobs(text)] == ["Foreign"], (host, text)

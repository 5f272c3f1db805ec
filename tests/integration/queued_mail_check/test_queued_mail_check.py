# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""queued_mail_check through the real web form, Redis, Sidekiq 6.4, 7.3 and 8.1, and relay of the lab.

Its failures are in ../rollout/faults.yml.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import typing as t

import pytest
from harness import CHECKOUT, ENV_FILE, LIVE, Lab, run

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


@pytest.fixture(scope="module", params=(*Lab.hosts, Lab.newest))
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
    assert (result["findings"], result["changed"]) == ([], False), result
    # Rails 7.2 does not log deliveries. Rails 6.1 on masto2 does, where the log is in time; else Redis is the witness.
    assert result["outcome"] == "performed" or (host.name, result["outcome"]) == ("masto2", "delivered"), result
    assert (result["job"]["queue"], result["job"]["attempts"]) == ("mailers", 1)
    until = time.monotonic() + 30
    while not (new := [one for one in arrivals(recipient) if one not in before]) and time.monotonic() < until:
        time.sleep(0.5)
    assert len(new) == 1
    known = way == "enqueue" or result["outcome"] == "delivered"
    assert result["message_id"] in ((new[0],) if known else (None,))
    assert "reset_password_token" not in json.dumps(result)


def test_check_mode_sends_nothing(host: Host) -> None:
    result = host.lab.module(host.name, "queued_mail_check", {"reset": ACCOUNT}, check_mode=True)
    assert (result["failed"], result["outcome"], result["job"]) == (False, "not_sent", None)


@pytest.mark.parametrize("account", ["bob", "carol", "frank", "grace"])
def test_who_is_not_confirmed_disabled_suspended_or_not_approved_gets_a_reset(host: Host, account: str) -> None:
    result = host.check(reset=f"{account}@example.com")
    assert (result["failed"], result["findings"], result["way"]) == (False, [], "form"), result


def test_the_sixth_reset_is_asked_for_by_rails(host: Host) -> None:
    """Mastodon takes five for an address in half an hour, and that says nothing about the settings."""
    ways = [host.check(reset=ACCOUNT) for _unused in range(6)]
    assert [one["way"] for one in ways] == ["form"] * 5 + ["reset"]
    assert (ways[-1]["failed"], found(ways[-1])) == (False, ["reset-form-throttled"]), ways[-1]
    assert ways[-1]["outcome"] in ("performed", "delivered")


def queued(host: Host, redis: str = "redis-cli") -> list[str]:
    """How many jobs wait, are to be tried again, and are given up."""
    return host.lab.ssh(host.name, f"{redis} llen queue:mailers; {redis} zcard retry; {redis} zcard dead").split()


def somebody_asks_for_a_reset(host: Host, account: str, redis: str) -> None:
    """A reset whose mail fails, so that it lies in the retry set."""
    ruby = (
        f"PATH=/home/mastodon/.rbenv/shims:$PATH; cd {LIVE}; runuser -u mastodon -- env PATH=$PATH RAILS_ENV=production"
    )
    host.lab.ssh(
        host.name,
        f"{ruby} bin/rails runner -",
        stdin=f"User.find_by(email: '{account}').send_reset_password_instructions",
    )
    host.lab.ssh(host.name, f"timeout 30 sh -c 'until [ $({redis} zcard retry) = 1 ]; do sleep 0.3; done'; sleep 2")


#: What hides the job from the log, as drop-ins of both units: logs that go to a file; a level that leaves no more than
#: Sidekiq's report of an exception, or nothing at all.
HIDDEN = {
    "append": {"": "StandardOutput=append:/home/mastodon/live/log/out.log"},
    "level": {"": "Environment=RAILS_LOG_LEVEL=warn", "masto1": "Environment=RAILS_LOG_LEVEL=fatal"},
}


#: Sidekiq may have a Redis of its own: what starts it, what the environment file says of it, and how to look into it.
SECRET = "pw-of-redis"
START = "redis-server --port 6380 --save '' --daemonize yes --unixsocket /run/sidekiq.sock --unixsocketperm 777"
SENTINEL = (
    f"printf 'port 26380\nsentinel monitor main 127.0.0.1 6380 1\nsentinel auth-pass main {SECRET}\n"
    f"requirepass {SECRET}\ndaemonize yes\n' > /run/sentinel.conf && redis-server /run/sentinel.conf --sentinel"
)
OWN_REDIS = {
    "masto1": (
        f"{START} --requirepass {SECRET}",
        f"SIDEKIQ_REDIS_HOST=localhost\nSIDEKIQ_REDIS_PORT=6380\nSIDEKIQ_REDIS_PASSWORD={SECRET}\n",
    ),
    "masto2": (START, "SIDEKIQ_REDIS_URL=unix:///run/sidekiq.sock\n"),
    "masto5": (
        f"{START} --requirepass {SECRET} && {SENTINEL}",
        f"SIDEKIQ_REDIS_SENTINEL_MASTER=main\nSIDEKIQ_REDIS_SENTINELS=localhost:26380\nSIDEKIQ_REDIS_PASSWORD={SECRET}\n",
    ),
}


@contextlib.contextmanager
def own_redis(host: Host) -> t.Iterator[str]:
    """How redis-cli reaches a Redis that Sidekiq alone has, once the services are restarted."""
    start, settings = OWN_REDIS[host.name]
    password = f"-a {SECRET} --no-auth-warning" if SECRET in start else ""
    host.lab.ssh(host.name, f"{start} && printf '{settings}' >> {ENV_FILE}")
    try:
        yield f"redis-cli -p 6380 {password}"
    finally:
        ends = [f"redis-cli -p {port} {password} shutdown nosave" for port in (26380, 6380) if str(port) in start]
        host.lab.ssh(host.name, f"sed -i /^SIDEKIQ_REDIS_/d {ENV_FILE}; {'; '.join(ends)}")


@pytest.mark.parametrize("hidden", list(HIDDEN))
def test_where_the_log_tells_nothing_redis_does(host: Host, hidden: str) -> None:
    names = ("mastodon-web", "mastodon-sidekiq")
    folders = [f"/run/systemd/system/{name}.service.d" for name in names]
    line = HIDDEN[hidden].get(host.name, HIDDEN[hidden][""])
    write = "; ".join(f"mkdir -p {one} && printf '[Service]\\n{line}\\n' > {one}/log.conf" for one in folders)
    again = f"systemctl daemon-reload && systemctl restart {' '.join(names)}"
    with contextlib.ExitStack() as after:
        after.callback(host.lab.ssh, host.name, again)
        redis = after.enter_context(own_redis(host)) if hidden == "append" else "redis-cli"
        after.callback(host.lab.ssh, host.name, f"rm -r {' '.join(folders)}")
        host.lab.ssh(host.name, f"{write}; {again}")
        ready = host.lab.module(host.name, "mail_services", {"state": "restarted", "steady": 0})
        assert not ready["failed"], ready
        good = host.check(reset=ACCOUNT)
        assert (good["outcome"], good["failed"], good["findings"]) == ("performed", False, []), good
        # A reset that somebody else asked for, for the same account, waits to be tried again.
        somebody_asks_for_a_reset(host, "refused@example.com", redis)
        bad = host.check(reset="refused@example.com")
        assert (bad["outcome"], found(bad)) == ("failed", ["recipient-refused"]), bad
        assert SECRET not in json.dumps([good, bad])
        # What did not get through is not sent later, either; theirs is.
        assert queued(host, redis) == ["0", "1", "0"]
        host.lab.ssh(host.name, f"{redis} del retry")


FAULT = f"{LIVE}/config/initializers/zz_fault.rb"
RAISE = "Rails.application.config.to_prepare { Auth::PasswordsController.before_action { raise KeyError } }"


@pytest.mark.parametrize(
    ("spoil", "mend", "code"),
    [
        ("systemctl stop mastodon-web", "systemctl start mastodon-web", "web-not-reached"),
        (
            f"echo '{RAISE}' > {FAULT} && systemctl restart mastodon-web",
            f"rm {FAULT} && systemctl restart mastodon-web",
            "reset-form-refused",
        ),
    ],
    ids=["web is stopped", "the page answers 500"],
)
def test_where_web_does_not_answer_rails_asks_for_the_reset(host: Host, spoil: str, mend: str, code: str) -> None:
    host.lab.ssh(host.name, spoil)
    try:
        assert not host.lab.module(host.name, "mail_services", {"steady": 0})["failed"]  # waits until it answers
        result = host.check(reset=ACCOUNT)
    finally:
        host.lab.ssh(host.name, mend)
    assert (result["failed"], found(result), result["way"]) == (False, [code], "reset"), result
    assert result["outcome"] in ("performed", "delivered")


def test_web_is_asked_where_its_process_listens_and_not_where_the_file_says(host: Host) -> None:
    """Puma reads its environment before dotenv reads the file."""
    host.lab.ssh(host.name, f"printf 'PORT=3999\\nBIND=192.0.2.1\\nSOCKET=/run/none.sock\\n' >> {ENV_FILE}")
    try:
        result = host.check(reset=ACCOUNT)
    finally:
        host.lab.ssh(host.name, f"sed -i '/^PORT=3999$/d; /^BIND=192.0.2.1$/d; /^SOCKET=.run.none.sock$/d' {ENV_FILE}")
    assert (result["failed"], found(result), result["way"]) == (False, [], "form"), result


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
    assert queued(host) == ["0", "0", "0"]


#: A second Sidekiq with a relay of its own, which takes all jobs, since the first one is told to take no more.
SECOND = """set -e
cd /run/systemd/system
cp $(systemctl show -P FragmentPath mastodon-sidekiq) mastodon-sidekiq-more.service
mkdir -p mastodon-sidekiq-more.service.d
printf '[Service]\\nEnvironment=SMTP_SERVER=localhost SMTP_PORT=5998\\n' > mastodon-sidekiq-more.service.d/relay.conf
systemctl daemon-reload && systemctl start mastodon-sidekiq-more
"""
NO_MORE = "rm -r /run/systemd/system/mastodon-sidekiq-more.service*; systemctl daemon-reload"


@pytest.mark.parametrize("host", ["masto1"], indirect=True)
def test_the_relay_of_the_sidekiq_that_took_the_job_is_named(host: Host) -> None:
    with host.spoilt(SECOND, f"systemctl stop mastodon-sidekiq-more; {NO_MORE}; systemctl restart mastodon-sidekiq"):
        assert not host.lab.module(host.name, "mail_services", {"steady": 0})["failed"]
        host.lab.ssh(host.name, "systemctl kill --kill-whom=main --signal=TSTP mastodon-sidekiq && sleep 1")
        result = host.check(reset=ACCOUNT)
    assert (result["outcome"], found(result)) == ("failed", ["relay-connection-refused"]), result
    assert result["findings"][0]["subject"] == "localhost:5998", result

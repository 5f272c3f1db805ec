# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mailer_check on both generations of Rails, against the lab's real Postfix and Dovecot, without a restart of anything.

587 demands STARTTLS, 465 is implicit TLS, 10587 has a certificate that nobody vouches for, 25 takes no login.
"""

from __future__ import annotations

import json
import sys
import typing as t

import pytest
from harness import CHECKOUT, ENV_FILE, LIVE, Lab, run

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.effective import effective
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import Release
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.program import PRELUDE, program

RECIPIENT = "admin@example.com"
#: Everything about mail goes first, so that a case holds nothing of the one before.
ALL = [f"SMTP_{name}" for name in (
    "SERVER", "PORT", "LOGIN", "PASSWORD", "DOMAIN", "AUTH_METHOD", "CA_FILE", "OPENSSL_VERIFY_MODE", "TLS", "SSL",
    "ENABLE_STARTTLS", "ENABLE_STARTTLS_AUTO", "FROM_ADDRESS", "REPLY_TO", "RETURN_PATH", "DELIVERY_METHOD",
)]  # fmt: skip


class Host:
    """One host with settings that work, to be spoilt one at a time."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab, self.name = lab, name
        variables = lab.variables[name]
        self.password = lab.password(name)
        self.works = {
            "SMTP_SERVER": variables["mastodon_smtp_host"],
            "SMTP_PORT": "587",
            "SMTP_LOGIN": variables["mastodon_smtp_login"],
            "SMTP_FROM_ADDRESS": variables["mastodon_smtp_from_address"],
            "SMTP_RETURN_PATH": variables["mastodon_smtp_return_path"],
            "SMTP_ENABLE_STARTTLS": "always",
            "SMTP_OPENSSL_VERIFY_MODE": "peer",
        }

    def plan(self, changes: t.Mapping[str, str | None]) -> dict[str, t.Any]:
        """The options that describe the working settings with changes; None leaves a variable out."""
        wanted = {**self.works, "SMTP_PASSWORD": self.password, **changes}
        secrets = {"SMTP_PASSWORD": wanted["SMTP_PASSWORD"]} if wanted["SMTP_PASSWORD"] is not None else {}
        plain = {name: value for name, value in wanted.items() if value is not None and name != "SMTP_PASSWORD"}
        return {"set": plain, "secrets": secrets, "remove": [one for one in ALL if one not in {**plain, **secrets}]}

    def write(self, changes: t.Mapping[str, str | None]) -> dict[str, t.Any]:
        plan = self.plan(changes)
        done = self.lab.module(self.name, "env_file", {"path": ENV_FILE, "readers": ["ruby", "node"], **plan})
        assert not done["failed"], done
        return plan

    def check(self, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
        return self.lab.module(self.name, "mailer_check", {"timeout": 120, **options}, check_mode=check_mode)

    @property
    def release(self) -> str:
        return str(self.lab.module(self.name, "instance_info", {"env_file": ENV_FILE})["instance"]["release"])


@pytest.fixture(scope="module", params=Lab.hosts)
def host(request: pytest.FixtureRequest, lab: Lab) -> t.Iterator[Host]:
    lab.reset(request.param)
    yield Host(lab, request.param)
    lab.reset(request.param)


def found(result: dict[str, t.Any]) -> list[str]:
    return [one["code"] for one in result["findings"] if one["severity"] == "error"]


def arrived(message_id: str, mailbox: str = RECIPIENT) -> dict[str, t.Any] | None:
    command = (
        sys.executable,
        str(CHECKOUT / "lab/mailboxes.py"),
        "find",
        message_id,
        "--mailbox",
        mailbox,
        "--wait",
        "30",
    )
    done = run(*command)
    return t.cast("dict[str, t.Any]", json.loads(done.output)) if done.status == 0 else None


def test_ruby_accepts_both_programs(host: Host) -> None:
    asked = program({"mark": "m", "salt": "s", "digests": {}, "send": []})
    ruby = "PATH=/home/mastodon/.rbenv/shims:$PATH ruby -wc -"
    for text in (asked.decode(), PRELUDE):
        assert "Syntax OK" in host.lab.ssh(host.name, ruby, stdin=text)


def test_a_message_arrives_and_nothing_is_restarted(host: Host) -> None:
    before = host.lab.processes(host.name)
    plan = host.write({})
    result = host.check(send_to=RECIPIENT, **plan)
    assert (result["failed"], found(result), result["changed"]) == (False, [], False)
    assert result["password_matches"] is True
    (sent,) = result["test_message"]
    assert sent["relay"] == "main"
    assert sent["envelope_from"] == host.works["SMTP_RETURN_PATH"]
    assert sent["answer"].startswith("250 2.0.0 Ok: queued as")
    message = arrived(sent["message_id"])
    assert message is not None
    assert message["To"] == RECIPIENT
    assert sent["message_id"].endswith(f"@{host.name}.test")
    assert host.lab.processes(host.name) == before
    assert host.password not in json.dumps(result)


def test_rails_uses_what_the_model_of_its_release_says(host: Host) -> None:
    plan = host.write({})
    variables = {**plan["set"], **plan["secrets"]}
    expected = effective(variables, Release.parse(host.release), f"{host.name}.test").as_dict()
    result = host.check(expected=expected)
    assert (result["differences"], result["failed"]) == ([], False)
    assert result["effective"]["main"]["tls_mode"] == expected["main"]["tls_mode"]
    expected["main"]["settings"]["port"] = "2525"
    result = host.check(expected=expected)
    assert [one["setting"] for one in result["differences"]] == ["main.port"]
    assert found(result) == ["effective-differs"]


def test_check_mode_shows_the_planned_file_and_touches_nothing(host: Host) -> None:
    host.write({"SMTP_SERVER": "old.relay.test", "SMTP_TLS": "true", "SMTP_ENABLE_STARTTLS": None})
    file, processes = host.lab.checksum(host.name), host.lab.processes(host.name)
    mails = run(sys.executable, str(CHECKOUT / "lab/mailboxes.py"), "count").output
    # A boot would fill it again.
    host.lab.ssh(host.name, f"rm -rf {LIVE}/tmp/cache")
    written = host.lab.ssh(host.name, f"find {LIVE}/tmp")
    # A value that dotenv would misread if it were not quoted, and a removal, which no environment can express.
    plan = host.plan({"SMTP_PASSWORD": "p#a $HOME w0rd"})
    result = host.check(check_mode=True, send_to=RECIPIENT, **plan)
    assert (found(result), result["planned"], result["password_matches"]) == ([], True, True)
    used = result["effective"]["main"]
    assert used["settings"]["address"] == host.works["SMTP_SERVER"]
    assert not used["settings"]["tls"]
    assert used["tls_mode"] == "starttls"
    assert result["test_message"] == []
    assert host.lab.checksum(host.name) == file
    assert host.lab.processes(host.name) == processes
    assert run(sys.executable, str(CHECKOUT / "lab/mailboxes.py"), "count").output == mails
    assert host.lab.ssh(host.name, f"find {LIVE}/tmp") == written


def test_a_password_that_quoting_mangled_is_told_from_a_wrong_one(host: Host) -> None:
    plan = host.write({})
    # As a careless template writes it: dotenv cuts at the blank before the number sign.
    host.lab.ssh(
        host.name, f"sed -i '/^SMTP_PASSWORD=/d' {ENV_FILE} && cat >> {ENV_FILE}", stdin="SMTP_PASSWORD=abc #def\n"
    )
    result = host.check(secrets={"SMTP_PASSWORD": "abc #def"}, set=plan["set"])
    assert found(result) == ["password-misread"]
    assert result["password_matches"] is False
    host.write({})


def test_an_override_in_the_unit_is_named(host: Host) -> None:
    """Sidekiq is asked, since it sends; smtp_settings compares the other services with the plan as well."""
    plan = host.write({})
    drop_in = "/etc/systemd/system/mastodon-sidekiq.service.d/override.conf"
    text = "[Service]\nEnvironment=SMTP_PORT=2525\n"
    host.lab.ssh(host.name, f"mkdir -p $(dirname {drop_in}) && cat > {drop_in} && systemctl daemon-reload", stdin=text)
    try:
        variables = {**plan["set"], **plan["secrets"]}
        expected = effective(variables, Release.parse(host.release), f"{host.name}.test").as_dict()
        result = host.check(expected=expected, **plan)
    finally:
        host.lab.ssh(host.name, f"rm -r $(dirname {drop_in}) && systemctl daemon-reload")
    assert found(result) == ["effective-differs"]
    assert f"SMTP_PORT is set by Environment in {drop_in}, line 2" in result["msg"]


def test_rails_that_does_not_boot(host: Host) -> None:
    host.write({})
    spoilt = "/home/mastodon/live/config/initializers/zz_spoilt.rb"
    text = 'raise KeyError, "no good: SECRET_KEY_BASE=abcdefgh"\n'
    host.lab.ssh(host.name, f"mkdir -p $(dirname {spoilt}) && cat > {spoilt} && chown mastodon: {spoilt}", stdin=text)
    try:
        result = host.check(send_to=RECIPIENT)
    finally:
        host.lab.ssh(host.name, f"rm {spoilt}")
    assert found(result) == ["rails-does-not-boot"]
    assert "KeyError" in result["msg"]
    assert "config/initializers/zz_spoilt.rb:1" in result["msg"]
    assert "abcdefgh" not in json.dumps(result)
    assert result["effective"] is None


def test_another_user_another_folder_and_the_environment_of_the_unit(lab: Lab) -> None:
    """A second instance on the host whose Ruby is the system's: Rails runs as that user, with what its unit sets."""
    host = Host(lab, "masto2")
    app, unit = "/srv/social/app", "/run/systemd/system/social-worker.service"
    host.lab.ssh(
        host.name,
        "useradd --system --create-home --home-dir /srv/social social && cp -a /home/mastodon/live /srv/social/app"
        f" && echo 'File.write(\"/srv/social/who\", Process.uid)' > {app}/config/initializers/zz_who.rb"
        " && chown -R social: /srv/social && echo SMTP_PORT=2525 > /run/social.env"
        f" && sed -e 's#/home/mastodon/live#{app}#; s/^User=.*/User=social/'"
        " -e '/^Type=/a Environment=SMTP_DOMAIN=social.example\\nEnvironmentFile=/run/social.env'"
        f" /etc/systemd/system/mastodon-sidekiq.service > {unit} && systemctl daemon-reload",
    )
    try:
        result = host.check(app_dir=app)
        who = host.lab.ssh(host.name, "id -u social; cat /srv/social/who").split()
    finally:
        host.lab.ssh(
            host.name, f"rm -rf {unit} /run/social.env; systemctl daemon-reload; userdel -r social", check=False
        )
    used = result["effective"]["main"]["settings"]
    assert (used["port"], used["domain"]) == ("2525", "social.example"), result
    assert who[0] == who[1]


def test_rails_that_takes_too_long_is_ended_with_all_its_children(host: Host) -> None:
    host.write({})
    slow = "/home/mastodon/live/config/initializers/zz_slow.rb"
    text = "system('sleep 4321')\n"
    host.lab.ssh(host.name, f"mkdir -p $(dirname {slow}) && cat > {slow} && chown mastodon: {slow}", stdin=text)
    try:
        result = host.check(send_to=RECIPIENT, timeout=15)
        left = host.lab.ssh(host.name, "pgrep -f '[s]leep 4321' || true").split()
    finally:
        host.lab.ssh(host.name, f"rm {slow}")
    assert found(result) == ["rails-timeout"]
    assert left == []

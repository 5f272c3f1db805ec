# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab really is what docs/lab.md says: a test that passes on it would mean little otherwise."""

from __future__ import annotations

import re
import sys
import time
import typing as t

import pytest
from harness import CHECKOUT, ENV_FILE, Lab, run

LIVE = "/home/mastodon/live"
RUBY = "PATH=/home/mastodon/.rbenv/shims:/usr/bin:/bin"

#: Debian, Rails, Sidekiq, net-smtp, dotenv, Rack: the stacks.
STACKS = {
    "masto1": ("trixie", "7.2.", "7.3.", "0.5.", "2.", "3.1."),
    "masto2": ("bookworm", "6.1.", "6.4.", "0.3.", "2.", "2.2."),
    "masto5": ("forky", "7.2.", "8.1.", "0.5.", "3.", "3.2."),
}
#: A form as a browser fills it, on the host; prints the status and the place it is sent to.
FORM = """
import re, sys, urllib.error, urllib.parse, urllib.request
domain, address, token = sys.argv[1:4]
headers = {"Host": domain, "X-Forwarded-Proto": "https"}
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
browser = urllib.request.build_opener(Stay)
page = "http://127.0.0.1:3000/auth/password"
form = browser.open(urllib.request.Request(page + "/new", headers=headers))
headers["Cookie"] = form.headers["Set-Cookie"].split(";")[0]
found = re.search('name="authenticity_token" value="([^"]+)"', form.read().decode())[1]
fields = {"authenticity_token": found if token == "right" else token, "user[email]": address}
try:
    answer = browser.open(urllib.request.Request(page, urllib.parse.urlencode(fields).encode(), headers))
except urllib.error.HTTPError as error:
    answer = error
print(answer.status if hasattr(answer, "status") else answer.code, answer.headers.get("Location"))
"""
#: One request, as given: path, then name=value headers; prints the status and the place it is sent to.
GET = """
import sys, urllib.error, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
headers = dict(pair.split("=", 1) for pair in sys.argv[2:])
request = urllib.request.Request("http://127.0.0.1:3000" + sys.argv[1], headers=headers)
try:
    answer = urllib.request.build_opener(Stay).open(request)
except urllib.error.HTTPError as error:
    answer = error
except urllib.error.URLError as error:
    print(error)
    sys.exit()
print(answer.code, answer.headers.get("Location"))
"""


def python(lab: Lab, host: str, program: str, *arguments: str) -> str:
    return lab.ssh(host, f"python3 - {' '.join(arguments)}", stdin=program).strip()


def ruby(lab: Lab, host: str, program: str, prefix: str = "") -> str:
    """What a Ruby program prints in the booted application; prefix: variables of the process environment."""
    command = f"cd {LIVE} && runuser -u mastodon -- env RAILS_ENV=production {RUBY} {prefix} bin/rails runner - 2>&1"
    return lab.ssh(host, command, stdin=program, check=False)


@pytest.fixture(params=STACKS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def fresh(lab: Lab, host: str) -> str:
    lab.reset(host, "relay")
    return host


@pytest.fixture(scope="module", autouse=True)
def clean_afterwards(lab: Lab) -> t.Iterator[None]:
    yield
    lab.reset()


def settle(lab: Lab, host: str, **changes: str | None) -> None:
    """Put settings into the file that work (or not, by changes) and restart, as an operator does by hand."""
    wanted = lab.variables[host]
    lines: dict[str, str | None] = {
        "SMTP_SERVER": wanted["mastodon_smtp_host"],
        "SMTP_PORT": str(wanted["mastodon_smtp_port"]),
        "SMTP_LOGIN": wanted["mastodon_smtp_login"],
        "SMTP_PASSWORD": lab.password(host),
        "SMTP_FROM_ADDRESS": wanted["mastodon_smtp_from_address"],
        "SMTP_AUTH_METHOD": "plain",
        "SMTP_ENABLE_STARTTLS": "always",
        "SMTP_OPENSSL_VERIFY_MODE": "peer",
        **changes,
    }
    kept = [line for line in lab.ssh(host, f"cat {ENV_FILE}").splitlines() if not line.startswith("SMTP_")]
    text = "\n".join([*kept, *(f"{name}='{value}'" for name, value in lines.items() if value is not None)])
    lab.ssh(host, f"cat > {ENV_FILE} && systemctl restart mastodon-sidekiq", stdin=text + "\n")
    restart_web(lab, host)


def restart_web(lab: Lab, host: str) -> None:
    lab.ssh(host, "systemctl restart mastodon-web")
    until = time.monotonic() + 180
    while time.monotonic() < until:
        if python(lab, host, GET, "/health").startswith("200"):
            return
        time.sleep(0.5)
    pytest.fail(f"the application of {host} does not come up")


# The machines


def test_systemd_is_the_first_process_and_nothing_failed(lab: Lab, host: str) -> None:
    assert lab.ssh(host, "cat /proc/1/comm").strip() == "systemd"
    assert lab.ssh(host, "systemctl is-system-running", check=False).strip() == "running"


def test_each_host_has_its_own_generation(lab: Lab, host: str) -> None:
    debian, *versions = STACKS[host]
    assert f"VERSION_CODENAME={debian}\n" in lab.ssh(host, "cat /etc/os-release")
    program = """
    require 'dotenv/version'
    puts [Rails.version, Sidekiq::VERSION, Net::SMTP::VERSION, Dotenv::VERSION, Rack.release].join(' ')
    """
    shown = ruby(lab, host, program).splitlines()[-1].split()
    assert [actual.startswith(expected) for actual, expected in zip(shown, versions)] == [True] * 5, shown


def test_ruby_hides_behind_rbenv_on_one_host_only(lab: Lab) -> None:
    hidden = "runuser -u mastodon -- sh -c 'command -v ruby || command -v bundle || command -v rbenv'"
    assert lab.ssh("masto1", hidden, check=False).strip() == ""
    assert lab.ssh("masto1", "runuser -l mastodon -c 'command -v ruby'", check=False).strip() == ""
    assert "/home/mastodon/.rbenv/shims/bundle exec puma" in lab.ssh("masto1", "systemctl cat mastodon-web")
    for host in ("masto2", "masto5"):
        assert lab.ssh(host, hidden).strip() == "/usr/bin/ruby"


def test_the_sandbox_of_the_units_is_at_work(lab: Lab, host: str) -> None:
    switches = ("RestrictNamespaces", "ProtectClock", "ProtectKernelModules", "NoNewPrivileges", "PrivateTmp")
    shown = lab.ssh(
        host,
        "systemctl show mastodon-web mastodon-sidekiq mastodon-streaming@4000 -p SystemCallFilter "
        + " ".join(f"-p {switch}" for switch in switches),
    )
    assert [shown.count(f"{switch}=yes") for switch in switches] == [3] * 5, shown
    assert shown.count("SystemCallFilter=~") == 3
    for unit in ("web", "sidekiq"):
        assert "jemalloc" in lab.ssh(host, f"cat /proc/$(systemctl show -P MainPID mastodon-{unit})/maps")


def test_streaming_is_a_template_behind_a_wrapper(lab: Lab, host: str) -> None:
    main = "systemctl show -P MainPID mastodon-streaming@4000"
    before = lab.ssh(host, main)
    lab.ssh(host, "systemctl restart mastodon-streaming")
    assert "0\n" != lab.ssh(host, main) != before
    assert lab.ssh(host, "systemctl show -P Type mastodon-streaming").strip() == "oneshot"


def test_the_first_settings_are_long_private_and_do_not_work(lab: Lab, fresh: str) -> None:
    text = lab.ssh(fresh, f"cat {ENV_FILE}")
    assert len(text.splitlines()) > 110
    assert "@" not in re.sub(r"\S+@\S+", "", text), "a placeholder was not filled"
    shown = lab.ssh(fresh, f"stat -c '%U %G %a' {ENV_FILE}").split()
    assert shown in (["mastodon", "mastodon", "600"], ["mastodon", "mastodon", "640"])
    # A user who asks for a new password gets none, and the mail is not tried again behind the back of the next test.
    told = run(sys.executable, str(CHECKOUT / "lab" / "today.py"), fresh)
    assert told.status == 0 and f"  {fresh}  does not arrive: " in told.output, told.output
    assert re.search("Socket|ECONNREFUSED|Cannot assign|Connection refused|not known", told.output), told.output
    assert "alice@example.com holds 0 messages" in told.output
    assert lab.ssh(fresh, "redis-cli zcard retry").strip() == "0"


def test_reset_brings_everything_back(lab: Lab, fresh: str) -> None:
    first = lab.checksum(fresh)
    lab.ssh(
        fresh,
        f"echo SMTP_TLS=x >> {ENV_FILE}; touch {ENV_FILE}.before-smtp; lab-release 3.4.1; systemctl stop redis-server",
    )
    lab.reset(fresh)
    assert lab.checksum(fresh) == first
    assert lab.ssh(fresh, f"ls -A {LIVE} | grep -c env.production").strip() == "1"
    assert lab.ssh(fresh, "systemctl is-active redis-server mastodon-web mastodon-sidekiq").split() == ["active"] * 3
    assert lab.ssh(fresh, "lab-release --show").strip() != "3.4.1"


# The application


def test_only_the_right_host_name_over_https_gets_in(lab: Lab, host: str) -> None:
    domain = f"Host={host}.test"
    assert python(lab, host, GET, "/health").startswith("200")
    assert python(lab, host, GET, "/auth/password/new", domain, "X-Forwarded-Proto=https").startswith("200")
    assert python(lab, host, GET, "/auth/password/new", "Host=evil.test", "X-Forwarded-Proto=https").startswith("403")
    plain = python(lab, host, GET, "/auth/password/new", domain)
    assert plain == f"301 https://{host}.test/auth/password/new"


def ask(lab: Lab, host: str, account: str) -> str:
    """What the form answers to somebody who asks for a new password."""
    return python(lab, host, FORM, f"{host}.test", f"{account}@example.com", "right")


def test_a_reset_by_form_arrives_for_all_but_memorial_passwordless_and_unknown(
    lab: Lab, fresh: str, mailboxes: t.Any
) -> None:
    settle(lab, fresh)
    # All get the same answer. Alice comes last: once her mail is there, the ones before had their chance.
    silent = ("dave", "erin", "stranger")
    mailed = ("bob", "carol", "frank", "grace", "alice")
    for account in (*silent, *mailed):
        assert ask(lab, fresh, account) == f"303 https://{fresh}.test/auth/sign_in"
    message = mailboxes.wait("alice@example.com")
    assert message["From"] == f"Mastodon <notifications@{fresh}.test>"
    assert message["Message-ID"].endswith(f"@{fresh}.test>")
    assert any("ESMTPSA" in line for line in message["Received"]), "not over TLS with a login"
    until = time.monotonic() + 30
    while sum(mailboxes.counts().values()) < len(mailed) and time.monotonic() < until:
        time.sleep(0.3)
    counts = {name: count for name, count in mailboxes.counts().items() if count}
    assert counts == {f"{name}@example.com": 1 for name in mailed}
    # The memorial account had a job all the same, the one without a password had none.
    program = 'p %w[alice dave erin].map { |name| !!User.find_by(email: "#{name}@example.com").reset_password_sent_at }'
    assert ruby(lab, fresh, program).splitlines()[-1] == "[true, false, true]"


def test_a_program_inside_rails_finds_the_accounts_as_with_devise(lab: Lab, host: str) -> None:
    program = """
    found = lambda do |email|
      user = User.find_or_initialize_with_errors(User.reset_password_keys, { email: email }, :not_found)
      [user.persisted?, user.encrypted_password.present?, user.active_for_authentication?, user.account.memorial?]
    end
    [' Alice@Example.com ', 'dave@example.com', 'erin@example.com', 'no@example.com', ''].each { |name| p found[name] }
    alice = User.find_by(email: 'alice@example.com')
    p GlobalID::Locator.locate(alice.to_global_id).id == alice.id, User.find_by(email: 'Alice@Example.com')
    p Devise.reset_password_within == 6.hours
    """
    assert ruby(lab, host, program).splitlines()[-8:] == [
        "[true, true, true, false]",
        "[true, false, true, false]",
        "[true, true, false, true]",
        "[false, true, true, false]",
        "[false, true, true, false]",
        "true",
        "nil",
        "true",
    ]


@pytest.mark.parametrize(
    ("release", "sixth"), [("4.2.8", "303"), ("4.2.9", "429"), ("4.3.0", "429"), ("4.5.3", "429"), ("4.6.5", "429")]
)
def test_the_sixth_reset_in_half_an_hour_is_refused(lab: Lab, release: str, sixth: str) -> None:
    host = {"4.5.3": "masto1", "4.6.5": "masto5"}.get(release, "masto2")
    lab.ssh(host, f"lab-release {release}")
    restart_web(lab, host)
    for number in range(5):
        assert ask(lab, host, "Alice" if number else "alice").startswith("303")
    # The count is in Redis: a restart does not help, and a program inside Rails can read it.
    restart_web(lab, host)
    program = """
    throttle = Rack::Attack.throttles.fetch('throttle_password_resets/email')
    key, = Rack::Attack.cache.send(:key_and_expiry, "#{throttle.name}:alice@example.com", throttle.period)
    p throttle.limit, throttle.period, Rack::Attack.cache.store.read(key).to_i
    """
    count = "5" if sixth == "429" else "0"
    assert ruby(lab, host, program).splitlines()[-3:] == ["5", "1800", count]
    assert ask(lab, host, "alice").startswith(sixth)
    assert ask(lab, host, "bob").startswith("303")
    lab.unthrottle()
    assert ask(lab, host, "alice").startswith("303")


def test_a_form_without_its_token_is_refused(lab: Lab, host: str) -> None:
    assert python(lab, host, FORM, f"{host}.test", "alice@example.com", "wrong").startswith("422")


def test_the_process_environment_wins_over_the_file(lab: Lab, host: str) -> None:
    shown = ruby(lab, host, "puts ActionMailer::Base.smtp_settings[:address]", "SMTP_SERVER=other.test")
    assert shown.splitlines()[-1] == "other.test"


# The releases


@pytest.mark.parametrize(
    ("host", "release", "variables", "expected"),
    [
        (
            "masto1",
            "3.4.10",
            "SMTP_TLS=false",
            {"tls": '"false"', "enable_starttls_auto": "true", "read_timeout": "nil"},
        ),
        (
            "masto2",
            "3.5.19",
            "SMTP_TLS=false SMTP_ENABLE_STARTTLS_AUTO=false",
            {"tls": "false", "enable_starttls_auto": "false"},
        ),
        ("masto1", "4.0.15", "SMTP_ENABLE_STARTTLS=never", {"enable_starttls": "false", "read_timeout": "nil"}),
        ("masto2", "4.3.8", "SMTP_ENABLE_STARTTLS=auto", {"enable_starttls_auto": "true", "read_timeout": "20"}),
        ("masto1", "4.4.0", "SMTP_PORT=0587 SMTP_ENABLE_STARTTLS_AUTO=false", {"enable_starttls_auto": "true"}),
        ("masto2", "4.4.1", "SMTP_SERVER=", {"address": '""', "enable_starttls_auto": "true"}),
        ("masto1", "4.5.0-rc.2", "SMTP_TLS=true SMTP_ENABLE_STARTTLS=", {"tls": "true", "enable_starttls": "nil"}),
        (
            "masto2",
            "4.6.2",
            "SMTP_ENABLE_STARTTLS=always",
            {"enable_starttls": ":always", "enable_starttls_auto": "nil"},
        ),
    ],
)
def test_the_settings_follow_the_release(
    lab: Lab, host: str, release: str, variables: str, expected: t.Mapping[str, str]
) -> None:
    lab.ssh(host, f"sed -i '/^SMTP_/d' {ENV_FILE}; lab-release {release}")
    names = "%w[" + " ".join(expected) + "]"
    program = f"puts Mastodon::Version.to_s; {names}.each {{ |name| p ActionMailer::Base.smtp_settings[name.to_sym] }}"
    shown = ruby(lab, host, program, variables).splitlines()
    assert shown[-len(expected) - 1 :] == [release, *expected.values()]


@pytest.mark.parametrize(("release", "there"), [("4.5.15", True), ("4.6.0-beta.1", False), ("4.6.5", False)])
def test_the_plain_mail_of_action_mailer_is_gone_where_mastodon_has_rails_8_1(
    lab: Lab, host: str, release: str, there: bool
) -> None:
    lab.ssh(host, f"lab-release {release}")
    headers = "to: 'x@example.com', subject: 's', body: 'b'"
    program = f"""
    puts(begin; ActionMailer::Base.mail({headers}).message.subject; rescue NoMethodError; 'no method'; end)
    puts ActionMailer::Base.new.mail({headers}).subject, UserMailer.action_methods.sort.first
    """
    assert ruby(lab, host, program).splitlines()[-3:] == ["s" if there else "no method", "s", "announcement_published"]


def test_puma_does_not_read_the_file(lab: Lab, host: str) -> None:
    lab.ssh(host, f"printf 'BIND=0.0.0.0\\nPORT=3999\\nSOCKET=/tmp/web.sock\\n' >> {ENV_FILE}")
    restart_web(lab, host)
    listening = lab.ssh(host, "ss -Hltn | awk '{print $4}'")
    assert "127.0.0.1:3000" in listening and "3999" not in listening


@pytest.mark.parametrize(("release", "there"), [("4.2.17", False), ("4.3.0", True)])
def test_sidekiq_says_by_a_file_that_it_is_ready(lab: Lab, host: str, release: str, there: bool) -> None:
    ready = f"{LIVE}/tmp/ready-for-jobs"
    lab.ssh(host, f"lab-release {release}; echo MASTODON_SIDEKIQ_READY_FILENAME=ready-for-jobs >> {ENV_FILE}")
    lab.ssh(host, "systemctl restart mastodon-sidekiq")
    lab.ssh(host, "until pgrep --full '^sidekiq [0-9.]+ .*busy'; do sleep 0.2; done; sleep 1")
    assert lab.ssh(host, f"test -e {ready}; echo $?").strip() == ("0" if there else "1")
    lab.ssh(host, "systemctl stop mastodon-sidekiq")
    assert lab.ssh(host, f"test -e {ready}; echo $?").strip() == "1"
    lab.ssh(host, f"sed -i /READY_FILENAME/d {ENV_FILE}; systemctl start mastodon-sidekiq")


@pytest.mark.parametrize("release", ["4.4.0", "4.4.1"])
def test_a_password_that_breaks_yaml_breaks_the_boot_of_one_release_only(lab: Lab, host: str, release: str) -> None:
    lab.ssh(host, f"lab-release {release}")
    shown = ruby(lab, host, "puts ActionMailer::Base.smtp_settings[:password]", "'SMTP_PASSWORD=[x: y'")
    if release == "4.4.0":
        assert "YAML syntax error occurred while parsing" in shown
        assert "config/email.yml" in shown
    else:
        assert shown.splitlines()[-1] == "[x: y"


def test_bulk_mail_has_settings_of_its_own(lab: Lab, host: str) -> None:
    lab.ssh(host, "lab-release 4.6.5")
    program = """
    sent = UserMailer.announcement_published(User.find(1), 'x').message
    puts sent.delivery_method.settings.slice(:address, :user_name, :port).inspect
    mails = [UserMailer.terms_of_service_changed(User.find(1), 'x')]
    mails << UserMailer.reset_password_instructions(User.find(1), 't')
    follower = EmailSubscriptionMailer.with(subscription: EmailSubscription.find(1))
    mails += [follower.notification(['A post.']), follower.confirmation]
    puts mails.map { |mail| mail.message.delivery_method.settings[:address] }.join(' ')
    """
    bulk, each = ruby(lab, host, program, "BULK_SMTP_SERVER=bulk.test SMTP_SERVER=main.test").splitlines()[-2:]
    assert "bulk.test" in bulk
    assert "587" not in bulk
    assert each == "bulk.test main.test bulk.test main.test"


# The command


def test_up_on_a_running_lab_does_nothing(lab: Lab) -> None:
    before = lab.processes("masto1")
    done = run(str(CHECKOUT / "script/lab"), "up")
    assert "already up" in done.output
    assert lab.processes("masto1") == before


@pytest.mark.parametrize(
    "arguments", [["frobnicate"], ["ssh", "masto9"], ["down", "--hard"], ["release", "relay", "4.5.0"]]
)
def test_a_wrong_command_is_explained(arguments: list[str]) -> None:
    done = run(str(CHECKOUT / "script/lab"), *arguments)
    assert done.status != 0
    assert "Traceback" not in done.output
    assert re.search(r"unknown command|there is no host|only --purge|no Mastodon", done.output)

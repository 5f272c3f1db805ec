# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module on an instance that a real Docker Compose runs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from compose_host import COMPOSE_FILE, ENV_FILE, NAME, PROJECT, ComposeHost
from harness import BIN, CHECKOUT, INVENTORY, kill_with_children, run

ODD = "p#a $HOME s'w\"x\\0rd ${SMTP_SERVER} end"
SETTINGS = {"SMTP_SERVER": "smtp.relay.test", "SMTP_PORT": "587", "SMTP_AUTH_METHOD": "plain"}


def codes(result: dict[str, object]) -> list[str]:
    return [one["code"] for one in result["findings"]]  # type: ignore[attr-defined]


def replace(host: ComposeHost, path: str, old: str, new: str) -> None:
    """Another text in a file of the host."""
    text = host.ssh(f"cat {path}")
    assert old in text
    host.ssh(f"cat > {path}", stdin=text.replace(old, new))


def test_the_instance_is_found_as_compose_describes_it(host: ComposeHost) -> None:
    found = host.module("instance_info")["instance"]
    assert (found["deployment"], found["app_dir"], found["env_file"]) == ("compose", PROJECT, ENV_FILE)
    assert (found["release"], found["local_domain"], found["readers"]) == ("4.4.8", "masto3.test", ["compose"])
    services = {one["name"]: one for one in found["services"]}
    assert {name: one["role"] for name, one in services.items()} == {
        "web": "web",
        "sidekiq": "sidekiq",
        "streaming": "streaming",
    }
    assert all(one["state"] == "running" and one["differs"] == [] for one in services.values())
    assert found["effective"]["main"]["settings"]["address"] == "localhost"


@pytest.fixture
def deploy(host: ComposeHost) -> t.Iterator[ComposeHost]:
    """The host as a user sees it who is in the group docker, owns the project's files, and is not root."""
    # What such a user cannot look into is waited for by the health check.
    quick = f"sed -i '/localhost:3000.health/a\\      interval: 2s' {COMPOSE_FILE}"
    host.ssh(f"chown -R deploy:deploy {PROJECT} && {quick} && cd {PROJECT} && docker compose config --quiet")
    yield host.at(login={"ansible_user": "deploy"})
    host.ssh(f"chown -R mastodon:mastodon {PROJECT}")


def test_an_edit_is_read_by_compose_itself_and_reaches_exactly_the_two_services(deploy: ComposeHost) -> None:
    """Nothing is done where nothing is stale, check mode says what would be, and no root is needed."""
    host = deploy
    before = host.containers()
    edit = host.module("env_file", path=ENV_FILE, set=SETTINGS, secrets={"SMTP_PASSWORD": ODD}, readers=["compose"])
    assert not edit["failed"], edit
    # Compose's own reading is the judge of the file.
    wanted = {**SETTINGS, "SMTP_PASSWORD": ODD}
    assert {name: host.config("web")[name] for name in wanted} == wanted

    stale = {one["name"]: one["differs"] for one in host.module("instance_info")["instance"]["services"]}
    # The streaming service has the same env_file, but holds no mail settings: it is not touched.
    assert stale == dict.fromkeys(["web", "sidekiq", "streaming"], sorted(wanted))
    planned = host.module("mail_services", check_mode=True)
    assert {one["name"] for one in planned["services"] if one["restarted"]} == {"web", "sidekiq"}
    assert host.containers() == before

    done = host.module("mail_services", steady=2)
    assert (done["failed"], done["changed"]) == (False, True), done
    after = host.containers()
    # Others in their place: a restart would have kept them, with their old environment.
    assert {name for name in after if after[name].split()[0] != before[name].split()[0]} == {"web", "sidekiq"}
    assert (after["streaming"], after["redis"]) == (before["streaming"], before["redis"])
    for service in ("web", "sidekiq"):
        assert {name: host.environment(service)[name] for name in wanted} == wanted
    states = {one["name"]: one["after"] for one in done["services"]}
    assert (states["web"]["differs"], states["sidekiq"]["differs"]) == ([], [])
    assert "p#a" not in str(done)

    again = host.module("mail_services")
    assert (again["changed"], host.containers()) == (False, after)
    # Only root, or the owner of a rootless Engine, enters the container's network.
    relay = {"helo_domain": "masto3.test", "auth": "none", "tls": "starttls", "port": 587, "vantage": "instance"}
    assert codes(host.module("smtp_relay_info", host="smtp.relay.test", **relay)) == ["looked-from-host"]


def test_rails_is_shown_the_plan_in_a_container_of_its_own(host: ComposeHost) -> None:
    before = host.look()
    password = "another $secret#1"
    asked = host.module(
        "mailer_check",
        check_mode=True,
        set={"SMTP_SERVER": "planned.example", "SMTP_PORT": "2525", "SMTP_LOGIN": "planned"},
        secrets={"SMTP_PASSWORD": password},
        remove=["SMTP_SSL"],
    )
    assert asked["effective"], asked
    settings = asked["effective"]["main"]["settings"]
    assert (settings["address"], settings["port"], asked["password_matches"]) == ("planned.example", 2525, True)
    assert asked["planned"]
    assert host.look() == before
    assert host.lab.places_of(NAME, password) == []


def test_a_reset_goes_through_the_queue_and_is_found_in_the_log(host: ComposeHost) -> None:
    """With the password that the relay does not know: so the outcome is a real failure of that very job."""
    sent = host.module("queued_mail_check", reset="alice@example.com", deadline=30)
    assert sent["outcome"] == "failed", sent
    assert sent["job"]["queue"] == "mailers"
    assert codes(sent) != []


def test_one_restart_by_somebody_else_is_no_crash_loop(host: ComposeHost) -> None:
    """docker restart, while the new containers are watched: it counts from 0, and it is the same container."""
    before = host.containers()["web"].split()[0]
    meanwhile: list[str] = []

    def somebody_else() -> None:
        for _unused in range(240):
            now: list[str] = []
            with contextlib.suppress(AssertionError):  # one has gone in this very moment
                now = host.containers().get("web", "").split()
            if now and now[0] != before:
                host.ssh(f"until docker exec {now[0]} curl -sf localhost:3000/health; do sleep 0.5; done")
                time.sleep(10)  # so has Sidekiq, and both are watched
                meanwhile.append(host.ssh(f"docker restart -t 1 {now[0]}"))
                return
            time.sleep(0.5)

    other = threading.Thread(target=somebody_else)
    other.start()
    done = host.module("mail_services", state="restarted", steady=40)
    other.join()
    assert meanwhile and not done["failed"] and codes(done) == ["service-restarted-elsewhere"], done


def test_no_container_is_left_when_the_controller_is_killed(host: ComposeHost) -> None:
    """The one-off container is paused, so that it does not end by itself."""
    checks = "docker ps --all --quiet --filter name=-check-"
    lab = host.lab
    words = [str(BIN / "ansible"), *lab.inventory_options, NAME, "-m", "fediops.mastodon.mailer_check"]
    controller = subprocess.Popen(
        words, cwd=CHECKOUT, env={**os.environ, **lab.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        paused = f'one=$({checks}); [ -n "$one" ] && docker pause $one && exit'
        host.ssh(f"for n in $(seq 300); do {paused}; sleep 0.1; done; false")
        assert host.ssh(checks).strip()
    finally:
        kill_with_children(controller.pid)
        controller.wait()
    host.ssh(f'for n in $(seq 40); do [ -z "$({checks})" ] && exit; sleep 0.5; done; {checks}; false')


def test_the_relay_is_tried_from_the_container(host: ComposeHost) -> None:
    relay = {"helo_domain": "masto3.test", "auth": "none", "tls": "none"}
    # A name that only the container's network knows.
    there = host.module("smtp_relay_info", vantage="instance", host="redis", port=6379, timeout=5, **relay)
    assert there["relay"]["addresses"][0]["outcome"] in ("answered", "silent", "connected", "closed"), there
    here = host.module("smtp_relay_info", vantage="host", host="redis", port=6379, **relay)
    assert here["relay"]["addresses"] == []
    # localhost and a file that only the host has
    only_here = "/usr/local/share/ca-certificates/fediops-lab.crt"
    options = {**relay, "tls": "starttls", "port": 25, "ca_file": only_here}
    itself = host.module("smtp_relay_info", vantage="instance", host="localhost", **options)
    assert {"relay-is-the-container", "ca-file-not-in-image"} <= set(codes(itself))
    # trusted as the container trusts, with the bundle that is mounted into it
    trusted = {"helo_domain": "masto3.test", "auth": "none", "tls": "starttls", "port": 587}
    good = host.module("smtp_relay_info", vantage="instance", host="smtp.relay.test", **trusted)
    assert not good["failed"], good
    assert good["relay"]["tls_details"]["verified"]


def test_a_network_without_a_way_out(host: ComposeHost) -> None:
    network = "mastodon_external_network"
    host.ssh(f"docker network disconnect {network} mastodon-sidekiq-1")
    try:
        done = host.module(
            *("smtp_relay_info",),
            vantage="instance",
            host="172.31.255.1",
            port=587,
            helo_domain="masto3.test",
            auth="none",
            connect_timeout=1,
        )
        assert "network-without-way-out" in codes(done)
    finally:
        host.ssh(f"docker network connect --alias sidekiq {network} mastodon-sidekiq-1")


def test_what_would_not_be_as_before_in_new_containers_is_told_first(disturbed: ComposeHost) -> None:
    host, before = disturbed, disturbed.containers()
    own = "    environment:\n      SMTP_PORT: ${RELAY_PORT}\n      SMTP_LOGIN: fixed\n      DB_PASS:\n"
    replace(host, COMPOSE_FILE, "    command: bundle exec sidekiq\n", f"    command: bundle exec sidekiq\n{own}")
    host.ssh(f"echo RELAY_PORT=2525 > {PROJECT}/.env")
    done = host.module("instance_info")
    found = {(one["variable"], one["layer"]) for one in done["instance"]["overrides"]}
    assert found == {("SMTP_PORT", "environment: (filled in from .env)"), ("SMTP_LOGIN", "environment:")}
    assert "interpolation-changed" in codes(done)
    replace(host, COMPOSE_FILE, "ghcr.io/mastodon/mastodon:v4.4.8", "ghcr.io/mastodon/mastodon:v4.5.0")
    mail = "env_file: .env.mail\n    command: bundle exec sidekiq"
    replace(host, COMPOSE_FILE, "env_file: .env.production\n    command: bundle exec sidekiq", mail)
    host.ssh(f"grep -v ^SMTP_ {ENV_FILE} > {PROJECT}/.env.mail")
    done = host.module("mail_services", state="restarted")
    assert done["failed"]
    assert {"image-missing", "service-reads-no-file"} <= set(codes(done))
    assert host.containers() == before


def test_a_service_with_settings_of_its_own_is_an_error_before_the_edit(disturbed: ComposeHost) -> None:
    host, before = disturbed, disturbed.containers()
    own = "    environment:\n      - SMTP_PORT=465\n"
    replace(host, COMPOSE_FILE, "    command: bundle exec sidekiq\n", f"    command: bundle exec sidekiq\n{own}")
    line = host.ssh(f"grep -n SMTP_PORT=465 {COMPOSE_FILE}").partition(":")[0]
    done = host.rollout("--check")
    said = " ".join(done.output.split())
    assert done.status == 2 and "[override-contradicts]" in said, done.output
    assert f"Remove SMTP_PORT from service sidekiq of {COMPOSE_FILE}, line {line}." in said, done.output
    assert "there for sidekiq, which overrides" in said and "the plan says '587'" in said, done.output
    said = " ".join(
        host.lab.playbook("fediops.mastodon.smtp_check", mastodon_smtp_hosts="mastodon_compose").output.split()
    )
    assert f"Remove SMTP_PORT from service sidekiq of {COMPOSE_FILE}, line {line}." in said and "Not in order" in said
    assert host.containers() == before


@pytest.fixture
def passing_on(host: ComposeHost) -> t.Iterator[ComposeHost]:
    """The host with its mail variables in .env, from where environment: passes them on one by one.

    Besides, docker logs shows nothing of these services.
    """
    names = ("SERVER", "PORT", "LOGIN", "PASSWORD", "AUTH_METHOD", "OPENSSL_VERIFY_MODE", "ENABLE_STARTTLS", "SSL")
    own = "    environment:\n" + "".join(f"      SMTP_{name}: ${{SMTP_{name}}}\n" for name in names)
    own += "      SMTP_FROM_ADDRESS: ${SMTP_FROM_ADDRESS:-nobody@masto3.test}\n"
    own += "    logging: {driver: none}\n"
    host.ssh(f"grep ^SMTP_ {ENV_FILE} > {PROJECT}/.env; sed -i /^SMTP_/d {ENV_FILE}")
    for command in ("    command: bundle exec puma -C config/puma.rb\n", "    command: bundle exec sidekiq\n"):
        replace(host, COMPOSE_FILE, command, command + own)
    host.compose("up --detach 2>&1")
    yield host
    host.lab.reset(NAME)


def test_dotenv_is_edited_where_it_fills_in_the_mail_variables(passing_on: ComposeHost) -> None:
    """A variable that is not passed on is an error first; passed on without a value it is driven like the others."""
    host = passing_on
    before = host.containers()
    done = host.rollout("--check")
    said = " ".join(done.output.split())
    assert done.status == 2 and "[override-contradicts]" in said, done.output
    assert f"web would not get it from {PROJECT}/.env: environment: does not pass it on." in said, done.output
    assert "Add SMTP_RETURN_PATH: (without a value) to environment: there" in said and "SMTP_PORT" not in said, said
    replace(
        host, COMPOSE_FILE, "      SMTP_SSL: ${SMTP_SSL}\n", "      SMTP_SSL: ${SMTP_SSL}\n      SMTP_RETURN_PATH:\n"
    )
    assert host.containers() == before

    done = host.rollout()
    assert done.status == 0, done.output
    # Redis has told of the mail, since no log does.
    assert "Done and proved" in done.output and "went through the queue" in " ".join(done.output.split()), done.output
    assert "does not support reading" in host.docker("logs mastodon-sidekiq-1 2>&1", check=False)
    after = host.containers()
    assert {name for name in after if after[name].split()[0] != before[name].split()[0]} == {"web", "sidekiq"}
    for service in ("web", "sidekiq"):
        given = host.environment(service)
        assert (given["SMTP_SERVER"], given["SMTP_PORT"]) == ("smtp.relay.test", "587")
        assert given["SMTP_RETURN_PATH"] == "bounces@masto3.test" and given["SMTP_SSL"] == ""
    found = host.module("instance_info")["instance"]
    assert (found["env_file"], found["overrides"]) == (f"{PROJECT}/.env", [])
    assert not any(one["stale"] for one in found["services"])


#: Fills in the form as a browser does, and prints the answers' statuses.
RESETS = """
import re, urllib.error, urllib.parse, urllib.request
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_): pass
browser, page = urllib.request.build_opener(Stay), "http://127.0.0.1:3000/auth/password"
headers = {"Host": "masto3.test", "X-Forwarded-Proto": "https"}
for _unused in range(6):
    form = browser.open(urllib.request.Request(page + "/new", headers=headers))
    token = re.search('name="authenticity_token" value="([^"]+)"', form.read().decode())[1]
    fields = urllib.parse.urlencode({"authenticity_token": token, "user[email]": "alice@example.com"}).encode()
    cookie = {**headers, "Cookie": form.headers["Set-Cookie"].split(";")[0]}
    try:
        browser.open(urllib.request.Request(page, fields, cookie))
    except urllib.error.HTTPError as answer:
        print(answer.code)
"""


def test_what_only_the_test_could_not_do_takes_nothing_back(host: ComposeHost) -> None:
    """Nobody to mail: done, not proved. Then accounts that get no mail, which fails; then the missing proof.

    That one is made where the form takes no more resets, and where the log shows no job.
    """
    nobody = {"mastodon_smtp_test_account": "", "mastodon_smtp_test_recipient": ""}
    wanted = {"mastodon_smtp_reply_to": "desk@masto3.test", "mastodon_smtp_steady": 2}
    host.ssh(f"echo RAILS_LOG_LEVEL=warn >> {ENV_FILE}")
    done = host.rollout(**wanted, **nobody)
    assert done.status == 0 and "Done, not proved" in done.output and "[queue-not-proved]" in done.output, done.output
    for account in ("erin@example.com", "nobody@nowhere.test"):
        silent = host.rollout(**wanted, **{**nobody, "mastodon_smtp_test_account": account})
        said = " ".join(silent.output.split())
        assert silent.status != 0 and f"{account}: " in said and "[account-gets-no-mail]" in said, said
        assert "The new settings stay in" in said, said
    before = host.containers()
    assert host.environment("sidekiq")["SMTP_REPLY_TO"] == "desk@masto3.test"
    assert host.environment("sidekiq")["RAILS_LOG_LEVEL"] == "warn"
    assert host.ssh("python3 -", stdin=RESETS).split() == ["303"] * 5 + ["429"]
    done = host.rollout(**wanted)
    said = " ".join(done.output.split())
    assert done.status == 0 and "Done and proved" in said and "The password reset for alice@example.com" in said, said
    assert host.containers() == before
    host.ssh(f"sed -i /^RAILS_LOG_LEVEL=/d {ENV_FILE}")


def test_a_service_that_is_stopped_is_told_before_anything_is_changed(host: ComposeHost) -> None:
    host.compose("stop --timeout 1 web 2>&1")
    try:
        found = host.module("instance_info")
        assert [one["subject"] for one in found["findings"] if one["code"] == "service-stopped"] == ["web"], found
        done = host.lab.playbook("fediops.mastodon.smtp_check", mastodon_smtp_hosts="mastodon_compose")
        said = " ".join(done.output.split())
        assert done.status == 2 and "Not in order: " in said and "error: web: It is exited" in said, done.output
    finally:
        host.compose("start web 2>&1")


def test_two_projects_are_told_apart(disturbed: ComposeHost) -> None:
    host = disturbed
    host.ssh("cp -a /srv/mastodon /srv/other && cd /srv/other && sed -i /127.0.0.1:/d docker-compose.yml"
             " && sed -i /ports:/d docker-compose.yml && docker compose create --no-build 2>&1")  # fmt: skip
    try:
        done = host.module("instance_info")
        assert codes(done) == ["several-instances"]
        assert "/srv/other" in done["msg"]
        assert "mastodon_smtp_app_dir" in done["msg"]
        assert host.module("instance_info", app_dir=PROJECT)["instance"]["app_dir"] == PROJECT
        # One more from the same directory: only its name tells it apart.
        host.compose("--project-name green create --no-build 2>&1")
        done = host.module("instance_info", app_dir=PROJECT)
        assert codes(done) == ["several-instances"]
        assert f"green in {PROJECT}; mastodon in {PROJECT}" in done["msg"] and "mastodon_smtp_project" in done["msg"]
        found = {
            name: {one["state"] for one in host.module("instance_info", project=name)["instance"]["services"]}
            for name in ("green", "mastodon")
        }
        assert (found["mastodon"], "running" in found["green"]) == ({"running"}, False)
    finally:
        host.ssh("cd /srv/other && docker compose down --timeout 1 2>&1; rm -rf /srv/other")
        host.compose("--project-name green down --timeout 1 2>&1")


@pytest.mark.parametrize(
    ("login", "code", "words"),
    [
        ({"ansible_user": "deploy"}, "env-file-denied", ENV_FILE),  # in the group docker, but not the file's owner
        ({"ansible_become": True, "ansible_become_user": "mastodon"}, "not-permitted", "become: true"),
    ],
    ids=["group-docker", "no-group"],
)
def test_logins_that_may_not(host: ComposeHost, login: dict[str, object], code: str, words: str) -> None:
    extra = [part for name, value in login.items() for part in ("-e", f"{name}={value}")]
    done = run(
        str(Path(sys.executable).parent / "ansible"),
        *("-i", str(INVENTORY), NAME, "-m", "fediops.mastodon.instance_info", "-a", "deployment=compose", *extra),
        env=host.lab.environment,
    )
    assert done.status != 0
    assert f"[{code}]" in done.output and words in done.output, done.output
    assert "Traceback" not in done.output


def test_another_release_is_another_image(host: ComposeHost) -> None:
    """The lab's own way to upgrade it; then a Compose file that says another image than the one that runs."""
    done = run(str(CHECKOUT / "script/lab"), "release", NAME, "4.5.3")
    assert done.status == 0, done.output
    assert host.module("instance_info")["instance"]["release"] == "4.5.3"
    host.ssh(f"sed -i s/:v4.5.3/:v4.4.8/ {COMPOSE_FILE}")
    found = host.module("instance_info")
    assert {one["subject"] for one in found["findings"] if one["code"] == "image-changed"} == {"web", "sidekiq"}
    assert "mastodon:v4.5.3; a new container would run ghcr.io/mastodon/mastodon:v4.4.8" in found["msg"]


def test_an_engine_that_is_down(host: ComposeHost) -> None:
    """The last one: what it stops has to start again."""
    host.ssh("systemctl stop docker.socket docker")
    try:
        done = host.module("instance_info")
        assert codes(done) == ["engine-down"]
        assert "systemctl start docker" in done["msg"]
    finally:
        host.lab.reset(NAME)


def test_the_lab_can_be_limited_to_hosts() -> None:
    done = run(str(CHECKOUT / "script/lab"), "up", NAME, "relay")
    assert (done.status, "already up" in done.output) == (0, True), done.output

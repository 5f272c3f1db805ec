# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Driving an instance under Docker Compose: what runs, what is made anew and how, its log, its network."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils import _lifeline
from ansible_collections.fediops.mastodon.plugins.module_utils._files import gate
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose import driver as compose
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose import network as compose_network
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.containers import (
    Container,
    moment,
    parse_containers,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.driver import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.sight import url_of
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.state import Known, as_service
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Completed, Hints, Service
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Listener, Processes
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.docker_host import ENV, Docker

SECRET = "s3cr3t 'p\"w$HOME`id`\\ä"


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


def by_name(services: t.Iterable[Service]) -> dict[str, Service]:
    return {one.name: one for one in services}


# What runs, and on what


def test_an_edit_makes_stale_what_was_started_before_it_and_names_the_variables(docker: Docker) -> None:
    driver = docker.driver()
    assert not any(one.stale for one in driver.services())
    (docker.project / ".env.production").write_text(ENV.replace("SMTP_PORT=25", "SMTP_PORT=587"))
    docker.model_env("SMTP_PORT", "587")
    docker.model_env("SMTP_SSL", None)
    found = by_name(driver.services())
    assert {name: one.differs for name, one in found.items()} == {
        "web": ("SMTP_PORT", "SMTP_SSL"),
        "sidekiq": ("SMTP_PORT", "SMTP_SSL"),
        "streaming": (),
    }
    assert found["web"].stale
    assert found["web"].as_dict()["differs"] == ["SMTP_PORT", "SMTP_SSL"]


def test_a_file_that_only_got_a_new_time_makes_nothing_stale(docker: Docker) -> None:
    driver = docker.driver()
    os.utime(docker.project / ".env.production", (2e9, 2e9))
    assert not any(one.stale for one in driver.services())
    assert len(docker.commands("config")) == 3  # it was read again


def test_a_file_time_in_the_future_is_told_and_makes_nothing_stale(docker: Docker) -> None:
    path = docker.driver().instance.env_file
    os.utime(path, (time.time() + 7205, time.time() + 7205))
    driver = docker.driver()
    assert not any(one.stale for one in driver.services())
    (finding,) = [one for one in driver.instance.findings if one.code == "file-time-ahead"]
    assert finding.subject == path and "2 hours ahead" in finding.message


def test_the_files_are_read_again_only_when_they_change(docker: Docker) -> None:
    driver = docker.driver()
    for _unused in range(3):
        driver.services()
    assert len(docker.commands("config")) == 2


def test_the_proxy_of_a_clients_own_configuration_is_no_difference(docker: Docker) -> None:
    docker.set_env("web", "HTTPS_PROXY", "http://proxy:3128")
    docker.set_env("web", "no_proxy", "localhost")
    assert by_name(docker.driver().services())["web"].differs == ()


@pytest.mark.parametrize(
    ("given", "state", "detail"),
    [
        ({"Status": "running"}, "running", "running"),
        ({"Status": "running", "Health": {"Status": "unhealthy"}}, "running", "running (unhealthy)"),
        ({"Status": "restarting", "ExitCode": 1}, "changing", "restarting (1)"),
        ({"Status": "created"}, "changing", "created"),
        ({"Status": "paused"}, "stopped", "paused"),
        ({"Status": "exited", "ExitCode": 1}, "stopped", "exited (1)"),  # restart: always, so by hand
        ({"Status": "dead", "ExitCode": 1}, "failed", "dead"),
    ],
)
def test_states(docker: Docker, given: dict[str, t.Any], state: str, detail: str) -> None:
    there = docker.container("sidekiq")["State"]
    there.pop("Health", None)
    there.update(given)
    found = by_name(docker.driver().services())["sidekiq"]
    assert (found.state, found.detail, found.pid > 0) == (state, detail, state == "running")


@pytest.mark.parametrize(("code", "state"), [(0, "stopped"), (1, "failed")])
def test_without_a_restart_policy_an_error_means_failed(docker: Docker, code: int, state: str) -> None:
    docker.container("sidekiq")["HostConfig"]["RestartPolicy"]["Name"] = "no"
    docker.container("sidekiq")["State"].update(Status="exited", ExitCode=code)
    assert by_name(docker.driver().services())["sidekiq"].state == state


def test_of_several_containers_the_oldest_and_the_worst_stand_for_the_service() -> None:
    known = Known("sidekiq", True, {"A": "1"})
    old = Container("1", "s-1", environment={"A": "1"}, status="running", pid=5, started=10.0, restarts=1)
    new = Container("2", "s-2", environment={"A": "2"}, status="running", pid=6, started=20.0)
    both = as_service("sidekiq", [new, old], known)
    assert (both.state, both.detail, both.pid, both.started) == ("running", "2 of 2: running", 5, 10.0)
    assert (both.restarts, both.stale, both.differs) == (1, True, ("A",))
    broken = Container("3", "s-3", status="restarting", exit_code=7)
    assert as_service("sidekiq", [old, broken], known).detail == "1 of 2: restarting (7)"
    assert as_service("sidekiq", [old, broken], known).state == "changing"
    assert as_service("sidekiq", [], known).wanted
    assert [life.thing for life in both.lives] == [new.id, old.id]
    assert len(both.lives) == 2 and as_service("sidekiq", [broken], known).lives[0].restarts == broken.restarts


def test_what_the_engine_prints_of_a_container_that_is_half_there() -> None:
    (one,) = parse_containers(b'[{"Id": "1", "Config": null, "State": {"Status": "removing"}}, 7]')
    assert (one.id, one.state, one.started, one.environment) == ("1", "changing", None, {})
    assert parse_containers(b"Error response from daemon") == []


def test_moments() -> None:
    assert moment("2026-11-24T14:57:26.25Z") == pytest.approx(1795532246.25)
    assert moment("2026-11-24T15:57:26.25+01:00") == pytest.approx(1795532246.25)
    assert moment("0001-01-01T00:00:00Z") is None
    assert moment("yesterday") is None


# Making containers anew


def test_exactly_the_services_are_made_anew_and_never_restarted(docker: Docker) -> None:
    driver = docker.driver()
    found = by_name(driver.services())
    driver.restart([found["web"], found["sidekiq"]])
    (command,) = docker.commands("up")
    assert command[-2:] == ["web", "sidekiq"]
    options = command[command.index("up") + 1 : -2]
    assert {"--detach", "--no-deps", "--no-build", "--force-recreate"} <= set(options)
    assert options[options.index("--pull") + 1] == "never"
    assert "--scale" not in options
    assert docker.commands("restart") == []


def test_new_containers_are_made_to_the_end_although_the_controller_is_gone(docker: Docker, monkeypatch: t.Any) -> None:
    driver = docker.driver()
    answer = docker._answer_compose

    def cut(command: list[str]) -> Completed:
        if "up" in command:
            os.kill(os.getpid(), signal.SIGHUP)
            made.append("begun")
            time.sleep(0.01)
            made.append("done")
        return answer(command)

    made: list[str] = []
    monkeypatch.setattr(docker, "_answer_compose", cut)
    with pytest.raises(_lifeline.Ended), _lifeline.within(60):
        driver.restart([one for one in driver.services() if one.role == "web"])
    assert made == ["begun", "done"]


def test_a_container_of_a_step_that_is_ended_is_taken_away(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_unused: t.Any, **_options: t.Any) -> Completed:
        raise _lifeline.Ended("controller", 60)

    driver = docker.driver()
    monkeypatch.setattr(compose.process, "run", cut)
    with pytest.raises(_lifeline.Ended):
        driver.run_in_app(["bin/rails"], timeout=1)
    assert len(docker.commands("rm")) == 1


def test_how_many_there_are_stays_as_it_is(docker: Docker) -> None:
    second = {**docker.container("sidekiq"), "Id": "second"}
    docker.containers_.append(second)
    driver = docker.driver()
    driver.restart([by_name(driver.services())["sidekiq"]])
    (command,) = docker.commands("up")
    assert command[command.index("--scale") + 1] == "sidekiq=2"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Error response from daemon: No such image: mastodon:9", "image-missing"),
        (" Container x-web-1  Recreate\nError: port is already allocated", "containers-not-replaced"),
    ],
)
def test_a_container_that_cannot_be_made_is_told(docker: Docker, said: str, code: str) -> None:
    driver = docker.driver()
    docker.refuse = {"up": said}
    with pytest.raises(FindingError) as caught:
        driver.restart([by_name(driver.services())["web"]])
    assert caught.value.finding.code == code
    assert "Recreate" not in caught.value.finding.message


# A command in the app


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """What is run in the app, instead of running it; C(done) is how it ends."""
    seen: dict[str, t.Any] = {"done": Completed(0, b"answer")}

    def run(command: t.Sequence[str], **options: t.Any) -> Completed:
        seen.update(command=list(command), **options)
        return t.cast(Completed, seen["done"])

    monkeypatch.setattr(compose.process, "run", run)
    return seen


def test_a_command_runs_in_a_container_of_its_own_with_values_out_of_sight(
    docker: Docker, ran: dict[str, t.Any]
) -> None:
    done = docker.driver().run_in_app(
        ["bin/rails", "runner", "-"],
        stdin=b"program",
        environment={"SMTP_PASSWORD": SECRET, "SMTP_SSL": None},
        timeout=7,
    )
    command = ran["command"]
    assert done.stdout == b"answer"
    options = command[command.index("run") + 1 : command.index("sidekiq")]
    assert {"--rm", "--no-deps", "--no-TTY"} <= set(options)
    assert command[-4:] == ["sh", "bin/rails", "runner", "-"]
    # Neither the command line nor what the Engine is told of the container has it.
    assert not any("s3cr3t" in word for word in [*command, *ran["environment"].values()])
    assert (ran["timeout"], ran["directory"]) == (7, str(docker.project))
    assert docker.commands("rm") == []
    # The words behind the service, run as the container would.
    words = [
        *command[command.index("sidekiq") + 1 : -3],
        "sh",
        "-c",
        'printf "%s|%s|" "$SMTP_PASSWORD" "$SMTP_SSL"; cat',
    ]
    shown = subprocess.run(words, input=ran["stdin"], env={"PATH": os.environ["PATH"], "SMTP_SSL": "true"},
                           capture_output=True, check=True)  # fmt: skip
    assert shown.stdout.decode() == f"{SECRET}||program"


def test_the_container_has_a_time_limit_of_its_own(docker: Docker, ran: dict[str, t.Any]) -> None:
    docker.driver().run_in_app(["bin/rails", "runner", "-"], stdin=b"program", timeout=7)
    assert ran["command"][-8:-5] == ["sidekiq", "sh", "-c"] and ran["command"][-4:] == [
        "sh",
        "bin/rails",
        "runner",
        "-",
    ]
    script = ran["command"][-5]
    assert script.startswith("command -v timeout") and "timeout -k 5 37 " in script
    for words, status in ((["sh", "-c", "exit 3"], 3), (["sleep", "60"], 124)):
        quick = script.replace("-k 5 37", "-k 5 0.2")
        assert subprocess.run(["sh", "-c", quick, "sh", *words], check=False).returncode == status
    assert ran["stdin"] == b"program"


def test_what_did_not_end_in_time_is_taken_away(docker: Docker, ran: dict[str, t.Any]) -> None:
    ran["done"] = Completed(-9, timed_out=True)
    docker.driver().run_in_app(["bin/rails"], timeout=1)
    (remove,) = docker.commands("rm")
    command = ran["command"]
    assert remove == ["docker", "rm", "--force", command[command.index("--name") + 1]]


def test_a_program_that_the_image_lacks(docker: Docker, ran: dict[str, t.Any]) -> None:
    ran["done"] = Completed(127)
    with pytest.raises(FindingError) as caught:
        docker.driver().run_in_app(["bin/rails"], timeout=1)
    assert caught.value.finding.code == "app-command-missing"


# Whether they are at work


class Seen(Processes):
    """Processes that a test describes."""

    def __init__(self, title: str = "", listens: bool | None = None, gone: bool = False) -> None:
        super().__init__()
        self._title, self._answer, self._gone = title, listens, gone

    def family(self, pid: int) -> list[int]:
        return [] if self._gone else [pid]

    def title(self, pid: int) -> str:  # noqa: ARG002
        return self._title

    def listens(self, pids: t.Sequence[int]) -> bool | None:  # noqa: ARG002
        return self._answer


@pytest.mark.parametrize(
    ("service", "health", "seen", "ready"),
    [
        ("sidekiq", "starting", Seen("sidekiq 7.3.2 mastodon [0 of 5 busy]"), True),
        ("sidekiq", "healthy", Seen("sidekiq 7.3.2 mastodon"), False),
        ("sidekiq", "unhealthy", Seen("sidekiq 7.3.2 mastodon [0 of 5 busy]"), False),
        ("web", "starting", Seen(listens=True), True),
        ("web", "healthy", Seen(listens=False), False),
        # Whose processes may not be looked into: the health check speaks.
        ("web", "healthy", Seen(listens=None), True),
        ("web", "starting", Seen(listens=None), False),
        ("web", "", Seen(listens=None), None),
        ("sidekiq", "healthy", Seen(gone=True), True),
    ],
)
def test_at_work(docker: Docker, service: str, health: str, seen: Seen, ready: bool | None) -> None:
    docker.container(service)["State"]["Health"] = {"Status": health}
    driver = docker.driver()
    driver._processes = seen  # they are those of this service alone
    assert driver.ready(by_name(driver.services())[service]) is ready


# Its log


def test_the_log_of_the_services_after_a_mark_in_order(docker: Docker) -> None:
    driver = docker.driver()
    services = [one for one in driver.services() if one.holds_mail_settings]
    docker.logs = {
        docker.container("web")["Id"]: b"2026-11-24T14:57:26.2Z second\nnot stamped\n",
        docker.container("sidekiq")["Id"]: b"2026-11-24T14:57:26.1Z first\n2026-11-24T14:57:26.3Z \n",
        docker.container("streaming")["Id"]: b"2026-11-24T14:57:26.1Z not ours\n",
    }
    cursor = driver.log_cursor(services)
    lines = driver.log_since(services, cursor)
    assert [(one.service, one.text) for one in lines] == [
        ("sidekiq", "first"),
        ("web", "second"),
        ("web", "not stamped"),
        ("sidekiq", ""),
    ]
    assert all(one.pid > 1 for one in lines)
    assert all(one[one.index("--since") + 1] == cursor for one in docker.commands("logs"))


def test_a_log_that_cannot_be_read(docker: Docker) -> None:
    driver = docker.driver()
    docker.refuse = {"docker logs": "configured logging driver does not support reading"}
    with pytest.raises(FindingError) as caught:
        driver.log_since(driver.services(), "0")
    assert caught.value.finding.code == "log-unreadable"


@pytest.mark.parametrize(
    ("name", "release", "made", "ready"),
    [
        ("sidekiq_ready", "4.4.8", True, True),
        ("sidekiq_ready", "4.4.8", False, False),
        ("sidekiq_ready", "4.2.9", False, None),  # that release makes no such file
        ("", "4.4.8", False, None),
    ],
)
def test_a_sidekiq_that_can_only_be_asked_by_its_ready_file(
    docker: Docker, name: str, release: str, made: bool, ready: bool | None
) -> None:
    sidekiq = docker.container("sidekiq")
    sidekiq["State"].pop("Health", None)
    docker.set_env("sidekiq", "MASTODON_SIDEKIQ_READY_FILENAME", name)
    driver = docker.driver()
    driver.instance = dataclasses.replace(driver.instance, release=release)
    docker.in_app["test"] = Completed(0 if made else 1)
    assert driver.ready(by_name(driver.services())["sidekiq"]) is ready
    assert [one[4:] for one in docker.commands("test")] == [["-e", f"tmp/{name}"]] * (ready is not None)


# Hosts with one half of the mail, and services that were failing before


def only(docker: Docker, name: str) -> None:
    """A Compose file that has no other of the two."""
    other = "web" if name == "sidekiq" else "sidekiq"
    docker.containers_.remove(docker.container(other))
    del docker.raw["services"][other], docker.resolved["services"][other]


@pytest.mark.parametrize(("name", "code"), [("web", "sidekiq-elsewhere"), ("sidekiq", "web-elsewhere")])
def test_a_project_with_one_half_of_the_mail(docker: Docker, name: str, code: str) -> None:
    only(docker, name)
    driver = docker.driver()
    assert driver.instance.roles == (name,)
    assert [one.code for one in driver.instance.findings] == [code]
    assert driver.web_url() == ("http://127.0.0.1:3000" if name == "web" else "")
    assert driver.instance.release == "4.4.8" and driver.instance.user


def test_a_service_of_no_containers_is_no_part_of_the_host(docker: Docker) -> None:
    docker.containers_.remove(docker.container("web"))
    docker.raw["services"]["web"]["deploy"] = {"replicas": 0}
    docker.raw["services"]["web"]["image"] = docker.resolved["services"]["web"]["image"] = "mastodon/not-here:v1"
    docker.raw["services"]["web"]["env_file"] = []
    driver = docker.driver()  # neither its image nor its file matters
    assert driver.instance.roles == ("sidekiq",)
    assert [one.code for one in driver.instance.findings] == ["web-elsewhere"]
    assert "(web: without a container, not enabled)" in driver.instance.findings[0].message
    assert by_name(driver.services())["web"].wanted is False


def test_a_service_in_a_profile_counts_when_it_has_a_container(docker: Docker) -> None:
    docker.raw["services"]["web"]["profiles"] = ["web"]
    assert docker.driver().instance.roles == ("web", "sidekiq")
    docker.containers_.remove(docker.container("web"))
    assert docker.driver().instance.roles == ("sidekiq",)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"Status": "restarting", "ExitCode": 1}, "It is restarting (1), and was restarted 7 times."),
        ({"Status": "exited", "ExitCode": 1}, "It is exited (1), and was restarted 7 times."),
        ({"Health": {"Status": "unhealthy"}}, "It is running (unhealthy), and was restarted 7 times."),
        ({"Health": {"Status": "starting"}}, ""),
        ({"Status": "exited", "ExitCode": 0}, ""),
    ],
)
def test_a_container_that_was_failing_before(docker: Docker, state: dict[str, t.Any], told: str) -> None:
    web = docker.container("web")
    web["State"].update(state)
    web["RestartCount"] = 7
    web["HostConfig"]["RestartPolicy"]["Name"] = "on-failure"
    docker.logs[web["Id"]] = b"2026-11-24T14:57:26.256720004Z mail to alice@example.org\n"
    found = [one for one in docker.driver().instance.findings if one.code == "service-failing-before"]
    told = f"{told} The end of its log: mail to [address]" if told else ""
    assert [one.message for one in found] == [told] * bool(told)
    assert all("--tail" in one for one in docker.commands("logs"))


# Its network


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"published": ((3000, "127.0.0.1", 8080),)}, "http://127.0.0.1:8080"),
        ({"published": ((3000, "0.0.0.0", 3000),)}, "http://127.0.0.1:3000"),
        ({"published": ((3000, "::", 3000),)}, "http://[::1]:3000"),
        ({"published": ((4000, "", 4000),), "addresses": {"a": "", "b": "172.18.0.3"}}, "http://172.18.0.3:3000"),
        ({"network_mode": "host"}, "http://127.0.0.1:3000"),
        ({}, ""),
    ],
)
def test_where_the_host_reaches_web(given: dict[str, t.Any], url: str) -> None:
    assert url_of(Container("1", "web", **given), 3000) == url


def test_the_published_port_of_the_recorded_project(docker: Docker) -> None:
    assert docker.driver().web_url() == "http://127.0.0.1:3000"


class Inside(Processes):
    """What can be seen of the processes in the recorded web container."""

    def __init__(self, *listeners: Listener) -> None:
        super().__init__("/nowhere")
        self.listening = list(listeners)

    def family(self, pid: int) -> list[int]:
        return [pid]

    def listeners(self, pids: t.Sequence[int]) -> list[Listener]:
        return [dataclasses.replace(one, pid=pid) for pid in pids for one in self.listening]

    def reachable(self, pid: int, path: str) -> str:
        return f"/proc/{pid}/root{path}"


@pytest.mark.parametrize(
    ("variables", "listener", "url"),
    [
        ({"PORT": "4000"}, Listener(0, "0.0.0.0", 3000), "http://127.0.0.1:8080"),  # what really listens is published
        ({"PORT": "3100"}, Listener(0, "0.0.0.0", 3100), "http://172.19.0.4:3100"),
        ({"PORT": "3100"}, None, "http://172.19.0.4:3100"),
        ({"SOCKET": "tmp/web.sock"}, None, "unix:/proc/PID/root/opt/mastodon/tmp/web.sock"),
        ({"SOCKET": "/run/web.sock"}, Listener(0, path="/run/web.sock"), "unix:/proc/PID/root/run/web.sock"),
        ({}, None, "http://127.0.0.1:8080"),
    ],
)
def test_where_web_listens_in_its_container(
    docker: Docker, variables: dict[str, str], listener: Listener | None, url: str
) -> None:
    web = docker.container("web")
    web["NetworkSettings"]["Ports"] = {"3000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    for name, value in variables.items():
        docker.set_env("web", name, value)
    driver = find(Hints(), docker, Inside(*([listener] if listener else [])))
    assert driver.web_url() == url.replace("PID", str(web["State"]["Pid"]))


def test_where_web_listens_on_the_hosts_network(docker: Docker) -> None:
    docker.container("web")["HostConfig"]["NetworkMode"] = "host"
    docker.container("web")["NetworkSettings"]["Ports"] = {}
    assert find(Hints(), docker, Inside(Listener(0, "10.0.0.5", 3000))).web_url() == "http://10.0.0.5:3000"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
def test_the_container_itself_is_no_relay(docker: Docker, host: str) -> None:
    (finding,) = docker.driver().relay_findings(host, "", False)
    assert (finding.code, finding.severity) == ("relay-is-the-container", "error")


def test_on_the_hosts_network_localhost_is_the_host(docker: Docker) -> None:
    docker.container("sidekiq")["HostConfig"]["NetworkMode"] = "host"
    assert docker.driver().relay_findings("localhost", "", False) == []


def test_a_network_without_a_way_out_counts_only_when_the_relay_was_not_reached(docker: Docker) -> None:
    docker.container("sidekiq")["NetworkSettings"]["Networks"].pop("mastodon_external_network")
    driver = docker.driver()
    (finding,) = driver.relay_findings("smtp.example.org", "", False)
    assert (finding.code, "mastodon_internal_network" in finding.message) == ("network-without-way-out", True)
    assert driver.relay_findings("smtp.example.org", "", True) == []
    docker.driver()
    assert Docker.driver(docker, services=("web",)).relay_findings("smtp.example.org", "", False) == []


def test_a_ca_file_must_be_in_the_container(docker: Docker) -> None:
    driver = docker.driver()
    (finding,) = driver.relay_findings("smtp.example.org", "/etc/club/ca.pem", True)
    assert finding.code == "ca-file-not-in-image"
    docker.in_app["test"] = Completed(0)
    assert driver.relay_findings("smtp.example.org", "/etc/club/ca.pem", True) == []


def test_from_the_host_with_a_word_about_it_where_the_container_is_out_of_reach(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def barred(pid: int, work: object) -> t.NoReturn:  # noqa: ARG001
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(compose_network, "enter_and", barred)
    result, findings = docker.driver().look_from(lambda translate: translate("/etc/ca.pem"))
    assert result == "/etc/ca.pem"
    assert [(one.code, one.severity) for one in findings] == [("looked-from-host", "unknown")]
    for one in docker.containers_:
        one["State"]["Status"] = "exited"
    _unused, findings = docker.driver().look_from(lambda _translate: None)
    assert "No web or sidekiq container" in findings[0].message


def test_a_copy_of_a_containers_file_stays_in_its_folder(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "a" / "b" / "copies"
    (root / "etc").mkdir(parents=True)
    (root / "ca.pem").write_text("x")
    folder.mkdir(parents=True)
    for path in ("/etc/../../../ca.pem", "../../ca.pem", "//ca.pem"):
        copy = compose_network._copy(str(root), str(folder), path)
        assert copy == f"{folder}/ca.pem" and Path(copy).read_text() == "x"
    os.mkfifo(root / "etc" / "pipe")
    assert not Path(compose_network._copy(str(root), str(folder), "/etc/pipe")).exists()


def test_work_in_a_process_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        compose_network.enter_and(1, lambda _translate: None, root=str(tmp_path))


def test_links_in_a_container_lead_to_places_in_it(tmp_path: Path) -> None:
    (tmp_path / "etc/ssl").mkdir(parents=True)
    (tmp_path / "usr/share").mkdir(parents=True)
    (tmp_path / "usr/share/ca.pem").write_text("x")
    (tmp_path / "etc/ssl/absolute").symlink_to("/usr/share/ca.pem")
    (tmp_path / "etc/ssl/relative").symlink_to("../../usr/share/ca.pem")
    (tmp_path / "etc/ssl/outside").symlink_to("../../../../../../usr/share/ca.pem")
    (tmp_path / "etc/certs").symlink_to("/etc/ssl")
    (tmp_path / "etc/loop").symlink_to("loop")
    root = str(tmp_path)
    for name in ("ssl/absolute", "ssl/relative", "ssl/outside", "certs/absolute"):
        with gate.enter(f"/etc/{name}", root=root) as place:
            assert (place.target, place.read(9)) == ("/usr/share/ca.pem", b"x"), name
    with gate.enter("/etc/./nothing", root=root) as place:
        assert place.target == "/etc/nothing" and place.status() is None
    with pytest.raises(OSError, match="symbolic links"):
        gate.enter("/etc/loop", root=root)

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An instance under Docker Compose: how it is found, what is seen, what is said before anything is made anew."""

from __future__ import annotations

import os
import pwd
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose import engine as compose_engine
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.driver import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.project import (
    Passed,
    ServiceModel,
    passed_on,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.find import _nowhere
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Completed, Hints, InstanceError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Processes
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.renewal import not_served
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.docker_host import (
    VERSION_RB,
    Docker,
)


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


def refusal(docker: Docker, **hints: t.Any) -> list[Finding]:
    """Why there is no usable instance."""
    with pytest.raises(FindingError) as caught:
        docker.driver(**hints)
    return list(caught.value.findings) if isinstance(caught.value, InstanceError) else [caught.value.finding]


def test_a_running_project_is_found_by_the_labels_of_its_containers(docker: Docker) -> None:
    instance = docker.driver().instance
    assert (instance.deployment, instance.app_dir, instance.user) == ("compose", str(docker.project), "mastodon")
    assert instance.env_file == str(docker.project / ".env.production")
    assert (instance.release, instance.local_domain) == ("4.4.8", "masto3.test")
    assert (instance.readers, instance.code) == (("compose",), "/opt/mastodon")
    assert {one.name: one.role for one in instance.services} == {
        "web": "web",
        "sidekiq": "sidekiq",
        "streaming": "streaming",
    }
    assert instance.mail_variables == ("SMTP_PORT", "SMTP_SERVER", "SMTP_SSL")
    assert (instance.overrides, instance.findings) == ((), ())


def test_compose_is_told_the_project_as_it_was_started(docker: Docker) -> None:
    docker.container("web")["Config"]["Labels"]["com.docker.compose.project.environment_file"] = "/etc/mastodon.env"
    docker.container("web")["State"]["StartedAt"] = "2027-01-01T00:00:00Z"
    docker.driver()
    (raw, resolved) = docker.commands("config")
    assert raw[2:-4] == [
        *("--project-name", "mastodon", "--project-directory", str(docker.project)),
        *("--file", str(docker.project / "docker-compose.yml"), "--env-file", "/etc/mastodon.env"),
        *("--profile", "*"),
    ]
    assert resolved == raw[:-1]


def test_values_with_dollars_and_quotes_are_the_containers_own(docker: Docker) -> None:
    driver = docker.driver()
    assert driver.instance.variables["QUOTED"] == "a $HOME #b"
    assert driver.instance.variables["DOLLAR"] == "a$b"
    assert driver.instance.variables["BIND"] == "0.0.0.0"  # the image's own
    assert [one.differs for one in driver.services()] == [(), (), ()]


def test_a_service_of_any_name_is_told_by_its_command(docker: Docker) -> None:
    for old, new in (("web", "frontend"), ("sidekiq", "queue-mailers")):
        docker.container(old)["Config"]["Labels"]["com.docker.compose.service"] = new
        for model in (docker.raw, docker.resolved):
            model["services"][new] = model["services"].pop(old)
    model = docker.raw["services"]
    model["queue-default"] = dict(model["queue-mailers"])
    docker.resolved["services"]["queue-default"] = docker.resolved["services"]["queue-mailers"]
    found = {one.name: (one.role, one.state, one.detail) for one in docker.driver().instance.services}
    assert found["frontend"][0] == "web"
    assert found["queue-mailers"][:2] == ("sidekiq", "running")
    assert found["queue-default"] == ("sidekiq", "stopped", "without a container")
    assert "redis" not in found


def test_two_projects_are_told_apart_by_the_hints(docker: Docker) -> None:
    other = docker.second_project("other")
    (finding,) = refusal(docker)
    assert finding.code == "several-instances"
    assert str(other) in finding.message and "mastodon_smtp_app_dir" in finding.fix
    assert docker.driver(app_dir=str(docker.project)).instance.app_dir == str(docker.project)
    assert docker.driver(env_file=str(docker.project / ".env.production")).instance.app_dir == str(docker.project)


def test_two_projects_in_one_directory_are_told_apart_by_name(docker: Docker) -> None:
    docker.second_project("green", docker.project)
    directory = str(docker.project)
    for hints in ({}, {"app_dir": directory}, {"env_file": f"{directory}/.env.production"}):
        (finding,) = refusal(docker, **hints)
        assert finding.code == "several-instances"
        assert f"green in {directory}; mastodon in {directory}" in finding.message
        assert "mastodon_smtp_project, for example to green" in finding.fix
    for name in ("green", "mastodon"):
        docker.asked.clear()
        docker.driver(project=name, app_dir=directory)
        assert docker.commands("config")[0][2:4] == ["--project-name", name]
    (finding,) = refusal(docker, project="blue")
    assert finding.code == "no-compose-instance"
    assert "The project blue has no containers; projects on this host: green, mastodon" in finding.message
    docker.containers_.clear()
    docker.in_app["image cat"] = docker.in_app["cat"]
    docker.asked.clear()
    docker.driver(project="blue", app_dir=directory)
    assert docker.commands("config")[0][2:4] == ["--project-name", "blue"]


@pytest.mark.parametrize(
    ("version", "readers"),
    [
        ("1.25.5", ("compose", "raw")),
        ("1.29.2", ("compose", "python_dotenv")),
        ("1.9.0", ("compose", "raw")),
        ("2.26.1", ("compose",)),
        ("v2.40.3", ("compose",)),
    ],
)
def test_a_project_that_compose_1_runs_has_its_reader_too(
    docker: Docker, version: str, readers: tuple[str, ...]
) -> None:
    for service in ("web", "sidekiq"):
        docker.container(service)["Config"]["Labels"]["com.docker.compose.version"] = version
    assert docker.driver().instance.readers == readers


def test_what_compose_1_read_otherwise_would_change_in_new_containers(docker: Docker) -> None:
    docker.container("web")["Config"]["Labels"]["com.docker.compose.version"] = "1.25.5"
    docker.set_env("web", "SMTP_PORT", "'25'")  # the edit's own business
    assert docker.driver().instance.findings == ()
    docker.set_env("web", "DB_PASS", "'s3cr3t-pw'")
    (finding,) = refusal(docker)
    assert (finding.code, finding.subject) == ("made-by-compose-1", "web")
    assert "DB_PASS" in finding.message and "s3cr3t" not in finding.sentence() and "SMTP_PORT" not in finding.message
    docker.container("web")["Config"]["Labels"]["com.docker.compose.version"] = "2.26.1"
    assert docker.driver().instance.findings == ()


def test_a_directory_without_containers_is_enough(docker: Docker) -> None:
    docker.containers_.clear()
    docker.in_app["image cat"] = docker.in_app["cat"]
    instance = docker.driver(app_dir=str(docker.project)).instance
    assert (instance.release, {one.state for one in instance.services}) == ("4.4.8", {"stopped"})
    assert "--project-name" not in docker.commands("config")[0]


def test_a_project_that_is_down_is_told_before_anything_is_edited(docker: Docker) -> None:
    docker.containers_.clear()
    docker.in_app["image cat"] = docker.in_app["cat"]
    instance = docker.driver(app_dir=str(docker.project)).instance
    stopped = [one for one in instance.findings if one.code == "service-stopped"]
    assert {one.subject: one.message for one in stopped} == dict.fromkeys(
        ("web", "sidekiq"), "It is without a container, although it is meant to run."
    )
    nobody = not_served(instance.services)
    assert nobody is not None and nobody.subject == "sidekiq"


@pytest.mark.parametrize("named", [{"project": "mastodon"}, {}], ids=["by name", "by its directory alone"])
def test_containers_that_another_directory_has_started_are_not_taken_over(
    docker: Docker, named: dict[str, str]
) -> None:
    directory = docker.folder / "new" / "mastodon"
    directory.mkdir(parents=True)
    (directory / "docker-compose.yml").write_text("services: {}\n")
    (finding,) = refusal(docker, app_dir=str(directory), **named)
    assert (finding.code, finding.subject) == ("project-from-elsewhere", "the project mastodon")
    assert f"from {docker.project}, not from {directory}" in finding.message
    docker.second_project("green", directory)
    docker.raw["name"] = "green"
    assert docker.driver(app_dir=str(directory)).instance.app_dir == str(directory)


@pytest.mark.parametrize(
    ("hints", "code", "word"),
    [
        ({}, "no-compose-instance", "No Compose container"),
        ({"app_dir": "/nonexistent/mastodon"}, "app-dir-missing", "directory does not exist"),
        ({"app_dir": "/tmp"}, "no-compose-instance", "no Compose file"),
    ],
)
def test_nothing_there(docker: Docker, hints: dict[str, str], code: str, word: str) -> None:
    docker.containers_.clear()
    (finding,) = refusal(docker, **hints)
    assert finding.code == code
    assert word in finding.message


def test_projects_that_are_no_mastodon_are_passed_over(docker: Docker) -> None:
    for one in docker.containers_:
        one["Config"]["Image"] = "gitlab/gitlab:17"
        one["Config"]["Env"] = []
    assert refusal(docker)[0].code == "no-compose-instance"


@pytest.mark.parametrize(
    ("services", "code"), [(["web", "sidekik"], "service-unknown"), (["web", "redis"], "service-role-unknown")]
)
def test_services_that_are_named_must_exist_and_be_mastodons(docker: Docker, services: list[str], code: str) -> None:
    assert refusal(docker, services=tuple(services))[0].code == code
    assert [one.name for one in docker.driver(services=("sidekiq",)).instance.services] == ["sidekiq"]


@pytest.mark.parametrize(
    ("command", "said", "code", "words"),
    [
        (
            "docker ps",
            "Cannot connect to the Docker daemon at unix:///run/docker.sock.",
            "engine-down",
            "systemctl",
        ),
        (
            "docker ps",
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "not-permitted",
            "become",
        ),
        ("docker ps", "something new", "engine-answer", "something new"),
        ("docker compose version", "docker: 'compose' is not a docker command.", "compose-missing", "plugin"),
        ("config", "open /srv/x/docker-compose.yml: no such file or directory", "compose-file-missing", "Put it back"),
        ("config", "services.web.ports must be a list", "compose-refused", "must be a list"),
    ],
)
def test_an_engine_that_does_not_answer_is_told(docker: Docker, command: str, said: str, code: str, words: str) -> None:
    docker.refuse = {command: said, "docker-compose": "no"}
    (finding,) = refusal(docker)
    assert finding.code == code
    assert words in finding.sentence()


def test_compose_1_is_refused(docker: Docker) -> None:
    docker.version = "1.29.2\n"
    docker.refuse = {"docker-compose": "no"}
    assert refusal(docker)[0].code == "compose-missing"


def test_the_line_that_compose_does_not_understand_is_not_shown(docker: Docker) -> None:
    said = 'failed to read .env.production: line 2: unterminated quoted value "s3cr3t-pw'
    docker.refuse = {"config --format json": said}
    raw = dict(docker.refuse)

    def only_resolved(command: t.Sequence[str], *more: t.Any, **options: t.Any) -> Completed:
        docker.refuse = {} if "--no-interpolate" in command else raw
        return Docker._run(docker, command, *more, **options)

    docker._run = only_resolved  # type: ignore[method-assign]
    (finding,) = refusal(docker)
    assert finding.code == "compose-refused"
    assert "line 2" in finding.message
    assert "s3cr3t" not in finding.sentence()


def test_the_environment_file_must_be_there(docker: Docker) -> None:
    (docker.project / ".env.production").unlink()
    with pytest.raises(InstanceError) as caught:
        docker.driver()
    assert [one.code for one in caught.value.findings] == ["env-file-missing"]
    assert (caught.value.instance.release, caught.value.instance.env_file_checksum) == ("4.4.8", "")


def test_a_path_that_is_interpolated_needs_a_hint(docker: Docker) -> None:
    for service in ("web", "sidekiq"):
        docker.raw["services"][service]["env_file"] = [{"path": f"{docker.project}/${{WHICH:-x}}.env"}]
    assert refusal(docker)[0].code == "env-file-path-unclear"


def test_of_several_files_the_last_one_with_mail_variables_is_meant(docker: Docker) -> None:
    extra = docker.project / "mail.env"
    extra.write_text("SMTP_PORT=587\n")
    usual = str(docker.project / ".env.production")
    for service in ("web", "sidekiq"):
        docker.raw["services"][service]["env_file"] = [usual, {"path": str(extra), "format": "raw"}]
    instance = docker.driver().instance
    assert (instance.env_file, instance.readers) == (str(extra), ("raw",))
    instance = docker.driver(env_file=usual).instance
    assert [(one.variable, one.layer, one.path) for one in instance.overrides] == [
        ("SMTP_PORT", "env_file", str(extra))
    ]


def test_a_service_that_reads_another_file_would_keep_its_settings(docker: Docker) -> None:
    docker.raw["services"]["sidekiq"]["env_file"] = ["/etc/sidekiq.env"]
    findings = refusal(docker)
    assert [(one.code, one.subject) for one in findings] == [("service-reads-no-file", "sidekiq")]
    assert "/etc/sidekiq.env" in findings[0].message
    docker.raw["services"]["web"].pop("env_file")
    docker.raw["services"]["sidekiq"].pop("env_file")
    assert refusal(docker)[0].code == "service-reads-no-file"


def test_entries_of_the_compose_file_that_win_over_the_file_are_named(docker: Docker) -> None:
    docker.own_entry("web", "SMTP_PORT", "2525", "2525")
    docker.own_entry("sidekiq", "SMTP_SERVER", "${RELAY}", "other.example")
    docker.set_env("web", "SMTP_PORT", "2525")
    docker.set_env("sidekiq", "SMTP_SERVER", "other.example")
    instance = docker.driver().instance
    assert {(one.variable, one.layer.split(":")[1]) for one in instance.overrides} == {
        ("SMTP_PORT", ""),
        ("SMTP_SERVER", " (filled in from .env)"),
    }
    assert {one.code for one in instance.findings} == {"override-hides-file"}
    # Rails is asked with what Sidekiq has, since that sends the mail.
    assert (instance.variables["SMTP_PORT"], instance.variables["SMTP_SERVER"]) == ("25", "other.example")
    assert {one.service: [each.variable for each in one.overrides] for one in instance.senders} == {
        "sidekiq": ["SMTP_SERVER"],
        "web": ["SMTP_PORT"],
    }


def test_what_was_given_by_hand_would_be_lost_in_a_new_container(docker: Docker) -> None:
    docker.own_entry("web", "DB_PASS", None, None)
    docker.set_env("web", "DB_PASS", "s3cr3t-pw")
    (finding,) = refusal(docker)
    assert (finding.code, finding.subject) == ("interpolation-lost", "DB_PASS of web")
    assert "s3cr3t" not in finding.sentence()


def test_another_value_in_dotenv_by_now_is_a_warning(docker: Docker) -> None:
    docker.own_entry("web", "DB_PASS", "${DB_PASS}", "new")
    docker.set_env("web", "DB_PASS", "old")
    assert [one.code for one in docker.driver().instance.findings] == ["interpolation-changed"]


@pytest.mark.parametrize(
    ("image", "code", "words"),
    [(None, "image-missing", "not on this host"), ("sha256:beef", "image-changed", "would run mastodon:4.5.0 (beef)")],
)
def test_a_new_container_must_be_of_the_same_image(docker: Docker, image: str | None, code: str, words: str) -> None:
    docker.resolved["services"]["sidekiq"]["image"] = "mastodon:4.5.0"
    if image:
        docker.images["mastodon:4.5.0"] = [{"Id": image, "Config": {"Env": []}}]
    (finding,) = refusal(docker)
    assert finding.code == code
    assert words in finding.message


def test_the_release_comes_from_both_files_in_one_command(docker: Docker) -> None:
    metadata = "def build_metadata\n  version_configuration[:metadata]\nend\n"
    docker.in_app["cat"] = Completed(1, (VERSION_RB + metadata).encode(), b"cat: config/mastodon.yml: No such file")
    assert docker.driver().instance.release == "4.4.8"
    config = "---\nshared:\n  version:\n    metadata: fork\n"
    docker.in_app["cat"] = Completed(0, (VERSION_RB + metadata + config).encode())
    docker.asked.clear()
    assert docker.driver().instance.release == "4.4.8+fork"
    assert len(docker.commands("exec")) == 1


def test_the_release_is_read_from_the_label_where_nothing_runs(docker: Docker) -> None:
    for one in docker.containers_:
        one["State"].update(Status="exited", ExitCode=0)
    assert docker.driver().instance.release == "4.4.8"
    assert docker.commands("exec") == []


def test_a_file_that_is_also_mounted_is_read_by_the_app_too(docker: Docker) -> None:
    env_file = str(docker.project / ".env.production")
    docker.container("web")["Mounts"].append({"Source": env_file, "Destination": "/opt/mastodon/.env.production"})
    assert docker.driver().instance.readers == ("compose", "ruby")


def test_where_no_way_finds_an_instance_the_most_telling_refusal_counts() -> None:
    def made(code: str) -> Finding:
        return Finding(code, "error", code, f"({code})", "fix")

    assert _nowhere([made("no-instance"), made("engine-down")]).code == "engine-down"
    both = _nowhere([made("no-instance"), made("no-compose-instance")])
    assert both.code == "no-instance"
    assert "(no-compose-instance)" in both.message


def test_a_rootless_engine_is_named_with_its_owner(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not the one's own: it was asked already.
    owners = (os.geteuid(), 1, 4294967)
    sockets = [f"/run/user/{number}/docker.sock" for number in owners]
    monkeypatch.setattr(compose_engine.glob, "glob", lambda _pattern: sockets)
    docker.refuse = {"docker ps": "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."}
    (finding,) = refusal(docker)
    words = f"rootless Engine of {pwd.getpwuid(1).pw_name}, uid 4294967 is running: log in as that user or become it"
    assert words in finding.message
    docker.refuse = {}
    docker.containers_.clear()
    (finding,) = refusal(docker)
    assert (finding.code, words in finding.message) == ("no-compose-instance", True)


def test_a_project_of_somebody_elses_engine_is_not_taken_for_a_stopped_one(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory can be read, but its containers are in a rootless Engine that this user does not speak to."""
    docker.containers_.clear()
    docker.in_app["image cat"] = docker.in_app["cat"]
    number = docker.project.stat().st_uid
    monkeypatch.setattr(compose_engine.os, "geteuid", lambda: 0 if number else 1)
    sockets = [f"/run/user/{number}/docker.sock"]
    monkeypatch.setattr(compose_engine.glob, "glob", lambda _pattern: sockets)
    (finding,) = refusal(docker, app_dir=str(docker.project))
    assert finding.code == "engine-of-another-user"
    assert f"rootless Engine of {pwd.getpwuid(number).pw_name}" in finding.message
    sockets[0] = "/run/user/4294967/docker.sock"
    assert docker.driver(app_dir=str(docker.project)).instance.app_dir == str(docker.project)


def test_a_users_own_engine_is_spoken_to_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    own = f"/run/user/{os.geteuid()}/docker.sock"
    monkeypatch.setattr(compose_engine.os.path, "exists", lambda path: path == own)
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    assert compose_engine.Engine().environment()["DOCKER_HOST"] == f"unix://{own}"
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    monkeypatch.setenv("SMTP_PORT", "1")
    given = compose_engine.Engine().environment()
    assert given["DOCKER_HOST"] == "unix:///elsewhere"
    # What Ansible happens to have in its environment must not fill the Compose file.
    assert "SMTP_PORT" not in given


# Mail variables that environment: passes on from .env, one by one

MAILS = {"SMTP_SERVER": "${SMTP_SERVER}", "SMTP_PORT": "${SMTP_PORT:-587}", "SMTP_LOGIN": None}


def with_dotenv(docker: Docker, text: str, services: t.Sequence[str] = ("web", "sidekiq"), **given: str) -> str:
    """The recorded project without mail variables in its env_file; returns the path of .env."""
    (docker.project / ".env.production").write_text("LOCAL_DOMAIN=masto3.test\n")
    for name in ("SMTP_SERVER", "SMTP_PORT", "SMTP_SSL"):
        docker.model_env(name, None)
        for service in ("web", "sidekiq"):
            docker.set_env(service, name, None)
    for service in services:
        for name, raw in MAILS.items():
            docker.own_entry(service, name, raw, given.get(name))
            docker.set_env(service, name, given.get(name))
    dotenv = docker.project / ".env"
    if text:
        dotenv.write_text(text)
    return str(dotenv)


def test_the_dotenv_of_the_project_is_the_file_where_it_fills_in_the_mail_variables(docker: Docker) -> None:
    given = {"SMTP_SERVER": "relay.example", "SMTP_PORT": "587"}
    dotenv = with_dotenv(docker, "TAG=v1\nSMTP_SERVER=relay.example\n", **given)
    instance = docker.driver().instance
    assert (instance.env_file, instance.readers) == (dotenv, ("compose",))
    assert instance.mail_variables == ("SMTP_SERVER",)
    assert (instance.overrides, instance.findings) == ((), ())
    assert instance.variables["SMTP_PORT"] == "587"
    seen = {(one.variable, one.layer, one.wins, one.value) for one in instance.senders[0].elsewhere}
    assert ("SMTP_PORT", "environment: (default)", False, "587") in seen
    assert ("SMTP_FROM_ADDRESS", "not in environment:", True, None) in seen
    assert not {"SMTP_SERVER", "SMTP_PORT", "SMTP_LOGIN"} & {name for name, _unused, wins, _value in seen if wins}


def test_after_an_edit_of_dotenv_a_service_is_stale_and_nothing_is_lost(docker: Docker) -> None:
    given = {"SMTP_SERVER": "old.example", "SMTP_PORT": "587", "SMTP_LOGIN": "me"}
    with_dotenv(docker, "SMTP_SERVER=relay.example\n", **given)
    docker.model_env("SMTP_SERVER", "relay.example")
    docker.model_env("SMTP_LOGIN", None)
    instance = docker.driver().instance
    assert instance.findings == ()
    assert {one.name: one.differs for one in instance.services if one.stale} == {
        "web": ("SMTP_LOGIN", "SMTP_SERVER"),
        "sidekiq": ("SMTP_LOGIN", "SMTP_SERVER"),
    }


def test_a_dotenv_that_is_an_env_file_too_passes_everything_on(docker: Docker) -> None:
    dotenv = with_dotenv(docker, "SMTP_SERVER=relay.example\n", SMTP_SERVER="relay.example")
    for service in ("web", "sidekiq"):
        docker.raw["services"][service]["env_file"] = [dotenv]
    instance = docker.driver().instance
    assert instance.env_file == dotenv and instance.overrides == ()
    assert {one.layer for one in instance.senders[0].elsewhere} <= {"environment: (default)"}


def test_a_service_without_such_entries_is_told(docker: Docker) -> None:
    with_dotenv(docker, "SMTP_SERVER=relay.example\n", ["web"], SMTP_SERVER="relay.example")
    (finding,) = refusal(docker)
    assert (finding.code, finding.subject) == ("service-reads-no-file", "sidekiq")


def test_a_dotenv_that_is_missing_is_told_with_the_names_that_it_should_have(docker: Docker) -> None:
    dotenv = with_dotenv(docker, "")
    for service in ("web", "sidekiq"):
        docker.raw["services"][service].pop("env_file")
    finding = refusal(docker)[0]
    assert finding.code == "service-reads-no-file"
    assert f"takes SMTP_LOGIN and SMTP_PORT and SMTP_SERVER from {dotenv}, which does not exist" in finding.message


@pytest.mark.parametrize(
    ("raw", "passed"),
    [
        (None, Passed(None)),
        ("${SMTP_PORT}", Passed("")),
        ("$SMTP_PORT", Passed("")),
        ("${SMTP_PORT:-25}", Passed("25")),
        ("${SMTP_PORT-25}", Passed("25")),
        ("${SMTP_PORT:-}", Passed("")),
        ("${SMTP_PORT:?is not set}", Passed(required=True)),
        ("${SMTP_PORT:?}", Passed(required=True)),
        ("${SMTP_PORT?is not set}", Passed(required=True)),
    ],
)
def test_entries_that_pass_a_variable_on(raw: str | None, passed: Passed) -> None:
    assert passed_on(ServiceModel("web", own={"SMTP_PORT": raw})) == {"SMTP_PORT": passed}


def test_a_variable_that_compose_requires_is_told_with_its_line(docker: Docker) -> None:
    given = {"SMTP_SERVER": "relay.example", "SMTP_PORT": "587", "SMTP_LOGIN": "me"}
    with_dotenv(docker, "SMTP_SERVER=relay.example\nSMTP_LOGIN=me\n", **given)
    for service in ("web", "sidekiq"):
        docker.own_entry(service, "SMTP_LOGIN", "${SMTP_LOGIN:?}", "me")
    lines = "services:\n  web:\n    environment:\n      SMTP_LOGIN: ${SMTP_LOGIN:?}\n"
    (docker.project / "docker-compose.yml").write_text(lines)
    instance = docker.driver().instance
    assert (instance.findings, instance.overrides) == ((), ())
    web = next(one for one in instance.senders if one.service == "web")
    (required,) = [one for one in web.elsewhere if one.variable == "SMTP_LOGIN"]
    assert (required.layer, required.wins, required.value) == ("environment: (required)", False, None)
    assert required.place == f"service web of {docker.project / 'docker-compose.yml'}, line 4"


def test_an_empty_value_in_dotenv_is_what_compose_makes_of_it(docker: Docker) -> None:
    """C(${SMTP_PORT:-587}) takes its default for it, which the containers have and Rails is asked with."""
    given = {"SMTP_SERVER": "relay.example", "SMTP_PORT": "587"}
    with_dotenv(docker, "SMTP_SERVER=relay.example\nSMTP_PORT=\n", **given)
    instance = docker.driver().instance
    assert (instance.findings, instance.overrides) == ((), ())
    assert instance.variables["SMTP_PORT"] == "587"
    assert not any(one.stale for one in instance.services)


@pytest.mark.parametrize(
    "raw", ["587", "${PORT}", "${SMTP_PORT}7", "$${SMTP_PORT}", "${SMTP_PORT:+1}", "${SMTP_PORT:-${X}}"]
)
def test_entries_that_make_something_else_of_it(raw: str) -> None:
    assert passed_on(ServiceModel("web", own={"SMTP_PORT": raw})) == {}


# One image with a start script


class Titles(Processes):
    """The processes of containers, by the number of their main process."""

    def __init__(self, **titles: list[str]) -> None:
        super().__init__("/nowhere")
        self.titles = {int(name[1:]): found for name, found in titles.items()}

    def family(self, pid: int) -> list[int]:
        return [pid * 100 + place for place in range(len(self.titles.get(pid, ())))]

    def title(self, pid: int, most: int = 0) -> str:  # noqa: ARG002
        return self.titles[pid // 100][pid % 100] if pid // 100 in self.titles else ""


def with_script(docker: Docker, service: str, pid: int, name: str = "") -> None:
    docker.raw["services"][service]["command"] = ["/opt/run.sh"]
    found = docker.container(service)
    found["Path"], found["Args"], found["State"]["Pid"] = "/opt/run.sh", [], pid
    if name:  # as Bitnami's file calls the web service
        docker.raw["services"][name] = docker.raw["services"].pop(service)
        docker.resolved["services"][name] = docker.resolved["services"].pop(service)
        found["Config"]["Labels"]["com.docker.compose.service"] = name


def test_a_start_script_is_known_by_what_it_runs(docker: Docker) -> None:
    with_script(docker, "web", 71, "mastodon")
    processes = Titles(p71=["bash /opt/run.sh", "puma 6.6.1 (tcp://0.0.0.0:3000) [mastodon]"])
    assert find(Hints(), docker, processes).instance.roles == ("web", "sidekiq")
    assert docker.driver().instance.roles == ("sidekiq",)  # without sight of its processes


def test_a_start_script_is_known_by_its_mode(docker: Docker) -> None:
    with_script(docker, "web", 71, "mastodon")
    docker.set_env("mastodon", "MASTODON_MODE", "web")
    assert docker.driver().instance.roles == ("web", "sidekiq")


def test_all_in_one_container_has_no_single_role(docker: Docker) -> None:
    with_script(docker, "web", 71)
    processes = Titles(p71=["puma 6.6.1 (x) [mastodon]", "sidekiq 7.3.9 mastodon [0 of 5 busy]"])
    assert find(Hints(), docker, processes).instance.roles == ("sidekiq",)

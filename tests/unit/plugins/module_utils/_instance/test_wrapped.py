# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units that run docker: what their commands say, how they are found, and how they are driven."""

from __future__ import annotations

import dataclasses
import re

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import find as finding
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import process
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.containers import Container
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Completed, Hints, InstanceError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Processes
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd import driver as systemd_driver
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd import places
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.units import EnvironmentFile, Unit
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.wrapped import driver as wrapped_driver
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.wrapped.docker_run import (
    of_unit,
    parse,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.docker_host import (
    VERSION_RB,
    Docker,
)

IMAGE = "mastodon:4.4.8"
PROGRAMS = {"web": "bundle exec puma -C config/puma.rb", "sidekiq": "bundle exec sidekiq"}


@pytest.mark.parametrize(
    ("words", "options", "image", "command"),
    [
        ("docker run --rm --name a img x -e y", {"rm": "true", "name": "a"}, "img", ("x", "-e", "y")),
        ("/usr/bin/docker create --name=a --env-file=/e img", {"name": "a", "env-file": "/e"}, "img", ()),
        ("env docker container run -dit -e A=1 img", dict.fromkeys(("detach", "interactive"), "true"), "img", ()),
        ("docker run -p127.0.0.1:3000:3000 -v /a:/b img", {"publish": "127.0.0.1:3000:3000", "volume": "/a:/b"},
         "img", ()),
        ("docker run -itu 991 --read-only --network n img", {"user": "991", "network": "n"}, "img", ()),
        ("docker run --init -- img sidekiq", {"init": "true"}, "img", ("sidekiq",)),
    ],
)  # fmt: skip
def test_a_command_as_data(words, options, image, command):
    found = parse(words.split())
    assert (found.image, found.command) == (image, command)
    assert options.items() <= dict(found.options).items()


@pytest.mark.parametrize(
    "words", ["docker start -a masto", "docker rm -f masto", "podman run img", "docker run --name"]
)
def test_other_commands_make_no_container(words):
    assert parse(words.split()) is None


def test_a_check_is_run_like_the_service_but_not_in_its_place():
    words = (
        "docker run --rm --name masto -d -p 3000:3000 --label traefik.enable=true --network n --ip 10.0.0.2 --restart "
        "always --env-file /e --env A=1 --hostname h --log-driver none -v /a:/b:ro --health-cmd x img bundle exec puma"
    )
    assert parse(words.split()).for_check("check", ["ruby", "-v"]) == [
        *("docker", "run", "--rm", "--interactive", "--pull", "never", "--name", "check"),
        *("--network=n", "--env-file=/e", "--env=A=1", "--volume=/a:/b:ro", "img", "ruby", "-v"),
    ]


class Wrapping:
    """A host whose units each run a container of the recorded image."""

    def __init__(self, host, docker, monkeypatch):
        self.host = host
        self.docker = docker
        self.file = docker.project / ".env.production"
        self.containers = {}
        monkeypatch.setattr(places.UnitFiles, "says", lambda _self, name, _shape: name.startswith("masto-"))
        docker.named = lambda names: [self.containers[name] for name in names if name in self.containers]
        for number, role in enumerate(PROGRAMS, 1):
            self.unit(role)
            self.start(role, number)

    def unit(self, role, more=""):
        line = f"docker run --rm --name m-{role} --env-file {self.file} {more}{IMAGE} {PROGRAMS[role]}"
        self.host.unit(f"masto-{role}.service", exec_start=(f"/usr/bin/docker /usr/bin/{line}",), user="")

    def start(self, role, number=1, **given):
        image = self.docker.image(IMAGE)
        read = dict(line.split("=", 1) for line in self.file.read_text().splitlines())
        self.containers[f"m-{role}"] = Container(
            id=str(number) * 64,
            name=f"m-{role}",
            image=IMAGE,
            image_id=image[0],
            user="mastodon",
            directory="/opt/mastodon",
            environment={**image[1], **read, **given},
            status="running",
            started=1000.0 + number,
            hostname=f"h{number}",
        )

    def driver(self, **hints):
        return wrapped_driver.find(Hints(**hints), self.host, self.docker, Processes("/nowhere"))


@pytest.fixture
def wrapping(host, tmp_path, monkeypatch):
    return Wrapping(host, Docker(tmp_path), monkeypatch)


def test_everything_about_such_an_instance(wrapping):
    instance = wrapping.driver().instance
    assert (instance.deployment, instance.app_dir) == ("systemd", str(wrapping.docker.project))
    assert (instance.env_file, instance.readers) == (str(wrapping.file), ("raw",))
    assert (instance.release, instance.local_domain, instance.user) == ("4.4.8", "masto3.test", "mastodon")
    assert (instance.code, instance.findings, instance.overrides) == ("/opt/mastodon", (), ())
    assert {one.name: (one.role, one.state, one.stale) for one in instance.services} == {
        "masto-web.service": ("web", "running", False),
        "masto-sidekiq.service": ("sidekiq", "running", False),
    }
    assert instance.services[0].started == 1001.0
    assert [one.service for one in instance.senders] == ["masto-sidekiq.service", "masto-web.service"]


def test_after_an_edit_the_units_are_stale_until_they_make_new_containers(wrapping):
    driver = wrapping.driver()
    wrapping.file.write_text(wrapping.file.read_text().replace("=localhost", "=relay.example"))
    stale = driver.services()
    assert {one.name: one.differs for one in stale} == {one.name: ("SMTP_SERVER",) for one in stale}
    driver.restart(stale)
    assert wrapping.host.restarted == [["masto-web.service", "masto-sidekiq.service"]]
    wrapping.start("web", 3)
    assert [one.stale for one in driver.services()] == [False, True]


def test_what_the_command_gives_itself_overrides_the_file(wrapping):
    wrapping.unit("sidekiq", "--env SMTP_PORT=2525 ")
    wrapping.start("sidekiq", 2, SMTP_PORT="2525")
    instance = wrapping.driver().instance
    assert [(one.variable, one.layer, one.path) for one in instance.overrides] == [
        ("SMTP_PORT", "--env", "masto-sidekiq.service")
    ]
    assert [one.code for one in instance.findings] == ["override-hides-file"]
    assert not any(one.stale for one in instance.services)


def test_a_variable_that_docker_takes_from_a_file_of_systemd_is_known(wrapping, tmp_path):
    """--env NAME without a value: from EnvironmentFile=, which wins over Environment=."""
    file = tmp_path / "jobs.conf"
    file.write_text("A=1\nSMTP_SERVER=old.example\nSMTP_PORT=2525\n")
    wrapping.unit("sidekiq", "--env SMTP_SERVER -e SMTP_PORT=26 ")
    files = (EnvironmentFile(str(tmp_path / "*.conf"), False), EnvironmentFile("/missing", True))
    wrapping.host.change("masto-sidekiq.service", environment_files=files, environment={"SMTP_SERVER": "first.example"})
    wrapping.start("sidekiq", 2, SMTP_SERVER="old.example", SMTP_PORT="26")
    instance = wrapping.driver().instance
    assert instance.senders[0].variables["SMTP_SERVER"] == "old.example"
    assert {(one.variable, one.path, one.line) for one in instance.overrides} == {
        ("SMTP_SERVER", str(file), 2),
        ("SMTP_PORT", "masto-sidekiq.service", 0),
    }
    assert not any(one.stale for one in instance.services)


def test_a_unit_that_reads_another_file_is_told(wrapping, tmp_path):
    other = tmp_path / "mastodon" / "jobs.env"
    other.write_text("LOCAL_DOMAIN=masto3.test\n")
    line = f"/usr/bin/docker run --name m-sidekiq --env-file {other} {IMAGE} bundle exec sidekiq"
    wrapping.host.change("masto-sidekiq.service", exec_start=(f"/usr/bin/docker {line}",))
    with pytest.raises(InstanceError) as raised:
        wrapping.driver()
    assert [(one.code, one.subject) for one in raised.value.findings if one.severity == "error"] == [
        ("service-reads-no-file", "masto-sidekiq.service")
    ]


def test_a_unit_that_creates_before_it_starts(wrapping):
    unit = wrapping.host.units["masto-web.service"]
    made = unit.exec_start[0].replace("docker run --rm", "docker create")
    start = "/usr/bin/docker /usr/bin/docker start --attach m-web"
    wrapping.host.change("masto-web.service", exec_start=(start,), exec_start_pre=("/bin/x /bin/x", made))
    assert len(wrapping.driver().instance.services) == 2


@pytest.mark.parametrize(
    "before",
    [
        "run --rm --name m-migrate --env-file {file} mastodon:4.4.8 bundle exec rails db:migrate",
        "run --rm --name m-migrate --env-file {other} mastodon:4.4.8 bundle exec sidekiq",
        "create --name m-other --env-file {other} mastodon:4.4.8 bundle exec sidekiq",
    ],
)
def test_what_runs_before_the_service_is_not_the_service(wrapping, before):
    """A migration before the start: its container is gone, and would never differ from the file."""
    other = wrapping.docker.project / "migrate.env"
    other.write_text("LOCAL_DOMAIN=masto3.test\nSMTP_SERVER=other.example\n")
    line = before.format(file=wrapping.file, other=other)
    wrapping.host.change("masto-web.service", exec_start_pre=(f"/usr/bin/docker /usr/bin/docker {line}",))
    driver = wrapping.driver()
    assert driver.instance.env_file == str(wrapping.file)
    wrapping.file.write_text(wrapping.file.read_text().replace("=localhost", "=relay.example"))
    assert {one.name: (one.role, one.differs) for one in driver.services()} == {
        "masto-web.service": ("web", ("SMTP_SERVER",)),
        "masto-sidekiq.service": ("sidekiq", ("SMTP_SERVER",)),
    }


@pytest.mark.parametrize("status", ["", "exited", "paused"])
def test_a_unit_that_runs_without_its_container_is_stale(wrapping, status):
    """What its processes were given is not known then: it must not pass for proved."""
    driver = wrapping.driver()
    container = wrapping.containers.pop("m-web")
    if status:
        wrapping.containers["m-web"] = dataclasses.replace(container, status=status)
    assert {one.role: (one.state, one.stale) for one in driver.services()} == {
        "web": ("running", True),
        "sidekiq": ("running", False),
    }


MADE = "/usr/bin/docker /usr/bin/docker create --name m --env-file /e mastodon:4.4.8 bundle exec puma"
RUN = MADE.replace("create", "run")


@pytest.mark.parametrize(
    ("start", "before", "name"),
    [
        ([RUN], [], "m"),
        (["/usr/bin/env /usr/bin/env " + RUN.split()[1] + " " + RUN.split(" ", 2)[2]], [], "m"),
        (["/usr/bin/docker docker start -a m"], [MADE], "m"),
        (["/usr/bin/docker docker container start -ai m"], ["/bin/x /bin/x", MADE], "m"),
        (["/usr/bin/docker docker start -a other"], [MADE], None),
        (["/usr/bin/docker docker start m"], [MADE], None),
        (["/usr/bin/docker docker start -a m"], [RUN], None),
        (["/usr/bin/docker docker logs -f m"], [RUN], None),
        (["/bin/sh /bin/sh -c docker rm x; " + RUN], [], None),
        (["/bin/sh /bin/sh -c docker run --name x img rails db:migrate && " + RUN], [], None),
        (["/usr/bin/env env DOCKER_HOST=unix:///x docker run --name m img puma"], [], None),
        ([RUN, RUN], [], None),
        ([MADE], [], None),
    ],
)
def test_the_command_that_makes_the_container_of_a_unit(start, before, name):
    found = of_unit(Unit("masto-web.service", exec_start=tuple(start), exec_start_pre=tuple(before)))
    assert (found and found.name) == name


def test_without_containers_the_units_are_still_known(wrapping):
    """As in a crash loop, when the undo has to find the instance."""
    wrapping.containers.clear()
    wrapping.docker.in_app["image cat"] = Completed(0, VERSION_RB.encode())
    for name in wrapping.host.units:
        wrapping.host.change(name, active_state="activating", sub_state="auto-restart", restarts=3)
    driver = wrapping.driver(app_dir=str(wrapping.docker.project))
    assert driver.instance.env_file == str(wrapping.file)
    assert not driver.ready(driver.services()[0])


def test_the_boot_of_rails_is_asked_in_a_container_of_its_own(wrapping, monkeypatch):
    ran = []
    monkeypatch.setattr(process, "run", lambda command, **more: ran.append((command, more)) or Completed(0))
    wrapping.driver().run_in_app(["bin/rails", "runner"], stdin=b"x", environment={"SMTP_PORT": "60025"}, timeout=5)
    ((command, more),) = ran
    assert command[:6] == ["docker", "run", "--rm", "--interactive", "--pull", "never"]
    assert f"--env-file={wrapping.file}" in command and "60025" not in " ".join(command)
    assert re.match(rb"export SMTP_PORT=60025\n", more["stdin"]) and command[-2:] == ["bin/rails", "runner"]


def test_a_path_is_read_from_where_the_unit_runs(wrapping):
    for name, unit in list(wrapping.host.units.items()):
        line = unit.exec_start[0].replace(str(wrapping.file), "mastodon/.env.production")
        wrapping.host.change(name, exec_start=(line,), working_directory=str(wrapping.docker.folder))
    assert wrapping.driver().instance.env_file == str(wrapping.file)


def test_what_is_filled_in_and_no_check_needs_is_no_obstacle(wrapping):
    wrapping.unit("web", "--publish ${PORT}:3000 --label a=$B ")
    assert len(wrapping.driver().instance.services) == 2


def test_a_value_with_blanks_is_told_and_not_shown(wrapping):
    """systemctl show prints the words of a command without their quotes."""
    wrapping.unit("sidekiq", "--env SMTP_PASSWORD=my secret ")
    with pytest.raises(InstanceError) as raised:
        wrapping.driver()
    errors = [one for one in raised.value.findings if one.severity == "error"]
    assert [(one.code, one.subject) for one in errors] == [("image-missing", "masto-sidekiq.service")]
    assert "prints no quotes" in errors[0].fix and "compose" not in errors[0].fix
    assert "secret" not in " ".join(one.sentence() for one in raised.value.findings)


def test_a_path_that_systemd_fills_in_is_told(wrapping):
    for name, unit in list(wrapping.host.units.items()):
        line = unit.exec_start[0].replace(str(wrapping.file), "${FILE}")
        wrapping.host.change(name, exec_start=(line,))
    with pytest.raises(InstanceError) as raised:
        wrapping.driver()
    assert [one.code for one in raised.value.findings] == ["env-file-path-unclear"]


#: change of the command of a unit, other properties of the unit, what is told about it
NOT_DRIVEN = {
    "detach": (("docker run", "docker run -d"), {}, "has --detach"),
    "detach-in-a-group": (("docker run", "docker run -dit"), {}, "has --detach"),
    "options": ((" --env-file", " $OPTIONS --env-file"), {}, "variable ($) in the image of"),
    "image": ((IMAGE, "mastodon:${TAG}"), {}, "variable ($) in the image of"),
    "network": ((" --name", " --network $NET -e A=$$1 --name"), {}, "variable ($) in the --network and --env of"),
    "name-filled-in": ((" --name ", " --name ${A}-"), {}, "variable ($) in the --name of"),
    "no-name": ((" --name", " --label"), {}, "has no --name"),
    "no-file": ((" --env-file", " --label-file"), {}, "has no --env-file"),
    "shell": (("/usr/bin/docker /usr/bin/", "/bin/sh /bin/sh -c exec "), {}, "is not docker run"),
    "user": ((" ", " "), {"user": "nobody"}, "as the user nobody"),
    "engine": ((" ", " "), {"environment": {"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}}, "sets DOCKER_HOST"),
    "engine-in-a-file": ((" ", " "), {"environment_files": ()}, "sets DOCKER_HOST"),
    "context": ((" ", " "), {"environment": {"DOCKER_CONTEXT": "rootless"}}, "sets DOCKER_CONTEXT"),
}


@pytest.mark.parametrize("case", NOT_DRIVEN)
@pytest.mark.parametrize("names", [("sidekiq",), ("web", "sidekiq")])
@pytest.mark.parametrize("hint", ["none", "directory", "services"])
def test_a_unit_that_is_not_driven_is_told(wrapping, tmp_path, case, names, hint):
    (old, new), more, told = NOT_DRIVEN[case]
    if "environment_files" in more:
        (tmp_path / "engine").write_text("DOCKER_HOST=unix:///x\n")
        more = {"environment_files": (EnvironmentFile(str(tmp_path / "engine"), False),)}
    for name in (f"masto-{one}.service" for one in names):
        line = wrapping.host.units[name].exec_start[0].replace(old, new)
        wrapping.host.change(name, exec_start=(line,), **more)
    alone = len(names) > 1
    hints = {
        "none": {},
        "directory": {"app_dir": str(wrapping.docker.project)},
        "services": {"services": ("masto-web", "masto-sidekiq.service")},
    }[hint]
    if alone and (case, hint) in {
        ("shell", "services"),
        ("shell", "directory"),
        ("no-file", "directory"),
        ("options", "directory"),
    }:
        assert wrapping.driver(**hints) is None  # told by what runs
        return
    with pytest.raises(FindingError) as raised:
        wrapping.driver(**hints)
    one = raised.value.finding
    assert (one.code, one.subject) == ("mastodon-not-driven", f"masto-{names[0]}.service")
    assert told in one.message


def test_a_unit_that_is_not_driven_does_not_hide_behind_a_driven_one_of_its_role(wrapping):
    wrapping.unit("sidekiq")
    line = wrapping.host.units["masto-sidekiq.service"].exec_start[0].replace("run --rm --name m-", "run -d --name n-")
    wrapping.host.unit("masto-sidekiq2.service", exec_start=(line,), user="")
    with pytest.raises(FindingError) as raised:
        wrapping.driver()
    assert raised.value.finding.subject == "masto-sidekiq2.service"
    assert wrapping.driver(services=("masto-web", "masto-sidekiq")).instance.roles
    wrapping.host.change("masto-sidekiq2.service", active_state="inactive", sub_state="dead", file_state="disabled")
    assert wrapping.driver().instance.roles


@pytest.mark.parametrize(
    "program", ["mastodon:4.4.8 tootctl media remove", "mastodon:4.4.8 node ./streaming", "alpine tar c /mastodon"]
)
def test_other_containers_of_units_are_nothing_to_tell(wrapping, program):
    line = f"/usr/bin/docker docker run --rm -d --env-file {wrapping.file} {program}"
    wrapping.host.unit("masto-web-other.service", exec_start=(line,), user="")
    wrapping.host.unit("masto-web-shell.service", exec_start=(f"/bin/sh sh -c {line}",), user="")
    assert len(wrapping.driver().instance.services) == 2


def test_a_unit_of_another_instance_that_is_not_driven(wrapping, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".env").write_text("LOCAL_DOMAIN=b.test\n")
    line = f"docker run -d --name o --env-file {tmp_path}/other/.env {IMAGE} bundle exec puma"
    wrapping.host.unit("masto-other.service", exec_start=(f"/usr/bin/docker {line}",), user="")
    assert len(wrapping.driver(app_dir=str(wrapping.docker.project)).instance.services) == 2


@pytest.mark.parametrize(
    ("names", "code", "subject"),
    [
        (("masto-web", "masto-sidekik"), "service-unknown", "masto-sidekik.service"),
        (("masto-web", "nginx"), "mastodon-not-driven", "nginx.service"),
        (("masto-web", "gitlab"), "mastodon-not-driven", "gitlab.service"),
    ],
)
def test_a_named_unit_is_never_left_out_in_silence(wrapping, names, code, subject):
    wrapping.host.unit("nginx.service", exec_start=("/usr/sbin/nginx nginx",), user="")
    wrapping.docker.project.joinpath("gitlab.env").write_text("X=1\n")
    line = f"docker run --name g --env-file {wrapping.docker.project}/gitlab.env gitlab:17"
    wrapping.host.unit("gitlab.service", exec_start=(f"/usr/bin/docker {line}",), user="")
    with pytest.raises(FindingError) as raised:
        wrapping.driver(services=names)
    assert (raised.value.finding.code, raised.value.finding.subject) == (code, subject)


def test_a_unit_may_be_named_by_its_alias(wrapping):
    wrapping.host.change("masto-web.service", aliases=("masto-web.service", "www.service"))
    assert len(wrapping.driver(services=("www", "masto-sidekiq")).instance.services) == 2


@pytest.mark.parametrize("change", ["image", "other-dir", "other-services"])
def test_units_that_are_not_such_an_instance(wrapping, change):
    hints = {}
    for name, unit in list(wrapping.host.units.items()):
        line = unit.exec_start[0]
        if change == "image":
            line = line.replace(IMAGE, "gitlab:17")
            wrapping.file.write_text("X=1\n")
        wrapping.host.change(name, exec_start=(line,))
    if change == "other-dir":
        hints = {"app_dir": "/somewhere"}
    if change == "other-services":
        hints = {"services": ("nginx",)}
    assert wrapping.driver(**hints) is None


def test_two_instances_are_told_with_their_directories(wrapping, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / ".env").write_text("LOCAL_DOMAIN=b.test\n")
    line = f"docker run --name o --env-file {other}/.env {IMAGE} bundle exec puma"
    wrapping.host.unit("masto-other.service", exec_start=(f"/usr/bin/docker {line}",))
    with pytest.raises(FindingError) as raised:
        wrapping.driver()
    assert raised.value.finding.code == "several-instances" and str(other) in raised.value.finding.message
    assert len(wrapping.driver(app_dir=str(wrapping.docker.project)).instance.services) == 2


def test_they_are_looked_for_where_no_unit_leads_to_mastodon_itself(monkeypatch):
    nothing = FindingError(TABLE.finding("no-instance", "systemd", "No Mastodon was found here."))

    def refuse(_hints):
        raise nothing

    monkeypatch.setattr(systemd_driver, "find", refuse)
    monkeypatch.setattr(finding.client, "missing", lambda: None)
    found = dataclasses.make_dataclass("Found", [])()
    monkeypatch.setattr(wrapped_driver, "find", lambda _hints: found)
    assert finding._systemd(Hints()) is found
    monkeypatch.setattr(wrapped_driver, "find", lambda _hints: None)
    with pytest.raises(FindingError) as raised:
        finding._systemd(Hints())
    assert raised.value is nothing

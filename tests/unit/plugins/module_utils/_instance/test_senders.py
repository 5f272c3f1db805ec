# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mail variables of each service that sends mail, and the files and lines that set them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance import file_times
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.compose_lines import entry_line
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.driver import find as find_compose
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.find import mail_env_file
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.project import EnvFile, ServiceModel
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Hints, Instance, Sender
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Processes
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.senders import sending_order
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.driver import find
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.unit_lines import last_line
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.units import (
    EnvironmentFile,
    parse_show,
)
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.queue_relays import Relays
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.conftest import PROGRAMS, Host
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.docker_host import Docker

SIDEKIQ = "mastodon-sidekiq.service"
Place = tuple[str, str, int]


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


def found(host: Host) -> Instance:
    return find(Hints(), host, host).instance  # type: ignore[arg-type]


def overrides(instance: Instance) -> dict[str, list[Place]]:
    return {
        sender.service: [(one.variable, one.path, one.line) for one in sender.overrides] for sender in instance.senders
    }


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


# systemd


def test_each_unit_has_its_own_overrides_with_the_file_and_line(host: Host) -> None:
    host.usual(host.app())
    unit = write(host.folder / "u.service", "[Service]\nEnvironment=SMTP_PORT=1\n")
    lines = '[Service]\n# Environment=SMTP_PORT=0\nEnvironment=A=1 "SMTP_PORT=465"\n'
    drop_in = write(host.folder / "u.d/mail.conf", lines)
    environment = {"A": "1", "SMTP_PORT": "465"}
    host.change(SIDEKIQ, files=(unit, drop_in), environment=environment)
    instance = found(host)
    assert overrides(instance) == {SIDEKIQ: [("SMTP_PORT", drop_in, 3)], "mastodon-web.service": []}
    assert instance.variables["SMTP_PORT"] == "465"
    (finding,) = instance.findings
    assert finding.subject == f"SMTP_PORT in {drop_in}, line 3" and SIDEKIQ in finding.message


def test_what_goes_wrong_later_names_the_relay_that_sidekiq_uses(host: Host) -> None:
    """Not the planned one, nor that of the web service."""
    host.usual(host.app())
    host.change(SIDEKIQ, environment={"SMTP_SERVER": "smtp.old.test", "SMTP_PORT": "2525"})
    context = Relays(found(host), "").first
    assert (context.host, context.port) == ("smtp.old.test", 2525)


def test_a_second_environment_file_and_one_of_several_sidekiqs(host: Host) -> None:
    app_dir = host.app()
    own = EnvironmentFile(f"{app_dir}/.env.production", False)
    host.usual(app_dir, environment_files=(own,))
    second = write(host.folder / "second.env", "X=1\nSMTP_SERVER=old.example\n")
    host.unit("sidekiq@2.service", app_dir, "sidekiq", environment_files=(own, EnvironmentFile(second, False)))
    assert overrides(found(host)) == {
        SIDEKIQ: [],
        "sidekiq@2.service": [("SMTP_SERVER", second, 2)],
        "mastodon-web.service": [],
    }


def test_the_sidekiq_that_serves_the_mails_is_asked_first(host: Host) -> None:
    app_dir = host.app()
    host.unit("web.service", app_dir)
    host.unit("a-pull.service", app_dir, "sidekiq", exec_start=(f"{PROGRAMS['sidekiq']} -q pull -q ingress,2",))
    host.unit("b-mail.service", app_dir, "sidekiq", exec_start=(f"{PROGRAMS['sidekiq']} -q pull -q mailers,2",))
    assert [one.service for one in found(host).senders] == ["b-mail.service", "a-pull.service", "web.service"]
    assert sending_order("sidekiq", "bundle exec sidekiq --queue=mailers") == 0
    assert sending_order("sidekiq", "bundle exec sidekiq -c 5") == 0


def test_what_a_unit_unsets_is_no_override_and_leaves_a_hole_where_nothing_else_reads_the_file(host: Host) -> None:
    app_dir = host.app()
    environment = {"SMTP_PORT": "465", "SMTP_DOMAIN": "x", "SMTP_TLS": "true"}
    host.usual(app_dir)
    host.change(SIDEKIQ, environment=environment, unset_environment=("SMTP_PORT", "SMTP_DOMAIN=x", "SMTP_TLS=false"))
    assert [one[0] for one in overrides(found(host))[SIDEKIQ]] == ["SMTP_TLS"]
    only = write(host.folder / "only.env", "LOCAL_DOMAIN=a.example\nSMTP_SERVER=r.example\nSMTP_PORT=587\n")
    drop_in = write(host.folder / "u.d/x.conf", "[Service]\nUnsetEnvironment=A \\\n  SMTP_PORT\n")
    host.usual(app_dir, environment_files=(EnvironmentFile(only, False),))
    host.change(SIDEKIQ, files=(drop_in,), unset_environment=("SMTP_PORT",))
    instance = find(Hints(env_file=only), host, host).instance  # type: ignore[arg-type]
    (one,) = instance.senders[0].overrides
    assert (one.variable, one.layer, one.place, one.value) == (
        "SMTP_PORT",
        "UnsetEnvironment",
        f"{drop_in}, line 3",
        None,
    )
    assert "SMTP_PORT" not in instance.variables


def running(host: Host, name: str, at: float, **environment: str) -> None:
    offset = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    pid = host.units[name].main_pid
    host.change(name, started_monotonic=at - offset, control_group=f"/{name}")
    host.titles[f"/{name}"] = {pid: "sidekiq"}
    host.environments[pid] = environment


@pytest.fixture
def old_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of units on the machine that the tests run on does not count."""
    real = file_times.look
    monkeypatch.setattr(file_times, "look", lambda paths: real([one for one in paths if not one.startswith("/etc")]))


@pytest.mark.usefixtures("old_units")
def test_what_only_a_running_process_has_is_an_override_of_that_process(host: Host) -> None:
    """PassEnvironment=, systemctl set-environment, or a script that exports it: no file of the unit shows it."""
    app_dir = host.app()
    host.usual(app_dir)
    os.utime(f"{app_dir}/.env.production", (1000, 1000))
    running(host, SIDEKIQ, time.time() - 100, SMTP_PORT="465", SMTP_SERVER="relay.example", HOME="/")
    driver = find(Hints(), host, host)  # type: ignore[arg-type]
    (one,) = driver.instance.senders[0].overrides
    assert (one.variable, one.layer, one.path, one.value) == ("SMTP_PORT", "process", SIDEKIQ, "465")
    assert driver.instance.variables["SMTP_PORT"] == "465"
    shown = driver.run_in_app(["sh", "-c", "echo $SMTP_PORT"], timeout=30)
    assert shown.stdout == b"465\n"
    assert [service.stale for service in driver.services() if service.name == SIDEKIQ] == [False]


@pytest.mark.usefixtures("old_units")
def test_a_process_that_began_before_its_unit_changed_is_stale_and_no_override(host: Host) -> None:
    """The line was removed, and nobody has restarted the service since."""
    app_dir = host.app()
    host.usual(app_dir)
    os.utime(f"{app_dir}/.env.production", (1000, 1000))
    unit = write(host.folder / "u.service", "[Service]\n")
    host.change(SIDEKIQ, files=(unit,))
    running(host, SIDEKIQ, time.time() - 100, SMTP_PORT="465")
    instance = found(host)
    service = next(one for one in instance.services if one.name == SIDEKIQ)
    assert (service.stale, service.differs) == (True, ("SMTP_PORT",))
    assert instance.overrides == () and "SMTP_PORT" not in instance.variables


def test_the_files_of_a_unit_as_systemd_names_them() -> None:
    (unit,) = parse_show(
        "Id=sidekiq@1.service\nFragmentPath=/etc/systemd/system/sidekiq@.service\n"
        "DropInPaths=/etc/systemd/system/sidekiq@.service.d/a.conf /etc/systemd/system/sidekiq@1.service.d/b.conf\n"
    )
    assert [os.path.basename(path) for path in unit.files] == ["sidekiq@.service", "a.conf", "b.conf"]
    assert parse_show("Id=x.service\n")[0].files == ()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Environment=SMTP_PORT=465\n", 1),
        ("Environment = 'SMTP_PORT=465'\n", 1),
        ('Environment="A=1" "SMTP_PORT=465"\n', 1),
        ("Environment=A=1 \\\n# SMTP_PORT=0\n  SMTP_PORT=465\n", 3),
        ("Environment=SMTP_PORT=1\nEnvironment=\nEnvironment=SMTP_PORT=2\n", 3),
        ("Environment=SMTP_PORT=1\nEnvironment=\n", 0),
        ("Environment=BULK_SMTP_PORT=1\n", 0),
        (";Environment=SMTP_PORT=1\nExecStart=/x SMTP_PORT=1\nEnvironmentFile=SMTP_PORT=\n", 0),
    ],
)
def test_the_line_of_a_unit_file(text: str, line: int) -> None:
    seen = last_line("Environment", "SMTP_PORT", [("/a", text)])
    assert seen == (("/a", line) if line else None)


def test_a_later_drop_in_wins() -> None:
    texts = [("/a", "Environment=SMTP_PORT=1\n"), ("/b", "\nEnvironment=SMTP_PORT=2\n"), ("/c", "Environment=A=1\n")]
    assert last_line("Environment", "SMTP_PORT", texts) == ("/b", 2)


# Compose

COMPOSE = """\
x-mail: &mail
  SMTP_PORT: 1
services:
  # the web service
  web:
    environment:
      SMTP_PORT: 2
  sidekiq:
    image: x
    environment:
{entries}
    command: SMTP_PORT=3
  other:
    environment: [SMTP_PORT=4]
"""


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ("      A: 1\n      SMTP_PORT: 465", 12),
        ('      "SMTP_PORT": 465', 11),
        ("      - A=1\n      - SMTP_PORT=465", 12),
        ('    - "SMTP_PORT=465"', 11),
        ("    - SMTP_PORT", 11),
        ("      BULK_SMTP_PORT: 1", 0),
        ("      <<: *mail", 0),
    ],
)
def test_the_line_of_a_compose_file(entries: str, line: int) -> None:
    seen = entry_line("sidekiq", "SMTP_PORT", [("/p/compose.yml", COMPOSE.format(entries=entries))])
    assert seen == (("/p/compose.yml", line) if line else None)


def test_a_later_compose_file_wins() -> None:
    texts = [("/a", COMPOSE.format(entries="      SMTP_PORT: 1")), ("/b", "services:\n  web:\n    environment: {}\n")]
    assert entry_line("sidekiq", "SMTP_PORT", texts) == ("/a", 11)


@pytest.mark.parametrize("form", ["map", "list"])
def test_an_entry_of_one_service_is_of_that_service_with_file_and_line(docker: Docker, form: str) -> None:
    entry = {"map": "SMTP_PORT: 465", "list": "- SMTP_PORT=465"}[form]
    path = docker.project / "docker-compose.yml"
    path.write_text(f"services:\n  sidekiq:\n    environment:\n      {entry}\n")
    docker.own_entry("sidekiq", "SMTP_PORT", "465", "465")
    if form == "list":
        docker.raw["services"]["sidekiq"]["environment"] = ["SMTP_PORT=465"]
    docker.set_env("sidekiq", "SMTP_PORT", "465")
    instance = docker.driver().instance
    assert overrides(instance) == {"sidekiq": [("SMTP_PORT", f"service sidekiq of {path}", 4)], "web": []}


def test_a_file_that_only_one_service_reads_after_ours_overrides_it_there(docker: Docker) -> None:
    usual = str(docker.project / ".env.production")
    extra = write(docker.project / "web.env", "A=1\nSMTP_PORT=465\n")
    docker.raw["services"]["web"]["env_file"] = [usual, extra]
    docker.model_env("SMTP_PORT", "465", ["web"])
    docker.set_env("web", "SMTP_PORT", "465")
    instance = docker.driver().instance
    assert instance.env_file == usual
    assert overrides(instance) == {"sidekiq": [], "web": [("SMTP_PORT", extra, 2)]}


def test_the_file_that_every_service_reads_outranks_a_later_one() -> None:
    ours, theirs = EnvFile("/p/.env.production"), EnvFile("/p/web.env")
    services = [ServiceModel("web", env_files=(ours, theirs)), ServiceModel("sidekiq", env_files=(ours,))]
    assert mail_env_file(services, lambda _file: {"SMTP_PORT": "1"}) == ours


def test_what_an_image_sets_is_below_the_file(docker: Docker) -> None:
    for image in docker.images.values():
        image[0]["Config"]["Env"].append("SMTP_TLS=true")
    for service in ("web", "sidekiq", "streaming"):
        docker.set_env(service, "SMTP_TLS", "true")
    below = [(one.variable, one.layer, one.wins) for one in docker.driver().instance.senders[0].elsewhere]
    assert below == [("SMTP_TLS", "image", False)]


def test_what_an_entrypoint_adds_is_seen_in_the_process(docker: Docker) -> None:
    sidekiq = docker.container("sidekiq")
    sidekiq["State"]["Pid"] = 77

    class Seen(Processes):
        def family(self, pid: int) -> list[int]:
            return [pid] if pid == 77 else []

        def environment(self, pid: int) -> dict[str, str]:
            return {"SMTP_PORT": "465", "SMTP_SERVER": "localhost"} if pid == 77 else {}

    instance = find_compose(Hints(), docker, Seen("/nowhere")).instance
    first: Sender = instance.senders[0]
    assert [(one.variable, one.layer, one.value) for one in first.overrides] == [("SMTP_PORT", "process", "465")]
    assert instance.variables["SMTP_PORT"] == "465"
    assert instance.senders[1].overrides == ()

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sentence for each way of keeping Mastodon that is not driven, from the /proc of such a host."""

from __future__ import annotations

import dataclasses
import re

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding, FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import find as finding
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import look, running
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose import client
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose.containers import Container
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import Hints, Instance, Service
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.procfs import Processes
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._instance.proc_tree import SIDEKIQ, ProcTree

ID = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728"
WEB, JOBS = ID, ID.replace("3", "4")
NOTHING = TABLE.finding("no-instance", "systemd", "No Mastodon was found here.")
USER = "/user.slice/user-48765.slice/user@48765.service"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(running, "_init", lambda: None)
    monkeypatch.setattr(look, "_containers", lambda _ids: {})
    made = ProcTree(tmp_path)
    made.app()
    made.app("/opt/mastodon")
    return made


def said(tree, hints=None, nothing=NOTHING):
    return look.told(nothing, hints or Hints(), Processes(tree.root))


def docker(monkeypatch, **more):
    values = {WEB: Container(WEB, "masto-web-1", **more), JOBS: Container(JOBS, "masto-jobs-1", **more)}
    monkeypatch.setattr(look, "_containers", lambda ids: {one: values[one] for one in ids})


def groups(*ids):
    return [f"0::/system.slice/docker-{one}.scope\n" for one in ids]


def test_where_no_mastodon_runs_nothing_is_added(tree):
    assert said(tree) is NOTHING


def test_the_whole_sentence(tree):
    tree.both("0::/user.slice/user-48765.slice/session-3.scope\n")
    assert said(tree).sentence() == (
        "host: Mastodon 4.5.3 runs here (puma, pid 4711, user uid 48765, kept by no service manager: it was started by "
        "hand or by cron; Sidekiq, pid 4712, user uid 48765, kept by no service manager: it was started by hand or by "
        "cron), which this collection does not drive. Install the units in the folder dist of Mastodon, so that it "
        "also survives a reboot, and run this again. Or edit /home/mastodon/live/.env.production yourself and start "
        "it again. [mastodon-not-driven]"
    )


@pytest.mark.parametrize(
    ("group", "kept_by", "fix"),
    [
        (f"{USER}/app.slice/masto-web.service", "masto-web.service, a unit of the user manager of uid 48765",
         "systemctl --user restart masto-web.service"),
        (f"/machine.slice/libpod-{ID}.scope", f"Podman, container {ID[:12]}", "Podman is not driven."),
        (f"/system.slice/web.service/libpod-payload-{ID}", f"Podman, container {ID[:12]}", "quadlet"),
        (f"{USER}/user.slice/docker-{ID}.scope", "a rootless Docker Engine of uid 48765", "ansible_become_user"),
        (f"{USER}/app.slice/docker.service", "a rootless Docker Engine of uid 48765", "ansible_become_user"),
        ("/system.slice/docker-fedi.service", "a rootless Docker Engine of another user (see docker-fedi.service)",
         "ansible_become_user"),
        (f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", "Kubernetes", "Helm chart"),
        ("/lxc.payload.masto/system.slice/mastodon-web.service", "the container masto, which is a host of its own",
         "Put that container itself into the inventory group"),
        (f"/docker/{ID}/system.slice/mastodon-web.service", f"the container {ID[:12]}, which is a host of its own",
         "Put that container itself into the inventory group"),
        ("/openrc.mastodon-web", "OpenRC (service mastodon-web)", "rc-service"),
        (f"/system.slice/nerdctl-{ID}.scope", f"containerd, container {ID[:12]}", "Docker Compose"),
        (f"/system.slice/docker-{ID}.scope", "the container 3f0a377ba0a4, which holds web and Sidekiq", "all services"),
        ("/system.slice/odd.service", "the systemd unit odd.service", "User=uid 48765"),
    ],
)  # fmt: skip
def test_each_keeper_has_its_own_words(tree, group, kept_by, fix):
    tree.both(f"0::{group}\n", cwd="/opt/mastodon")
    one = said(tree)
    assert one.code == "mastodon-not-driven" and f"kept by {kept_by};" in one.message
    assert fix in one.fix and "{" not in one.sentence()


def test_a_supervisor_without_control_groups(tree):
    tree.process(30, "runsv mastodon-web", program="runsv")
    tree.process(31, "runsv mastodon-sidekiq", program="runsv")
    tree.process(4711, "puma 6.6.1 (x) [live]", cwd="/opt/mastodon", parent=30)
    one = said(tree)
    assert "kept by runit (service mastodon-web)" in one.message
    assert one.fix == (
        "runit is not driven. Edit /opt/mastodon/.env.production yourself and restart the services with sv restart."
    )


# One half driven, the other not


def web_only(**more):
    service = Service("mastodon-web.service", "web", "running")
    values = {"app_dir": "/home/mastodon/live", "local_domain": "social.example", "services": (service,), **more}
    elsewhere = TABLE.finding("sidekiq-elsewhere", "sidekiq", "No Sidekiq runs on this host and none is enabled.")
    made = Instance("systemd", user="mastodon", env_file="", env_file_checksum="", release="4.5.3", **values)
    return dataclasses.replace(made, findings=(elsewhere,))


def halves(tree, instance, **hints):
    return look.with_other_half(instance, Hints(**hints), Processes(tree.root))


def test_a_half_that_is_kept_by_hand_is_told_in_place_of_another_host(tree):
    tree.both("0::/system.slice/mastodon-web.service\n", "0::/user.slice/user-48765.slice/session-3.scope\n")
    (half,) = halves(tree, web_only())
    assert half.sentence() == (
        "sidekiq: Sidekiq of this instance runs here too (Sidekiq, pid 4712, user uid 48765, kept by no service "
        "manager: it was started by hand or by cron), which this collection does not drive: the old settings "
        "would stay in use there. Install the units in the folder dist of Mastodon, so that it also survives a reboot, "
        "and run this again. Or edit /home/mastodon/live/.env.production yourself and start it again. Or accept "
        "half-not-driven with mastodon_smtp_accept, and restart that half yourself after each rollout. "
        "[half-not-driven]"
    )
    assert half.severity == "error"


@pytest.mark.parametrize(("domain", "told"), [("social.example", True), ("other.example", False), ("", False)])
def test_a_half_in_a_container_is_known_by_its_domain(tree, monkeypatch, domain, told):
    docker(monkeypatch)
    given = f"LOCAL_DOMAIN={domain}\0" if domain else ""
    tree.process(4712, SIDEKIQ, groups(JOBS)[0], "/opt/mastodon", environ=given)
    codes = [one.code for one in halves(tree, web_only())]
    assert codes == (["half-not-driven"] if told else ["sidekiq-elsewhere"])


def test_a_half_of_another_instance_on_the_host_is_not_told(tree):
    tree.process(4712, SIDEKIQ, "0::/user.slice/user-48765.slice/session-3.scope\n", "/opt/mastodon")
    assert [one.code for one in halves(tree, web_only())] == ["sidekiq-elsewhere"]


def test_a_half_that_another_inventory_host_drives_is_not_told(tree, monkeypatch):
    docker(monkeypatch, project="jobs", service="app", working_dir="/srv/jobs")
    tree.process(4712, SIDEKIQ, groups(JOBS)[0], "/opt/mastodon", environ="LOCAL_DOMAIN=social.example\0")
    assert [one.code for one in halves(tree, web_only())] == ["sidekiq-elsewhere"]
    tree.process(4713, SIDEKIQ, "0::/system.slice/mastodon-sidekiq.service\n", "/home/mastodon/live")
    named = halves(tree, web_only(), services=("mastodon-web",))
    assert [one.code for one in named] == ["sidekiq-elsewhere"]
    assert [one.code for one in halves(tree, web_only())] == ["half-not-driven"]


def test_processes_are_not_looked_at_where_both_halves_are_driven(monkeypatch):
    monkeypatch.setattr(look, "with_other_half", None)
    both = web_only(services=(Service("w", "web", "running"), Service("s", "sidekiq", "running")))
    assert finding.findings_about(both, Hints()) == list(both.findings)


# Containers of Docker


def test_plain_docker_run(tree, monkeypatch):
    docker(monkeypatch)
    tree.both(*groups(WEB, JOBS), cwd="/opt/mastodon")
    one = said(tree)
    assert "kept by docker run, container masto-web-1;" in one.message
    assert "kept by docker run, container masto-jobs-1)" in one.message
    assert one.fix.startswith("Run it with Docker Compose and an env_file.") and one.fix.count("Or set") == 1


def test_a_unit_that_runs_docker(tree, monkeypatch):
    docker(monkeypatch)
    tree.both(*groups(WEB, JOBS), cwd="/opt/mastodon")
    client_of = "0::/system.slice/mash-mastodon-web.service\n"
    tree.process(50, "docker start --attach masto-web-1", client_of, program="docker")
    tree.process(51, "docker logs masto-jobs-10", "0::/system.slice/other.service\n", program="docker")
    one = said(tree)
    assert "kept by the systemd unit mash-mastodon-web.service, which runs the container masto-web-1;" in one.message
    assert "kept by docker run, container masto-jobs-1)" in one.message
    assert "has --name and --env-file" in one.fix
    assert "restart mash-mastodon-web.service, which must recreate the container" in one.fix


def test_a_wrong_name_of_a_unit_that_runs_docker_stays_the_cause(tree, monkeypatch):
    docker(monkeypatch)
    tree.both(*groups(WEB, JOBS), cwd="/opt/mastodon")
    for pid, name in ((50, "web"), (51, "jobs")):
        unit = f"0::/system.slice/mash-{name}.service\n"
        tree.process(pid, f"docker run --name masto-{name}-1", unit, program="docker")
    wrong = TABLE.finding("service-unknown", "mash-jobz.service", "systemd does not know this unit.")
    one = said(tree, Hints(services=("mash-web", "mash-jobz")), wrong)
    assert (one.code, one.subject) == ("service-unknown", "mash-jobz.service")
    assert one.message.endswith(
        "Mastodon 4.5.3 runs in container masto-web-1 (mash-web.service); container masto-jobs-1 (mash-jobs.service)."
    )


def test_swarm(tree, monkeypatch):
    docker(monkeypatch, swarm="masto_web")
    tree.both(*groups(WEB, JOBS), cwd="/opt/mastodon")
    one = said(tree)
    assert "kept by the Swarm service masto_web;" in one.message and "docker stack deploy" in one.fix


def test_an_all_in_one_image(tree, monkeypatch):
    docker(monkeypatch, project="masto", service="app", working_dir="/srv/masto")
    tree.both(*groups(WEB), cwd="/opt/mastodon")
    one = said(tree)
    assert "kept by the container masto-web-1, which holds web and Sidekiq" in one.message


def test_a_compose_project_without_roles(tree, monkeypatch):
    docker(monkeypatch, project="masto", service="app", working_dir="/srv/masto")
    tree.both(*groups(WEB, JOBS), cwd="/opt/mastodon")
    one = said(tree)
    assert "kept by the container masto-web-1 of the Compose project masto;" in one.message
    assert "docker compose up -d app." in one.fix


def test_portainer(tree, monkeypatch):
    docker(monkeypatch, project="masto", service="web", working_dir="/data/compose/7")
    tree.both(*groups(WEB, JOBS), cwd="/opt/mastodon")
    one = said(tree)
    assert "of Portainer's stack masto;" in one.message and one.fix == client.PORTAINER_FIX
    assert client.in_portainer("/data/compose/7/v2") and not client.in_portainer("/data/compose/masto")


# Hints that led elsewhere


def test_an_instance_of_units_in_another_directory_is_named_and_the_fix_stays(tree):
    tree.both("0::/system.slice/mastodon-web.service\n")
    wrong = TABLE.finding("app-dir-missing", "/srv/x", "The directory does not exist.")
    one = said(tree, Hints(app_dir="/srv/x"), wrong)
    assert (one.code, one.fix) == ("app-dir-missing", wrong.fix)
    assert one.message.endswith("does not exist. Mastodon 4.5.3 runs in /home/mastodon/live (mastodon-web.service).")


@pytest.mark.parametrize(
    ("code", "hints"),
    [
        ("compose-missing", Hints()),
        ("service-unknown", Hints(services=("jobz",))),
        ("no-instance", Hints(app_dir="/srv/wrong")),
        ("no-instance", Hints(deployment="systemd")),
        ("no-instance", Hints(project="wrong")),
    ],
)
def test_a_compose_project_that_is_driven_is_named_and_the_cause_stays(tree, monkeypatch, code, hints):
    docker(monkeypatch, project="masto", service="web", working_dir="/srv/masto")
    tree.both(*groups(WEB, JOBS), cwd="/opt/mastodon")
    cause = Finding(code, "error", "docker", "The cause.")
    one = said(tree, hints, cause)
    assert (one.code, one.fix) == (code, cause.fix)
    assert one.message == "The cause. Mastodon 4.5.3 runs in /srv/masto (Compose project masto)."


def test_an_engine_that_is_down_does_not_make_its_containers_those_of_docker_run(tree):
    tree.both(*groups(WEB, JOBS), cwd="/opt/mastodon")
    down = Finding("engine-down", "error", "docker", "It does not answer.")
    assert said(tree, nothing=down).message.startswith(
        "It does not answer. Mastodon 4.5.3 runs in container 3f0a377ba0a4;"
    )


def test_many_processes_are_counted(tree):
    for pid in range(40, 46):
        tree.process(pid, "puma 6", f"0::/lxc/{pid}/x.service\n", "/opt/mastodon")
    assert "; 2 more), which" in said(tree).message


# In the search for an instance


def test_a_running_mastodon_is_never_not_found(tree, monkeypatch):
    def nothing(_unused):
        raise FindingError(NOTHING)

    tree.both("0::/lxc/7/x.service\n")
    monkeypatch.setattr(finding, "WAYS", {"systemd": nothing, "compose": nothing})
    monkeypatch.setattr(look, "Processes", lambda: Processes(tree.root))
    for hints in (Hints(), Hints(deployment="systemd")):
        with pytest.raises(FindingError) as raised:
            finding.named(hints)
        assert raised.value.finding.code == "mastodon-not-driven"
        assert not re.search("not found|No Mastodon", raised.value.finding.sentence())


def test_other_refusals_are_passed_on_without_a_look(monkeypatch):
    def denied(_unused):
        raise FindingError(TABLE.finding("not-permitted", "systemctl", "No."))

    monkeypatch.setattr(finding, "WAYS", {"systemd": denied})
    monkeypatch.setattr(look, "told", None)
    with pytest.raises(FindingError, match="not-permitted"):
        finding.find(Hints(deployment="systemd"))

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
import types

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.instance import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import find as finding
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import running
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.compose import client
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import (
    DEPLOYMENTS,
    Hints,
    Instance,
    InstanceError,
)


def found(deployment, app_dir="/live"):
    instance = Instance(deployment, app_dir, "mastodon", "/live/.env", "0", "4.3.8", "x")
    return types.SimpleNamespace(instance=instance)


def refusing(code, subject):
    def way(_unused):
        raise FindingError(TABLE.finding(code, subject, "It is not here."))

    return way


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch):
    """Whatever runs on the machine of the tests."""
    monkeypatch.setattr(running, "mastodons", lambda _unused: [])


@pytest.fixture
def ways(monkeypatch):
    def register(**ways):
        monkeypatch.setattr(finding, "WAYS", ways)

    return register


def test_every_registered_way_is_a_known_deployment():
    assert set(finding.WAYS) <= set(DEPLOYMENTS) and "systemd" in finding.WAYS


def test_the_only_one_that_is_found(ways):
    driver = found("compose")
    ways(systemd=refusing("no-instance", "systemd"), compose=lambda _unused: driver)
    assert finding.find(Hints()) is driver


def test_a_given_deployment_is_the_only_one_looked_for(ways):
    driver = found("systemd")
    ways(systemd=lambda _unused: driver, compose=refusing("no-instance", "compose"))
    assert finding.find(Hints(deployment="systemd")) is driver


def test_a_named_project_is_one_of_compose(ways):
    driver = found("compose")
    ways(systemd=lambda _unused: found("systemd"), compose=lambda _unused: driver)
    assert finding.find(Hints(project="mastodon")) is driver


def test_none_is_found(ways):
    ways(systemd=refusing("no-systemd", "first"), compose=refusing("no-instance", "second"))
    with pytest.raises(FindingError) as raised:
        finding.find(Hints())
    assert raised.value.finding.sentence().startswith("host: No Mastodon was found on this host. first: ")


def test_what_several_ways_say_is_told_in_sentences():
    def made(subject, message):
        return TABLE.finding("no-systemd", subject, message)

    both = finding._nowhere([made("systemctl", "It said: Host is down"), made("docker", "No container.")])
    assert both.message == (
        "No Mastodon was found on this host. systemctl: It said: Host is down. docker: No container."
    )
    assert (
        finding._nowhere([made("systemctl", "It said: Host is down")]).sentence().count("down. A source install") == 1
    )


def test_two_ways_at_once_are_ambiguous(ways):
    ways(systemd=lambda _unused: found("systemd", "/one"), compose=lambda _unused: found("compose", "/two"))
    with pytest.raises(FindingError) as raised:
        finding.find(Hints())
    assert raised.value.finding.code == "several-instances"
    assert "/one (systemd)" in raised.value.finding.message and "/two (compose)" in raised.value.finding.message
    assert "mastodon_smtp_deployment" in raised.value.finding.fix


def test_an_instance_with_faults_is_not_passed_over(ways):
    def faulty(_unused):
        raise InstanceError(found("systemd").instance, [TABLE.finding("app-dir-missing", "/x", "It is not there.")])

    ways(systemd=faulty, compose=refusing("no-instance", "compose"))
    with pytest.raises(InstanceError):
        finding.find(Hints())


def test_where_no_docker_client_is_compose_is_not_even_read(monkeypatch):
    monkeypatch.setattr(client, "PATH", "/nonexistent:/missing")
    monkeypatch.setitem(sys.modules, f"{client.__package__}.driver", None)
    with pytest.raises(FindingError) as raised:
        finding._compose(Hints())
    said = raised.value.finding
    assert (said.code, said.subject, said.message) == (
        "no-engine",
        "docker",
        "docker cannot be run: No such file or directory.",
    )


def test_a_docker_client_that_cannot_be_run_is_no_missing_one(monkeypatch, tmp_path):
    (tmp_path / "docker").touch(0o644)
    monkeypatch.setattr(client, "PATH", f"/nonexistent:{tmp_path}")
    assert client.missing() is None

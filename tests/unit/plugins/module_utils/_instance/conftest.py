# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts for the tests of finding and driving: real directories and files, a systemd that says what the test wants."""

from __future__ import annotations

import dataclasses
import getpass

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._instance import file_times
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd import places
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.systemd.units import Unit

VERSION_RB = (
    "module Mastodon\n  module Version\n    module_function\n\n"
    "    def major\n      4\n    end\n\n    def minor\n      3\n    end\n\n"
    "    def patch\n      8\n    end\n  end\nend\n"
)
PROGRAMS = {
    "web": "/usr/bin/bundle /usr/bin/bundle exec puma -C config/puma.rb",
    "sidekiq": "/usr/bin/bundle /usr/bin/bundle exec sidekiq -c 25",
    "streaming": "/usr/bin/node /usr/bin/node ./streaming",
}


class Host:
    """A host with units; stands in for Manager and for Processes."""

    account = None

    def __init__(self, folder):
        self.folder = folder
        self.units = {}
        self.titles = {}
        self.environments = {}
        self.restarted = []
        self.listening = {}
        self.log = []
        self.barred = set()
        self.owners = {}

    def app(self, name="live", version=VERSION_RB, env="LOCAL_DOMAIN=social.example\nSMTP_SERVER=relay.example\n"):
        """Make an app directory; give its path."""
        app_dir = self.folder / name
        (app_dir / "lib/mastodon").mkdir(parents=True)
        if version is not None:
            (app_dir / "lib/mastodon/version.rb").write_text(version)
        if env is not None:
            (app_dir / ".env.production").write_text(env)
        return str(app_dir)

    def unit(self, name, app_dir="", role="web", **more):
        """Add a running unit of the user that the tests run as."""
        values = {
            "load_state": "loaded",
            "active_state": "active",
            "sub_state": "running",
            "file_state": "enabled",
            "main_pid": 4000 + len(self.units),
            "user": getpass.getuser(),
            "working_directory": app_dir,
            "exec_start": (PROGRAMS[role],),
            **more,
        }
        self.units[name] = Unit(name, **values)

    def usual(self, app_dir, prefix="mastodon", **more):
        """The three units of Mastodon's own dist folder."""
        for role in PROGRAMS:
            self.unit(f"{prefix}-{role}.service", app_dir, role, **more)

    def change(self, name, **values):
        self.units[name] = dataclasses.replace(self.units[name], **values)

    # Manager

    def unit_names(self, may_lead):
        files = places.UnitFiles()
        return [name for name in self.units if may_lead(name, files)], len(self.units)

    def show(self, names):
        return [
            next((unit for unit in self.units.values() if name in (unit.name, *unit.aliases)), Unit(name, "not-found"))
            for name in names
        ]

    def restart(self, names):
        self.restarted.append(list(names))

    def log_end(self):
        return "s=1"

    def log_since(self, names, cursor, *, lines=None):
        assert cursor or lines, "the whole journal of a boot is too much"
        return [line for line in self.log if line.service in names]

    # Processes

    def pids(self):
        """No other processes; a test that wants some has running.mastodons answer."""
        return []

    def control_groups(self, _pid):
        return []

    def of_control_group(self, control_group):
        return self.titles.get(control_group, {}).keys()

    def title(self, pid):
        return next((titles[pid] for titles in self.titles.values() if pid in titles), "")

    def environment(self, pid):
        return self.environments.get(pid, {})

    def belongs(self, pid, user):
        return self.owners.get(pid, user) == user

    def listens(self, pids):
        return any("puma" in self.title(pid) for pid in pids)

    def listeners(self, pids):
        return [dataclasses.replace(one, pid=pid) for pid in pids for one in self.listening.get(pid, [])]

    def no_new_privileges(self, pid):
        return pid in self.barred

    def reachable(self, pid, path):
        return path if pid < 9000 else f"/proc/{pid}/root{path}"


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture(autouse=True)
def notes_of_sightings(tmp_path_factory, monkeypatch):
    """Not in the /run of the machine that the tests run on."""
    folder = tmp_path_factory.mktemp("run") / "fediops.mastodon"
    monkeypatch.setattr(file_times, "FOLDER", str(folder))
    return folder

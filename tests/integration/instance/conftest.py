# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A host of the lab that a test may disturb, and that is what it was afterwards."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from harness import ENV_FILE, Lab

DROP_INS = "/run/systemd/system"
MAIL = ("mastodon-web.service", "mastodon-sidekiq.service")
STREAMING = "mastodon-streaming@4000.service"


@dataclasses.dataclass(frozen=True)
class Host:
    """One host, and what the tests of this folder do on it."""

    lab: Lab
    name: str

    def ssh(self, command: str, *, stdin: str = "", check: bool = True) -> str:
        return self.lab.ssh(self.name, command, stdin=stdin, check=check)

    def module(self, name: str, check_mode: bool = False, **options: t.Any) -> dict[str, t.Any]:
        return self.lab.module(self.name, name, options, check_mode=check_mode)

    def drop_in(self, unit: str, text: str) -> None:
        """Override a unit until the end of the test."""
        folder = f"{DROP_INS}/{unit}.d"
        self.ssh(f"mkdir -p {folder} && cat > {folder}/50-test.conf && systemctl daemon-reload", stdin=text)

    def processes(self) -> dict[str, str]:
        return self.lab.processes(self.name)

    def state(self) -> tuple[dict[str, str], str]:
        """What a step that only reads must leave alone: the processes and the environment files."""
        return self.processes(), self.ssh("ls -la --time-style=full-iso /home/mastodon/live/.env*")

    def put_back(self) -> None:
        # A unit that was overridden runs what the test made of it, also where nothing is stale.
        self.ssh(
            f"for one in {DROP_INS}/mastodon-*.d; do [ -d $one ] && systemctl stop $(basename $one .d); done;"
            f" rm -rf {DROP_INS}/mastodon-*.d {DROP_INS}/mastodon-*.service /home/second"
            f" /home/mastodon/live/.env.production.local {ENV_FILE}.aside;"
            " systemctl daemon-reload;"
            " systemctl reset-failed 'mastodon-*'; systemctl start mastodon-web mastodon-sidekiq mastodon-streaming",
            check=False,
        )
        # The next test begins with services that have booted and are current.
        done = self.module("mail_services", steady=0)
        assert not done["failed"], done


@pytest.fixture(params=Lab.hosts)
def host(lab: Lab, request: pytest.FixtureRequest) -> Host:
    """A host to look at."""
    return Host(lab, str(request.param))


@pytest.fixture
def disturbed(host: Host) -> t.Iterator[Host]:
    """A host that is put back after the test, so that the next one begins with services that are current."""
    yield host
    host.put_back()


def codes(result: dict[str, t.Any]) -> list[str]:
    return [one["code"] for one in result["findings"]]

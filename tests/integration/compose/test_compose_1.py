# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project that docker-compose 1.25 has made: it took the lines of an environment file verbatim."""

from __future__ import annotations

import re
import typing as t

import pytest
from compose_host import NAME, PROJECT, ComposeHost
from harness import CHECKOUT, run

OLD = "/srv/old"
FILE = f"{OLD}/.env.production"
#: Lines that both read alike, and one that they do not.
PREPARE = f"""set -e
rm -rf {OLD} && cp -a {PROJECT} {OLD} && cd {OLD}
grep -E '^[A-Z_0-9]+=[A-Za-z0-9_./:@%+,=-]*$' {PROJECT}/.env.production > .env.production
echo "OTP_PEPPER='quoted'" >> .env.production
sed -i -e '/127.0.0.1:/d' -e '/ports:/d' -e 's/^---/---\\nversion: "3.7"/' docker-compose.yml
"""


@pytest.fixture
def old(fresh: ComposeHost) -> t.Iterator[ComposeHost]:
    """A second project on the host, run by the real program."""
    assert run("bash", "tests/integration/readers/setup", "compose-1.25").status == 0
    receive = "mkdir -p /opt/compose-1 && tar -C /opt/compose-1 -xf -"
    copied = run("bash", "-c", f"tar -C .work/readers/compose-1.25 -cf - . | script/lab ssh {NAME} '{receive}'")
    assert copied.status == 0, copied.output
    assert (CHECKOUT / ".work/readers/compose-1.25/docker-compose").exists()
    fresh.ssh(PREPARE)
    yield fresh.at(project=OLD)
    fresh.ssh(f"cd {OLD} && docker compose down --timeout 1 2>&1; rm -rf {OLD}")


def test_what_is_written_is_read_by_the_old_program_and_by_the_new_one(old: ComposeHost) -> None:
    def compose_1(words: str) -> str:
        return old.ssh(f"cd {OLD} && python3 /opt/compose-1/docker-compose {words} 2>&1")

    # What it has read otherwise would be another value in a new container: said before anything is edited.
    compose_1("up --detach redis web sidekiq")
    assert "docker-compose version 1.25.5" in compose_1("version")
    assert old.environment("web")["OTP_PEPPER"] == "'quoted'"
    before = old.module("instance_info", app_dir=OLD)
    assert {one["code"] for one in before["findings"]} == {"made-by-compose-1"}
    assert "OTP_PEPPER" in before["msg"] and "quoted" not in before["msg"]

    # Once the file is mended, it is written for both: for what makes its containers today, and for what does here.
    old.ssh(f"sed -i /OTP_PEPPER/d {FILE}")
    compose_1("up --detach --no-deps --timeout 1 web sidekiq")
    found = old.module("instance_info", app_dir=OLD)
    assert [one["code"] for one in found["findings"]] == ["credential-blank"], found  # as Mastodon's own sample has it
    assert found["instance"]["readers"] == ["compose", "raw"], found
    readers = found["instance"]["readers"]
    quoted = old.module("env_file", path=FILE, secrets={"SMTP_PASSWORD": "zq #zq"}, readers=readers)
    assert quoted["failed"] and "a verbatim reader" in quoted["msg"] and "zq #" not in quoted["msg"], quoted
    wanted = {"SMTP_SERVER": "smtp.relay.test", "SMTP_PORT": "587", "SMTP_PASSWORD": "p@ss/w%rd+=[{~}]!*?"}
    secrets = {"SMTP_PASSWORD": wanted["SMTP_PASSWORD"]}
    plain = {name: value for name, value in wanted.items() if name not in secrets}
    edit = old.module("env_file", path=FILE, set=plain, secrets=secrets, readers=readers)
    assert not edit["failed"], edit
    by_old = dict(re.findall(r"^ +(SMTP_\w+): (.*)$", compose_1("config").partition("  web:")[2], re.M))
    assert {name: by_old[name].strip("'\"") for name in wanted} == wanted
    by_docker = dict(
        line.split("=", 1)
        for line in old.docker(
            f"run --rm --network none --env-file {FILE} --entrypoint env ghcr.io/mastodon/mastodon:v4.4.8"
        ).splitlines()
    )
    assert {name: by_docker[name] for name in wanted} == wanted
    assert {name: old.config("web")[name] for name in wanted} == wanted

    # Compose 2 takes over what Compose 1 has made.
    done = old.module("mail_services", app_dir=OLD, steady=0)
    assert (done["failed"], {one["name"] for one in done["services"] if one["restarted"]}) == (
        False,
        {"web", "sidekiq"},
    )
    assert {name: old.environment("sidekiq")[name] for name in wanted} == wanted
    assert old.module("instance_info", app_dir=OLD)["instance"]["readers"] == ["compose"]

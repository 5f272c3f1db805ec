# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""env_file over SSH on both hosts, and systemd itself as the reader: EnvironmentFile= of a real unit, 252 and 257."""

from __future__ import annotations

import json
import sys
import typing as t

import pytest
from harness import CHECKOUT, Lab

sys.path.insert(0, str(CHECKOUT / "tests/integration/readers"))
import corpus

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.encoder import refusal

FOLDER = "/root/env-file-test"
PATH = f"{FOLDER}/.env.production"
READERS = ["ruby", "node", "compose", "python_dotenv", "systemd", "sh"]
SECRET = "zq7-Tr0ub4dor&3#zq"

#: Runs on a host: each text of standard input as the EnvironmentFile= of a unit; prints what the unit's process has.
READ = """
import json, os, subprocess, sys
found = []
for text in json.load(sys.stdin):
    with open("/run/env-file-test", "w", encoding="utf-8", newline="") as stream:
        stream.write(text)
    done = subprocess.run(
        ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", "-p", "EnvironmentFile=/run/env-file-test",
         "/usr/bin/env", "-0"],
        stdout=subprocess.PIPE, check=True)
    pairs = [one.partition(b"=") for one in done.stdout.split(b"\\0") if one]
    found.append({name.decode(): value.decode("utf-8", "replace") for name, _equals, value in pairs})
os.unlink("/run/env-file-test")
json.dump(found, sys.stdout)
"""
#: What systemd and the container give every process.
OWN = {
    "PATH",
    "LANG",
    "LC_ALL",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "container",
    "LISTEN_FDS",
    "LISTEN_PID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
}


def read_by_systemd(lab: Lab, host: str, texts: list[str]) -> list[dict[str, str]]:
    lab.ssh(host, "cat > /root/env-file-read.py", stdin=READ)
    try:
        seen = json.loads(lab.ssh(host, "python3 /root/env-file-read.py", stdin=json.dumps(texts)))
    finally:
        lab.ssh(host, "rm -f /root/env-file-read.py")
    return [{name: value for name, value in one.items() if name not in OWN} for one in seen]


@pytest.fixture(params=Lab.hosts)
def host(request: pytest.FixtureRequest, lab: Lab) -> t.Iterator[str]:
    name = str(request.param)
    lab.ssh(name, f"rm -rf {FOLDER} && mkdir -m 750 {FOLDER} && cat > {PATH}", stdin="# c\nA=1\nSMTP_PORT=25 # plain\n")
    lab.ssh(name, f"chown mastodon:mastodon {FOLDER} {PATH} && chmod 640 {PATH}")
    yield name
    lab.ssh(name, f"rm -rf {FOLDER}")


def listing(lab: Lab, host: str) -> str:
    return lab.ssh(host, f"cd {FOLDER} && stat -c '%n %U:%G %a %y %i' .env.production* && sha256sum .env.production*")


def test_check_mode_edit_again_and_back(lab: Lab, host: str) -> None:
    options = {
        "path": PATH,
        "set": {"SMTP_PORT": 587},
        "secrets": {"SMTP_PASSWORD": SECRET},
        "readers": ["ruby", "node"],
    }
    before = listing(lab, host)
    planned = lab.module(host, "env_file", options, check_mode=True)
    assert listing(lab, host) == before
    edit = lab.module(host, "env_file", options)
    for result in (planned, edit):
        assert result["changed"]
        assert not result["failed"]
        assert SECRET not in json.dumps(result)
    for key in ("changed_variables", "checksum_after", "backup_file"):
        assert planned[key] == edit[key]
    assert lab.ssh(host, f"cat {PATH}") == f"# c\nA=1\nSMTP_PORT=587 # plain\nSMTP_PASSWORD='{SECRET}'\n"
    assert lab.ssh(host, f"stat -c '%U:%G %a' {FOLDER}/.env.production*") == "mastodon:mastodon 640\n" * 4
    after = listing(lab, host)
    assert lab.module(host, "env_file", options)["changed"] is False
    assert listing(lab, host) == after
    back = {
        "path": PATH,
        "state": "restored",
        "backup_file": edit["backup_file"],
        "expected_checksum": edit["checksum_after"],
    }
    assert lab.module(host, "env_file", back)["changed"]
    assert lab.checksum(host, PATH) == edit["checksum_before"]
    assert lab.module(host, "env_file", back)["changed"] is False


def test_the_secret_stands_in_the_file_and_nowhere_else(lab: Lab, host: str) -> None:
    for port in (1, 2):
        options = {"path": PATH, "set": {"SMTP_PORT": port}, "secrets": {"SMTP_PASSWORD": SECRET}}
        assert lab.module(host, "env_file", options)["changed"]
    assert lab.places_of(host, SECRET) == [PATH, f"{PATH}.last-smtp"]


def test_systemd_reads_back_all_secrets_that_were_written(lab: Lab, host: str) -> None:
    named = {f"SECRET_{number:03}": secret for number, secret in enumerate(corpus.awkward_secrets())}
    # Ansible itself takes {{ and {% on a command line for its own.
    named = {name: secret for name, secret in named.items() if "{{" not in secret and "{%" not in secret}
    wanted = {name: secret for name, secret in named.items() if refusal(name, secret, READERS) is None}
    assert len(wanted) > 235
    result = lab.module(host, "env_file", {"path": PATH, "set": wanted, "readers": READERS})
    assert not result["failed"], result.get("msg")
    assert len(result["changed_variables"]) == len(wanted)
    (seen,) = read_by_systemd(lab, host, [lab.ssh(host, f"cat {PATH}")])
    assert {name: value for name, value in seen.items() if name in wanted} == wanted
    assert seen["A"] == "1"


def test_corpus(lab: Lab, host: str) -> None:
    generation = {"masto1": "254 and later", "masto2": "before 254"}[host]
    cases = corpus.cases()
    seen = read_by_systemd(lab, host, [one.text for one in cases])
    wrong = [
        (one.row, one.expected("systemd", generation), found)
        for one, found in zip(cases, seen)
        if found != one.expected("systemd", generation)
    ]
    assert not wrong

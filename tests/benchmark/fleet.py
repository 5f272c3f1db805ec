# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout costs the controller, per host, as the fleet grows.

Usage, in a lane (script/bootstrap): python tests/benchmark/fleet.py [--report | --plain] [HOSTS ...]

The hosts are light ones: connection local, each with an environment file of its own. Playbook, role, plan, gate,
batches and the edit (with its backups, lock and note) are the real ones. Only what needs an instance is a stand-in with
results of the same size: instance_info, mailer_check, mail_services, queued_mail_check. The relay and DNS are not
asked. So this measures Ansible and our part on the controller, and the start of Python for each step of each host; not
Rails, restarts or the network.

--report   with the callback rollout_report
--plain    what of it is Ansible's own: as many plays, batches and tasks, which return and register the same results and
           have nothing else of this collection in them. Neither do they start anything, so only the memory compares.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
REPLACED = tuple(path.name for path in (HERE / "modules").glob("*.py"))


def collection(folder: Path) -> Path:
    """A tree in which Ansible finds this collection with the stand-ins in place of the modules."""
    root = folder / "collections" / "ansible_collections" / "fediops" / "mastodon"
    for part in ("modules", "module_utils"):
        (root / "plugins" / part).mkdir(parents=True)
        for path in (CHECKOUT / "plugins" / part).iterdir():
            if path.name not in REPLACED:
                (root / "plugins" / part / path.name).symlink_to(path)
    for path in (HERE / "modules").glob("*.py"):
        (root / "plugins" / "modules" / path.name).symlink_to(path)
    (root / "plugins" / "module_utils" / "_stand_in.py").symlink_to(HERE / "stand_in.py")
    for path in (CHECKOUT / "plugins").iterdir():
        if path.name not in ("modules", "module_utils", "__pycache__"):
            (root / "plugins" / path.name).symlink_to(path)
    for name in ("galaxy.yml", "meta", "playbooks", "roles"):
        (root / name).symlink_to(CHECKOUT / name)
    return folder / "collections"


def inventory(folder: Path, count: int) -> Path:
    """A fleet of so many light hosts, each with its own settings."""
    hosts = {}
    for number in range(count):
        home = folder / f"host{number:03}"
        home.mkdir()
        (home / ".env.production").write_text(f"LOCAL_DOMAIN=h{number}.example\nSECRET_KEY_BASE=x\nSMTP_SERVER=old\n")
        hosts[f"host{number:03}"] = {
            "mastodon_smtp_env_file": str(home / ".env.production"),
            "mastodon_smtp_from_address": f"Social <notifications@h{number}.example>",
            "mastodon_smtp_login": f"h{number}@relay.example",
        }
    common = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "mastodon_smtp_host": "smtp.relay.example",
        "mastodon_smtp_tls": "starttls",
        "mastodon_smtp_password": "a-secret-of-the-benchmark",
        "mastodon_smtp_test_recipient": "admin@example.com",
        "mastodon_smtp_check_relay": False,
        "mastodon_smtp_check_dns": False,
    }
    path = folder / "hosts.json"
    path.write_text(json.dumps({"mastodon": {"hosts": hosts, "vars": common}}))
    return path


def environment(folder: Path, tree: Path, **more: str) -> dict[str, str]:
    """Where Ansible finds what it needs."""
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(tree),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_FORKS": "10",
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
        **more,
    }


def watched(folder: Path, hosts: Path, playbook: str, settings: dict[str, str]) -> tuple[float, str]:
    """Run a playbook; the most memory that its main process had, in MiB, and its output."""
    log = folder / "log"
    with open(log, "w") as stream:
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(hosts), playbook]
        process = subprocess.Popen(command, env=settings, stdout=stream, stderr=subprocess.STDOUT, cwd=folder)
        largest = 0.0
        while process.poll() is None:
            largest = max(largest, resident(process.pid))
            time.sleep(0.2)
    text = log.read_text()
    if process.returncode:
        sys.exit(text[-3000:])
    return largest, text


def rollout(folder: Path, count: int, **more: str) -> float:
    """One rollout over so many hosts that have been looked at afterwards; the most memory in MiB."""
    tree, hosts = collection(folder), inventory(folder, count)
    largest, text = watched(folder, hosts, "fediops.mastodon.smtp_rollout", environment(folder, tree, **more))
    if text.count("Done and proved: the mail settings are in place and in use.") != count:
        sys.exit(text[-3000:])
    files = list(folder.glob("host*/.env.production"))
    edited = sum(b"SMTP_SERVER=smtp.relay.example" in path.read_bytes() for path in files)
    left = list(folder.glob("host*/.env.production.smtp-unproved"))
    if edited != count or left:
        sys.exit(f"{edited} of {count} files were edited, {len(left)} are not proved")
    return largest


def plain(folder: Path, count: int) -> float:
    """The same plays and results without this collection; the most memory in MiB."""
    record = folder / "record.json"
    plugins = {"ANSIBLE_CALLBACK_PLUGINS": str(HERE / "plain"), "BENCHMARK_RECORD": str(record)}
    with tempfile.TemporaryDirectory(prefix="fediops-fleet-") as name:
        rollout(Path(name), 1, ANSIBLE_CALLBACKS_ENABLED="recorder", **plugins)
    recorded = json.loads(record.read_text())
    plays = []
    for number, results in enumerate(recorded):
        # the rollout itself is the longest; it goes in batches
        serial = {"serial": [1, "25%", "100%"]} if len(results) == max(map(len, recorded)) else {}
        tasks = [
            {"name": f"Task {task}", "replay": {"play": number, "task": task}, "register": f"result_{number}_{task}"}
            for task in range(len(results))
        ]
        plays.append({"name": f"Play {number}", "hosts": "mastodon", "gather_facts": False, **serial, "tasks": tasks})
    (folder / "plain.yml").write_text(json.dumps(plays))
    settings = environment(folder, folder, ANSIBLE_ACTION_PLUGINS=str(HERE / "plain"), BENCHMARK_RECORD=str(record))
    return watched(folder, inventory(folder, count), "plain.yml", settings)[0]


def measure(count: int, kind: str) -> dict[str, float]:
    """One run: seconds, seconds of processor time, and the largest process in MiB."""
    with tempfile.TemporaryDirectory(prefix="fediops-fleet-") as name:
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        if kind == "--plain":
            largest = plain(Path(name), count)
        elif kind == "--report":
            largest = rollout(Path(name), count, ANSIBLE_CALLBACKS_ENABLED="fediops.mastodon.rollout_report")
        else:
            largest = rollout(Path(name), count)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"seconds": time.monotonic() - began, "processor": used, "memory": largest}


def resident(pid: int) -> float:
    """The memory of a process in MiB; 0 when it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def main() -> None:
    kind = next((one for one in sys.argv[1:] if one in ("--report", "--plain")), "")
    counts = [int(one) for one in sys.argv[1:] if one != kind] or [25, 50, 100, 200]
    print("| hosts | seconds | seconds a host | processor seconds a host | controller MiB |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for count in counts:
        cost = measure(count, kind)
        print(
            f"| {count} | {cost['seconds']:.0f} | {cost['seconds'] / count:.2f} "
            f"| {cost['processor'] / count:.2f} | {cost['memory']:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

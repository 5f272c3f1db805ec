# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the same change of mail settings costs in different ways, on real hosts of the lab.

Usage, in a lane (script/bootstrap), with these hosts up: python tests/benchmark/ways.py [HOST ...]

    the guide         its steps by plain ssh: edit the file, restart, wait, send a test message from Rails
    stock modules     the same steps as a playbook: lineinfile, systemd, wait_for, command
    ours              fediops.mastodon.smtp_rollout, which checks, proves and would undo as well
    ours, unchanged   the same again, when there is nothing left to change

Counted are processor seconds: of each host by its control group (what the Engine says of the container, so everything
that runs there, the boots of Rails too), less what its services use when nothing happens; and of the controller, by its
child processes. Other work on the machine makes them larger, by a fifth or so: only figures of one run can be compared.

Part of what a run costs the controller does not depend on the number of hosts: the start of Ansible, and each module,
which it packs once. So ours is measured with half of the hosts as well, and the second table tells the parts apart.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "lab"))

from control import containers, fleet, inventory, seed  # noqa: E402

USUAL = ("masto1", "masto2", "masto4", "masto5")
ENGINE = "/var/run/docker.sock"
#: So long the services are left alone to see what they use by themselves.
IDLE = 10.0
#: A host whose use of a processor has not fallen by more than this for some seconds boots nothing any more.
STEADY, PAUSE = 0.02, 5.0
#: A host that boots Rails uses far more of a processor than this, one that waits for jobs far less.
RESTING = 0.15
SUBJECT = "Test message of the benchmark"
#: As a guide has it; the mailer is a class of its own since Rails 8.1.1 has none in ActionMailer::Base.
RUBY = (
    "class Guide < ActionMailer::Base; def test; mail(to: %r, subject: %r, body: %r); end; end; Guide.test.deliver_now"
)
RAILS = "cd /home/mastodon/live && RAILS_ENV=production PATH=/home/mastodon/.rbenv/shims:$PATH bin/rails runner -"
AT_WORK = (
    "until (: < /dev/tcp/127.0.0.1/3000) 2> /dev/null && pgrep -f '^sidekiq .* busy' > /dev/null; do sleep 1; done"
)
UNITS = ("mastodon-web", "mastodon-sidekiq")


def settings(machine: fleet.Machine) -> dict[str, str]:
    """What all four ways write."""
    return {
        "SMTP_SERVER": fleet.RELAY_NAME,
        "SMTP_PORT": "587",
        "SMTP_LOGIN": machine.login_at_relay,
        "SMTP_PASSWORD": seed.ensure().logins[machine.name],
        "SMTP_AUTH_METHOD": "plain",
        "SMTP_ENABLE_STARTTLS": "always",
        "SMTP_FROM_ADDRESS": f"Mastodon <{machine.senders[0]}>",
        "SMTP_RETURN_PATH": machine.senders[1],
    }


def line(name: str, value: str) -> str:
    """An assignment as dotenv reads it."""
    return f"{name}='{value}'"


def ruby() -> str:
    return RUBY % (f"admin@{fleet.MAIL_DOMAIN}", SUBJECT, "It works.")


def by_guide(machines: t.Sequence[fleet.Machine]) -> None:
    """What a person does who logs in to each host."""
    addresses = containers.addresses()
    given = {machine.name: settings(machine) for machine in machines}

    def one(machine: fleet.Machine) -> None:
        lines = "\n".join(line(*each) for each in given[machine.name].items())
        script = f"""set -e
cd /home/mastodon/live
cp -p .env.production .env.production.before
sed -i '/^SMTP_/d' .env.production
cat >> .env.production <<'END'
{lines}
END
systemctl restart {" ".join(UNITS)}
{AT_WORK}
su mastodon -s /bin/sh -c '{RAILS}' <<'END'
{ruby()}
END
"""
        command = containers.ssh_command(machine, addresses[machine.name], inventory.KNOWN_HOSTS)
        shell = ["bash", "-s"] if machine.login == "root" else ["sudo", "bash", "-s"]
        subprocess.run([*command, *shell], input=script.encode(), check=True, stdout=subprocess.DEVNULL)

    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(one, machines))


def by_stock_modules(machines: t.Sequence[fleet.Machine]) -> None:
    """The playbook that somebody makes of the guide."""
    tasks: list[dict[str, t.Any]] = [
        {
            "name": "Set the variables",
            "lineinfile": {
                "path": "/home/mastodon/live/.env.production",
                "regexp": "^{{ item.key }}=",
                "line": "{{ item.key }}='{{ item.value }}'",
                "backup": True,
            },
            "loop": "{{ settings | dict2items }}",
            "loop_control": {"label": "{{ item.key }}"},
        },
        {
            "name": "Remove what else decides the encryption",
            "lineinfile": {
                "path": "/home/mastodon/live/.env.production",
                "regexp": "^SMTP_(TLS|SSL)=",
                "state": "absent",
            },
        },
        {
            "name": "Restart",
            "systemd": {"name": "{{ item }}", "state": "restarted"},
            "loop": list(UNITS),
        },
        {"name": "Wait for web", "wait_for": {"port": 3000}},
        {"name": "Wait for Sidekiq", "command": {"argv": ["bash", "-c", AT_WORK]}, "changed_when": False},
        {
            "name": "Send a test message",
            "command": {"argv": ["su", "mastodon", "-s", "/bin/sh", "-c", RAILS], "stdin": ruby()},
            "changed_when": False,
        },
    ]
    play = {
        "hosts": [machine.name for machine in machines],
        "gather_facts": False,
        "vars": {"settings": "{{ given[inventory_hostname] }}", "given": {one.name: settings(one) for one in machines}},
        "tasks": tasks,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stock.yml")
        path.write_text(json.dumps([play]))
        ansible(str(path))


def by_ours(machines: t.Sequence[fleet.Machine]) -> None:
    """The playbook of this collection."""
    hosts = json.dumps({"mastodon_smtp_hosts": ",".join(machine.name for machine in machines)})
    ansible("fediops.mastodon.smtp_rollout", "-e", hosts)


def ansible(*arguments: str) -> None:
    """One run of ansible-playbook as the lab runs it."""
    program = Path(sys.executable).parent / "ansible-playbook"
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "lab" / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [str(program), "-i", str(inventory.FOLDER), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=CHECKOUT,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout[-6000:])


class _Engine(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(ENGINE)


def used(machines: t.Sequence[fleet.Machine]) -> float:
    """Processor seconds of these hosts since they were started."""
    total = 0
    for machine in machines:
        engine = _Engine("localhost")
        engine.request("GET", f"/containers/{machine.container}/stats?stream=false&one-shot=true")
        total += json.load(engine.getresponse())["cpu_stats"]["cpu_usage"]["total_usage"]
        engine.close()
    return total / 1e9


def controller() -> float:
    """Processor seconds of all child processes so far."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def first_state(machines: t.Sequence[fleet.Machine]) -> None:
    """The settings that do not work, and services that have booted on them: when all is quiet."""
    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(containers.reset, machines))
    began, before, last = time.monotonic(), used(machines), float("inf")
    while time.monotonic() - began < 600:
        time.sleep(PAUSE)
        now = used(machines)
        share = (now - before) / PAUSE / len(machines)
        if share < RESTING and last - share < STEADY:
            return
        before, last = now, share
    sys.exit("The hosts do not come to rest.")


Way = t.Callable[[t.Sequence[fleet.Machine]], None]
OURS, UNCHANGED = "ours", "ours, unchanged"
WAYS: tuple[tuple[str, Way], ...] = (
    ("stock modules", by_stock_modules),
    ("the guide, by plain ssh", by_guide),
    (OURS, by_ours),
    (UNCHANGED, by_ours),
)


class Spent(t.NamedTuple):
    """Processor seconds of all hosts and of the controller, and how long it took."""

    hosts: float
    controller: float
    wall: float


def spent(way: Way, machines: t.Sequence[fleet.Machine], idle: float) -> Spent:
    """What one run costs.

    :param idle: what these hosts use of a processor when they are left alone.
    """
    began, hosts, own = time.monotonic(), used(machines), controller()
    way(machines)
    wall = time.monotonic() - began
    return Spent(used(machines) - hosts - idle * wall, controller() - own, wall)


def main() -> None:
    machines = [fleet.machine(name) for name in sys.argv[1:] or USUAL]
    first_state(machines)
    before = used(machines)
    time.sleep(IDLE)
    idle = (used(machines) - before) / IDLE
    count = len(machines)
    print(f"{count} hosts; left alone, one uses {idle / count:.3f} of a processor\n")
    print("| way | hosts | controller | together | of stock | wall |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    stock, own = 0.0, {}
    for name, way in WAYS:
        if name != UNCHANGED:
            first_state(machines)
        one = spent(way, machines, idle)
        there, here, own[name] = one.hosts / count, one.controller / count, one.controller
        stock = stock or there + here
        share = (there + here) / stock
        print(
            f"| {name} | {there:.2f} | {here:.2f} | {there + here:.2f} | {share:.2f} | {one.wall:.0f} s |", flush=True
        )
    half = machines[: count // 2]
    if not half:
        return
    print("\n| on the controller | each run | each host |\n| --- | ---: | ---: |")
    first_state(half)
    for name in (OURS, UNCHANGED):
        each = (own[name] - spent(by_ours, half, 0.0).controller) / (count - len(half))
        print(f"| {name} | {own[name] - each * count:.2f} | {each:.2f} |", flush=True)


if __name__ == "__main__":
    main()

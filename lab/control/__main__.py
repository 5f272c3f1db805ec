# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""script/lab: a small real fleet in containers, for the tests and the demo.

usage: script/lab COMMAND

  up [HOST ...]         create what is missing and start it: images, containers, inventory (default: all but masto4;
                        the relay is always included)
  down [--purge]        remove the containers and the network (--purge: keys, secrets and inventory too), and stop the
                        Docker Engine if this checkout started it and no other containers run on it
  status                what runs, where, on which release (exit status 1 if the lab is not up)
  reset [HOST ...]      back to the first state: settings that do not work, empty mailboxes (default: all)
  unthrottle [HOST ...] clear the counters of password resets (Mastodon allows five in half an hour) and failed mails
  release HOST VERSION  change the Mastodon release of a host as an upgrade does (masto3: another image), and restart it
  logs [HOST] [ARGS]    the journal of a host (ARGS go to journalctl, e.g. -u mastodon-sidekiq -n 50); without HOST: all
  ssh HOST [COMMAND]    a root shell on a host, or one command

Hosts: masto1 (Debian 13, Rails 7.2, Ruby behind rbenv), masto2 (Debian 12, Rails 6.1), masto3 (Debian 13, Rails 7.2 in
containers of Docker Compose), masto5 (Debian forky, Rails 7.2, Sidekiq 8.1), relay (Postfix, Dovecot).
Groups: mastodon (1, 2), mastodon_compose (3), mastodon_newest (5), fleet (these three).
On request: masto4 (as masto2), in the group mastodon_spare.
Ansible: ansible -i .work/lab/inventory fleet -m ping   (with ANSIBLE_CONFIG=lab/ansible.cfg)

Needs root on Debian or Ubuntu, where it installs and starts what is missing. Any other user needs a Docker Engine
(`docker version` shows a Server) and either mmdebstrap or Debian images such as debian:trixie-slim in LAB_BASE_TRIXIE,
LAB_BASE_BOOKWORM and LAB_BASE_FORKY. See docs/lab.md.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor

from . import containers, engine, fleet, images, inventory, project, seed
from .progress import LabError, fail, hold, say, step


def main(arguments: list[str]) -> int:
    """Run one command; its exit status."""
    commands: dict[str, t.Callable[[list[str]], int]] = {
        "up": up,
        "down": down,
        "status": status,
        "reset": reset,
        "unthrottle": unthrottle,
        "release": release,
        "logs": logs,
        "ssh": ssh,
    }
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print((__doc__ or "").strip(), file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] not in commands:
        near = difflib.get_close_matches(arguments[0], commands, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(commands)}; script/lab help explains them"
        print(f"error: unknown command {arguments[0]!r}; {hint}", file=sys.stderr)
        return 2
    try:
        return commands[arguments[0]](arguments[1:])
    except LabError as error:
        fail(error)
    except KeyboardInterrupt:
        return 130


def up(arguments: list[str]) -> int:
    machines = fleet.with_relay(map(_machine, arguments)) or fleet.USUAL
    _locked()
    for program in ("ssh", "ssh-keygen", "openssl"):
        if not shutil.which(program):
            engine.install(["openssh-client", "openssl"], program)
    with engine.in_use():
        engine.ensure()
        _make(machines)
    return 0


def _make(machines: t.Sequence[fleet.Machine]) -> None:
    if _is_up(machines):
        # Its variables may be those of an older checkout.
        addresses = containers.addresses()
        inventory.write(addresses, containers.host_keys(), seed.ensure())
        say("the lab is already up")
        return
    images.ensure(machines)
    with step("starting the machines"):
        secrets = seed.ensure()
        addresses = containers.ensure(machines)
    containers.wait(addresses)
    with step("writing the inventory"):
        inventory.write(addresses, containers.host_keys(), secrets)
    say("the lab is up. Next: script/lab status, script/lab ssh masto1, script/lab reset, script/lab down")


def down(arguments: list[str]) -> int:
    if arguments not in ([], ["--purge"]):
        raise LabError("down takes only --purge")
    _locked()
    if engine.answers():
        containers.remove()
        say("removed the containers and the network of this lab")
        engine.stop_if_ours()
    else:
        say("no Docker Engine answers, so there is nothing to remove")
    shutil.rmtree(inventory.FOLDER, ignore_errors=True)
    if arguments:
        shutil.rmtree(fleet.HOME, ignore_errors=True)
    return 0


def status(arguments: list[str]) -> int:
    _expect(arguments, 0)
    if not engine.answers():
        print("down: no Docker Engine answers")
        return 1
    states = containers.states()
    shown = [each for each in fleet.MACHINES if each in fleet.USUAL or each.name in states]
    with ThreadPoolExecutor(len(shown)) as pool:
        lines = list(pool.map(lambda machine: _describe(machine, states.get(machine.name)), shown))
    print("\n".join(lines))
    if not _is_up(fleet.USUAL):
        print("the lab is incomplete or out of date. Run script/lab up.")
        return 1
    return 0


def reset(arguments: list[str]) -> int:
    addresses = containers.addresses() if engine.answers() else {}
    machines = [_machine(name) for name in arguments or addresses]
    _require_up(machines, addresses)
    seed.ensure()
    with (
        step(f"resetting {', '.join(machine.name for machine in machines)}"),
        ThreadPoolExecutor(len(machines)) as pool,
    ):
        list(pool.map(containers.reset, machines))
    containers.wait(addresses)
    return 0


def unthrottle(arguments: list[str]) -> int:
    addresses = containers.addresses() if engine.answers() else {}
    machines = [_machine(name) for name in arguments or addresses]
    _require_up(machines, addresses)
    with ThreadPoolExecutor(len(machines)) as pool:
        list(pool.map(containers.unthrottle, machines))
    return 0


def release(arguments: list[str]) -> int:
    _expect(arguments, 2)
    machine = _machine(arguments[0])
    if machine.kind == "compose":
        project.release(machine, arguments[1])
        return 0
    if machine.kind != "mastodon":
        raise LabError(f"{machine.name} runs no Mastodon")
    containers.execute(machine, "lab-release", arguments[1])
    containers.execute(machine, "systemctl", "restart", "mastodon-web", "mastodon-sidekiq", timeout=120)
    return 0


def logs(arguments: list[str]) -> int:
    names = [each.name for each in fleet.MACHINES]
    if arguments and arguments[0] in names:
        return containers.journal(_machine(arguments[0]), arguments[1:])
    for machine in fleet.MACHINES:
        print(f"==> {machine.name}", flush=True)
        containers.journal(machine, arguments or ["-n", "50"])
    return 0


def ssh(arguments: list[str]) -> int:
    if not arguments:
        raise LabError("ssh needs a host: script/lab ssh HOST [COMMAND]")
    machine = _machine(arguments[0])
    address = containers.states()[machine.name].address if machine.name in containers.states() else ""
    if not address:
        raise LabError(f"{machine.name} does not run. Start it with script/lab up {machine.name}.")
    command = containers.ssh_command(machine, address, inventory.KNOWN_HOSTS)
    words = arguments[1:]
    if not words:
        become = [] if machine.login == "root" else ["-t", "sudo", "-i"]
        return subprocess.run([*command[:1], *become[:1], *command[1:], *become[1:]], check=False).returncode
    text = " ".join(words)
    remote = text if machine.login == "root" else f"sudo -n sh -c {shlex.quote(text)}"
    return subprocess.run([*command, remote], check=False).returncode


def _is_up(machines: t.Sequence[fleet.Machine]) -> bool:
    """Whether they all run on the image of today's sources, and the inventory names their addresses of today."""
    states = containers.states()
    for machine in machines:
        state = states.get(machine.name)
        if state is None or not state.running or not state.fits(machine):
            return False
    known = inventory.FOLDER / "hosts.yml"
    return known.exists() and all(f'"{state.address}"' in known.read_text() for state in states.values())


def _describe(machine: fleet.Machine, state: containers.State | None) -> str:
    if state is None or not state.running:
        return f"{machine.name:7} {'not made' if state is None else 'stopped'}"
    if machine.kind == "compose":
        return f"{machine.name:7} {state.address:15} {project.describe(machine)}"
    command = "systemctl is-system-running; systemctl is-active " + (
        " ".join(containers.UNITS) if machine.kind == "mastodon" else "postfix dovecot"
    )
    system, *units = containers.execute(machine, "sh", "-c", f"{command}; true").split()
    names = containers.UNITS if machine.kind == "mastodon" else ("postfix", "dovecot")
    services = ", ".join(f"{name} {unit}" for name, unit in zip(names, units))
    extra = ""
    if machine.kind == "mastodon":
        extra = f"; Mastodon {containers.execute(machine, 'lab-release', '--show')}"
    return f"{machine.name:7} {state.address:15} systemd {system}; {services}{extra}"


def _machine(name: str) -> fleet.Machine:
    try:
        return fleet.machine(name)
    except KeyError:
        raise LabError(f"there is no host {name!r}. Hosts: {', '.join(each.name for each in fleet.MACHINES)}") from None


def _require_up(machines: t.Sequence[fleet.Machine], addresses: t.Mapping[str, str]) -> None:
    missing = [machine.name for machine in machines if machine.name not in addresses]
    if missing or not machines:
        detail = f" ({missing[0]} does not run)" if missing else ""
        raise LabError(f"the lab is not up{detail}. Start it with script/lab up.")


def _expect(arguments: list[str], count: int) -> None:
    if len(arguments) != count:
        raise LabError("wrong number of arguments; script/lab help shows the commands")


def _locked() -> None:
    """One up or down at a time in a checkout; the lock goes with the process."""
    try:
        fleet.HOME.mkdir(parents=True, exist_ok=True)
        lock = os.open(fleet.HOME.parent / "lab.lock", os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError as error:
        raise LabError(f"this user cannot write to {fleet.HOME.parent}: {error.strerror}") from error
    hold(lock, fcntl.LOCK_EX, "another script/lab is running in this checkout; waiting for it ...")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

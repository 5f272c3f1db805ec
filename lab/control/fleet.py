# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab consists of, and where its things lie. Every other file of this package reads it from here."""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
#: The checkout that started it all: a copy in .work, as script/test makes one, belongs to the checkout around it.
OWNER = CHECKOUT.parents[1] if CHECKOUT.parent.name == ".work" else CHECKOUT
SOURCE = CHECKOUT / "lab"
HOME = CHECKOUT / ".work" / "lab"
LOGS = HOME / "logs"

#: Two checkouts on one machine have a lab each: their names differ by this.
KEY = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
NETWORK = f"fediops-lab-{KEY}"
LABEL = "fediops.lab"

#: What the machines get at their start comes from these files; a container made from others is made anew.
_HOST_FILES = sorted(path for path in (SOURCE / "hosts").rglob("*") if path.is_file())
SEED_SOURCES = (*_HOST_FILES, SOURCE / "control" / "seed.py", Path(__file__))
SEED_KEY = hashlib.sha256(b"\0".join(path.read_bytes() for path in SEED_SOURCES)).hexdigest()[:12]

RELAY_NAME = "smtp.relay.test"
#: A second name of the same machine that its certificate does not carry.
OTHER_RELAY_NAME = "mx.relay.test"
MAIL_DOMAIN = "example.com"
#: Who has a mailbox behind the relay. Any other local part of the domain is an unknown user (550 5.1.1).
MAILBOXES = ("admin", "alice", "bob", "carol", "dave", "erin", "frank", "grace", "postmaster", "refused", "busy")


@dataclasses.dataclass(frozen=True)
class Machine:
    """One container of the lab.

    :ivar name: short name; the inventory has the same.
    :ivar suite: Debian release of its base image.
    :ivar kind: which folder of lab/images builds it: C(mastodon) (from source), C(compose) (in containers) or C(relay).
    :ivar group: its group in the inventory.
    :ivar login: the user that Ansible logs in as; one that is not root uses sudo.
    :ivar ruby: C(rbenv) behind shims, or C(system).
    :ivar release: the Mastodon release it starts with.
    :ivar env_mode: mode of its .env.production.
    :ivar aliases: names under which the lab's network knows it.
    :ivar like: another machine whose image and first environment file it has. Such a spare one is made only when it
        is asked for, and is in no group of the others.
    """

    name: str
    suite: str
    kind: str
    group: str
    login: str = "root"
    ruby: str = ""
    release: str = ""
    env_mode: str = ""
    aliases: tuple[str, ...] = ()
    like: str = ""

    @property
    def model(self) -> str:
        """The machine that it is made as."""
        return self.like or self.name

    @property
    def container(self) -> str:
        return f"fediops-lab-{KEY}-{self.name}"

    @property
    def local_domain(self) -> str:
        return f"{self.name}.test"

    @property
    def bundle(self) -> str:
        """How the units start bundler."""
        return "/home/mastodon/.rbenv/shims/bundle" if self.ruby == "rbenv" else "/usr/bin/bundle"

    @property
    def login_at_relay(self) -> str:
        return f"{self.name}@relay.test"

    @property
    def senders(self) -> tuple[str, ...]:
        """The envelope senders that its login may use."""
        return (f"notifications@{self.local_domain}", f"bounces@{self.local_domain}")


#: The group of machines that are made only when they are asked for.
SPARE: t.Final = "mastodon_spare"
MACHINES: t.Final = (
    Machine("masto1", "trixie", "mastodon", "mastodon", "root", "rbenv", "4.5.3", "0600", ("masto1.test",)),
    Machine("masto2", "bookworm", "mastodon", "mastodon", "admin", "system", "4.2.17", "0640", ("masto2.test",)),
    Machine("masto3", "trixie", "compose", "mastodon_compose", "root", "", "4.4.8", "0600", ("masto3.test",)),
    Machine("masto4", "bookworm", "mastodon", SPARE, "admin", "system", "4.3.8", "0640", ("masto4.test",), "masto2"),
    Machine("masto5", "forky", "mastodon", "mastodon_newest", "root", "system", "4.6.5", "0600", ("masto5.test",)),
    Machine("relay", "bookworm", "relay", "relays", "root", aliases=(RELAY_NAME, OTHER_RELAY_NAME)),
)
#: Those that a lab has unless others are asked for.
USUAL: t.Final = tuple(machine for machine in MACHINES if not machine.like)
INSTANCES: t.Final = tuple(machine for machine in MACHINES if machine.kind != "relay")
#: The groups of instances; those but the spare one are together the group C(fleet).
GROUPS: t.Final = tuple(dict.fromkeys(machine.group for machine in INSTANCES))


def machine(name: str) -> Machine:
    """The machine with this name; KeyError if there is none."""
    return {each.name: each for each in MACHINES}[name]


def with_relay(machines: t.Iterable[Machine]) -> tuple[Machine, ...]:
    """These machines, and the relay where one of them sends mail through it."""
    wanted = set(machines)
    needed = bool(wanted & set(INSTANCES))
    return tuple(each for each in MACHINES if each in wanted or (needed and each.kind == "relay"))

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking an instance's own Rails: what it uses, and to send a test message."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets as random
import typing as t

from .._dotenv.edit import edit
from .._files.snapshot import look, opened
from .._findings.env_file import TABLE
from .._findings.model import Finding, FindingError, errors
from .._instance.model import Completed, Driver, Instance
from .._mailer.names import CREDENTIALS
from .answer import marked
from .program import GUEST, PRELUDE, planned_input, program


@dataclasses.dataclass(frozen=True)
class Request:
    """What to ask.

    :ivar set: variables that are, or in a dry run would be, written.
    :ivar secrets: the same for secret ones.
    :ivar remove: names of variables that are, or would be, removed.
    :ivar readers: who reads the file; empty means those that were found.
    :ivar planned: show Rails the file as it would be, in place of the one that is there; send nothing.
    :ivar send_to: recipient of the test message; None sends nothing.
    :ivar bulk: send one through the bulk relay too, where there is one.
    :ivar accounts: addresses that Rails is to say of whether they get a password reset: C(account), C(recipient).
    :ivar timeout: seconds for everything, the boot included.
    """

    set: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    remove: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    planned: bool = False
    send_to: str | None = None
    bulk: bool = True
    accounts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: float = 180.0


@dataclasses.dataclass(frozen=True)
class Asked:
    """How it ended.

    :ivar answer: what the program in Rails reported (see program.py); None when it did not get so far.
    :ivar completed: how the process ended.
    """

    answer: dict[str, t.Any] | None
    completed: Completed


@dataclasses.dataclass(frozen=True)
class _Run:
    """One command in the app that makes Rails run a program."""

    command: tuple[str, ...]
    stdin: bytes
    environment: dict[str, str | None]


def ask(driver: Driver, request: Request) -> Asked:
    """Boot the instance's Rails once and let it answer everything. FindingError when it could not be started."""
    mark = f"fediops-{random.token_hex(16)}:"
    asked = question(driver.instance, request, mark)
    run = _run(driver, request, program(asked))
    completed = driver.run_in_app(run.command, stdin=run.stdin, environment=run.environment, timeout=request.timeout)
    return Asked(marked(completed.stdout, mark), completed)


def question(instance: Instance, request: Request, mark: str) -> dict[str, t.Any]:
    """What the program is told. Credentials only as digests, with a salt of this run."""
    salt = random.token_hex(16)
    sending = request.send_to is not None and not request.planned
    relays = ["main", "bulk"] if request.bulk else ["main"]
    name = instance.local_domain or "this server"
    return {
        "mark": mark,
        "salt": salt,
        "digests": digests({**request.set, **request.secrets}, salt),
        "send": relays if sending else [],
        "to": request.send_to if sending else None,
        "subject": f"Test message from {name}",
        "body": {relay: _body(name, words) for relay, words in (("main", "main"), ("bulk", "bulk mail"))},
        "accounts": dict(request.accounts),
    }


def digests(variables: t.Mapping[str, str], salt: str) -> dict[str, dict[str, str]]:
    """HMAC-SHA256 of each credential among the variables, by relay; blank ones are left out."""
    found: dict[str, dict[str, str]] = {}
    for variable, (relay, what) in CREDENTIALS.items():
        value = variables.get(variable, "")
        if value:
            digest = hmac.new(salt.encode("ascii"), value.encode("utf-8", "surrogateescape"), hashlib.sha256)
            found.setdefault(relay, {})[what] = digest.hexdigest()
    return found


def _body(name: str, relay: str) -> str:
    return (
        f"This is a test message from the Mastodon server {name}, sent through its {relay} relay.\n\nThe Ansible "
        "collection fediops.mastodon sent it to check the settings for outgoing mail.\nYou do not need to do "
        "anything.\n"
    )


def _run(driver: Driver, request: Request, text: bytes) -> _Run:
    """The one place that knows how a planned file is shown to Rails.

    Where dotenv reads the file, dotenv is given the planned bytes instead. Where the service manager or a container
    engine reads it, Rails finds it in its process environment, and is given the planned one.
    """
    runner = ("bin/rails", "runner", "-")
    if not request.planned:
        return _Run(runner, text, {**GUEST})
    instance = driver.instance
    readers = request.readers or instance.readers
    planned = _planned_bytes(driver, request, readers)
    environment: dict[str, str | None] = {}
    if set(instance.readers) - {"ruby", "node"}:
        # What another layer hides in the file stays hidden: in the process environment it would win over that layer.
        hidden = {one.variable for one in instance.overrides}
        wanted = {**dict.fromkeys(request.remove), **request.set, **request.secrets}
        environment.update((name, value) for name, value in wanted.items() if name not in hidden)
    by_dotenv = "ruby" in instance.readers
    stdin = planned_input(instance.env_file, planned, text) if by_dotenv else planned_input(None, b"", text)
    return _Run(("ruby", "-e", PRELUDE), stdin, environment)


def _planned_bytes(driver: Driver, request: Request, readers: tuple[str, ...]) -> bytes:
    """The file as it would be. Where it goes to a program of the app's user, it must be one that he may read."""
    path = driver.instance.env_file
    given = "ruby" in driver.instance.readers

    def allowed(descriptor: int) -> None:
        if given and not driver.may_read(path, descriptor):
            user = driver.instance.user
            fix = f"Let {user} read it, by its owner, group or mode: Mastodon runs as {user}."
            raise FindingError(TABLE.finding("env-file-denied", path, f"{user} may not read it.", fix))

    with opened(path) as place:
        present = look(place, allowed).data
    outcome = edit(present, set={**request.set, **request.secrets}, remove=request.remove, readers=readers or ("ruby",))
    blocking: list[Finding] = errors(outcome.findings)
    if blocking:
        raise FindingError(blocking[0])
    return outcome.data

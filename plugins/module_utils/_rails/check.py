# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a program in the instance's own Rails: read its settings, and send a test message."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import secrets as random
import typing as t

from .._dotenv.dialects import whole
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

    :ivar set: variables that were written, or in a dry run would be.
    :ivar secrets: the same for secret variables.
    :ivar remove: names of variables that were removed, or would be.
    :ivar readers: the file's readers; empty: those that were found.
    :ivar planned: let Rails read the planned file instead of the present one, and send nothing.
    :ivar send_to: recipient of the test message; None sends nothing.
    :ivar bulk: also send a message through the bulk relay, if there is one.
    :ivar accounts: addresses to check for whether they get a password reset, by the names C(account), C(recipient).
    :ivar repairing: the run changes the settings, so mail that failed with the present ones is no error of its own.
    :ivar timeout: seconds for everything, including the boot.
    """

    set: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    secrets: t.Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    remove: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    planned: bool = False
    send_to: str | None = None
    bulk: bool = True
    accounts: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    repairing: bool = False
    timeout: float = 180.0


@dataclasses.dataclass(frozen=True)
class Asked:
    """The result of asking Rails.

    :ivar answer: what the program in Rails reported (see program.py); None if it did not report anything.
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
    """Boot the instance's Rails once and let it answer all questions.

    :raises FindingError: it could not be started.
    """
    mark = f"fediops-{random.token_hex(16)}:"
    asked = question(driver.instance, request, mark)
    run = _run(driver, request, program(asked))
    completed = driver.run_in_app(run.command, stdin=run.stdin, environment=run.environment, timeout=request.timeout)
    return Asked(marked(completed.stdout, mark), completed)


def question(instance: Instance, request: Request, mark: str) -> dict[str, t.Any]:
    """The program's input. It has credentials only as digests, salted for this run."""
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
    """HMAC-SHA256 of each credential among the variables, by relay; empty ones are left out."""
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
    """The command that runs the program. Only this function knows how to show a planned file to Rails.

    If dotenv reads the file, dotenv gets the planned bytes instead. If the service manager or a container engine reads
    it, its variables are in the process environment, and the planned ones are set there.
    """
    runner = ("bin/rails", "runner", "-")
    if not request.planned:
        return _Run(runner, text, {**GUEST})
    instance = driver.instance
    readers = request.readers or instance.readers
    planned = _planned_bytes(driver, request, readers)
    environment: dict[str, str | None] = {}
    if set(whole(instance.readers)) - {"ruby", "node"}:
        # A variable that another layer overrides is left out: in the process environment it would win over that layer.
        hidden = {one.variable for one in instance.overrides_of_first}
        wanted = {**dict.fromkeys(request.remove), **request.set, **request.secrets}
        environment.update((name, value) for name, value in wanted.items() if name not in hidden)
    by_dotenv = "ruby" in whole(instance.readers)
    stdin = planned_input(instance.env_file, planned, text) if by_dotenv else planned_input(None, b"", text)
    return _Run(("ruby", "-e", PRELUDE), stdin, environment)


def _planned_bytes(driver: Driver, request: Request, readers: tuple[str, ...]) -> bytes:
    """The planned content of the file. If it goes to a program of the app's user, he must be allowed to read it."""
    path = driver.instance.env_file
    given = "ruby" in whole(driver.instance.readers)

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

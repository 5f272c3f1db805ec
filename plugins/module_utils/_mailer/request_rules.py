# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the sender's addresses, the release, and the variables that are already set."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

from .._findings.model import Finding
from .._findings.settings import TABLE
from .address import OUTER_BLANKS, AddressProblem, Mailbox, mailbox
from .names import BULK, MAIN
from .nearest import nearest
from .release import ERAS, NEWEST_READ, OLDEST_SUPPORTED, Era, Release, era_of
from .settings import Request
from .variables import MISNOMERS, VARIABLES

_CODE_OF_PROBLEM = {
    "name": "address-name-unquoted",
    "idn": "address-domain-not-ascii",
}

#: Releases with a known defect: first release, last release, what happens, the fix.
DEFECTS: tuple[tuple[str, str, str, str], ...] = (
    (
        "3.5.0-rc.1",
        "3.5.0",
        "It sends no mail when SMTP_RETURN_PATH is not set (mastodon#17982); the plan sets it.",
        "Upgrade to 3.5.1 or newer.",
    ),
    (
        "4.1.0-rc.1",
        "4.1.0",
        "It waits only 5 seconds for a slow relay and then sends the mail again (mastodon#23727, #23750).",
        "Upgrade to 4.1.1 or newer.",
    ),
    (
        "4.4.0-rc.1",
        "4.4.0",
        "A special character in a value breaks config/email.yml or is read as something else (mastodon#35305).",
        "Upgrade to 4.4.1 or newer.",
    ),
    (
        "4.5.0-rc.1",
        "4.5.0-rc.1",
        "It rejects implicit TLS unless STARTTLS is disabled too (mastodon#36639); the plan does that.",
        "Upgrade to 4.5.0 or newer.",
    ),
)


def about_release(text: str, release: Release) -> t.Iterator[Finding]:
    """Findings about the release: unknown, a fork, too old, or with a known defect."""
    era = era_of(release)
    subject = "mastodon_release"
    if not text:
        message = f"No release is set, so the rules of Mastodon {era.name} and newer are used."
        yield TABLE.finding("release-unknown", subject, message)
    elif release.number is None:
        message = f"{text} is not a Mastodon version; the rules of Mastodon {era.name} and newer are used."
        yield TABLE.finding("release-unknown", subject, message)
    elif release > NEWEST_READ:
        message = (
            f"{text} is newer than {NEWEST_READ}, the newest that is known here; the rules of {era.name} are used."
        )
        yield TABLE.finding("release-unknown", subject, message)
    if release.fork:
        message = f"{text} is a fork of Mastodon ({release.build}); the rules of Mastodon {era.name} are used."
        yield TABLE.finding("release-fork", subject, message)
    if release.number is not None and release.number < (OLDEST_SUPPORTED.number or ()):
        message = f"Mastodon {text} is older than 3.5; the rules of era {ERAS[0].name} are used."
        yield TABLE.finding("release-unsupported", subject, message)
    for first, last, what, cure in DEFECTS:
        if Release.parse(first) <= release <= Release.parse(last):
            yield TABLE.finding("release-mail-defect", f"{subject} {text}", what, cure)


def sender(request: Request, era: Era) -> tuple[Mailbox | None, list[Finding]]:
    """The sender's mailbox, if it can be parsed, and findings about the addresses."""
    findings: list[Finding] = []
    box: Mailbox | None = None
    if not request.from_address.strip(OUTER_BLANKS):
        findings.append(TABLE.finding("from-missing", "from_address", TABLE.rows["from-missing"].meaning))
    else:
        box, found = _address("from_address", request.from_address)
        findings += found
    if request.reply_to.strip(OUTER_BLANKS):
        findings += _address("reply_to", request.reply_to)[1]
    if request.return_path.strip(OUTER_BLANKS):
        bounces, found = _address("return_path", request.return_path)
        findings += found
        if not VARIABLES["SMTP_RETURN_PATH"].read_by(era):
            message = f"Mastodon {request.mastodon_release} does not read SMTP_RETURN_PATH."
            findings.append(TABLE.finding("return-path-unread", "return_path", message))
        if bounces and bounces.display:
            message = "A return path must be a bare address without a display name."
            fix = f"Set mastodon_smtp_return_path: {bounces.address}"
            findings.append(TABLE.finding("address-invalid", "return_path", message, fix))
        if bounces and box and not related(bounces.domain, box.domain):
            message = (
                f"Bounces go to {bounces.domain}, the sender is in {box.domain}: SPF is not aligned with the sender."
            )
            findings.append(TABLE.finding("return-path-foreign", "return_path", message))
    if box and ("." not in box.domain or box.domain.lower().endswith((".local", ".localdomain", ".internal", ".lan"))):
        message = f"{box.domain} is not a public domain; relays and receivers will reject it."
        findings.append(TABLE.finding("address-domain-local", "from_address", message))
    return box, findings


def related(one: str, other: str) -> bool:
    """Whether two domains are equal, or one is a subdomain of the other."""
    one, other = f".{one.lower()}", f".{other.lower()}"
    return one.endswith(other) or other.endswith(one)


def _address(option: str, text: str) -> tuple[Mailbox | None, list[Finding]]:
    try:
        return mailbox(text), []
    except AddressProblem as problem:
        code = _CODE_OF_PROBLEM.get(problem.kind, "address-invalid")
        return None, [TABLE.finding(code, option, str(problem), problem.fix)]


def about_current(names: t.Iterable[str]) -> t.Iterator[Finding]:
    """Mail variables in the file that no release of Mastodon reads. They are reported and left in place."""
    present = set(names)
    for name in sorted(present):
        if name in VARIABLES or not name.startswith((MAIN, BULK)):
            continue
        meant = MISNOMERS[name] if name in MISNOMERS else nearest(name, VARIABLES)
        message = f"Mastodon does not read a variable named {name}"
        if not meant:
            message += "."
        elif name in MISNOMERS:
            message += f"; it reads {meant}{'' if meant in present else ', which is not set'}."
        else:
            message += f"; did you mean {meant}?"
        wrong = bool(meant) and meant not in present
        fix = f"Rename it to {meant}, or remove the line if nothing else reads it." if wrong else ""
        yield TABLE.finding("variable-unread", name, message, fix)

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rollout at the highest verbosity, with a log file, whose every word is searched for the passwords of the hosts."""

from __future__ import annotations

import base64
import json
import urllib.parse

from harness import CHECKOUT, ENV_FILE, Lab, Run

#: Where the password belongs.
ALLOWED = {ENV_FILE, f"{ENV_FILE}.last-smtp", f"{ENV_FILE}.before-smtp"}


def shapes(secret: str) -> set[str]:
    """The forms in which a secret slips out: as it is, quoted for JSON or URL, base64 alone or within."""
    quoted = {json.dumps(secret)[1:-1], repr(secret)[1:-1], urllib.parse.quote(secret), urllib.parse.quote_plus(secret)}
    coded = {base64.b64encode(secret.encode()).decode().rstrip("=")}
    # a secret inside a longer text, at each of the three alignments of base64
    for lead in ("\0", "\0\0"):
        coded.add(base64.b64encode((lead + secret).encode()).decode().rstrip("=")[4:-2])
    return {secret} | quoted | coded


def logged(lab: Lab, *arguments: str) -> Run:
    """smtp_rollout with -vvvv; fails when a password stands in what it printed or logged."""
    log = CHECKOUT / ".work" / "ansible.log"
    log.unlink(missing_ok=True)
    done = lab.rollout("-vvvv", *arguments, env={"ANSIBLE_LOG_PATH": str(log)})
    for host in lab.hosts:
        secret = lab.password(host)
        for shape in shapes(secret):
            for where, text in (("output", done.output), ("log", log.read_text())):
                at = text.find(shape)
                # the assertion itself must not print the secret either
                around = text[max(0, at - 200) : at].replace(secret, "(secret)")
                assert at < 0, f"{host}'s password leaks into the {where} after: ...{around}"
    return done


def nowhere_else(lab: Lab) -> None:
    """Fails when a host has its password in a file, a command line or its journal, where it does not belong."""
    for host in lab.hosts:
        places = lab.places_of(host, lab.password(host))
        assert set(places) <= ALLOWED, places

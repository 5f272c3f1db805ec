# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The password appears nowhere: not in any output at the highest verbosity, not on the hosts, not on the controller."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from harness import CHECKOUT, ENV_FILE, Lab


def shapes(secret: str) -> set[str]:
    """The forms in which a secret slips out: as it is, quoted for JSON or URL, base64 alone or within."""
    quoted = {json.dumps(secret)[1:-1], repr(secret)[1:-1], urllib.parse.quote(secret), urllib.parse.quote_plus(secret)}
    coded = {base64.b64encode(secret.encode()).decode().rstrip("=")}
    # a secret inside a longer text, at each of the three alignments of base64
    for lead in ("\0", "\0\0"):
        coded.add(base64.b64encode((lead + secret).encode()).decode().rstrip("=")[4:-2])
    return {secret} | quoted | coded


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("--check", "--diff"), {}),
        ((), {}),
        (("--diff",), {"mastodon_smtp_from_address": "somebody-else@example.com", "mastodon_smtp_check_relay": False}),
    ],
    ids=["dry-run", "rollout", "failing-rollout"],
)
def test_no_output_shows_the_password(fresh_lab: Lab, arguments: tuple[str, ...], variables: dict[str, object]) -> None:
    log = CHECKOUT / ".work" / "ansible.log"
    log.unlink(missing_ok=True)
    done = fresh_lab.rollout("-vvvv", *arguments, env={"ANSIBLE_LOG_PATH": str(log)}, **variables)
    assert (done.status == 0) is (not variables), done.output
    for host in fresh_lab.hosts:
        secret = fresh_lab.password(host)
        for shape in shapes(secret):
            for where, text in (("output", done.output), ("log", log.read_text())):
                at = text.find(shape)
                # the assertion itself must not print the secret either
                around = text[max(0, at - 200) : at].replace(secret, "(secret)")
                assert at < 0, f"{host}'s password leaks into the {where} after: ...{around}"
        places = fresh_lab.places_of(host, secret)
        allowed = {ENV_FILE, f"{ENV_FILE}.last-smtp", f"{ENV_FILE}.before-smtp"}
        assert set(places) <= allowed, places

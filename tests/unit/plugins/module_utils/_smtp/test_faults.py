# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe against every row of faults.py. All rows run at once, since most of their time is waiting."""

from __future__ import annotations

import concurrent.futures
import json
import time
import typing as t

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import Finding
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.probe import AFTERMATH_SECONDS, Result, probe
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.settings import Settings
from ansible_collections.fediops.mastodon.plugins.module_utils._smtp.verdict import context_of, verdict
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults import Row
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults_steps import (
    envelopes,
    good,
    logins,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults_tls import (
    certificates,
    modes,
    starttls,
)
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faults_words import bad_words, cuts
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.faulty_server import FaultyServer
from ansible_collections.fediops.mastodon.tests.unit.plugins.module_utils._smtp.smtp_pki import Pki


class Outcome(t.NamedTuple):
    row: Row
    settings: Settings
    result: Result
    findings: list[Finding]
    seconds: float
    server: FaultyServer


def table(pki: Pki) -> dict[str, Row]:
    """All rows by name."""
    return {
        **good(pki),
        **modes(pki),
        **certificates(pki),
        **starttls(pki),
        **bad_words(),
        **cuts(pki),
        **logins(),
        **envelopes(),
    }


#: The names alone, for the parameters; the certificates exist only once the tests run.
NAMES = sorted(table(t.cast(Pki, None)))


@pytest.fixture(scope="module")
def outcomes(pki: Pki) -> t.Iterator[dict[str, concurrent.futures.Future[Outcome]]]:
    def run(row: Row) -> Outcome:
        with FaultyServer(*row.scripts) as server:
            given = {
                "host": "localhost",
                "port": server.port,
                "helo_domain": "social.test",
                "ca_file": pki.ca_file,
                "login": "mastodon",
                "password": "correct horse",
                "timeout": 2.0,
            }
            settings = Settings(**{**given, **row.settings})
            begun = time.monotonic()
            result = probe(settings)
            seconds = time.monotonic() - begun
        return Outcome(row, settings, result, verdict(settings, result, context_of(settings)), seconds, server)

    with concurrent.futures.ThreadPoolExecutor(max_workers=40) as pool:
        yield {name: pool.submit(run, row) for name, row in table(pki).items()}


@pytest.mark.parametrize("name", NAMES)
def test_each_fault_gives_its_code(outcomes: dict[str, concurrent.futures.Future[Outcome]], name: str) -> None:
    row, settings, result, findings, seconds, server = outcomes[name].result()
    text = " ".join(one.sentence() for one in findings)

    codes = [one.code for one in findings]
    if name.startswith("cut"):
        # Whether a cut shows as an end or as a reset depends on what was still on its way: both are the same event.
        codes = ["relay-hung-up" if code == "relay-reset" else code for code in codes]
    assert codes == list(row.codes), text
    assert result.as_dict()["stage"] == row.stage
    assert result.speaks == row.speaks
    for words in row.says:
        assert words.replace("{port}", str(server.port)) in text
    assert server.errors == []
    assert len([line for line in server.commands if line.startswith("AUTH")]) == row.logins
    assert "DATA" not in server.commands
    # Generous: a hang would be the scripts' patience, not this.
    assert seconds < 2 * settings.connect_timeout + settings.timeout + min(settings.timeout, AFTERMATH_SECONDS) + 2

    shown = json.dumps(result.as_dict()) + text
    for secret in (settings.password, "AG1hc3RvZG9uAGNvcnJlY3QgaG9yc2U", "Y29ycmVjdCBob3JzZQ", "NvcnJlY3QgaG9yc2U"):
        assert secret not in shown
    assert shown.isprintable()


def test_the_table_of_certificates_is_what_openssl_numbers(
    outcomes: dict[str, concurrent.futures.Future[Outcome]],
) -> None:
    """10 expired, 9 not yet valid, 62 name, 18 self-signed, 20 no issuer (X509_V_ERR_*)."""
    numbers = {"expired": 10, "not-yet-valid": 9, "wrong-name": 62, "self-signed": 18, "unknown-authority": 20}
    for name, number in numbers.items():
        for how in ("implicit", "STARTTLS"):
            trouble = outcomes[f"{how}, {name}"].result().result.trouble
            assert trouble is not None
            assert trouble.verify_code == number


def test_login_never_passes_before_encryption(outcomes: dict[str, concurrent.futures.Future[Outcome]]) -> None:
    for name, outcome in outcomes.items():
        if outcome.result().settings.tls != "none":
            for peer in outcome.result().server.peers:
                assert not [line for line in peer.heard_in_the_clear if line.startswith("AUTH")], name

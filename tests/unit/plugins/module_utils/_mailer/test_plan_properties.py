# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan without errors has the effect that it promises, whatever was there before, and twice is as good as once."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import decode, generations
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import edit
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import errors
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.provider import TABLE as PROVIDER
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.settings import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.effective import effective
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.plan import Plan, plan
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.release import ERAS, Release, era_of
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.settings import Request, Wanted
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.variables import MISNOMERS, VARIABLES
from ansible_collections.fediops.mastodon.plugins.plugin_utils._presets import presets

LOCAL = "social.example.org"
CODES = [*TABLE.rows, *PROVIDER.rows]
PASSWORD = "c0rrect-h0rse.battery"
RELAY = Wanted(host="smtp.example.com", login="user@example.com", password=PASSWORD)
BULK = Wanted(host="bulk.example.com", tls="implicit", login="bulk", password="an0ther-s3cret")
READERS = ("ruby", "node", "compose")
#: Releases of every era, and what is taken for one.
RELEASES = ["3.4.10", "3.5.0", "3.5.19", "4.0.15", "4.1.0", "4.1.25", "4.2.29", "4.3.23", "4.4.0", "4.4.22"]
RELEASES += ["4.5.0-rc.1", "4.5.0-rc.2", "4.6.5", "4.7.0", "4.3.0-alpha.5+glitch", "main"]


def asked(relay: Wanted, release: str, **more: t.Any) -> Request:
    values: dict[str, t.Any] = {"from_address": "notifications@example.com", "local_domain": LOCAL, "readers": READERS}
    return Request(relay=relay, mastodon_release=release, **{**values, **more})


def test_every_era_is_there() -> None:
    assert {era_of(Release.parse(one)).name for one in RELEASES} == {era.name for era in ERAS}


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    relay=st.builds(
        Wanted,
        provider=st.sampled_from(["", "", "", "mailgun", "postmark", "sparkpost", "local_postfix", "google_relay"]),
        region=st.sampled_from(["", "eu"]),
        host=st.sampled_from(["smtp.example.com", "localhost", "10.0.0.1", "123456", "yes", ""]),
        port=st.sampled_from([None, None, 25, 465, 587, 2525]),
        tls=st.sampled_from(["", "", "starttls", "starttls_optional", "implicit", "none"]),
        auth=st.sampled_from(["", "", "plain", "login", "cram_md5", "none"]),
        login=st.sampled_from(["", "user", "user@example.com", "0123", "a: b", "@x"]),
        password=st.sampled_from(["", PASSWORD, "user@example.com", "12345678", "yes", "[secret]!", 'it\'s "odd" $x']),
        verify=st.sampled_from(["", "peer", "none"]),
        ca_file=st.sampled_from(["", "/etc/ca.pem", "/etc/my ca: #1.pem"]),
        helo_domain=st.sampled_from(["", "helo.example.com"]),
    ),
    bulk=st.one_of(st.none(), st.just(BULK), st.just(Wanted(host="10.0.0.2", tls="none", auth="none"))),
    release=st.sampled_from(RELEASES),
    more=st.fixed_dictionaries(
        {},
        optional={
            "from_address": st.sampled_from(["Example <a@example.com>", '"Ex, ample" <a@example.com>', "", "a"]),
            "reply_to": st.just("r@example.com"),
            "return_path": st.just("b@example.com"),
            "delivery_method": st.just("sendmail"),
            "local_domain": st.sampled_from(["", "0x1f", LOCAL]),
        },
    ),
    accept=st.sampled_from([[], ["tls-not-possible"], CODES]),
    before=st.dictionaries(
        st.sampled_from([*VARIABLES, *MISNOMERS, "LOCAL_DOMAIN", "DB_PASS"]),
        st.sampled_from(["", "x", "true", "false", "always", "never", "587", "none", "a: b", "@x", "[x", "a@"]),
    ),
)
@example(RELAY, None, "4.4.0", {}, [], {"SMTP_PASSWORD": "[x", "SMTP_SSL": "false"})
@example(
    Wanted(host="smtp.example.com", password="[secret]!"),
    None,
    "4.4.0",
    {"from_address": '"Ex, ample" <a@example.com>'},
    CODES,
    {"SMTP_PASSWORD": ""},
)
def test_a_plan_without_errors_has_the_effect_it_promises_whatever_was_there(
    relay: Wanted,
    bulk: Wanted | None,
    release: str,
    more: dict[str, t.Any],
    accept: list[str],
    before: dict[str, str],
) -> None:
    done, findings = plan(asked(relay, release, bulk=bulk, **more), presets(), accept)
    if errors(findings):
        return

    def carried_out(variables: dict[str, str]) -> dict[str, str]:
        kept = {name: text for name, text in variables.items() if name not in done.remove}
        return {**kept, **done.set, **done.secrets}

    once = carried_out(before)
    assert carried_out(once) == once
    assert {name: text for name, text in once.items() if name not in VARIABLES} == {
        name: text for name, text in before.items() if name not in VARIABLES
    }
    local_domain = more.get("local_domain", LOCAL)
    assert effective(once, Release.parse(release), local_domain) == done.effective
    if accept != CODES:
        assert done.effective.error is None
        for wanted, used in ((done.relay, done.effective.main), (done.bulk_relay, done.effective.bulk)):
            if wanted:
                assert used is not None
                assert used.auth_mode == wanted.auth
                assert used.tls_mode == wanted.tls or "tls-not-possible" in accept
                assert used.login_set == used.password_set == (wanted.auth != "none")


#: Relays that most releases can use, so that most plans are carried out.
RELAYS = [
    RELAY,
    Wanted(host="smtp.example.com", tls="implicit", login="user", password='it "is" $odd #1', auth="login"),
    Wanted(host="10.0.0.1", tls="starttls_optional", auth="none", verify="none", ca_file=""),
    Wanted(host="localhost", tls="none"),
    Wanted(provider="postmark", login=PASSWORD, password=PASSWORD),
    Wanted(
        host="smtp.example.com", ca_file="/etc/my-ca.pem", helo_domain="helo.example.com", login="u", password=PASSWORD
    ),
]
WRITTEN = ["x", "true", "false", "always", "never", "587", "none", "", "'a b'", '"a #b"', "a # b", "@x", "[x", "a: b"]
LINES = st.one_of(
    st.builds(
        "{}{}={}".format,
        st.sampled_from(["", "", "", "export ", "  "]),
        st.sampled_from([*VARIABLES, *VARIABLES, *MISNOMERS, "DB_PASS"]),
        st.sampled_from(WRITTEN),
    ),
    st.sampled_from(["", "# a comment", "#SMTP_SERVER=old", "# it's", "OTP_SECRET='x\ny'"]),
)
FILES = st.builds(
    lambda before, after: "\n".join([*before, f"LOCAL_DOMAIN={LOCAL}", *after, ""]),
    st.lists(LINES, max_size=6),
    st.lists(LINES, max_size=6),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    relay=st.sampled_from(RELAYS),
    bulk=st.sampled_from([None, None, BULK]),
    release=st.sampled_from(RELEASES),
    return_path=st.sampled_from(["", "b@example.com"]),
    text=FILES,
)
@example(RELAY, None, "4.6.5", "", f"SMTP_TLS=true\nSMTP_LOGIN=\nLOCAL_DOMAIN={LOCAL}\nSMTP_TLS=true\n")
@example(RELAYS[3], None, "4.4.22", "", f"SMTP_LOGIN=\nSMTP_PASSWORD=\nLOCAL_DOMAIN={LOCAL}\n")
@example(RELAY, None, "4.6.5", "", f"export SMTP_SSL=true\nLOCAL_DOMAIN={LOCAL}\nBULK_SMTP_SERVER=x\n")
def test_a_plan_carried_out_on_a_file(
    relay: Wanted, bulk: Wanted | None, release: str, return_path: str, text: str
) -> None:
    accept = ["tls-not-possible", "bulk-unsupported"]
    done, findings = plan(asked(relay, release, bulk=bulk, return_path=return_path), presets(), accept)
    assume(not errors(findings))
    once = carried_out(done, text.encode())
    assume(once is not None)
    for generation in generations(["ruby"]):
        reading = generation.read(decode(once), {})
        assert reading.refusal is None
        seen = {name: value for name, value in reading.values().items() if value is not None}
        assert seen["LOCAL_DOMAIN"] == LOCAL
        assert effective(seen, Release.parse(release), LOCAL) == done.effective, generation.version
    assert carried_out(done, once) == once


def carried_out(done: Plan, data: bytes) -> bytes | None:
    """The file after env_file's edit; None when the file is refused."""
    outcome = edit(data, set={**done.set, **done.secrets}, remove=done.remove, readers=READERS)
    return None if errors(outcome.findings) else outcome.data


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("relay", RELAYS, ids=lambda one: one.provider or f"{one.host} {one.tls}")
def test_the_properties_have_something_to_say(release: str, relay: Wanted) -> None:
    """The relays make plans without errors in every era, and an ordinary file takes them."""
    done, findings = plan(asked(relay, release), presets(), ["tls-not-possible"])
    refused = [one.code for one in errors(findings)]
    assert refused == (["value-misread"] if release == "4.4.0" and "#" in relay.password else [])
    assert carried_out(done, f"SMTP_SERVER=x\nSMTP_TLS=true\nLOCAL_DOMAIN={LOCAL}\n".encode()) is not None

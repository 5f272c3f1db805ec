# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name servers that do what a real one never would, on loopback: each gives its own kind of "no answer"."""

from __future__ import annotations

import concurrent.futures
import time
import typing as t

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from ansible_collections.fediops.mastodon.plugins.plugin_utils._dns.queries import PATIENCE, Resolver, Settings
from ansible_collections.fediops.mastodon.tests.unit.plugins.plugin_utils._dns import dns_loopback

ZONE: dns_loopback.Zone = {
    "example.org": [
        ("MX", "10 Mail.Example.ORG."),
        ("MX", "5 backup.example.org."),
        ("TXT", "hello"),
        ("A", "192.0.2.1"),
    ],
    "mail.example.org": [("A", "192.0.2.25")],
    "alias.example.org": [("CNAME", "example.org.")],
    "dangling.example.org": [("CNAME", "gone.example.org.")],
    "loop1.example.org": [("CNAME", "loop2.example.org.")],
    "loop2.example.org": [("CNAME", "loop1.example.org.")],
    "self.example.org": [("CNAME", "self.example.org.")],
    "long.example.org": [("TXT", "x" * 3000)],
    "null.example.org": [("MX", "0 .")],
    "odd.example.org": [("TXT", "a\u0007b\u00e9")],
    **{f"c{one}.example.org": [("CNAME", f"c{one + 1}.example.org.")] for one in range(20)},
}


def resolver(port: int, **settings: t.Any) -> Resolver:
    chosen: dict[str, t.Any] = {"nameservers": ("127.0.0.1",), "timeout": 1.5, "tries": 1, **settings}
    return Resolver(Settings(port=port, **chosen))


@pytest.mark.parametrize(
    ("name", "rtype", "status", "records", "aliases"),
    [
        ("example.org", "TXT", "records", ("hello",), ()),
        ("EXAMPLE.ORG.", "TXT", "records", ("hello",), ()),
        ("example.org", "MX", "records", ("10 mail.example.org", "5 backup.example.org"), ()),
        ("null.example.org", "MX", "records", ("0 .",), ()),
        ("example.org", "AAAA", "nodata", (), ()),
        ("gone.example.org", "A", "nxdomain", (), ()),
        ("org", "TXT", "nodata", (), ()),
        ("alias.example.org", "A", "records", ("192.0.2.1",), ("example.org",)),
        ("alias.example.org", "CNAME", "records", ("example.org",), ()),
        ("dangling.example.org", "A", "nxdomain", (), ("gone.example.org",)),
        ("long.example.org", "TXT", "records", ("x" * 3000,), ()),
        ("odd.example.org", "TXT", "records", ("a\u0007b\u00e9",), ()),
        ("a..example.org", "A", "nxdomain", (), ()),
        ("x" * 64 + ".example.org", "A", "nxdomain", (), ()),
        (".".join(["x" * 60] * 5), "A", "nxdomain", (), ()),
    ],
)
def test_an_answer_is_read(
    name: str, rtype: str, status: str, records: tuple[str, ...], aliases: tuple[str, ...]
) -> None:
    with dns_loopback.Server(dns_loopback.zone(ZONE)) as server:
        answer = resolver(server.port).ask(name, rtype)
    assert (answer.status, answer.records, answer.aliases, answer.known) == (status, records, aliases, True)


@pytest.mark.parametrize("name", ["loop1.example.org", "self.example.org", "c0.example.org"])
def test_aliases_that_never_end_are_given_up(name: str) -> None:
    with dns_loopback.Server(dns_loopback.zone(ZONE)) as server:
        answer = resolver(server.port).ask(name, "TXT")
    assert (answer.status, answer.detail) == ("nodata", "its CNAME records form a loop")
    assert len(server.asked) <= 10


def test_an_answer_that_does_not_fit_is_fetched_over_tcp() -> None:
    with dns_loopback.Server(dns_loopback.zone(ZONE, largest=512)) as server:
        answer = resolver(server.port).ask("long.example.org", "TXT")
    assert answer.records == ("x" * 3000,)
    assert [transport for transport, _type, _name in server.asked] == ["udp", "tcp"]


def test_a_tcp_answer_that_drips_is_cut_off_in_time() -> None:
    with dns_loopback.Server(dns_loopback.zone(ZONE, largest=512), drip=0.05) as server:
        started = time.monotonic()
        answer = resolver(server.port, timeout=0.5).ask("long.example.org", "TXT")
        assert time.monotonic() - started < 10
    assert (answer.status, answer.known) == ("timeout", False)


def code(rcode: dns.rcode.Rcode) -> dns_loopback.Respond:
    def respond(query: dns.message.Message, _transport: str) -> t.Iterator[bytes]:
        reply = dns.message.make_response(query, recursion_available=True)
        reply.set_rcode(rcode)
        yield reply.to_wire()

    return respond


def silent(_query: dns.message.Message, _transport: str) -> list[bytes]:
    return []


def wrong_id(query: dns.message.Message, _transport: str) -> t.Iterator[bytes]:
    reply = dns.message.make_response(query, recursion_available=True)
    reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "TXT", '"forged"'))
    reply.id = (query.id + 1) % 65536
    yield reply.to_wire()


def wrong_question(query: dns.message.Message, _transport: str) -> t.Iterator[bytes]:
    other = dns.message.make_query("evil.test", "TXT", id=query.id)
    reply = dns.message.make_response(other, recursion_available=True)
    reply.answer.append(dns.rrset.from_text("evil.test.", 60, "IN", "TXT", '"forged"'))
    yield reply.to_wire()


def garbage(_query: dns.message.Message, _transport: str) -> list[bytes]:
    return [b"\x00", b"not a DNS message at all", b""]


def cut_off(query: dns.message.Message, _transport: str) -> list[bytes]:
    return [dns.message.make_response(query).to_wire()[:-3]]


def referral(query: dns.message.Message, _transport: str) -> t.Iterator[bytes]:
    reply = dns.message.make_response(query)
    reply.flags &= ~(dns.flags.RA | dns.flags.AA)
    reply.authority.append(dns.rrset.from_text("org.", 60, "IN", "NS", "a.nic.test."))
    yield reply.to_wire()


def truncated_forever(query: dns.message.Message, transport: str) -> t.Iterator[bytes]:
    if transport == "udp":
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.TC
        yield reply.to_wire()


@pytest.mark.parametrize(
    ("respond", "status", "detail"),
    [
        pytest.param(silent, "timeout", "127.0.0.1 did not answer within 0.5 s", id="silent"),
        pytest.param(code(dns.rcode.SERVFAIL), "servfail", "127.0.0.1 answered SERVFAIL", id="SERVFAIL"),
        pytest.param(code(dns.rcode.REFUSED), "refused", "127.0.0.1 answered REFUSED", id="REFUSED"),
        pytest.param(code(dns.rcode.NOTIMP), "bad_answer", "127.0.0.1 answered NOTIMP", id="NOTIMP"),
        pytest.param(code(dns.rcode.FORMERR), "bad_answer", "127.0.0.1 answered FORMERR", id="FORMERR"),
        pytest.param(wrong_id, "bad_answer", "none was the answer", id="lies about the id"),
        pytest.param(wrong_question, "bad_answer", "none was the answer", id="answers another question"),
        pytest.param(garbage, "bad_answer", "none was the answer", id="garbage"),
        pytest.param(cut_off, "bad_answer", "none was the answer", id="cut off"),
        pytest.param(referral, "bad_answer", "it is not a resolver", id="referral"),
        pytest.param(truncated_forever, "timeout", "127.0.0.1", id="truncated, and TCP says nothing"),
    ],
)
def test_no_answer_is_never_no_record(respond: dns_loopback.Respond, status: str, detail: str) -> None:
    with dns_loopback.Server(respond) as server:
        answer = resolver(server.port, timeout=0.5).ask("example.org", "TXT")
    assert (answer.status, answer.records, answer.known, answer.absent) == (status, (), False, False)
    assert detail in answer.detail
    assert server.asked


def test_a_forged_packet_before_the_true_one_does_no_harm() -> None:
    honest = dns_loopback.zone(ZONE)

    def respond(query: dns.message.Message, transport: str) -> t.Iterator[bytes]:
        yield from wrong_id(query, transport)
        yield from wrong_question(query, transport)
        yield from honest(query, transport)

    with dns_loopback.Server(respond) as server:
        assert resolver(server.port).ask("example.org", "TXT").records == ("hello",)


def test_a_server_older_than_edns_is_asked_without_it() -> None:
    honest = dns_loopback.zone(ZONE)

    def respond(query: dns.message.Message, transport: str) -> t.Iterator[bytes]:
        yield from (code(dns.rcode.FORMERR) if query.edns >= 0 else honest)(query, transport)

    with dns_loopback.Server(respond) as server:
        assert resolver(server.port).ask("example.org", "TXT").records == ("hello",)


@pytest.mark.parametrize("first", [silent, code(dns.rcode.SERVFAIL), wrong_id])
def test_it_asks_again(first: dns_loopback.Respond) -> None:
    honest = dns_loopback.zone(ZONE)
    tries: list[int] = []

    def respond(query: dns.message.Message, transport: str) -> t.Iterator[bytes]:
        tries.append(1)
        yield from (first if len(tries) == 1 else honest)(query, transport)

    with dns_loopback.Server(respond) as server:
        assert resolver(server.port, tries=2, timeout=1.0).ask("example.org", "TXT").records == ("hello",)
    assert len(tries) == 2


def test_the_next_server_is_asked() -> None:
    """Both listen on one port of two loopback addresses; 127.0.0.2 has nobody listening."""
    with dns_loopback.Server(dns_loopback.zone(ZONE)) as server:
        asked = resolver(server.port, nameservers=("127.0.0.2", "127.0.0.1"))
        assert asked.ask("example.org", "TXT").records == ("hello",)


def test_a_port_that_nobody_listens_on_says_so() -> None:
    with dns_loopback.Server(silent) as server:
        port = server.port
    answer = resolver(port, timeout=0.5).ask("example.org", "TXT")
    assert answer.status == "timeout"
    assert f"127.0.0.1 port {port} cannot be reached" in answer.detail


def test_no_name_server_is_no_answer() -> None:
    answer = resolver(53, nameservers=()).ask("example.org", "TXT")
    assert (answer.known, answer.detail) == (False, "no name server is known")


def test_an_alias_to_nowhere_is_still_an_alias() -> None:
    """NXDOMAIN is said of the name at the end of the chain (RFC 6604, section 3), not of the alias."""
    gone = dns.rrset.from_text("dangling.example.org.", 60, "IN", "CNAME", "gone.example.org.")

    def respond(query: dns.message.Message, _transport: str) -> t.Iterator[bytes]:
        reply = dns.message.make_response(query, recursion_available=True)
        reply.answer.append(gone)
        if query.question[0].rdtype != gone.rdtype:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        yield reply.to_wire()

    with dns_loopback.Server(respond) as server:
        asked = resolver(server.port)
        text, alias = asked.ask("dangling.example.org", "TXT"), asked.ask("dangling.example.org", "CNAME")
    assert (text.status, text.aliases) == ("nxdomain", ("gone.example.org",))
    assert (alias.status, alias.records) == ("records", ("gone.example.org",))


def test_what_nobody_answered_is_not_asked_again() -> None:
    with dns_loopback.Server(code(dns.rcode.SERVFAIL)) as server:
        asked = resolver(server.port, tries=2)
        assert len({asked.ask("example.org", "TXT") for _again in range(3)}) == 1
    assert len(server.asked) == 2


def test_silence_is_given_up_after_a_few_questions() -> None:
    with dns_loopback.Server(silent) as server:
        asked = resolver(server.port, timeout=0.2)
        answers = [asked.ask(f"n{one}.example.org", "A") for one in range(12)]
    assert len(server.asked) == PATIENCE
    assert {one.status for one in answers} == {"timeout"}


def test_one_silent_name_does_not_silence_the_others() -> None:
    book = {**ZONE, **{f"slow{one}.test": [("TIMEOUT", "")] for one in range(5)}}
    with dns_loopback.Server(dns_loopback.zone(book)) as server:
        asked = resolver(server.port, timeout=0.2)
        assert asked.ask("example.org", "A").known
        assert [asked.ask(f"slow{one}.test", "A").known for one in range(5)] == [False] * 5
        assert asked.ask("mail.example.org", "A").known


def test_the_lifetime_ends_everything() -> None:
    with dns_loopback.Server(silent) as server:
        started = time.monotonic()
        asked = resolver(server.port, timeout=5, lifetime=0.6, tries=5)
        answers = [asked.ask(f"n{one}.example.org", "A") for one in range(5)]
        assert time.monotonic() - started < 10
    assert not any(one.known for one in answers)
    assert "are used up" in answers[-1].detail


def test_a_question_goes_out_once_however_many_ask_it() -> None:
    with dns_loopback.Server(dns_loopback.zone(ZONE)) as server:
        asked = resolver(server.port)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _unused: asked.ask("Example.org.", "MX"), range(40)))
    assert len(set(answers)) == 1
    assert server.asked == [("udp", "MX", "example.org")]

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile host, relay or file says keeps no reader of it busy."""

from __future__ import annotations

import contextlib
import typing as t

import patterns
import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.diagnose import diagnose
from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.model import Context, Failure
from ansible_collections.fediops.mastodon.plugins.module_utils._diagnosis.redact import one_line, redact
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import READERS, values
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import edit
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import release
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.last_words import fit_to_see
from ansible_collections.fediops.mastodon.plugins.module_utils._instance.model import LogLine
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer import address
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.ruby_value import YamlRefusal
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.yaml_value import bare_value
from ansible_collections.fediops.mastodon.plugins.module_utils._rails import job_log
from ansible_collections.fediops.mastodon.plugins.module_utils._rails.answer import boot_failure, marked
from ansible_collections.fediops.mastodon.plugins.plugin_utils._trouble import said

SIZE = 50_000
#: Of processor time, for one text. An edit reads the file twice in fifteen ways.
SECONDS = {"edit": 20.0}
SECRETS = ("s3cr3t pass", "aaaaaaab")


def _log(text: str) -> None:
    for line in (f"ID JID {text}", f"ID JID Error performing {text}", f"ID JID Failed delivery of mail {text}"):
        job_log.Job(id="ID", jid="JID").read(line)
        job_log.enqueued([line], "ID")
        job_log.request_error([line], "ID")
        job_log.redis_trouble([line])


def _address(text: str) -> None:
    for one in (text, f"a{text}@b.example", f"{text} <a@b.example>", f"a@b.example{text}", f"<{text}"):
        with contextlib.suppress(address.AddressProblem):
            address.mailbox(one)
        address.ruby_refuses(one)
        address.names_nobody(one)
        address.host_problem(one)


def _yaml(text: str) -> None:
    for one in (text, f'"{text}', f"'{text}", f"!{text}", f"0{text}"):
        with contextlib.suppress(YamlRefusal):
            bare_value(one)


def _edit(text: str) -> None:
    with contextlib.suppress(FindingError):
        edit(f"A={text}\nB=x\n".encode(), set={"B": "y", "C": "z"}, remove=["A"], readers=list(READERS))


def _file(reader: str) -> t.Callable[[str], object]:
    def read(text: str) -> None:
        for one in (text, f"A={text}y\n", f"A: {text}'x", f"A='{text}\nB=\"{text}", f"export {text}", f"A=#{text}"):
            with contextlib.suppress(FindingError):
                values(one.encode(), reader)

    return read


ENTRIES: dict[str, t.Callable[[str], object]] = {
    "boot_failure": lambda text: boot_failure(text.encode(), "/a"),
    "marked": lambda text: marked(f"M:{text}\nM:{{{text}\n".encode(), "M:"),
    "redact": lambda text: redact(text, SECRETS, ["a@b.example"]),
    "one_line": one_line,
    "log": _log,
    "last words": lambda text: fit_to_see([LogLine(1.0, "web", 9, text)] * 8, {"PASSWORD": SECRETS[0]}, ["web"]),
    "reply": lambda text: diagnose(Failure("auth", message=text, code=535).completed(), Context(secrets=SECRETS)),
    "exception": lambda text: diagnose(Failure("boot", ("NoMethodError", "KeyError"), text), Context(secrets=SECRETS)),
    "address": _address,
    "yaml": _yaml,
    "release": lambda text: release.read(f"def major\n{text}\nend\n", {}, f"  version:\n    a: {text}\n"),
    "trouble": lambda text: said({"msg": f"MODULE FAILURE {text}", "module_stderr": text, "rc": 1}),
    "edit": _edit,
    **{reader: _file(reader) for reader in READERS},
}
UNITS = (
    *(
        " ",
        "\n",
        "\t\n",
        "a",
        "1",
        "-",
        ".",
        ":",
        ",",
        "@",
        "(",
        "[",
        "<",
        "{",
        '"',
        "'",
        "\\",
        "\\'",
        '\\"',
        "$",
        "#",
        "=",
        "`",
    ),
    *(
        "a.",
        "a-",
        "a:",
        "A::",
        "a@",
        "a@b.example ",
        "://",
        "${",
        "$(",
        "()",
        "${A:-",
        "a=",
        "a='",
        "a: ",
        "export ",
        "a,;",
        ":,",
    ),
    *(
        "password",
        "password=",
        'password="\\',
        "Error performing ",
        "Performed ",
        "start ",
        "RedisClient::",
        " in 1 ms: ",
    ),
    *(
        "x:1:in 'x': boom (KeyError) ",
        "x:1:in `",
        "x:1: boom (A)\n",
        "\tfrom x:1:in \n",
        "Error: ",
        "1_",
        "0,",
        "%41",
        "- ",
        "? ",
    ),
    *(
        "hostname ",
        "require TLS",
        "while scanning ",
        "at line 1 ",
        "&a *a ",
        "a b=c\n",
        "a='\n",
        'A="$A$A"\n',
        "# a\\\n",
        "…",
        "aaaaaaa…",
    ),
)


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_text_keeps_a_reader_busy(entry: str) -> None:
    for unit in UNITS:
        text = unit * (SIZE // len(unit))
        assert not patterns.takes_longer(SECONDS.get(entry, 3.0), lambda: ENTRIES[entry](text)), unit  # noqa: B023


@pytest.mark.parametrize(
    ("reader", "line"), [("ruby", 'A="$A$A"\n'), ("compose", "A=${A}${A}\n"), ("python_dotenv", "A=${A}${A}\n")]
)
def test_what_grows_without_end_is_not_worked_out(reader: str, line: str) -> None:
    """Each line doubles the value, and forty of them would need more memory than there is."""
    text = f"A={'x' * 4096}\n" + line * 40
    assert not patterns.takes_longer(3.0, lambda: values(text.encode(), reader))
    assert len(values((f"A={'x' * 4096}\n" + line * 3).encode(), reader)["A"]) == 8 * 4096

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever stands in a file: an edit keeps every foreign byte, or leaves the file alone and says why."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import READERS, decode, generations
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import edit
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import errors

SOUP = st.text(st.sampled_from("'\"\\$`#ab ={}-\t,;()&\n\r"), max_size=10)
NAMES = st.sampled_from(["SMTP_SERVER", "SMTP_PORT", "A", "B", "C"])
BEGINNINGS = st.sampled_from(["", "", "", "export ", "  "])
SEPARATORS = st.sampled_from(["=", "=", "=", " = ", ": "])
ENDS = st.sampled_from(["", "", " # c", "#c", "\t# c"])
ODD_LINES = [
    "",
    "# a comment",
    "#SMTP_SERVER=x",
    "# it's",
    "# ends \\",
    "A",
    "export A",
    "what is this?",
    "A=$SMTP_PORT",
]
LINES = st.one_of(
    st.builds("{}{}{}{}{}".format, BEGINNINGS, NAMES, SEPARATORS, SOUP, ENDS),
    st.builds("{}='{}'".format, NAMES, SOUP),
    st.builds('{}="{}"'.format, NAMES, SOUP),
    st.sampled_from(ODD_LINES),
)
FILES = st.builds(
    lambda mark, lines, newline, last: mark + newline.join(lines) + last,
    st.sampled_from(["", "", "", "\ufeff"]),
    st.lists(LINES, max_size=7),
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.sampled_from(["\n", ""]),
)
#: Nearly what people have: no broken lines.
WRITTEN = st.sampled_from(["1", "x.y", "'a b'", '"a b"', "'it #1'", "", '"l1\nl2"', "a # c"])
TAME = st.lists(
    st.one_of(
        st.builds("{}={}".format, NAMES, WRITTEN),
        st.sampled_from(["", "# a comment", "#SMTP_SERVER=x", "# it's"]),
    ),
    max_size=8,
).map(lambda lines: "".join(f"{line}\n" for line in lines))
VALUES = st.text(st.sampled_from("'\"\\$`#ab =\n."), max_size=6)
WANTED = st.dictionaries(st.sampled_from(["SMTP_SERVER", "SMTP_PORT", "SMTP_LOGIN"]), VALUES, max_size=3)
REMOVE = st.lists(st.sampled_from(["A", "SMTP_FROM"]), unique=True)
SOME_READERS = st.one_of(
    st.just(["ruby", "node", "compose"]),
    st.just(["ruby", "node"]),
    st.just(["compose"]),
    st.just(["systemd"]),
    st.lists(st.sampled_from(list(READERS)), min_size=1, max_size=4, unique=True),
)


def prove(text: str, wanted: dict[str, str], remove: list[str], readers: list[str]) -> None:
    data = text.encode()
    made = edit(data, set=wanted, remove=remove, readers=readers)
    if errors(made.findings):
        assert (made.data, made.changes) == (data, [])
        return
    ours = {*wanted, *remove}
    dependent = {one.subject for one in made.findings if one.code == "env-dependent-variable"}
    for generation in generations(readers):
        old, new = (generation.read(decode(one), {}) for one in (data, made.data))
        assert new.refusal is None
        before, after = old.values(), new.values()
        assert {name: after.get(name) for name in ours} == {**dict.fromkeys(remove), **wanted}
        if not old.refusal:
            # Lines of ours under another name for this reader: "export A", "A:" for the "A: x" of Ruby, a mark first.
            plain = {name: name.replace("export ", "").strip(" :\ufeff") for name in {*before, *after} - ours}
            others = {name for name, of in plain.items() if of not in ours}
            for name in others - dependent:
                assert after.get(name) == before.get(name)
    if not made.changes:
        assert made.data == data
    kept = [line for line in text.replace("\r\n", "\n").split("\n") if line.startswith("#") and "'" not in text]
    result = made.data.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    for line in kept:
        if '"' not in text:
            assert line in result
    again = edit(made.data, set=wanted, remove=remove, readers=readers)
    assert (again.data, again.changes) == (made.data, [])


@settings(max_examples=500, deadline=None)
@given(FILES, WANTED, REMOVE, SOME_READERS)
@example("A='x\nSMTP_PORT=1\n'", {"SMTP_PORT": "2"}, [], ["ruby", "node"])
@example("SMTP_PORT=\n'x'\n", {"SMTP_PORT": ""}, ["A"], ["ruby"])
@example("\ufeffSMTP_PORT=1", {"SMTP_PORT": "2"}, [], ["systemd", "python_dotenv"])
@example("SMTP_SERVER: =\n", {"SMTP_SERVER": "x"}, [], ["ruby", "python_dotenv"])
@example("\ufeffA=''\nB=1\n", {}, ["A"], ["python_dotenv"])
def test_broken_files(text: str, wanted: dict[str, str], remove: list[str], readers: list[str]) -> None:
    prove(text, wanted, remove, readers)


@settings(max_examples=300, deadline=None)
@given(TAME, WANTED, REMOVE, SOME_READERS)
def test_tame_files(text: str, wanted: dict[str, str], remove: list[str], readers: list[str]) -> None:
    prove(text, wanted, remove, readers)


@settings(max_examples=200, deadline=None)
@given(TAME, st.sampled_from(["", "x", "a b", "it's", "a#b"]))
def test_an_edit_of_a_tame_file_works_and_touches_one_variable(text: str, value: str) -> None:
    """The foreign lines are there as they were, in their order, and nothing else but the one line came or went."""
    made = edit(text.encode(), set={"SMTP_LOGIN": value}, remove=[], readers=["node", "compose"])
    assert errors(made.findings) == []
    lines = made.data.decode().split("\n")
    new = next(number for number, line in enumerate(lines) if line.startswith("SMTP_LOGIN="))
    rest = lines[:new] + lines[new + 1 :]
    assert "\n".join(rest).rstrip("\n") == text.rstrip("\n")

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of the editor, one by one: which characters of a file change, and which never do."""

from __future__ import annotations

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.dialects import values
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import Edit, edit
from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.rewrite import Change

SOURCE = ("ruby", "node")
DEFAULT = ("ruby", "node", "compose")
QUOTING = ("ruby", "node", "compose", "python_dotenv", "systemd", "sh")


def made(text: str, wanted: dict[str, str] | None = None, remove: tuple[str, ...] = (), readers=DEFAULT) -> Edit:
    return edit(text.encode(), set=wanted or {}, remove=remove, readers=readers)


def changed(text: str, wanted: dict[str, str] | None = None, remove: tuple[str, ...] = (), readers=DEFAULT) -> str:
    """The text after an edit that has to work; made again it must change nothing."""
    result = made(text, wanted, remove, readers)
    assert [one.sentence() for one in result.findings if one.severity == "error"] == []
    again = edit(result.data, set=wanted or {}, remove=remove, readers=readers)
    assert (again.data, again.changes) == (result.data, [])
    return result.data.decode()


def codes(result: Edit) -> list[str]:
    return [one.code for one in result.findings]


# ---- what is changed, and how little


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nK=old\nB=2\n", "A=1\nK=new\nB=2\n"),
        ("K=old\r\nB=2\r\n", "K=new\r\nB=2\r\n"),
        ("K=old", "K=new"),
        ("K='old'\n", "K=new\n"),
        ("  K=old\n", "  K=new\n"),
        ("export K=old\n", "export K=new\n"),
        ("K = old\n", "K = new\n"),
        ("K: old\n", "K: new\n"),
        ("K=old # why\n", "K=new # why\n"),
        ("K='old'   # why\n", "K=new # why\n"),
        ("K='old'# why\n", "K=new\n"),
        ("K=old  \n", "K=new\n"),
        ("K='a\nb'\nB=2\n", "K=new\nB=2\n"),
        ("K=\nB=2\n", "K=new\nB=2\n"),
        ("\ufeffA=1\nK=old\n", "\ufeffA=1\nK=new\n"),
        ("K=1\nA=1\nK=old\nB=2\n", "K=1\nA=1\nK=new\nB=2\n"),
        ("#K=x\nK=old\n", "#K=x\nK=new\n"),
    ],
)
def test_only_the_value_of_the_last_assignment_changes(text: str, expected: str) -> None:
    readers = SOURCE if "\nb" in text else DEFAULT
    if "\nb" in text:
        readers = ("node", "compose")
    assert changed(text, {"K": "new"}, readers=readers) == expected


def test_glued_comment_was_a_part_of_the_value_for_somebody_and_goes() -> None:
    assert changed("K=old#secret\n", {"K": "new"}) == "K=new\n"


def test_changes_are_named_in_the_order_of_the_request() -> None:
    result = made("B=1\nA=a#b\nD=1\n", {"C": "3", "A": "a#b", "B": "2"}, ("D",))
    assert result.changes == [
        Change("C", "added"),
        Change("A", "requoted"),
        Change("B", "changed"),
        Change("D", "removed"),
    ]


@pytest.mark.parametrize(
    "text",
    ["K=a b\n", "K='a b'\n", 'K="a b"\n', "export K='a b' # c\n", "K: a b\n", "  K =  'a b'\n", "K=x\nK='a b'\n"],
)
def test_a_value_that_all_see_as_wanted_is_left_as_it_is_written(text: str) -> None:
    result = made(text, {"K": "a b"})
    assert (result.data, result.changes) == (text.encode(), [])


def test_a_value_that_one_reader_misreads_is_requoted() -> None:
    result = made("K=a#b\n", {"K": "a#b"})  # Compose reads it as wanted, the gem and npm dotenv cut it off
    assert (result.data, result.changes) == (b"K='a#b'\n", [Change("K", "requoted")])
    result = made("K=a#b\n", {"K": "a#b"}, readers=("compose",))
    assert (result.data, result.changes) == (b"K=a#b\n", [])


def test_a_dead_duplicate_stays() -> None:
    assert changed("K=dead\nK=old\n", {"K": "new"}) == "K=dead\nK=new\n"


# ---- forms that a named reader does not understand


@pytest.mark.parametrize(
    ("text", "readers", "expected"),
    [
        ("export K=old\n", ("ruby", "systemd"), "K=new\n"),
        ("K = old\n", ("ruby", "sh"), "K=new\n"),
        ("K: old\n", ("ruby", "systemd"), "K=new\n"),
        ("K: old\n", ("node", "python_dotenv"), "K=new\n"),
        ("  K = old\n", ("raw", "node"), "  K=new\n"),
    ],
)
def test_the_line_is_normalised_when_a_reader_needs_it(text: str, readers: tuple[str, ...], expected: str) -> None:
    assert changed(text, {"K": "new"}, readers=readers) == expected
    assert "env-line-normalised" in codes(made(text, {"K": "new"}, readers=readers))


def test_a_comment_behind_the_value_moves_when_a_reader_takes_it_for_text() -> None:
    text = "A=1\nK=old # why\n"
    assert changed(text, {"K": "new"}, readers=("ruby", "systemd")) == "A=1\n# why\nK=new\n"
    assert "env-comment-moved" in codes(made(text, {"K": "new"}, readers=("ruby", "systemd")))
    assert changed("K=old # c \\\n", {"K": "new"}, readers=("ruby", "systemd")) == "# c \\\n\nK=new\n"


def test_empty_value_beside_a_comment_or_export_gets_quotes() -> None:
    assert changed("K=old # c\n", {"K": ""}) == "K='' # c\n"
    assert changed("export K=old\n", {"K": ""}) == "export K=''\n"
    assert changed("K=old\n", {"K": ""}) == "K=\n"


def test_empty_value_above_a_line_that_begins_with_a_quote_gets_quotes() -> None:
    """Else the gem (2.7 and later) and npm dotenv take that text for the value."""
    assert changed("K=old\n'x y'\nB=2\n", {"K": ""}, readers=SOURCE) == "K=''\n'x y'\nB=2\n"


# ---- where a new variable goes


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("#SMTP_SERVER=x\nA=1\n", "SMTP_SERVER", "#SMTP_SERVER=x\nSMTP_SERVER=v\nA=1\n"),
        ("# SMTP_SERVER=x\nA=1\n", "SMTP_SERVER", "# SMTP_SERVER=x\nSMTP_SERVER=v\nA=1\n"),
        ("SMTP_PORT=1\n#SMTP_SERVER=x\nA=1\n", "SMTP_SERVER", "SMTP_PORT=1\n#SMTP_SERVER=x\nSMTP_SERVER=v\nA=1\n"),
        ("SMTP_PORT=1\nSMTP_LOGIN=x\nA=1\n", "SMTP_SERVER", "SMTP_PORT=1\nSMTP_LOGIN=x\nSMTP_SERVER=v\nA=1\n"),
        ("BULK_SMTP_PORT=1\nA=1\n", "SMTP_SERVER", "BULK_SMTP_PORT=1\nA=1\n\nSMTP_SERVER=v\n"),
        ("SMTP_PORT=1\nBULK_SMTP_PORT=1\nA=1\n", "BULK_SMTP_X", "SMTP_PORT=1\nBULK_SMTP_PORT=1\nBULK_SMTP_X=v\nA=1\n"),
        ("A=1\n", "SMTP_SERVER", "A=1\n\nSMTP_SERVER=v\n"),
        ("A=1", "SMTP_SERVER", "A=1\n\nSMTP_SERVER=v\n"),
        ("A=1\r\n", "SMTP_SERVER", "A=1\r\n\r\nSMTP_SERVER=v\r\n"),
        ("", "SMTP_SERVER", "SMTP_SERVER=v\n"),
        ("# mail", "SMTP_SERVER", "# mail\n\nSMTP_SERVER=v\n"),
        ("\ufeff", "SMTP_SERVER", "\ufeff\n\nSMTP_SERVER=v\n"),
        ("SMTP_PORT='1\n2'\nA=1\n", "SMTP_SERVER", "SMTP_PORT='1\n2'\nSMTP_SERVER=v\nA=1\n"),
        ("A='\n#SMTP_SERVER=x\n'\n", "SMTP_SERVER", "A='\n#SMTP_SERVER=x\n'\n\nSMTP_SERVER=v\n"),
    ],
)
def test_a_new_variable_goes_next_to_its_kin(text: str, name: str, expected: str) -> None:
    readers = ("node", "compose", "python_dotenv") if "\ufeff" not in text else DEFAULT
    if "SMTP_PORT=1\n#" in text:
        readers = DEFAULT
    assert changed(text, {name: "v"}, readers=readers) == expected


def test_several_new_variables_stay_together_in_the_order_of_the_request() -> None:
    wanted = {"SMTP_SERVER": "a", "SMTP_PORT": "1", "SMTP_LOGIN": "b"}
    assert changed("A=1\n", wanted) == "A=1\n\nSMTP_SERVER=a\nSMTP_PORT=1\nSMTP_LOGIN=b\n"


@pytest.mark.parametrize("readers", [("systemd",), ("sh",), ("ruby", "systemd", "sh")])
def test_below_a_line_that_ends_in_a_backslash_comes_an_empty_line(readers: tuple[str, ...]) -> None:
    """A shell and systemd join the lines; systemd before 254 even behind a comment."""
    assert changed("# SMTP_SERVER=x \\\nA=1\n", {"SMTP_SERVER": "v"}, readers=readers) in (
        "# SMTP_SERVER=x \\\n\nSMTP_SERVER=v\nA=1\n",
        "# SMTP_SERVER=x \\\nA=1\n\nSMTP_SERVER=v\n",
    )
    if readers == ("systemd",):
        assert changed("A=x\\", {"SMTP_SERVER": "v"}, readers=readers).endswith("\n\nSMTP_SERVER=v\n")


def test_a_variable_that_a_backslash_above_hides_from_a_reader_comes_to_light() -> None:
    assert changed("A=1\n# c \\\n  K=old\n", {"K": "new"}, readers=("systemd",)) == "A=1\n# c \\\n\n  K=new\n"
    assert changed("A=1\n# c \\\n  K=old\n", {"K": "new"}) == "A=1\n# c \\\n  K=new\n"


def test_what_looks_like_an_assignment_inside_a_value_is_text() -> None:
    text = "A='x\nSMTP_SERVER=no\n'\nSMTP_PORT=1\nB=2\n"
    expected = "A='x\nSMTP_SERVER=no\n'\nSMTP_PORT=1\nSMTP_SERVER=v\nB=2\n"
    assert changed(text, {"SMTP_SERVER": "v"}, readers=("node", "compose")) == expected
    assert changed(text, {"SMTP_SERVER": "v"}) == expected  # even for gem 2.4, which sees lines only


# ---- removal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nK=x\nB=2\n", "A=1\nB=2\n"),
        ("K=1\nA=1\nK=2\n", "A=1\n"),
        ("# K=old\nK=1 # gone with it\n", "# K=old\n"),
        ("export K=1\nB=2\n", "B=2\n"),
        ("K=1\nexport K\nB=2\n", "B=2\n"),
        ("K: 1\nB=2\n", "B=2\n"),
        ("A=1\nK=x", "A=1\n"),
        ("A=1\r\nK=x\r\nB=2\r\n", "A=1\r\nB=2\r\n"),
        ("A=1\n", "A=1\n"),
        ("#K=1\n", "#K=1\n"),
        ("\ufeffK=1\nA=1\n", "\ufeffA=1\n"),
    ],
)
def test_removal_takes_all_lines_of_a_variable_and_leaves_comments(text: str, expected: str) -> None:
    assert changed(text, remove=("K",)) == expected


@pytest.mark.parametrize(
    ("text", "readers", "expected"),
    [
        ("\ufeffK=1\n", ("raw",), "\ufeff"),  # to podman the mark is a part of the name
        ("A=1\nK: \nB=2\n", ("ruby", "python_dotenv"), "A=1\nB=2\n"),  # python-dotenv: a lone word "K:"
        ("A=1\nexport K=x\n", ("node", "systemd"), "A=1\n"),
    ],
)
def test_a_line_that_a_reader_knows_by_another_name_is_removed(
    text: str, readers: tuple[str, ...], expected: str
) -> None:
    assert changed(text, remove=("K",), readers=readers) == expected


def test_a_value_of_many_lines_is_removed_whole() -> None:
    assert changed("A=1\nK='x\ny\n'\nB=2\n", remove=("K",), readers=("node", "compose")) == "A=1\nB=2\n"


# ---- what stands in the way


def test_a_value_that_cannot_be_written_leaves_everything_as_it_was() -> None:
    text = "A=1\nK=old\n"
    result = made(text, {"A": "2", "K": 'it\'s "odd" \\'})
    assert (result.data, result.changes) == (text.encode(), [])
    assert "env-value-not-writable" in codes(result)


def test_all_errors_come_at_once() -> None:
    result = made("A=1\n", {"9A": "x", "K": "a\\'\"`$", "L": "b\r"}, ("B-C",))
    assert codes(result) == ["env-name-invalid", "env-value-not-writable", "env-value-not-writable", "env-name-invalid"]


@pytest.mark.parametrize(
    ("text", "readers", "code"),
    [
        ("A='x\nB=1\n", ("compose",), "env-file-refused"),
        ("A='x\nB=1\n", ("sh",), "env-file-refused"),
        ("what is this?\n", ("compose",), "env-file-refused"),
        ("export A=\n", ("ruby",), "env-file-refused"),
        ("export A\n", ("ruby",), "env-file-refused"),
        ("A='x\nB=1\n", ("systemd",), "env-edit-unsafe"),
        ("A=\xff", DEFAULT, None),
    ],
)
def test_a_file_that_hides_the_new_variable_is_not_touched(
    text: str, readers: tuple[str, ...], code: str | None
) -> None:
    result = made(text, {"K": "v"}, readers=readers)
    if code is None:
        assert result.changes
        return
    assert (result.data, result.changes) == (text.encode(), [])
    assert code in codes(result)
    line = next(one.subject for one in result.findings if one.code == code)
    assert line.startswith("line 1") or code == "env-edit-unsafe"


def test_not_utf8() -> None:
    result = edit(b"A=1\nB=\xff\n", set={"A": "2"}, remove=(), readers=DEFAULT)
    assert (result.data, codes(result)) == (b"A=1\nB=\xff\n", ["env-file-not-utf8"])


def test_a_line_of_ours_that_makes_a_reader_refuse_the_file_is_mended() -> None:
    assert changed("export K=\nB=2\n", {"K": "v"}, readers=("ruby",)) == "export K=v\nB=2\n"
    assert changed("K='open\nB=2\n", {"K": "v"}, readers=("compose", "ruby", "node")) == "K=v\nB=2\n"


def test_a_quote_of_ours_that_swallows_the_rest_is_not_guessed_at() -> None:
    result = made("K='open\nB=2\n", {"K": "v"}, readers=("systemd",))
    assert (result.data, result.changes) == (b"K='open\nB=2\n", [])
    assert next((one.code, one.severity) for one in result.findings) == ("env-quote-open", "error")


def test_crlf_is_nothing_for_a_shell() -> None:
    result = made("A=1\r\n", {"K": "v"}, readers=("sh",))
    assert (result.data, codes(result)) == (b"A=1\r\n", ["env-edit-unsafe"])


def test_the_first_line_behind_a_byte_order_mark_is_lost_for_some() -> None:
    result = made("\ufeffK=old\nB=2\n", {"K": "v"}, readers=("ruby", "systemd"))
    assert result.data == "\ufeffK=old\nB=2\n".encode() or values(result.data, "systemd")["K"] == "v"
    assert "env-byte-order-mark" in codes(result)


def test_another_variable_made_of_ours_is_told() -> None:
    result = made("K=old\nURL=x://$K/\n", {"K": "v"})
    assert result.data == b"K=v\nURL=x://$K/\n"
    assert [(one.code, one.subject) for one in result.findings] == [("env-dependent-variable", "URL")]


def test_no_finding_ever_holds_a_value() -> None:
    text = "A='zq1' zq2\nK='zq3\nzq4\nexport zq5\nB=$(zq6)\nC=${X:-zq7}\n"
    for readers in (DEFAULT, QUOTING, ("raw",), ("systemd",)):
        for wanted in ({"K": "zq8\"'\\"}, {"K": "v"}, {"L": "zq9"}):
            for one in made(text, wanted, readers=readers).findings:
                assert "zq" not in one.sentence()


def test_a_file_is_judged_by_the_version_that_reads_it() -> None:
    data = b"export OTHER=\nA=old\n"
    assert [one.code for one in edit(data, set={"A": "new"}, remove=(), readers=("ruby", "node")).findings] == [
        "env-file-refused"
    ]
    made = edit(data, set={"A": "new"}, remove=(), readers=("ruby-2.8", "node"))
    assert (made.data, made.findings) == (b"export OTHER=\nA=new\n", [])
    assert edit(made.data, set={"A": "new"}, remove=(), readers=("ruby-2.8", "node")).data == made.data


def test_what_is_written_is_read_the_same_after_an_upgrade() -> None:
    # dotenv 2.7 leaves the backslash of a bare value, all later ones drop it.
    made = edit(b"A=x\\y\n", set={"A": "x\\y", "B": "x\\z"}, remove=(), readers=("ruby-2.7",))
    assert made.data == b"A='x\\y'\n\nB='x\\z'\n"
    again = edit(made.data, set={"A": "x\\y", "B": "x\\z"}, remove=(), readers=("ruby-3.2",))
    assert again.data == made.data and again.changes == []
    both = [edit(b"", set={"A": "a\nb"}, remove=(), readers=(name,)).findings for name in ("ruby", "ruby-2.8")]
    assert both[0] == both[1] and [one.code for one in both[0]] == ["env-value-not-writable"]

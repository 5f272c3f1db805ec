# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge of the module: options in, result out, nothing secret in it. The editing is tested with the core."""

from __future__ import annotations

import json
import pathlib

import pytest

from ansible_collections.fediops.mastodon.plugins.modules import env_file
from ansible_collections.fediops.mastodon.tests.unit.plugins.of_core import patch_module_args

SECRET = "correct-horse#battery"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    found = tmp_path / ".env.production"
    found.write_text("A=1\nSMTP_SERVER=old\nSMTP_PASSWORD=previous-horse\n")
    return found


@pytest.fixture
def run(path, capsys):
    def with_options(check: bool = False, diff: bool = True, **options):
        arguments = {"path": str(path), **options, "_ansible_check_mode": check, "_ansible_diff": diff}
        with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
            env_file.main()
        output = capsys.readouterr().out
        return ended.value.code, json.loads(output), output

    return with_options


def test_result(run, path) -> None:
    status, result, _output = run(
        set={"SMTP_SERVER": "relay.example", "SMTP_PORT": 587}, secrets={"SMTP_PASSWORD": SECRET}, remove=["A"]
    )
    assert (status, result["changed"], result["findings"]) == (0, True, [])
    assert result["changed_variables"] == [
        {"name": "SMTP_SERVER", "what": "changed"},
        {"name": "SMTP_PORT", "what": "added"},
        {"name": "SMTP_PASSWORD", "what": "changed"},
        {"name": "A", "what": "removed"},
    ]
    assert result["backup_file"] == f"{path}.last-smtp"
    assert result["diff"]["before"] == "SMTP_SERVER=old\nSMTP_PASSWORD=(hidden)\nA=1\n"
    assert result["diff"]["after"] == "SMTP_SERVER=relay.example\nSMTP_PORT=587\nSMTP_PASSWORD=(hidden, changed)\n"
    assert path.read_text() == f"SMTP_SERVER=relay.example\nSMTP_PASSWORD='{SECRET}'\nSMTP_PORT=587\n"


def texts(value):
    """All texts of a result, keys included."""
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [str(value)]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    "secret", [SECRET, SECRET + "'\"\\", [SECRET], {"y": SECRET}], ids=["text", "odd", "list", "dict"]
)
def test_no_secret_in_any_result(run, path, check: bool, secret: object) -> None:
    path.write_text(path.read_text() + "TAG=$(id)\n")
    told = secret if isinstance(secret, str) else SECRET
    _status, result, _output = run(check=check, secrets={"SMTP_PASSWORD": secret}, set={"SMTP_FROM": f"x {told}"})
    for text in texts(result):
        assert told not in text
        assert "previous-horse" not in text


def test_numbers_among_secrets_are_masked_too(run) -> None:
    _status, _result, output = run(secrets={"SMTP_PASSWORD": 918273645}, set={"SMTP_LOGIN": "918273645"})
    assert "918273645" not in output


def test_a_failure_brings_the_same_evidence(run, path) -> None:
    before = path.read_text()
    status, result, _output = run(secrets={"SMTP_PASSWORD": 'it\'s "odd" \\'})
    assert (status, result["failed"], result["changed"]) == (1, True, False)
    assert result["findings"][0]["code"] == "env-value-not-writable"
    assert "SMTP_PASSWORD" in result["msg"]
    assert result["checksum_before"] == result["checksum_after"]
    assert (result["changed_variables"], result["backup_file"]) == ([], None)
    assert path.read_text() == before


def test_no_diff_when_none_is_asked_for(run) -> None:
    assert "diff" not in run(diff=False, set={"A": "2"})[1]


def test_restored_without_a_checksum_goes_by_the_note_of_the_last_edit(run, path) -> None:
    before = path.read_bytes()
    run(set={"A": "2"}, readers=["compose"])
    status, result, _output = run(state="restored")
    assert (status, result["changed"], path.read_bytes()) == (0, True, before)


def test_there_and_back(run, path) -> None:
    before = path.read_bytes()
    edit = run(set={"A": "2"}, readers=["compose"])[1]
    status, result, _output = run(
        state="restored",
        backup_file=edit["backup_file"],
        expected_checksum=edit["checksum_after"],
        restored_mtime="now",
    )
    assert (status, result["changed"], path.read_bytes()) == (0, True, before)
    assert result["changed_variables"] == [{"name": "A", "what": "changed"}]


def test_unknown_reader(run) -> None:
    status, result, _output = run(set={"A": "2"}, readers=["perl"])
    assert status == 1
    assert "perl" in result["msg"]

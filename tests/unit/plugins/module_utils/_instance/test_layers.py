# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._dotenv.edit import edit
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._instance import layers

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")


@contextlib.contextmanager
def somebody_else():
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    """A folder that everybody may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def refusal(path, others=()):
    with pytest.raises(FindingError) as raised:
        layers.read_env_file(str(path), others)
    return raised.value.finding


def test_reads_bytes_as_they_are(tmp_path):
    file = tmp_path / "env"
    file.write_bytes(b"A=1\r\n# \xc3\xa4\nB=2")
    read = layers.read_env_file(str(file))
    assert read.path == str(file) and read.data == b"A=1\r\n# \xc3\xa4\nB=2"
    assert len(read.checksum) == 64


def test_the_checksum_is_of_the_bytes(tmp_path):
    (tmp_path / "env").write_bytes(b"")
    empty = layers.read_env_file(str(tmp_path / "env"))
    assert (
        empty.checksum == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )  # of nothing: FIPS 180-4


def test_follows_a_chain_of_links_to_the_file_that_has_to_be_edited(tmp_path):
    target = tmp_path / "shared" / "env"
    target.parent.mkdir()
    target.write_text("A=1\n")
    (tmp_path / "between").symlink_to("shared/env")
    (tmp_path / "env").symlink_to(tmp_path / "between")
    read = layers.read_env_file(str(tmp_path / "env"))
    assert read.path == str(target)
    (told,) = read.noted
    assert (told.code, told.severity) == ("link-followed", "info") and str(target) in told.message
    assert not layers.read_env_file(str(target)).noted


@as_root
def test_a_link_of_another_user_is_followed_only_to_what_is_his(tmp_path):
    (tmp_path / "private").write_text("A=1\n")
    (tmp_path / ".env").symlink_to("private")
    os.lchown(tmp_path / ".env", 4711, 4711)
    finding = refusal(tmp_path / ".env")
    assert finding.code == "link-not-followed" and "uid 4711 created" in finding.message
    findings = []
    assert layers.dotenv_layers(str(tmp_path), None, "ruby", findings) == []
    assert [one.code for one in findings] == ["layer-unreadable"] and "not followed." in findings[0].message


def test_a_missing_file_names_what_the_services_read_instead(tmp_path):
    finding = refusal(tmp_path / "env", ["/etc/mastodon/env"])
    assert (finding.code, finding.subject) == ("env-file-missing", str(tmp_path / "env"))
    assert "/etc/mastodon/env" in finding.message and "mastodon_smtp_env_file" in finding.fix


def test_a_link_to_nowhere(tmp_path):
    (tmp_path / "env").symlink_to(tmp_path / "gone")
    finding = refusal(tmp_path / "env")
    assert finding.code == "env-file-dangling" and str(tmp_path / "gone") in finding.message


def test_a_link_to_itself(tmp_path):
    (tmp_path / "env").symlink_to(tmp_path / "env")
    assert refusal(tmp_path / "env").code in ("env-file-failed", "env-file-dangling")


def test_a_directory(tmp_path):
    assert refusal(tmp_path).code == "env-file-not-regular"


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "env")
    began = time.monotonic()
    assert refusal(tmp_path / "env").code == "env-file-not-regular"
    assert time.monotonic() - began < 10


def test_a_device():
    assert refusal("/dev/zero").code == "env-file-not-regular"


def test_a_file_that_cannot_be_settings(tmp_path):
    (tmp_path / "env").write_bytes(b"#" * (128 * 1024 + 1))
    finding = refusal(tmp_path / "env")
    assert finding.code == "env-file-too-large" and "128 KB" in finding.message


@pytest.mark.parametrize(
    ("data", "line", "byte"),
    [(b"A=1\nB=caf\xe9\nC=3\n", 2, "0xe9"), (b"\xff\xfeA\x00", 1, "0xff"), (b"A=1\n\n\nB=\xc3", 4, "0xc3")],
    ids=["latin1", "utf16", "cut"],
)
def test_bytes_that_are_no_utf8_are_located_and_not_shown(tmp_path, data, line, byte):
    (tmp_path / "env").write_bytes(data)
    finding = refusal(tmp_path / "env")
    assert (finding.code, finding.subject) == ("env-file-not-utf8", f"{tmp_path}/env, line {line}")
    assert byte in finding.message and "caf" not in finding.message


@as_root
def test_no_permission_names_become(open_folder):
    (open_folder / "env").write_text("A=1\n")
    (open_folder / "env").chmod(0o600)
    with somebody_else():
        finding = refusal(open_folder / "env")
    assert finding.code == "env-file-denied" and "become: true" in finding.fix and str(NOBODY) in finding.message


# Layers


def app(tmp_path, **files):
    for name, text in files.items():
        (tmp_path / ("." + name.replace("_", "."))).write_text(text)
    return str(tmp_path)


def stack(app_dir, findings=None, **unit):
    env_file = layers.read_env_file(f"{app_dir}/.env.production")
    found = layers.dotenv_layers(app_dir, env_file, "ruby", [] if findings is None else findings)
    return [layers.Layer("Environment", "mastodon-web.service", given=unit), *found], env_file.path


def test_of_several_layers_the_highest_wins(tmp_path):
    app_dir = app(
        tmp_path,
        env="A=env\nB=env\nC=env\nD=env\nE=env\n",
        env_production="A=file\nB=file\nC=file\nD=file\n",
        env_local="A=local\nB=local\nC=local\n",
        env_production_local="A=prod-local\nB=prod-local\n",
    )
    found, _unused = stack(app_dir, A="unit")
    seen = layers.resolve(found, [])
    assert seen == {"A": "unit", "B": "prod-local", "C": "local", "D": "file", "E": "env"}


def test_mail_variables_above_the_file_are_overrides_and_below_it_are_not(tmp_path):
    app_dir = app(
        tmp_path,
        env="SMTP_PORT=25\nSMTP_LOGIN=x\n",
        env_production="SMTP_PORT=587\n",
        env_local="OTHER=1\nSMTP_PORT=2525\n",
        env_production_local="BULK_SMTP_SERVER=bulk.example\nNOT_SMTP_X=1\n",
    )
    found, env_file = stack(app_dir, SMTP_SERVER="unit.example", PORT="3000")
    prod_local = ".env.production.local"
    assert [one.as_dict() for one in layers.elsewhere(found, env_file)] == [
        {"variable": "SMTP_SERVER", "layer": "Environment", "path": "mastodon-web.service", "line": 0},
        {"variable": "BULK_SMTP_SERVER", "layer": prod_local, "path": f"{app_dir}/{prod_local}", "line": 1},
        {"variable": "SMTP_PORT", "layer": ".env.local", "path": f"{app_dir}/.env.local", "line": 2},
        {"variable": "SMTP_LOGIN", "layer": ".env", "path": f"{app_dir}/.env", "line": 2},
        {"variable": "SMTP_PORT", "layer": ".env", "path": f"{app_dir}/.env", "line": 1},
    ]
    assert [one.wins for one in layers.elsewhere(found, env_file)] == [True, True, True, False, False]


def test_a_file_that_ruby_refuses_is_a_finding_with_its_name(tmp_path):
    app_dir = app(tmp_path, env_production="A=1\n", env_local="export MISSING\n")
    found, _unused = stack(app_dir)
    findings = []
    assert layers.resolve(found, findings)["A"] == "1"
    assert len(findings) == 1 and findings[0].subject.startswith(f"{app_dir}/.env.local")


@as_root
def test_a_layer_that_may_not_be_read_is_unknown_not_silent(open_folder):
    app_dir = app(open_folder, env_production="A=1\n", env_local="SMTP_PORT=1\n")
    (open_folder / ".env.local").chmod(0o600)
    findings = []
    with somebody_else():
        stack(app_dir, findings)
    assert [(one.code, one.severity, one.subject) for one in findings] == [
        ("layer-unreadable", "unknown", f"{app_dir}/.env.local")
    ]


def test_a_layer_above_is_seen_by_what_a_lower_one_refers_to(tmp_path):
    app_dir = app(tmp_path, env_production='A="${BASE}-x"\n', env_local="BASE=low\n")
    found, _unused = stack(app_dir, BASE="high")
    assert layers.resolve(found, [])["A"] == "high-x"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SMTP_PASSWORD=AReallyGo0Dpas$word", "env-secret-altered"),
        ("SMTP_PASSWORD=Abc123#Def456", "env-secret-altered"),
        ("SMTP_PASSWORD=Abc$(id)Def", "env-command-runs"),
        ("GREETING='never closed", "env-quote-open"),
        ("OTHER_TOKEN=abc$word", ""),
        ("SMTP_PASSWORD=x-$DB_PASS", ""),  # DB_PASS is set elsewhere
        ("some words\nSMTP_PASSWORD=Abc123Def456", ""),
    ],
)
def test_what_mail_reads_otherwise_is_told_with_its_place_and_without_its_value(tmp_path, text, code):
    path = str(tmp_path / "env")
    file = layers.EnvFile(path, f"A=1\n{text}\n".encode())
    found = layers.misread(file, ["ruby", "node"], {"DB_PASS": "s3cret"})
    assert {one.code for one in found} == ({code} if code else set())
    assert all(one.subject.startswith(f"{path}, line 2") and one.severity == "warning" for one in found)
    assert not any(part in one.sentence() for one in found for part in ("AReally", "word", "Abc", "Def", "(id)"))


@pytest.mark.parametrize("secret", ["Ab'c\\Def1", 'Ab"c\\Def1', "Ab'c$Def1", "Ab'c\"Def1"])
def test_what_env_file_has_written_raises_no_alarm(tmp_path, secret):
    readers = ["ruby", "node"]
    made = edit(b"A=1\n", set={"SMTP_PASSWORD": secret}, remove=(), readers=readers)
    assert made.findings == [] and made.changes
    assert layers.misread(layers.EnvFile(str(tmp_path / "env"), made.data), readers, {}) == []


def test_a_file_that_is_refused_is_reported_elsewhere(tmp_path):
    file = layers.EnvFile(str(tmp_path / "env"), b"export A\nSMTP_PASSWORD=x\n")
    assert layers.misread(file, ["ruby"], {}) == []

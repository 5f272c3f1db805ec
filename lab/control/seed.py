# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one lab has of its own: SSH key, certificate authority, logins, and the files that each machine gets of it.

Everything lies under .work/lab, is made once, and stays until C(script/lab down --purge).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import string
import typing as t
from pathlib import Path

from . import fleet
from .progress import capture

SECRETS = fleet.HOME / "secrets.json"
SSH_KEY = fleet.HOME / "id_ed25519"
VAULT_PASSWORD = fleet.HOME / "vault-password"
CA = fleet.HOME / "ca.pem"
SEED = fleet.HOME / "seed"
#: Changes with the way in which the certificates are made: they are made anew then.
RECIPE = "2"
KEY_IDENTIFIERS = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
ALPHANUMERIC = string.ascii_letters + string.digits


class Secrets(t.NamedTuple):
    """The secrets of a lab: passwords at the relay by machine, the mailboxes' password, what fills the templates."""

    logins: dict[str, str]
    bulk_logins: dict[str, str]
    mailbox: str
    templates: dict[str, dict[str, str]]


def ensure() -> Secrets:
    """Make what is missing, and lay out the seed of each machine."""
    fleet.HOME.mkdir(parents=True, exist_ok=True)
    if not SSH_KEY.exists():
        capture("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"fediops lab {fleet.KEY}", "-f", str(SSH_KEY))
    if not VAULT_PASSWORD.exists():
        write(VAULT_PASSWORD, text(32) + "\n")
    _certificates()
    found = _secrets()
    for machine in fleet.MACHINES:
        _seed(machine, found)
    return found


def text(length: int) -> str:
    return "".join(secrets.choice(ALPHANUMERIC) for _unused in range(length))


def write(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """A file with these contents, never readable by others for a moment if it must not be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    new = path.with_name(path.name + ".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
        stream.write(data)
    os.chmod(new, mode)
    os.replace(new, path)


def _secrets() -> Secrets:
    made = Secrets({}, {}, text(20), {})
    if SECRETS.exists():
        made = Secrets(**json.loads(SECRETS.read_text()))
    for number, machine in enumerate(fleet.INSTANCES):
        if machine.name in made.logins:
            continue
        # Characters that mean something to dotenv, YAML, a shell or Jinja, in a form that Ruby's dotenv, npm's and
        # Compose read alike (single quotes): hash sign, dollar before a letter, blank, double quote.
        odd = f'{text(8)}#{text(4)} ${text(4)}"{text(4)}'
        made.logins[machine.name] = f"{text(12)}&={text(8)}" if number == 1 else odd
        made.bulk_logins[machine.name] = text(20)
        made.templates[machine.name] = {
            name: secrets.token_hex(length // 2) if name.startswith("HEX") else text(length)
            for name, length in sorted(_placeholders(machine))
        }
    write(SECRETS, json.dumps(made._asdict(), indent=1))
    return made


def _template(machine: fleet.Machine) -> Path:
    return fleet.SOURCE / "hosts" / f"{machine.model}.env"


def _placeholders(machine: fleet.Machine) -> set[tuple[str, int]]:
    """The @NAME_LENGTH@ of a template: HEX_... are hexadecimal, others letters and digits."""
    return {
        (found[1], int(found[2])) for found in re.finditer(r"@([A-Z_0-9]+?_(\d+))@", _template(machine).read_text())
    }


def first_env(machine: fleet.Machine, found: Secrets) -> bytes:
    """The .env.production that an instance starts with: long, realistic, and its mail settings do not work."""
    content = _template(machine).read_bytes().replace(machine.model.encode(), machine.name.encode())
    for name, value in found.templates[machine.name].items():
        content = content.replace(f"@{name}@".encode(), value.encode())
    return content


def _certificates() -> None:
    """A CA of the lab's own, and the relay's certificate: for its one proper name only."""
    recipe = fleet.HOME / "certificates.recipe"
    if recipe.exists() and recipe.read_text() == RECIPE:
        return
    key, own, request, extensions = (fleet.HOME / name for name in ("ca.key", "relay.key", "relay.csr", "relay.ext"))
    new = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for_years = ("-x509", "-days", "3650")
    name = f"subjectAltName=DNS:{fleet.RELAY_NAME}"
    # Without the key usage, Python 3.13 and newer do not take it for a CA (VERIFY_X509_STRICT).
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    capture(*new, *for_years, "-subj", f"/CN=Lab CA {fleet.KEY}", *usage, "-keyout", str(key), "-out", str(CA))
    capture(*new, "-subj", f"/CN={fleet.RELAY_NAME}", "-keyout", str(own), "-out", str(request))
    write(
        extensions, f"{name}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n{KEY_IDENTIFIERS}"
    )
    sign = ("openssl", "x509", "-req", "-days", "3650", "-in", str(request), "-CA", str(CA), "-CAkey", str(key))
    capture(*sign, "-CAcreateserial", "-extfile", str(extensions), "-out", str(fleet.HOME / "relay.pem"))
    alone = (str(fleet.HOME / "selfsigned.key"), "-out", str(fleet.HOME / "selfsigned.pem"))
    capture(*new, *for_years, "-subj", f"/CN={fleet.RELAY_NAME}", "-addext", name, "-keyout", *alone)
    write(recipe, RECIPE)


def _seed(machine: fleet.Machine, found: Secrets) -> None:
    folder = SEED / machine.name
    shutil.rmtree(folder, ignore_errors=True)
    write(folder / "authorized_keys", (fleet.HOME / "id_ed25519.pub").read_text())
    write(folder / "apply", (fleet.SOURCE / "hosts" / f"apply-{machine.kind}").read_text())
    write(folder / "ca.crt", CA.read_text(), 0o644)
    if machine.kind == "compose":
        write(folder / "compose.yml", (fleet.SOURCE / "hosts" / f"{machine.name}.compose.yml").read_text(), 0o644)
    if machine.kind != "relay":
        write(folder / "env.production", first_env(machine, found))
        write(folder / "release", machine.release + "\n")
        write(folder / "env.mode", machine.env_mode + "\n")
        write(folder / "login", machine.login + "\n")
        return
    for name in ("relay.pem", "relay.key", "selfsigned.pem", "selfsigned.key"):
        write(folder / name, (fleet.HOME / name).read_text())
    owners: dict[str, list[str]] = {}
    logins = {}
    for instance in fleet.INSTANCES:
        for login, password in (
            (instance.login_at_relay, found.logins[instance.name]),
            (instance.login_at_relay.replace("@", "-bulk@"), found.bulk_logins[instance.name]),
        ):
            logins[login] = password
            for sender in instance.senders:
                owners.setdefault(sender, []).append(login)
    write(folder / "users-smtp", "".join(f"{login}:{{PLAIN}}{password}\n" for login, password in logins.items()))
    boxes = [f"{name}@{fleet.MAIL_DOMAIN}" for name in fleet.MAILBOXES]
    # Dovecot takes a line without the fields of a user database for a login only.
    write(
        folder / "users-imap",
        "".join(f"{box}:{{PLAIN}}{found.mailbox}:5000:5000::/var/vmail/{box}::\n" for box in boxes),
    )
    write(folder / "mailboxes", "".join(f"{box} {box}/\n" for box in boxes))
    write(folder / "sender_logins", "".join(f"{sender} {' '.join(names)}\n" for sender, names in owners.items()))

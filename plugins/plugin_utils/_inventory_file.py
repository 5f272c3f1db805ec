# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes a host's variables as inventory files: their content, and storing them safely."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import contextlib
import os
import tempfile
import typing as t

import yaml

from ansible_collections.fediops.mastodon.plugins.module_utils._findings.adopt import TABLE
from ansible_collections.fediops.mastodon.plugins.module_utils._findings.model import FindingError
from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.names import ROLE
from ansible_collections.fediops.mastodon.plugins.module_utils._masking import SECRET_NAME
from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown

#: Bytes of a file name that common file systems accept.
_LONGEST = 255
#: What Ansible would treat as a template.
_TEMPLATES = ("{{", "{%", "{#")


class _Unsafe(str):
    """A text that Ansible must not treat as a template."""


class _Dumper(yaml.SafeDumper):
    """Escapes invisible and acting characters, so that the file is safe to show and is read back exactly.

    The escapes of _text.shown are those of YAML's double quotes. PyYAML itself writes marks of the writing direction
    literally, and Unicode line breaks (U+0085, U+2028) as line breaks, which are read back as other blanks.
    """

    def write_double_quoted(self, text: str, split: bool = True) -> None:  # noqa: ARG002
        """The text in double quotes, on one line."""
        plain = text.replace("\\", r"\\").replace('"', r"\"")
        self.write_indicator(f'"{shown(plain)}"', True)


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if shown(text) != text else None)


_Dumper.add_representer(str, _represent)
_Dumper.add_representer(_Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


def document(variables: t.Mapping[str, t.Any], heading: t.Sequence[str]) -> str:
    """The text of a file of variables; the names get the role's prefix."""
    content = {ROLE + name: _safe(value) for name, value in variables.items()}
    comment = "".join(f"# {line}\n" for line in heading)
    return f"---\n{comment}{yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)}"


def placeholders(names: t.Iterable[str]) -> str:
    """Lines that refer to vault variables, which the operator has yet to create."""
    return "".join(f'{ROLE}{name}: "{{{{ {placeholder(name)} }}}}"\n' for name in names)


def placeholder(name: str) -> str:
    """The name of the vault variable for a secret."""
    return f"vault_{ROLE}{name}"


def _safe(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _safe(one) for key, one in value.items()}
    if isinstance(value, str) and any(mark in value for mark in _TEMPLATES):
        return _Unsafe(value)
    return value


def without_secrets(text: str) -> str:
    """A file of variables for a diff, with secret values hidden.

    Secrets are recognised by the names of the variables; a reference to a vault variable is not a secret.
    """
    shown, within = [], -1
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" -"))
        name, colon, value = line.partition(":")
        if within >= 0 and (indent > within or not line.strip()):
            if not line.strip():
                shown.append("")
            continue  # a value of several lines
        within = -1
        secret = colon and SECRET_NAME.search(name)
        if secret and not value.strip(" \"'").startswith("{{"):
            within = indent
            line = f"{name}: (hidden)"
        shown.append(line)
    return "\n".join(shown)


def is_file_name(name: str) -> bool:
    """Whether a host's name can be used as the name of its file or folder.

    A dynamic inventory may use any host name: "../../x" would lead elsewhere, and Ansible ignores names with a leading
    dot.
    """
    plain = name.isprintable() and not name.startswith(".") and "/" not in name
    return bool(name.strip()) and plain and len(name.encode()) <= _LONGEST


def refuse_hidden(folder: str) -> None:
    """Refuse a folder that would make Ansible ignore an existing file of the same name.

    :raises FindingError: there is such a file.
    """
    if os.path.isdir(folder):
        return
    for name in (folder, *(folder + ending for ending in (".yml", ".yaml", ".json"))):
        if os.path.lexists(name):
            message = f"Next to a folder {folder}, Ansible would no longer read {name}."
            raise FindingError(TABLE.finding("adopt-hides-file", name, message))


def read(path: str) -> bytes | None:
    """The content of a file; None if it does not exist."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FindingError(_refused(path, error)) from None


def write(path: str, data: bytes, mode: int) -> None:
    """Write a file atomically; at no time is it readable beyond its mode."""
    folder = os.path.dirname(path)
    new = ""
    try:
        os.makedirs(folder, exist_ok=True)
        descriptor, new = tempfile.mkstemp(prefix=".mastodon_smtp-", dir=folder)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.rename(new, path)
    except OSError as error:
        if new:
            with contextlib.suppress(OSError):
                os.unlink(new)
        raise FindingError(_refused(path, error)) from None


def write_all(files: t.Iterable[tuple[str, bytes, int]]) -> None:
    """Write files given as (path, content, mode), all or none: if one fails, those before it are restored."""
    done: list[tuple[str, bytes | None, int]] = []
    try:
        for path, data, mode in files:
            before = read(path)
            there = (path, before, mode if before is None else os.stat(path).st_mode & 0o7777)
            write(path, data, mode)
            done.append(there)
    except FindingError:
        for path, before, mode in reversed(done):
            _put_back(path, before, mode)
        raise


def _put_back(path: str, before: bytes | None, mode: int) -> None:
    if before is not None:
        write(path, before, mode)
        return
    try:
        os.unlink(path)
    except OSError as error:
        raise FindingError(_refused(path, error)) from None


def _refused(path: str, error: OSError) -> t.Any:
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return TABLE.finding("adopt-write-failed", path, f"System error: {reason}.")

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python packages that steps need on the controller, and what to do if one is missing."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import shlex
import sys
import sysconfig
import typing as t
from pathlib import Path

#: Package -> the oldest version that works: what the DNS step needs.
NEEDED: dict[str, tuple[int, ...]] = {"dnspython": (2, 6, 1), "spftrace": (0, 3)}
#: Package -> the module that is imported; an installed package may be damaged.
MODULES = {"dnspython": "dns.resolver", "spftrace": "spftrace", "authres": "authres", "dkimpy": "dkim"}


def missing(needed: t.Mapping[str, tuple[int, ...]] | None = None) -> list[str]:
    """The packages that are missing or too old, as pip requirements: C(["spftrace>=0.3"]).

    :param needed: as C(NEEDED), which it is by default.
    """
    wanting: list[str] = []
    for package, oldest in (NEEDED if needed is None else needed).items():
        found = _version(package)
        if not found or _numbers(found) < oldest or not _importable(package):
            wanting.append(f"{package}>={'.'.join(map(str, oldest))}")
    return wanting


def remedy(wanting: list[str]) -> str:
    """The command that installs them into the Python that runs this."""
    # Without --force-reinstall, pip leaves a damaged package as it is.
    anew = ["--force-reinstall"] if any(_version(one.partition(">")[0]) for one in wanting) else []
    if _externally_managed():
        return _environment(wanting)
    if importlib.util.find_spec("pip") is None:  # an environment that uv has made
        command = ["uv", "pip", "install", "--python", sys.executable, *wanting]
    else:
        command = [sys.executable, "-m", "pip", "install", *anew, *wanting]
    return f"Run: {shlex.join(command)} (on this machine only)."


def _externally_managed() -> bool:
    """Whether pip refuses to change this Python, which belongs to the operating system (PEP 668)."""
    in_environment = sys.prefix != sys.base_prefix
    return not in_environment and (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").is_file()


def _environment(wanting: list[str]) -> str:
    venv = "~/ansible"
    install = shlex.join(["pip", "install", "ansible-core", *wanting])
    return (
        "This Python belongs to the operating system, which refuses pip (PEP 668). Make an environment for Ansible: "
        f"{shlex.quote(sys.executable)} -m venv {venv} && {venv}/bin/{install}; then run {venv}/bin/ansible-playbook."
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _importable(package: str) -> bool:
    try:
        importlib.import_module(MODULES.get(package, "sys"))
    except ImportError:
        return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in version.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)

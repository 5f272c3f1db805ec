# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run code with a container's network, name resolution and trusted authorities.

Mastodon's image has no Python, so no Python code can run inside it. Instead, a child process enters the container's
network namespace (setns(2)) and gets its own mount namespace, in which copies of the container's C(/etc/hosts),
C(/etc/resolv.conf) and C(/etc/nsswitch.conf) replace the host's. Nothing changes on the host or in the container.

This needs root, or the user of a rootless Engine, who owns the user namespace of its containers.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import ctypes
import errno
import os
import pickle
import shutil
import signal
import socket
import tempfile
import traceback
import typing as t

from ... import _lifeline
from ..._files import gate
from ..model import Seen, Translate

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000

#: The files that decide how names are resolved: hosts(5), resolv.conf(5), nsswitch.conf(5).
_RESOLUTION = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf")
#: Where an image keeps the authorities that its OpenSSL trusts: Debian, Alpine, Red Hat.
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt")
#: Bytes; Debian's bundle has 0.2 MiB.
_LARGEST = 16 * 1024 * 1024


def enter_and(pid: int, work: t.Callable[[Translate], Seen], root: str = "/proc") -> Seen:
    """Run C(work) in the network of the process C(pid), and return its result.

    :param work: called with a function that maps a path of the container to one that can be opened. Its result must be
        picklable.
    :raises OSError: the process's namespaces cannot be entered.
    """
    folder = tempfile.mkdtemp(prefix="container-")
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _lifeline.leave()
        _lifeline.end_with_parent(parent)
        os.close(reader)
        _in_child(pid, work, f"{root}/{pid}", folder, writer)
    os.close(writer)
    try:
        with open(reader, "rb") as answer:
            data = answer.read()
    finally:
        _end(child)
        shutil.rmtree(folder, ignore_errors=True)
    if not data:
        raise OSError(errno.ECHILD, "the process in the container's network ended without an answer")
    kind, value = pickle.loads(data)
    if kind == "entered":
        return t.cast(Seen, value)
    if kind == "barred":
        raise OSError(*value)
    raise RuntimeError(f"in the container's network: {value}")


def _end(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
    finally:
        os.waitpid(child, 0)


def _in_child(pid: int, work: t.Callable[[Translate], Seen], process: str, folder: str, writer: int) -> t.NoReturn:
    """Send the result through the pipe and exit, without running the parent's exit handlers."""
    answer: tuple[str, object]
    try:
        try:
            copies = _copies(f"{process}/root", folder)
            _enter(pid, process, copies)
        except OSError as error:
            answer = ("barred", (error.errno, error.strerror))
        else:
            _trust_only(copies)
            answer = ("entered", work(lambda path: _copy(f"{process}/root", folder, path)))
        data = pickle.dumps(answer)
    except BaseException:
        data = pickle.dumps(("broken", traceback.format_exc()))
    with open(writer, "wb") as pipe:
        pipe.write(data)
        pipe.flush()
    os._exit(0)


def _copies(root: str, folder: str) -> dict[str, str]:
    """Copies of the container's files, by path; they stay readable in any mount namespace."""
    found = {path: _copy(root, folder, path) for path in (*_RESOLUTION, *_BUNDLES)}
    return {path: copy for path, copy in found.items() if os.path.exists(copy)}


def _copy(root: str, folder: str, path: str) -> str:
    """Copy one of the container's files and return the copy's path; the copy is missing if the file is."""
    copy = os.path.join(folder, os.path.normpath(f"/{path}").lstrip("/"))  # inside it, whatever the path contains
    try:
        data = gate.read(path, _LARGEST, root=root)
    except OSError:
        return copy
    os.makedirs(os.path.dirname(copy), exist_ok=True)
    with open(copy, "wb") as target:
        target.write(data)
    return copy


def _enter(pid: int, process: str, copies: t.Mapping[str, str]) -> None:
    # Name resolution loads its libraries on first use: do that now, from the host's files.
    socket.getaddrinfo("localhost", None)
    "localhost".encode("idna")
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: t.Any) -> None:
        if getattr(libc, name)(*arguments) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{name} for process {pid}: {os.strerror(code)}")

    network = os.open(f"{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if os.geteuid() != 0:
        own = os.open(f"{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        call("setns", own, _CLONE_NEWUSER)  # user_namespaces(7): its owner has all capabilities in it
        os.close(own)
    call("unshare", _CLONE_NEWNS)
    call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    for path in _RESOLUTION:
        if path in copies and os.path.exists(path):
            call("mount", copies[path].encode(), os.path.realpath(path).encode(), None, _MS_BIND, None)
    call("setns", network, _CLONE_NEWNET)
    os.close(network)


def _trust_only(copies: t.Mapping[str, str]) -> None:
    """Make OpenSSL trust only what the container trusts; see SSL_CTX_set_default_verify_paths(3)."""
    bundle = next((copies[path] for path in _BUNDLES if path in copies), "")
    if bundle:
        os.environ["SSL_CERT_FILE"] = bundle
        os.environ["SSL_CERT_DIR"] = os.path.dirname(bundle)

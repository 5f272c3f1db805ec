# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Request a password reset from Mastodon's web service as a browser does: GET, keep the cookie, POST the token."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import html.parser
import http.client
import socket
import ssl
import typing as t
import urllib.parse
import uuid

FORM = "/auth/password/new"
FIELD = "user[email]"

#: The address that Mastodon's config/puma.rb binds by default.
_DEFAULT = "http://127.0.0.1:3000"
#: Prefix of a socket's path, as in Driver.web_url().
_UNIX = "unix:"


@dataclasses.dataclass(frozen=True)
class Address:
    """Where the web service listens.

    :ivar url: C(http://127.0.0.1:3000), or the public C(https://...).
    :ivar unix: path of a Unix socket to use instead of the URL's host; C(@name) for one without a file.
    :ivar name: the host name that the service expects (WEB_DOMAIN or LOCAL_DOMAIN).
    """

    url: str
    name: str
    unix: str = ""

    @classmethod
    def of(cls, variables: t.Mapping[str, str], local_domain: str, url: str = "", found: str = "") -> Address:
        """The address to connect to, and the host name to request.

        :param variables: what Rails sees; only WEB_DOMAIN is used. Puma binds before dotenv reads the environment file
            (Mastodon config/puma.rb), so the file's SOCKET, BIND and PORT have no effect.
        :param url: given by the operator; outranks everything else. C(unix:/path) is a socket.
        :param found: Driver.web_url(), where the web service's processes listen.
        """
        name = variables.get("WEB_DOMAIN") or local_domain or "localhost"
        place = url.rstrip("/") or found or _DEFAULT
        if place.startswith(_UNIX):
            return cls("http://localhost", name, place[len(_UNIX) :])
        named = urllib.parse.urlsplit(url).hostname or ""
        return cls(place, name if named in ("", "127.0.0.1", "::1", "localhost") else named)

    @property
    def shown(self) -> str:
        """For people."""
        return self.unix or self.url


@dataclasses.dataclass(frozen=True)
class Reply:
    """One answer of the web service. C(body) is only kept for an HTML page."""

    status: int
    location: str = ""
    body: str = dataclasses.field(default="", repr=False)


class FormError(Exception):
    """The page does not contain the form; the message says what came instead."""


@dataclasses.dataclass(frozen=True)
class Form:
    """The reset form of a page: its target and its hidden fields."""

    action: str
    fields: dict[str, str] = dataclasses.field(repr=False)


class Browser:
    """A minimal browser: one host, cookies, no redirects, no scripts."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._cookies: dict[str, str] = {}

    def get(self, path: str, request_id: str) -> Reply:
        """Request a page.

        :raises OSError: there is no answer; or http.client.HTTPException.
        """
        return self._ask("GET", path, request_id)

    def post(self, path: str, fields: t.Mapping[str, str], request_id: str) -> Reply:
        """Send a form; raises the same errors as C(get)."""
        return self._ask("POST", path, request_id, urllib.parse.urlencode(fields).encode("ascii"))

    def _ask(self, method: str, path: str, request_id: str, body: bytes | None = None) -> Reply:
        # The headers of a reverse proxy: without them Mastodon redirects to https or rejects the host.
        headers = {
            "Host": self._address.name,
            "X-Forwarded-Proto": "https",
            "X-Request-Id": request_id,
            "Accept": "text/html",
            "User-Agent": "fediops.mastodon",
            "Origin": f"https://{self._address.name}",
            "Connection": "close",
        }
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = _connection(self._address, self._timeout)
        try:
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read(1024 * 1024).decode("utf-8", "replace")
            for cookie in answer.headers.get_all("Set-Cookie") or ():
                name, _unused, value = cookie.split(";", 1)[0].partition("=")
                self._cookies[name.strip()] = value.strip()
            return Reply(answer.status, answer.headers.get("Location", ""), text)
        finally:
            connection.close()


def new_request_id() -> str:
    """An id that Rails adds to the tags of each log line of the request (ActionDispatch::RequestId)."""
    return str(uuid.uuid4())


def reset_form(page: str) -> Form:
    """The form with the field for an address.

    :raises FormError: the page has none.
    """
    reader = _FormReader()
    reader.feed(page)
    for form in reader.forms:
        if FIELD in form.fields:
            return form
    raise FormError(f"the page has no form with a field {FIELD}")


class _FormReader(html.parser.HTMLParser):
    """Collects the forms of a page with their input fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = True
            self.forms.append(Form(urllib.parse.urlsplit(given.get("action", "")).path, {}))
        elif tag == "input" and self._inside and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(f"\0{self._path[1:]}" if self._path.startswith("@") else self._path)


def _connection(address: Address, timeout: float) -> http.client.HTTPConnection:
    if address.unix:
        return _UnixConnection(address.unix, timeout)
    parts = urllib.parse.urlsplit(address.url)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout, context=context)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)

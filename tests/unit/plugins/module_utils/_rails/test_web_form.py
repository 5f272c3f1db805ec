# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import socket
import threading

import pytest

from ansible_collections.fediops.mastodon.plugins.module_utils._rails.web_form import Address, Browser

FILE = {"SOCKET": "/run/file.sock", "BIND": "10.0.0.1", "PORT": "3999"}


@pytest.mark.parametrize(
    ("url", "found", "address"),
    [
        ("", "http://127.0.0.1:3100", Address("http://127.0.0.1:3100", "here.example")),
        ("", "unix:/run/web.sock", Address("http://localhost", "here.example", "/run/web.sock")),
        ("", "", Address("http://127.0.0.1:3000", "here.example")),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:3100", Address("http://127.0.0.1:8080", "here.example")),
        ("http://[::1]:8080", "", Address("http://[::1]:8080", "here.example")),
        ("https://web.example", "http://127.0.0.1:3100", Address("https://web.example", "web.example")),
        ("unix:/run/mine.sock", "http://127.0.0.1:3100", Address("http://localhost", "here.example", "/run/mine.sock")),
    ],
)
def test_the_address_is_the_operators_else_the_one_that_was_found(url, found, address):
    assert Address.of(FILE, "here.example", url, found) == address
    assert address.shown == (address.unix or address.url)


def test_the_host_name_is_the_one_of_the_web_pages():
    assert Address.of({"WEB_DOMAIN": "web.example"}, "here.example").name == "web.example"
    assert Address.of({}, "").name == "localhost"


def test_a_socket_without_a_file_can_be_asked():
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0fediops-web-form-{os.getpid()}")
        server.listen()

        def answer():
            connection, _unused = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        address = Address.of({}, "here.example", found=f"unix:@fediops-web-form-{os.getpid()}")
        assert Browser(address, 5).get("/", "id").status == 204
        thread.join()

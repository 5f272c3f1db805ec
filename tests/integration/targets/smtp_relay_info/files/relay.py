# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A relay for the tests: plain SMTP on loopback that knows one login. Writes its port into the given file."""

from __future__ import annotations

import base64
import socketserver
import sys
from pathlib import Path

LOGIN = base64.b64encode(b"\0mastodon\0correct horse").decode()


class Dialogue(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.answer("220 relay.test ESMTP")
        for raw in self.rfile:
            verb, _unused, argument = raw.decode().strip().partition(" ")
            if verb == "EHLO":
                self.answer("250-relay.test", "250-SIZE 10485760", "250 AUTH PLAIN LOGIN")
            elif verb == "AUTH":
                good = argument == f"PLAIN {LOGIN}"
                self.answer(*(["235 2.7.0 Welcome"] if good else ["535-5.7.8 Not accepted.", "535 5.7.8 No"]))
            elif verb == "MAIL" and "stranger" in argument:
                self.answer("553 5.7.1 Sender address rejected: not owned by user mastodon")
            elif verb in ("MAIL", "RCPT", "RSET"):
                self.answer("250 2.0.0 Ok")
            elif verb == "QUIT":
                self.answer("221 2.0.0 Bye")
                return
            else:
                self.answer("502 5.5.2 Not here")

    def answer(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dialogue) as server:
    server.daemon_threads = True
    Path(sys.argv[1]).write_text(str(server.server_address[1]))
    server.serve_forever()

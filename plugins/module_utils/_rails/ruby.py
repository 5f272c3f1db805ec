# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Common to the Ruby programs: how they get their input, and how they report an error."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import base64
import json
import typing as t

#: Part of the programs that run in Rails: reports an error with its causes. rails/commands may be loaded inside a
#: rescue; that outer error is not a cause to report, and neither is one that a program raises for its own purposes.
ERRORS = r"""
module FediopsErrors
  AMBIENT = $!

  # Class and message of an error and of its causes, outermost first; the block makes each message fit to be told.
  def self.chain(error, ours = nil)
    found = []
    until error.nil? || error.equal?(AMBIENT) || ours === error || found.length == 6
      found << { "class" => error.class.name.to_s, "message" => yield(error.message.to_s) }
      error = error.cause
    end
    found
  end
end
"""


def filled(program: str, asked: t.Mapping[str, t.Any]) -> bytes:
    """The program for C(rails runner -) with its C(@ASKED@) filled in.

    :param asked: anything that JSON can hold. It is passed in Base64, so that no character is parsed as Ruby.
    """
    literal = base64.b64encode(json.dumps(dict(asked)).encode("utf-8")).decode("ascii")
    return program.replace("@ASKED@", literal).encode("utf-8")

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes of a YAML file's first document, for a file that begins with a key, as config/email.yml does.

Source: parser.c of libyaml 0.2.5; Psych reads only the first document.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import typing as t

from .yaml_scan import Scanner, Token
from .yaml_text import syntax

_TAGS = {"!": "!", "!!": "tag:yaml.org,2002:"}


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of the document.

    :ivar kind: C(scalar), C(alias), C(sequence), C(mapping).
    :ivar text: the text of a scalar; the name of an alias.
    :ivar typed: whether Psych converts the text to a number, a boolean and the like.
    :ivar children: the items of a sequence; the keys and values of a mapping in turn.
    """

    kind: str
    text: str = ""
    typed: bool = True
    children: tuple[Node, ...] = ()
    tag: str = ""
    anchor: str = ""


_EMPTY = Node("scalar")


class Parser:
    """Reads the first document of a text."""

    def __init__(self, text: str) -> None:
        self._scanner = Scanner(text)

    def document(self) -> Node:
        """The first document. Of what follows, only the first token is read.

        :raises YamlRefusal: it cannot be read.
        """
        try:
            node = self._node()
            self._scanner.peek()
        except RecursionError:
            raise syntax("its brackets are nested too deeply") from None
        return node

    @property
    def _kind(self) -> str:
        return self._scanner.peek().kind

    def _next(self, kind: str) -> bool:
        """Take the next token if it is of that kind."""
        if self._kind != kind:
            return False
        self._scanner.take()
        return True

    def _node(self, *, block: bool = True, indentless: bool = False) -> Node:
        if self._kind == "alias":
            return Node("alias", self._scanner.take().text)
        anchor, tag = self._properties()
        kind = self._kind
        if indentless and kind == "-":
            return Node("sequence", children=tuple(self._indentless()), tag=tag, anchor=anchor)
        if kind == "scalar":
            token = self._scanner.take()
            if tag == "!":
                return Node("scalar", token.text, True, anchor=anchor)
            return Node("scalar", token.text, bool(tag) or token.more == "plain", tag=tag, anchor=anchor)
        found = {"[": "sequence", "{": "mapping"}.get(kind) or (kind if block else "")
        if found in ("sequence", "mapping"):
            self._scanner.take()
            children = {
                "[": self._flow_sequence,
                "{": self._flow_mapping,
                "sequence": self._block_sequence,
                "mapping": self._block_mapping,
            }[kind]()
            return Node(found, children=tuple(children), tag=tag, anchor=anchor)
        if anchor or tag:
            return Node("scalar", tag=tag, anchor=anchor)
        raise syntax("a value is missing, or text follows what is already complete")

    def _properties(self) -> tuple[str, str]:
        anchor = tag = ""
        for _unused in range(2):
            if not anchor and self._kind == "anchor":
                anchor = self._scanner.take().text
            elif not tag and self._kind == "tag":
                tag = self._resolved(self._scanner.take())
        return anchor, tag

    def _resolved(self, token: Token) -> str:
        if not token.text:
            return token.more
        if token.text not in _TAGS:
            raise syntax("it begins with !, which YAML reserves")
        return _TAGS[token.text] + token.more

    def _unless(self, *kinds: str, block: bool = True, indentless: bool = False) -> Node:
        """The next node; an empty one when one of these tokens comes instead."""
        return _EMPTY if self._kind in kinds else self._node(block=block, indentless=indentless)

    def _indentless(self) -> t.Iterator[Node]:
        while self._next("-"):
            yield self._unless("-", "key", "value", "block end")

    def _block_sequence(self) -> t.Iterator[Node]:
        while self._next("-"):
            yield self._unless("-", "block end")
        if not self._next("block end"):
            raise syntax("a line is not indented as the others are")

    def _block_mapping(self) -> t.Iterator[Node]:
        while self._next("key"):
            yield self._unless("key", "value", "block end", indentless=True)
            has_value = self._next("value")
            yield self._unless("key", "value", "block end", indentless=True) if has_value else _EMPTY
        if not self._next("block end"):
            raise syntax("text follows what is already a complete value, or a line is not indented as the others are")

    def _flow_sequence(self) -> t.Iterator[Node]:
        first = True
        while self._kind != "]":
            if not first and not self._next(","):
                raise syntax("a bracket is not closed")
            first = False
            if self._next("key"):
                key = self._pair_key()
                value = self._unless(",", "]", block=False) if self._next("value") else _EMPTY
                yield Node("mapping", children=(key, value))
            elif self._kind != "]":
                yield self._node(block=False)
        self._scanner.take()

    def _pair_key(self) -> Node:
        """The key of a pair in a list; if the key is missing, libyaml skips what is in its place."""
        if self._kind not in ("value", ",", "]"):
            return self._node(block=False)
        self._scanner.take()
        return _EMPTY

    def _flow_mapping(self) -> t.Iterator[Node]:
        first = True
        while self._kind != "}":
            if not first and not self._next(","):
                raise syntax("a bracket is not closed")
            first = False
            if self._next("key"):
                yield self._unless("value", ",", "}", block=False)
                yield self._unless(",", "}", block=False) if self._next("value") else _EMPTY
            elif self._kind != "}":
                yield self._node(block=False)
                yield _EMPTY
        self._scanner.take()

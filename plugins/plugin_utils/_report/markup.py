# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML elements as markupsafe's Markup (which comes with Jinja2): text added to them is escaped.

Only this file creates Markup from anything but literals, and only from text that it has escaped.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import typing as t

import markupsafe
from markupsafe import Markup

from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown_lines

_VOID = frozenset({"br", "input", "meta", "wbr"})

Child = t.Union[Markup, str, int, float, None, t.Iterable["Child"]]


def el(element: str, /, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """An element. V(class_) is the attribute class, other underscores become hyphens, False and None omit one."""
    given = "".join([_attribute(name, value) for name, value in attributes.items()])
    if element in _VOID:
        return Markup(f"<{element}{given}>")
    return Markup(f"<{element}{given}>{join(children)}</{element}>")


def join(children: Child) -> Markup:
    """Several children as one."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, (str, int, float)):
        return escape(children)
    return Markup("".join([join(one) for one in children]))


def escape(text: str | int | float) -> Markup:
    """A text, escaped so that HTML shows it literally."""
    return markupsafe.escape(shown_lines(str(text)))


def asset(text: str) -> Markup:
    """The collection's own style or script; it must not contain the end of its element."""
    if "</" in text:
        raise ValueError("a style or script must not hold an end tag")
    return Markup(text)


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    shown = name.rstrip("_").replace("_", "-")
    return f" {shown}" if value is True else f' {shown}="{escape(value)}"'

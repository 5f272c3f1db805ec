# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elements of HTML. Every text is escaped unless it is Markup, and only this module makes Markup."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import html
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._text import shown_lines

_VOID = frozenset({"br", "input", "meta", "wbr"})


class Markup(str):
    """A text that is HTML already."""

    __slots__ = ()


Child = t.Union[Markup, str, int, float, None, t.Iterable["Child"]]


def el(element: str, /, *children: Child, **attributes: str | int | bool | None) -> Markup:
    """An element. V(class_) is the attribute class, an underscore within is a hyphen; False and None leave one out."""
    given = "".join(_attribute(name, value) for name, value in attributes.items())
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
        return Markup(escape(str(children)))
    return Markup("".join(join(one) for one in children))


def escape(text: str) -> str:
    """A text as HTML shows it, and nothing else."""
    return html.escape(shown_lines(text), quote=True)


def asset(text: str) -> Markup:
    """The collection's own style or script; it must not be able to end its element."""
    if "</" in text:
        raise ValueError("a style or script must not hold an end tag")
    return Markup(text)


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    shown = name.rstrip("_").replace("_", "-")
    return f" {shown}" if value is True else f' {shown}="{escape(str(value))}"'

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""config/email.yml, which Mastodon 4.4 and later fill with the mail variables, and what Rails reads from it.

Each variable has its own line, some of them quoted (from 4.4.1 on), some bare. A value can therefore break the file, be
read as another type, or set other keys, for example by a line break followed by C(domain: x). This module renders and
parses the whole file as Rails does, so no such effect needs special treatment.

Source: config/email.yml of 4.4.0, and of 4.4.1 to 4.7.0-alpha.2, which are the same; of Rails 8.0 and 8.1
active_support/configuration_file.rb and Application#config_for.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import functools
import json
import re
import typing as t

from .names import BULK, MAIN
from .release import Era, Release, era_of
from .ruby_value import YamlRefusal, is_text
from .session import Refusal
from .variables import BUNDLE, VARIABLES

LOCAL_DOMAIN = "LOCAL_DOMAIN"


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the file.

    :ivar variable: the variable whose text it contains; empty for a constant.
    :ivar default: the text when the variable is not set.
    :ivar written: maps the variable's text to what is written, where the file compares it; None: the text itself.
    """

    key: str
    variable: str = ""
    default: str | None = None
    written: t.Callable[[str | None], str] | None = None


def _unless_false(text: str | None) -> str:
    return "false" if text == "false" else "true"


def _if_true(text: str | None) -> str:
    return "true" if text == "true" else ""


def _relay(indent: str, prefix: str) -> tuple[Line, ...]:
    bare = {"port": "PORT", "address": "SERVER", "user_name": "LOGIN", "password": "PASSWORD", "domain": "DOMAIN"}
    return (
        *(Line(f"{indent}{key}", prefix + suffix) for key, suffix in bare.items()),
        Line(f"{indent}authentication", f"{prefix}AUTH_METHOD", "plain"),
        Line(f"{indent}ca_file", f"{prefix}CA_FILE", BUNDLE),
        Line(f"{indent}openssl_verify_mode", f"{prefix}OPENSSL_VERIFY_MODE"),
        Line(f"{indent}enable_starttls", f"{prefix}ENABLE_STARTTLS"),
        Line(f"{indent}enable_starttls_auto", f"{prefix}ENABLE_STARTTLS_AUTO", written=_unless_false),
        Line(f"{indent}tls", f"{prefix}TLS", written=_if_true),
        Line(f"{indent}ssl", f"{prefix}SSL", written=_if_true),
        Line(f"{indent}read_timeout", default="20"),
    )


#: Number of comment lines above the first line that matters.
_COMMENTS = 2
_LINES: tuple[Line, ...] = (
    Line("production"),
    Line("  delivery_method", "SMTP_DELIVERY_METHOD", "smtp"),
    Line("  from_address", "SMTP_FROM_ADDRESS", "notifications@localhost"),
    Line("  reply_to", "SMTP_REPLY_TO"),
    Line("  return_path", "SMTP_RETURN_PATH"),
    Line("  smtp_settings"),
    *_relay("    ", MAIN),
    Line("  bulk_mail"),
    Line("    smtp_settings"),
    *_relay("      ", BULK),
)

_VARIABLE_OF_LINE: dict[int, str] = {
    number: line.variable for number, line in enumerate(_LINES, _COMMENTS + 1) if line.variable
}
#: Errors whose position is that of the wrong text; other errors give the start of the enclosing structure.
_EXACT = re.compile(r"while scanning |not allowed in this context")
_AT_LINE = re.compile(r"\bat line (\d{1,9})\b")


def variable_at(error: str) -> str:
    """The variable in the line that Psych's error names; empty if the error does not give the faulty line."""
    found = _EXACT.search(error)
    numbers = _AT_LINE.findall(error, found.end()) if found else []
    name = _VARIABLE_OF_LINE.get(int(numbers[-1]), "") if numbers else ""
    return f"{name} or {LOCAL_DOMAIN}" if name.endswith("SMTP_DOMAIN") else name


def broken_variable(variables: t.Mapping[str, str], release: Release, local_domain: str) -> str:
    """The variable (LOCAL_DOMAIN included) whose text breaks the file in that release; empty if none does.

    :param variables: name -> text in the process environment; other names are ignored.
    """
    era = era_of(release)
    return _blamed(read_variables(variables, era), era, local_domain).partition(":")[0] if era.yaml else ""


def read_variables(variables: t.Mapping[str, str], era: Era) -> dict[str, str]:
    """The variables that the era reads, in the order of our table: the first that breaks the file is blamed."""
    return {name: variables[name] for name, one in VARIABLES.items() if name in variables and one.read_by(era)}


def mail_settings(variables: t.Mapping[str, str], era: Era, local_domain: str) -> dict[t.Any, t.Any] | Refusal:
    """What Rails reads from the file (C(config.x.email)), or why it does not start.

    :param variables: name -> text of the variables that the era reads.
    """
    for name, text in variables.items():
        if not _is_unicode(text) and not VARIABLES[name].bare_in(era):
            return Refusal(
                "JSON::GeneratorError", "boot", f"config/email.yml cannot be written ({name}: it is not UTF-8)"
            )
    found = _read(_written(variables, era, local_domain))
    if isinstance(found, YamlRefusal):
        return _refusal(found, variables, era, local_domain)
    settings = found.get("production") if isinstance(found, dict) else None
    if not isinstance(settings, dict):
        where = _blamed(variables, era, local_domain) or "a value with a line break"
        return Refusal("NoMethodError", "boot", f"config/email.yml has no mail settings ({where})")
    return settings


def problem(name: str, text: str, era: Era) -> str:
    """How the file alters a variable's text; empty if Rails gets it unchanged."""
    line = next(line for line in _LINES if line.variable == name)
    if line.written:
        return ""
    key = line.key
    found = _read(_written({name: text}, era, ""))
    if isinstance(found, YamlRefusal):
        return f"the value breaks that file ({found})"
    path = {2: ("production",), 4: ("production", "smtp_settings"), 6: ("production", "bulk_mail", "smtp_settings")}
    for part in (*path[len(key) - len(key.lstrip())], key.strip()):
        found = found.get(part) if isinstance(found, dict) else None
    return "" if is_text(found) and found == text else "the value is read as something else there"


def _written(variables: t.Mapping[str, str], era: Era, local_domain: str) -> str:
    lines = ("#\n" * _COMMENTS,)
    return "".join((*lines, *(f"{line.key}: {_value(line, variables, era, local_domain)}\n" for line in _LINES)))


def _value(line: Line, variables: t.Mapping[str, str], era: Era, local_domain: str) -> str:
    default = local_domain if line.key.endswith(" domain") else line.default
    text = variables.get(line.variable, default)
    if line.written:
        return line.written(text)
    if text is None or not line.variable or VARIABLES[line.variable].bare_in(era):
        return text or ""
    return json.dumps(text, ensure_ascii=False).translate(_RAILS_ESCAPES)


#: Characters that Rails' to_json escapes beyond what JSON requires (active_support/json/encoding.rb).
_RAILS_ESCAPES = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


@functools.lru_cache(maxsize=256)
def _read(text: str) -> t.Any:
    """The file's content, or the YamlRefusal. Cached, because the same few files are read repeatedly."""
    from .yaml_value import load  # imported late: only some releases need the four YAML modules

    try:
        return load(text)
    except YamlRefusal as refused:
        return refused


def _refusal(refused: YamlRefusal, variables: t.Mapping[str, str], era: Era, local_domain: str) -> Refusal:
    where = _blamed(variables, era, local_domain) or str(refused)
    if refused.error_class == "Psych::SyntaxError":
        # Rails wraps it (active_support/configuration_file.rb).
        message = f"YAML syntax error occurred while parsing config/email.yml ({where})"
        return Refusal("RuntimeError", "boot", message)
    return Refusal(refused.error_class, "boot", f"config/email.yml cannot be read ({where})")


def _blamed(variables: t.Mapping[str, str], era: Era, local_domain: str) -> str:
    """The variable that breaks the file, and what is wrong with its text."""
    alone = [({name: variables[name]}, "") for name in VARIABLES if name in variables]
    for given, domain in (*alone, ({}, local_domain)):
        found = _read(_written(given, era, domain))
        reason = (
            str(found) if isinstance(found, YamlRefusal) else "" if _is_whole(found) else "it contains a line break"
        )
        if reason:
            return f"{next(iter(given), LOCAL_DOMAIN)}: {reason}"
    return ""


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _is_whole(found: t.Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("production"), dict)

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a command line would do what it seems to do, or end green without having done it.

ansible-playbook ends with 0 when no host matches, when no task has one of the given tags, and when it starts at a task
whose results of earlier tasks are missing. Each of these is one sentence here. Nothing here does I/O.

Also read by an ansible-core that is too old for the rest of the collection, so it imports nothing that is new there.
"""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.fediops.mastodon.plugins.module_utils._mailer.nearest import did_you_mean

PREFIX = "mastodon_smtp_"
PREFLIGHT, APPLY = f"{PREFIX}preflight", f"{PREFIX}apply"
#: The steps of the rollout that have a tag of their own; each also has APPLY.
STEPS = tuple(PREFIX + name for name in ("edit", "check", "restart", "queue"))
TAGS = (PREFLIGHT, APPLY, *STEPS)
#: Tags with a meaning in Ansible itself.
_OF_ANSIBLE = frozenset({"all", "always", "never", "tagged", "untagged"})
#: The Python that the oldest supported ansible-core needs on the controller.
PYTHON = (3, 11)
NOTHING_DONE = "Nothing was done."


@dataclasses.dataclass(frozen=True)
class Command:
    """What is known of a run before its first task.

    :ivar pattern: the hosts that the playbook is for.
    :ivar matched: the hosts of the inventory that match, within --limit.
    :ivar groups: the inventory's own groups.
    :ivar hosts: how many hosts the inventory has.
    :ivar sources: where the inventory is.
    :ivar tagged: whether the playbook's steps have tags (only those of the rollout do).
    :ivar alone: whether only this playbook runs; another one around it may have tags and tasks of its own.
    """

    pattern: str = "mastodon"
    matched: t.Sequence[str] = ()
    groups: t.Sequence[str] = ()
    hosts: int = 0
    sources: t.Sequence[str] = ()
    limit: str = ""
    run_tags: t.Sequence[str] = ()
    skip_tags: t.Sequence[str] = ()
    start_at: str = ""
    tagged: bool = False
    alone: bool = True


def refusal(command: Command) -> str:
    """Why the command would do nothing, or something else than it says, and what to write instead; else empty."""
    found = _start(command) or _tags(command) or _hosts(command)
    return f"{found[0]} {NOTHING_DONE} {found[1]}" if found else ""


def too_old(core: str, required: str, python: t.Sequence[int]) -> str:
    """What to install when ansible-core is older than required; empty if it is not.

    :param core: the version of ansible-core that runs.
    :param required: requires_ansible of meta/runtime.yml, a lower bound.
    """
    wanted = _numbers(required)
    if _numbers(core) >= wanted:
        return ""
    version = ".".join(map(str, wanted[:2]))
    least, present = (".".join(map(str, one[:2])) for one in (PYTHON, python))
    first = f"install Python {least}, and with it" if tuple(python[:2]) < PYTHON else "run"
    return (
        f"fediops.mastodon needs ansible-core {version} or newer on Python {least} or newer; this is ansible-core "
        f"{core} on Python {present}. {NOTHING_DONE} To update, {first}: "
        f"python3 -m venv ~/ansible && ~/ansible/bin/pip install 'ansible-core>={version}'"
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version)[:3])


_Told = t.Optional[tuple[str, str]]


def _start(command: Command) -> _Told:
    if not (command.start_at and command.alone):
        return None
    instead = (
        f"Run it without --start-at-task, or only some steps with --tags {','.join(STEPS)}."
        if command.tagged
        else "Run it without --start-at-task."
    )
    return (
        f'--start-at-task "{command.start_at}" would leave out tasks whose results the later ones need.',
        f"{instead} A run that died needs neither: the same command completes what is missing.",
    )


def _tags(command: Command) -> _Told:
    """Misspelt tags, tags that cannot be left out, and tags that leave nothing to do."""
    given = [one for one in (*command.run_tags, *command.skip_tags) if one not in _OF_ANSIBLE]
    ours = TAGS if command.tagged or not command.alone else ()
    strange = [one for one in given if one not in ours and (command.alone or one.startswith(PREFIX))]
    if strange and not ours:
        return (
            f"This playbook has no tags, so --tags or --skip-tags {','.join(strange)} means nothing here.",
            "Leave it out.",
        )
    if strange:
        return f"No step has the tag {strange[0]}{did_you_mean(strange[0], ours)}", f"The tags are {', '.join(TAGS)}."
    if PREFLIGHT in command.skip_tags:
        return (
            "A rollout without its preflight is not possible: the other steps need what it finds.",
            f"To run single steps without the checks of relay and DNS, use --tags {','.join(STEPS)}.",
        )
    if APPLY in command.skip_tags:
        return f"--skip-tags {APPLY} would leave out every step.", f"For the preflight alone, use --tags {PREFLIGHT}."
    if command.alone and not any(_runs(tags, command) for tags in _steps(command.tagged)):
        said = " and ".join(
            f"{name} {','.join(tags)}"
            for name, tags in (("--tags", command.run_tags), ("--skip-tags", command.skip_tags))
            if tags and list(tags) != ["all"]
        )
        return f"No step remains with {said}.", "Leave them out for the whole run."
    return None


def _steps(tagged: bool) -> list[frozenset[str]]:
    """The tags of each step."""
    if not tagged:
        return [frozenset({"untagged"})]
    return [frozenset({PREFLIGHT, APPLY}), *(frozenset({APPLY, one}) for one in STEPS)]


def _runs(tags: frozenset[str], command: Command) -> bool:
    """Whether Ansible runs a task with these tags (C(ansible/playbook/taggable.py))."""
    only, skipped = set(command.run_tags), set(command.skip_tags)
    some = "tagged" if tags != {"untagged"} else "untagged"
    chosen = not only or bool(only & {"all", some, *tags})
    return chosen and not skipped & {"all", some, *tags}


def _hosts(command: Command) -> _Told:
    if command.matched:
        return None
    limit = f", within --limit {command.limit}" if command.limit else ""
    first = f"No host of this inventory matches {command.pattern} (mastodon_smtp_hosts{limit})."
    if command.groups:
        return (
            first,
            "Put the instances into the group mastodon, or name their group with -e mastodon_smtp_hosts=GROUP. "
            f"The groups of this inventory are: {', '.join(sorted(command.groups))}.",
        )
    if command.hosts:
        return first, "The inventory has no groups: put the instances into the group mastodon."
    where = f" ({', '.join(command.sources)})" if command.sources else ""
    advice = "check the path after -i, or run this in the folder of your ansible.cfg."
    return first, f"The inventory{where} has no hosts, or could not be read: {advice}"

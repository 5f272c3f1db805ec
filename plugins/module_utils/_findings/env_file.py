# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings about an environment file: what is in it, what can be written, and what happened to the file."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

_PARSER = "bkeepers/dotenv lib/dotenv/parser.rb"

TABLE = Table(
    # What is to be written
    Code(
        "env-value-not-writable",
        "error",
        "The value cannot be written so that every listed reader reads it back unchanged.",
        "Choose a value without ', \", \\, ` and $, or list fewer readers if not all of them read this file.",
        "npm dotenv undoes no escapes, the Ruby gem drops every backslash in double quotes",
    ),
    Code(
        "env-name-invalid",
        "error",
        "Not every reader accepts this variable name.",
        "Use letters, digits and underscores only, and do not begin with a digit.",
        "POSIX.1-2017 8.1; systemd drops other names",
    ),
    Code(
        "env-name-twice",
        "error",
        "The same variable is listed in more than one of set, secrets and remove.",
        "List each variable in only one of set, secrets and remove.",
    ),
    Code(
        "env-no-reader",
        "error",
        "The list of readers is empty, so it is not known how to write the file.",
        "List the programs that read the file in mastodon_smtp_readers (readers), or leave it out.",
    ),
    Code(
        "env-edit-unsafe",
        "error",
        "After the edit a reader would not read the intended values, so nothing was changed.",
        "Check the named line and the lines above it for an unclosed quote or a value over several lines.",
    ),
    Code(
        "env-value-not-text",
        "error",
        "The value is not a string, a number, true or false.",
        "Use a quoted string. To remove a variable from the file, list it in remove.",
    ),
    # What the edit changed in addition to the value
    Code(
        "env-line-normalised",
        "info",
        "The line was rewritten as NAME=value, because a listed reader does not understand its old form.",
        "Nothing to do.",
    ),
    Code(
        "env-comment-moved",
        "info",
        "A comment after a value was moved to a separate line; a listed reader takes it as part of the value.",
        "Nothing to do.",
        "systemd src/basic/env-file.c: no comments after a value",
    ),
    Code(
        "env-dependent-variable",
        "warning",
        "Another variable is built from a changed one ($NAME), so its value changes too.",
        "Check that the other variable still has the intended value.",
    ),
    # What is already in the file
    Code(
        "env-file-not-utf8",
        "error",
        "The file is not UTF-8 text; the Ruby gem raises an error and systemd does not start the unit.",
        "Convert it (iconv -f latin1 -t utf-8), or remove the stray bytes.",
        _PARSER,
        formerly=("env-not-utf8",),
    ),
    Code(
        "env-nul",
        "error",
        "The file contains a NUL character.",
        "Remove it. The file may be damaged: compare it with a backup.",
    ),
    Code(
        "env-file-refused",
        "error",
        "A listed reader rejects the whole file because of one line.",
        "Correct or remove the line, or list only the readers that really read this file.",
    ),
    Code(
        "env-command-runs",
        "warning",
        "A reader runs a command that is in a value.",
        "If that is not intended, put the value in single quotes.",
        "bkeepers/dotenv lib/dotenv/substitutions/command.rb",
    ),
    Code(
        "env-secret-altered",
        "warning",
        "A secret's value is not what the file says: a reader replaces $word, cuts it at a #, or drops quotes or "
        "backslashes.",
        "Put the value in single quotes. A rollout does that for the settings that it writes.",
        "bkeepers/dotenv lib/dotenv/parser.rb, lib/dotenv/substitutions/variable.rb; mastodon#15017, #21937",
    ),
    Code(
        "env-quote-open",
        "warning",
        "A quote is not closed or not opened; a reader takes it or the lines below it as part of the value, or drops "
        "the line.",
        "Write both quotes, or none.",
    ),
    Code(
        "env-text-after-quote",
        "warning",
        "Text follows a closing quote; the readers disagree about the value.",
        "Put the whole value in one pair of quotes.",
    ),
    Code(
        "env-lone-word",
        "warning",
        "A line holds a single word; dotenv 3.1.5 and later turn it into an empty variable.",
        "Complete the line as NAME=value, or put a # before it.",
        _PARSER,
    ),
    Code(
        "env-export-empty",
        "warning",
        "An export line has no value; dotenv 3.1.5 to 3.2 raise FormatError, and Mastodon does not boot.",
        "Write NAME= without export, or give it a value.",
        _PARSER,
    ),
    Code(
        "env-shell-default",
        "warning",
        "A value uses ${NAME:-text}; the Ruby gem does not support that and keeps it literally.",
        "Write the value itself.",
        "bkeepers/dotenv lib/dotenv/substitutions/variable.rb",
    ),
    Code(
        "env-line-skipped",
        "warning",
        "A reader does not understand a line and skips it.",
        "Correct the line, or put a # before it.",
    ),
    Code(
        "env-line-runs",
        "warning",
        "A shell that sources the file runs a line of it as a command.",
        "Put the value in quotes, or a # before the line.",
        "POSIX.1-2017 Shell Command Language 2.9.1",
    ),
    Code(
        "env-comment-continues",
        "warning",
        "A comment ends in a backslash; systemd before 254 takes the next line as part of the comment.",
        "Remove the backslash.",
        "systemd NEWS, 254",
    ),
    Code(
        "env-byte-order-mark",
        "warning",
        "The file begins with a byte order mark; systemd, sh and python-dotenv before 1.2.3 lose its first line.",
        "Save the file as UTF-8 without a byte order mark.",
    ),
    # The file itself
    Code(
        "env-file-missing",
        "error",
        "The file does not exist; the collection never creates it.",
        "Set mastodon_smtp_env_file to the file that holds SMTP_SERVER, usually .env.production in the app directory.",
        formerly=("path-missing",),
    ),
    Code(
        "env-file-of-others",
        "warning",
        "Something else (Ansible, Puppet, Chef, Salt, NixOS, YunoHost) writes the file and will undo an edit.",
        "Set the same variables where it takes them from (its template or data). Then accept this finding with "
        "mastodon_smtp_accept.",
        "A comment in the file or its place says so; ansible-core DEFAULT_MANAGED_STR",
    ),
    Code(
        "link-followed",
        "info",
        "The path goes through a symbolic link; the file that it points to is read and edited.",
        "Nothing to do, if the link is intended.",
    ),
    Code(
        "link-not-followed",
        "error",
        "Another user created a symbolic link on the way to the file, and it points to something that this user "
        "does not own. Following it as root would give that user root's rights.",
        "If the link is intended, give it to root (chown -h root). If not, find out who created it.",
    ),
    Code(
        "env-file-dangling",
        "error",
        "The path is a link to a file that does not exist.",
        "Restore the target or correct the link.",
        formerly=("env-file-dangling-link",),
    ),
    Code(
        "env-file-not-regular",
        "error",
        "The path is a directory or a special file.",
        "Set mastodon_smtp_env_file to the file itself.",
        formerly=("env-file-not-a-file",),
    ),
    Code(
        "env-file-denied",
        "error",
        "Permission to read or write is missing.",
        "Run the task with become: true. If it already does, check for a file flag with lsattr.",
    ),
    Code(
        "env-file-read-only",
        "error",
        "The file system is mounted read-only.",
        "Mount it read-write. A file system that became read-only by itself may have a failing disk.",
    ),
    Code(
        "env-file-mounted",
        "error",
        "The file is itself a mount point (a bind mount or single-file volume), and such a file cannot be replaced.",
        "Unmount it and put a symbolic link to the file in its place, or mount its folder instead. findmnt shows "
        "the mount; it comes from /etc/fstab or from whatever starts the container.",
        "rename(2), EBUSY. An edit puts a new file in the place of the old one, which such a mount would not show",
    ),
    Code(
        "env-file-locked",
        "error",
        "A chattr flag prevents the file, its folder or a backup from being replaced.",
        "Find out who set it and why. Remove it with chattr -i, then run again.",
        "chattr(1): i and a bind root, too",
    ),
    Code(
        "env-backup-blocked",
        "error",
        "Something else occupies the path of a backup or note beside the file.",
        "Check what it is, move it away and run again.",
    ),
    Code(
        "env-file-hard-links",
        "warning",
        "The file has several names (hard links); only the edited one gets the new content.",
        "Find the others (find / -xdev -samefile PATH). If they must have the same content, make them symbolic links.",
        "An edit puts a new file in the place of the old one, so that nobody ever reads half of it",
    ),
    Code(
        "env-quota-unseen",
        "info",
        "The file system has quotas, and a dry run cannot see whether they leave room.",
        "Nothing to do. If a quota is exceeded, the rollout says so and leaves the file and its backups unchanged.",
    ),
    Code("env-disk-full", "error", "The file system or the quota is full.", "Free some space and run again."),
    Code(
        "env-file-too-large",
        "error",
        "The file is larger than 128 KB, too large for an environment file.",
        "Check the path (mastodon_smtp_env_file).",
    ),
    Code(
        "env-file-failed",
        "error",
        "The file could not be read or written.",
        "See the reason in the message.",
        formerly=("env-file-unreadable",),
    ),
    Code(
        "env-file-changed",
        "error",
        "The file changed after it was read; somebody else edited it.",
        "Run again to plan from the current file.",
    ),
    Code(
        "env-file-busy", "error", "Another edit of the file is in progress.", "Wait until it finishes, then run again."
    ),
    Code(
        "edit-taken-over",
        "error",
        "Another rollout has taken over the edit of this run, or the file was changed by hand.",
        "Let the other rollout finish; then run again. Nothing is undone by this run.",
    ),
    Code(
        "edit-unproved",
        "info",
        "An earlier rollout edited the file and ended before the edit was fully proved.",
        "Run the rollout again: it completes the missing steps or restores the last good state.",
    ),
    Code(
        "env-backup-missing",
        "error",
        "There is no backup to restore.",
        "The collection has not edited the file yet, or the backup beside it was removed.",
    ),
    Code(
        "env-not-ours",
        "error",
        "The file was changed after the edit, so the backup was not restored. Both were left unchanged.",
        "Compare the file with the backup and decide by hand.",
    ),
)

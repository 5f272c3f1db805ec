# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings about an environment file: what is in it, what can be written, and what happened to the file."""

# Private to this collection: it may change in any release without notice.

from __future__ import annotations

from .model import Code, Table

_PARSER = "bkeepers/dotenv lib/dotenv/parser.rb"

TABLE = Table(
    # What shall be written
    Code(
        "env-value-not-writable",
        "error",
        "No spelling of the value is read as this value by every named reader.",
        "Choose a value without ', \", \\, ` and $, or name fewer readers if not all of them read this file.",
        "npm dotenv undoes no escapes, the Ruby gem drops every backslash in double quotes",
    ),
    Code(
        "env-name-invalid",
        "error",
        "The name is not one that every reader accepts.",
        "Use letters, digits and underscores only, and do not begin with a digit.",
        "POSIX.1-2017 8.1; systemd drops other names",
    ),
    Code(
        "env-name-twice",
        "error",
        "The same variable is asked for in two ways at once.",
        "Name each variable in only one of set, secrets and remove.",
    ),
    Code(
        "env-no-reader",
        "error",
        "No reader of the file is named, so nothing tells how to write it.",
        "Name the programs that read the file in mastodon_smtp_readers (readers), or leave it out.",
    ),
    Code(
        "env-edit-unsafe",
        "error",
        "With the edit, a reader would not see what it should; so nothing was changed.",
        "Look at the named line and at the lines above it: a quote that is not closed, or text in more lines than one.",
    ),
    Code(
        "env-value-not-text",
        "error",
        "The value is neither text nor a number nor true or false.",
        "Give a text in quotes; to take a variable out of the file, name it in remove.",
    ),
    # What the edit changed besides the value
    Code(
        "env-line-normalised",
        "info",
        "The line was rewritten as NAME=value, because a named reader does not understand the form it had.",
        "Nothing to do.",
    ),
    Code(
        "env-comment-moved",
        "info",
        "A comment behind a value was moved to a line of its own; a named reader takes it as part of the value.",
        "Nothing to do.",
        "systemd src/basic/env-file.c knows no comments behind a value",
    ),
    Code(
        "env-dependent-variable",
        "warning",
        "Another variable is made of a changed one ($NAME), so its value changes with it.",
        "Check that the other variable is still meant so.",
    ),
    # What stands in the file already
    Code(
        "env-file-not-utf8",
        "error",
        "The file is not UTF-8 text; the Ruby gem raises and systemd does not start the unit.",
        "Convert it (iconv -f latin1 -t utf-8), or remove the stray bytes.",
        _PARSER,
        formerly=("env-not-utf8",),
    ),
    Code(
        "env-nul", "error", "The file holds a NUL character.", "Remove it; the file may be damaged: compare a backup."
    ),
    Code(
        "env-file-refused",
        "error",
        "A named reader refuses the whole file because of a line in it.",
        "Correct or remove the line, or name only the readers that really read this file.",
    ),
    Code(
        "env-command-runs",
        "warning",
        "A reader runs a command that is in a value.",
        "If that is not meant, put the value into single quotes.",
        "bkeepers/dotenv lib/dotenv/substitutions/command.rb",
    ),
    Code(
        "env-quote-open",
        "warning",
        "A quote is opened and not closed; a reader takes the lines below it as part of the value, or drops the line.",
        "Close the quote.",
    ),
    Code(
        "env-text-after-quote",
        "warning",
        "Text follows a closed quote; the readers disagree about what the value is.",
        "Put the whole value into one pair of quotes.",
    ),
    Code(
        "env-lone-word",
        "warning",
        "A word is alone on a line; dotenv 3.1.5 and later make it an empty variable.",
        "Complete the line as NAME=value, or put a # before it.",
        _PARSER,
    ),
    Code(
        "env-export-empty",
        "warning",
        "An export line has no value; dotenv 3.1.5 to 3.2 raise FormatError on it, and Mastodon does not boot.",
        "Write NAME= without export, or give it a value.",
        _PARSER,
    ),
    Code(
        "env-shell-default",
        "warning",
        "A value uses ${NAME:-text}; the Ruby gem does not know that and keeps the text as it is.",
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
        "Put the value into quotes, or a # before the line.",
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
        "There is no such file; it is never created here.",
        "Set mastodon_smtp_env_file to the file that holds SMTP_SERVER, usually .env.production in the app directory.",
        formerly=("path-missing",),
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
        "Another user created a symbolic link on the way to the file, and it points to what is not that user's own. "
        "Following it as root would lend root's rights to that user.",
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
        "The permission to read or write is missing.",
        "Run the task with become: true; if it does already, look for a flag with lsattr.",
    ),
    Code(
        "env-file-read-only",
        "error",
        "The file system is mounted read-only.",
        "Mount it read-write; a file system that turned read-only by itself may have a failing disk.",
    ),
    Code(
        "env-file-mounted",
        "error",
        "A single file is mounted at the path (a bind mount, a volume of one file). Such a file cannot be replaced.",
        "Unmount it, and put a symbolic link to the file in its place, or mount the folder that it is in. findmnt "
        "shows what is mounted there; look into /etc/fstab, or at what starts the container, for who mounts it.",
        "rename(2), EBUSY. An edit puts a new file in the place of the old one, which such a mount would not show",
    ),
    Code(
        "env-file-locked",
        "error",
        "A flag of chattr keeps the file, its folder or a backup from being replaced.",
        "Find out who locked it, and why. To unlock it: chattr -i. Then run again.",
        "chattr(1): i and a bind root, too",
    ),
    Code(
        "env-backup-blocked",
        "error",
        "Where a backup or a note beside the file has to go, there is something else.",
        "Look at what it is, move it away, and run again.",
    ),
    Code(
        "env-file-hard-links",
        "warning",
        "The file has more names than one (hard links); only the one that is edited gets the new content.",
        "Find the others (find / -xdev -samefile PATH). If they are to have one content, make them symbolic links.",
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
        "The file is larger than 128 KB, which no environment file is.",
        "Check the path (mastodon_smtp_env_file).",
    ),
    Code(
        "env-file-failed",
        "error",
        "The system refused to read or write the file.",
        "See the reason given.",
        formerly=("env-file-unreadable",),
    ),
    Code(
        "env-file-changed",
        "error",
        "The file is not the one that was looked at; somebody else changed it.",
        "Run again, so that the plan is made from the file as it is now.",
    ),
    Code("env-file-busy", "error", "Another edit of the file is going on.", "Wait until it is done and run again."),
    Code(
        "edit-taken-over",
        "error",
        "The edit that this run began is in other hands: another rollout carries it on, or it was changed by hand.",
        "Let the other rollout finish; then run again. Nothing is undone by this run.",
    ),
    Code(
        "edit-unproved",
        "info",
        "An earlier rollout edited the file and died before everything about it was proved.",
        "Run the rollout again: it does what is missing, or puts the last good state back.",
    ),
    Code(
        "env-backup-missing",
        "error",
        "There is no backup to put back.",
        "This collection has not edited the file yet, or the backup, which stood beside it, was taken away.",
    ),
    Code(
        "env-not-ours",
        "error",
        "The file was changed after the edit, so the backup was not put back; both are left as they are.",
        "Compare the file with the backup and decide by hand.",
    ),
)

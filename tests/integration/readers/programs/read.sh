# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sources the files that are named on standard input, each in a subshell of its own, and writes for each its environment
# (NUL between variables) between two marks.
while IFS= read -r path; do
  printf '<begin>\0'
  (set -a; . "$path" >/dev/null 2>&1 </dev/null; exec /usr/bin/env -0) 2>/dev/null
  printf '<end>\0'
done

# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads the files that are named on standard input, one a line, with the gem dotenv, and writes one JSON document a line:
# an object, or null where the gem raises. Commands in values are not run but marked with a NUL.
#
# "Overwrite" is what makes the gem parse a line whose variable the process has already; from 3.1 on it is a keyword.
require "dotenv"
require "json"

Dotenv::Substitutions::Command.define_singleton_method(:`) { |command| "\0$(#{command})" }

keyword = Dotenv::Parser.instance_method(:initialize).parameters.include?([:key, :overwrite])
$stdin.each_line(chomp: true) do |path|
  text = File.open(path, "rb:bom|utf-8", &:read)
  begin
    puts JSON.generate(keyword ? Dotenv::Parser.call(text, overwrite: true) : Dotenv::Parser.call(text, true))
  rescue Dotenv::FormatError
    puts "null"
  end
end

// Copyright: the fediops.mastodon contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reads the files that are named on standard input, one a line, with the npm package dotenv that stands in the folder
// given as the argument, and writes one JSON object a line.
const fs = require('fs')
const path = require('path')
const dotenv = require(path.join(process.argv[2], 'node_modules', 'dotenv'))

for (const name of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  console.log(JSON.stringify(dotenv.parse(fs.readFileSync(name, { encoding: 'utf8' }))))
}

// The place of Mastodon's streaming server: a long-running Node process that reads ../.env.production when it starts and
// answers its health check. It must never be restarted for the sake of mail.
'use strict';

const fs = require('fs');
const http = require('http');
const path = require('path');

// Enough of the file for a port and a host name. Mastodon uses the npm package dotenv, which is in no Debian package.
const readEnvironment = (file) => {
  if (!fs.existsSync(file)) return; // in a container, Compose has read it
  for (const line of fs.readFileSync(file, 'utf8').split(/\r?\n/)) {
    const found = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line);
    if (found && !(found[1] in process.env)) process.env[found[1]] = found[2].replace(/^(['"])(.*)\1$/, '$2');
  }
};

readEnvironment(path.join(__dirname, '..', '.env.production'));

const port = Number(process.env.PORT || 4000);
http.createServer((request, response) => {
  const healthy = request.url === '/api/v1/streaming/health';
  response.writeHead(healthy ? 200 : 404, { 'Content-Type': 'text/plain' });
  response.end(healthy ? 'OK' : 'Not found');
}).listen(port, process.env.BIND || '127.0.0.1', () => {
  console.log(`Streaming API for ${process.env.LOCAL_DOMAIN} now listening on port ${port}`);
});

#!/usr/bin/env node
// SPDX-License-Identifier: ISC
// A webhook receiver that trusts others' verifiers: npm standardwebhooks, svix
// and cloudevents, found by NODE_PATH.  hookverify.mjs PORTFILE LOG SECRET
import fs from 'fs';
import http from 'http';
import { createRequire } from 'module';

const require = createRequire(process.env.NODE_PATH + '/x.js');
const { Webhook } = require('standardwebhooks');
const svix = require('svix');
const { HTTP } = require('cloudevents');
const [portFile, log, secret] = process.argv.slice(2);

const server = http.createServer((request, reply) => {
  const chunks = [];
  request.on('data', (c) => chunks.push(c));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    let line = 'ok';
    try {
      new Webhook(secret).verify(body, request.headers);
      new svix.Webhook(secret).verify(body, request.headers);
      const events = HTTP.toEvent({ headers: request.headers, body });
      for (const event of [].concat(events)) event.validate();
      if (Array.isArray(events)) line += ` ${events.length}`;
    } catch (e) {
      line = 'bad ' + e.message;
    }
    fs.appendFileSync(log, line + '\n');
    reply.writeHead(204);
    reply.end();
  });
});
server.listen(0, '127.0.0.1', () => {
  fs.writeFileSync(portFile, String(server.address().port));
});

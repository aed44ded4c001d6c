// Recall's stand-in: answers 200 to everything after a wait.
// node upstream.js <port> <delay in ms>; GET /count says how many POSTs were answered, and when last, in ms since the epoch.
"use strict";
const http = require("node:http");

const port = Number(process.argv[2]);
const delay = Number(process.argv[3]);
let answered = 0;
let last = 0;

const server = http.createServer((request, response) => {
  if (request.method === "GET") {
    response.end(`${answered} ${last}`);
    return;
  }
  request.resume();
  request.on("end", () => {
    const answer = () => {
      answered += 1;
      last = Date.now();
      response.end();
    };
    if (delay > 0) setTimeout(answer, delay);
    else answer();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(port, "127.0.0.1", 4096);

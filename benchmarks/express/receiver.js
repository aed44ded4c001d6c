// What people write first: verify, forward, then answer. Nothing is stored.
// node receiver.js <port> <upstream's URL>, with the secret token in SECRET_TOKEN.
"use strict";
const crypto = require("node:crypto");
const express = require("express");

const port = Number(process.argv[2]);
const upstream = process.argv[3];
const secret = process.env.SECRET_TOKEN;
const passedOn = ["x-zm-request-timestamp", "x-zm-signature", "content-type"];

const app = express();
app.disable("x-powered-by");
app.get("/healthz", (_, response) => response.send("ok"));

app.post("/hooks/zoom/:app", express.raw({ type: "*/*", limit: "1mb" }), async (request, response) => {
  if (!isZooms(request)) return response.sendStatus(401);
  const headers = Object.fromEntries(passedOn.map((name) => [name, request.get(name)]));
  try {
    const answer = await fetch(upstream, { method: "POST", body: request.body, headers });
    await answer.arrayBuffer();
    return response.sendStatus(answer.ok ? 200 : 503);
  } catch {
    return response.sendStatus(503);
  }
});

function isZooms(request) {
  const timestamp = request.get("x-zm-request-timestamp") || "";
  const presented = Buffer.from(request.get("x-zm-signature") || "");
  const hmac = crypto.createHmac("sha256", secret).update(`v0:${timestamp}:`).update(request.body);
  const expected = Buffer.from(`v0=${hmac.digest("hex")}`);
  return presented.length === expected.length && crypto.timingSafeEqual(presented, expected);
}

app.listen(port, "127.0.0.1");

// The console's connection: what was typed goes out as it was typed, and a person's token is tried once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../../Sources/ControlAPI/Pages/connection.js";
import { Gateway, at, turn } from "./gateway.mjs";

/** A console that is connected with this, and all that it is told. */
function open(t, gateway, identity) {
  const before = globalThis.WebSocket;
  t.after(() => (globalThis.WebSocket = before));
  globalThis.WebSocket = class {
    sent = [];
    texts = [];
    constructor() {
      gateway.sockets.push(this);
    }
    addEventListener() {}
    send(text) {
      this.texts.push(text);
      this.sent.push(JSON.parse(text));
    }
    close() {}
  };
  const told = [];
  const note = (name) => (value, more) => told.push([name, more?.state ?? value.state ?? value]);
  const names = ["state", "room", "message", "members", "presence", "gap", "error"];
  const connection = new Connection(
    "ws://gateway.test/ws", identity, Object.fromEntries(names.map((name) => [name, note(name)])));
  gateway.clients.push(connection);
  connection.open();
  return { connection, told };
}

test("a number of twenty digits is sent as it was typed", async (t) => {
  const gateway = new Gateway(t);
  const { connection } = open(t, gateway, { userId: "alice" });
  await gateway.welcome();
  connection.join("r");
  await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
  const stored = connection.send("r", '{ "n": 12345678901234567890 }');
  await turn();
  assert.match(gateway.socket.texts.at(-1), /"payload":\{ "n": 12345678901234567890 \}\}$/);
  await gateway.answer("message", { type: "ack", seq: 1, timestamp: 1 });
  await stored;
});

test("a token that is refused ends the connection, and an error is told", async (t) => {
  const gateway = new Gateway(t);
  const { told } = open(t, gateway, { token: "bad" });
  await turn();
  await gateway.say({ type: "error", code: "unauthorized", message: "bad token" });
  await gateway.end(4401, "bad token");
  await gateway.pass(1_000);
  assert.deepEqual(told.at(-1), ["state", "stopped"]);
  assert.deepEqual(told.filter(([name]) => name === "error"), [["error", "bad token"]]);
  await gateway.pass(60_000);
  assert.equal(gateway.sockets.length, 1);
});

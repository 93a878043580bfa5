// The console's connection: what was typed goes out as it was typed, and a person's token is tried once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../../Sources/ControlAPI/Pages/connection.js";
import { payloadOf } from "../../Sources/ControlAPI/Pages/payload.js";
import { textsOf } from "../../Sources/ControlAPI/Pages/texts.js";
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
  const note = (name) => (value, more) => told.push([name, more?.state ?? value.state ?? value, value]);
  const names = ["state", "room", "message", "signal", "members", "presence", "gap", "error", "unwatched"];
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
  assert.deepEqual(told.at(-1).slice(0, 2), ["state", "stopped"]);
  assert.deepEqual(told.filter(([name]) => name === "error").map(([, words]) => words), ["bad token"]);
  await gateway.pass(60_000);
  assert.equal(gateway.sockets.length, 1);
});

test("what is typed as JSON goes out as it stands or not at all, text as the JSON string of it", () => {
  for (const typed of [" 1e2 ", '{"a":1,\n"a":2}', "9007199254740993", '"\\ud800"', "-0"]) {
    assert.deepEqual(payloadOf(typed, "json"), { json: typed });
  }
  for (const typed of ["", "Hello", '{"a":1,}', "01", "NaN", "\u00a01", "1,2", '1}', '"\ud800"']) {
    const { json, fault } = payloadOf(typed, "json");
    assert.equal(json, undefined, typed);
    assert.ok(fault, typed);
  }
  assert.deepEqual(payloadOf('{"a":"</script>"}\ud800', "text"), { json: '"{\\"a\\":\\"</script>\\"}\\ud800"' });
});

test("the texts of an answer's payloads are cut out byte for byte", () => {
  const payloads = [
    '{ "n" : 12345678901234567890, "payload":{"payload":[1]} }', '"]},{\\"payload\\":\\\\"', "[]", "{}", '""', "null", "[ [1 ,2],{} ]",
    JSON.stringify("[{\\".repeat(20_000)),
  ];
  const messages = payloads.map((text, index) => `{"seq":${index},"payload": ${text} ,"userId":"o'\\"],"}`);
  const answer = `{"roomId":"@\\"messages\\":[","messages" : [${messages.join(" , ")}],"more":false}`;
  const texts = textsOf(textsOf(answer).get("messages"));
  assert.deepEqual([...texts.values()].map((text) => textsOf(text).get("payload")), payloads);
  assert.equal(textsOf('{"messages":[]}').get("messages"), "[]");
  assert.deepEqual([...textsOf("[]")], []);
});

test("payloads of messages, signals and history are shown as they came", async (t) => {
  const gateway = new Gateway(t);
  const { connection, told } = open(t, gateway, { userId: "alice" });
  await gateway.welcome();
  connection.join("r");
  await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
  const big = '{ "n": 9007199254740993 }';
  const say = async (text) => {
    gateway.socket.onmessage({ data: text });
    await turn();
  };
  await say(`{"type":"message","roomId":"r","userId":"bob","msgType":1,"payload":${big},"timestamp":1,"seq":1}`);
  await say(`{"type":"signal","roomId":"r","from":"bob","payload":${big}}`);
  assert.equal(told.filter(([name]) => name === "message")[0][2].text, big);
  assert.equal(told.filter(([name]) => name === "signal")[0][2].text, big);
  assert.deepEqual([connection.isIn("r"), connection.isIn("@alice"), connection.isIn("*"), connection.isIn("s")], [true, true, true, false]);
  const page = connection.history("r", { before: 9, limit: 50 });
  const { id, before } = await gateway.request("history");
  assert.equal(before, 9);
  await say(`{"type":"history","id":${id},"roomId":"r","epoch":"e","messages":[{"userId":"bob","payload":${big},"seq":1}],"more":false}`);
  assert.equal((await page).messages[0].text, big);
  const left = connection.history("r", {});
  await gateway.request("history");
  connection.leave("r");
  await assert.rejects(left, { code: "closed" });
  assert.throws(() => connection.signal("r", "bob", "1"), { code: "not_member" });
});

test("users who may not be watched are named", async (t) => {
  const gateway = new Gateway(t);
  const { connection, told } = open(t, gateway, { userId: "alice" });
  await gateway.welcome();
  const statuses = [];
  connection.watch("bob", ({ online }) => statuses.push(online));
  connection.watch("carol", ({ online }) => statuses.push(online));
  await gateway.answer("watch", { type: "watching", users: [{ userId: "bob", online: true }, { userId: "carol", code: "forbidden" }] });
  assert.deepEqual(statuses, [true]);
  assert.deepEqual(told.filter(([name]) => name === "unwatched").map(([, , users]) => users), [["carol"]]);
});

// What goes in comes out: payloads as they are written and read, and what listeners do with them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, at, message, turn } from "./gateway.mjs";

const ack = (seq) => ({ type: "ack", seq, timestamp: 7 });

class Point {
  constructor(x) {
    this.x = x;
  }
}

test("what JSON cannot hold is refused, wherever it stands in a payload", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const cycle = {};
  cycle.cycle = cycle;
  const values = [
    new Uint8Array(2), new Float64Array(1), new DataView(new ArrayBuffer(1)), new ArrayBuffer(1), Buffer.from("b"),
    new Map([["a", 1]]), new Set([1]), new WeakMap(), NaN, Infinity, -Infinity, 10n, Object(NaN), Symbol("s"), () => 1,
    /a/, new Error("e"), Promise.resolve(1), new Date(NaN), new URLSearchParams("a=1"), cycle,
  ];
  for (const value of values) {
    for (const payload of [value, [value], { deep: [{ value }] }]) {
      await assert.rejects(room.publish(payload), { name: "MartletError", code: "invalid" }, String(value?.constructor));
      await assert.rejects(room.signal("bob", payload), { code: "invalid" });
    }
  }
  await assert.rejects(room.publish(undefined), { code: "invalid" });
  await assert.rejects(room.publish([undefined]), { code: "invalid" });
  await assert.rejects(room.publish(new Array(1)), { code: "invalid" });
  await turn();
  assert.deepEqual([gateway.sent("message"), gateway.sent("signal")], [[], []]);
});

test("what JSON holds goes out as JSON has it", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const values = [
    [null, null], [false, false], [0, 0], ["", ""], ["ü\u2028", "ü\u2028"], [[], []], [{}, {}], [1e300, 1e300],
    [{ a: undefined, b: null, __proto__: null }, { b: null }], [new Point(1), { x: 1 }],
    [new Date(0), "1970-01-01T00:00:00.000Z"], [new URL("http://x/"), "http://x/"], [Object("s"), "s"],
    [{ toJSON: () => ({ y: 2 }) }, { y: 2 }],
  ];
  for (const [value, sent] of values) {
    const stored = room.publish(value);
    assert.deepEqual((await gateway.answer("message", ack(1))).payload, sent);
    await stored;
  }
});

/** Says frames as they stand. */
async function sayText(gateway, ...texts) {
  await turn();
  for (const data of texts) gateway.socket.onmessage({ data });
  await turn();
}

const payloads = [
  "12345678901234567890", "1e2", "-0", '"\\u00fc\\"}],{["', '{"payload":{"payload":1},"a":[1,2]}', "[]", "{}", "null", "true",
  ' { "a" : [ 1 , "\\\\" ] } ', '"' + "\\n,".repeat(20_000) + '"',
];

test("a message's text is its payload as it came", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const read = [];
  room.on("message", ({ payload, text, seq }) => read.push({ payload, text, seq }));
  for (const [index, text] of payloads.entries()) {
    const frames = [
      `{"type":"message","roomId":"r","userId":"payload","msgType":1,"payload":${text},"timestamp":1,"seq":${index + 1}}`,
      `{ "payload" : ${text}, "event":"{\\"payload\\":7", "roomId":"r", "type":"message" , "seq":${index + 1}}`,
    ];
    await sayText(gateway, frames[index % 2]);
    const seq = index + 1;
    assert.deepEqual(read.pop(), { payload: JSON.parse(text), text: text.trim(), seq });
  }
});

test("history has each text as well", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const page = room.history();
  const { id } = await gateway.request("history");
  const messages = payloads.map((text, index) => `{"roomId":"r","payload":${text},"seq":${index + 1}}`);
  await sayText(gateway, `{"type":"history","id":${id},"epoch":"e","messages":[${messages.join()}],"more":false}`);
  const { messages: read } = await page;
  assert.deepEqual(read.map(({ text }) => text), payloads.map((text) => text.trim()));
  assert.deepEqual(read.map(({ payload }) => payload), payloads.map((text) => JSON.parse(text)));
  const empty = room.history();
  await gateway.answer("history", { type: "history", epoch: "e", messages: [], more: false });
  assert.deepEqual((await empty).messages, []);
});

test("other values go there and back by the options, and what is no JSON is refused", async (t) => {
  const gateway = new Gateway(t);
  const replies = [(map) => JSON.stringify([...map]), () => "12345678901234567890", () => '1,"roomId":"x"', () => undefined];
  const { client, room } = await gateway.joined(0, {
    stringify: (value) => replies.shift()(value),
    parse: (text) => new Map(JSON.parse(text)),
  });
  const errors = [];
  const read = [];
  client.on("error", ({ code }) => errors.push(code));
  room.on("message", ({ payload, text }) => read.push({ payload, text }));
  room.publish(new Map([["a", 1]]));
  assert.deepEqual((await gateway.answer("message", ack(1))).payload, [["a", 1]]);
  room.publish("of the digits");
  await turn();
  assert.equal(gateway.socket.texts.at(-1).includes('"payload":12345678901234567890}'), true);
  await assert.rejects(room.publish(1), { code: "invalid" });
  await assert.rejects(room.publish(1), { code: "invalid" });
  await gateway.say({ ...message(1), payload: [["a", 1]] }, message(2));
  assert.deepEqual(read, [{ payload: new Map([["a", 1]]), text: '[["a",1]]' }, { payload: undefined, text: '"p2"' }]);
  assert.deepEqual([errors, room.log], [["invalid", "invalid"], [1, 2]]);
});

test("one listener's writes never reach the next", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const other = client.room("r");
  const spoil = (value) => {
    for (const key of Object.keys(value)) {
      if (typeof value[key] === "object" && value[key] !== null) spoil(value[key]);
      delete value[key];
    }
    if (Array.isArray(value)) value.length = 0;
  };
  const told = {};
  for (const handle of [room, other]) {
    for (const event of ["message", "presence", "members", "gap", "signal", "state"]) {
      handle.on(event, (value) => ((told[event] ??= []).push(JSON.stringify(value)), spoil(value)));
    }
  }
  for (let count = 0; count < 2; count += 1) {
    client.on("state", (value) => ((told.client ??= []).push(JSON.stringify(value)), spoil(value)));
    client.watch(["bob"], (value) => ((told.status ??= []).push(JSON.stringify(value)), spoil(value)));
  }
  await gateway.answer("watch", { type: "watching", users: [{ userId: "bob", online: true }] });
  const list = [{ userId: "a", info: { hats: [1] }, connections: 1 }];
  await gateway.answer("members", { type: "members", count: 1, rosterVersion: 1, members: list });
  const events = [{ event: "join", userId: "b", info: { name: "B" } }];
  await gateway.say(
    { ...message(1), payload: { list: [1] } },
    { type: "signal", roomId: "r", from: "bob", payload: { sdp: 1 } },
    { type: "presence", roomId: "r", events, members: 2, rosterVersion: 2, timestamp: 1 },
    { type: "gap", roomId: "r", ...at(9, "f") },
  );
  await gateway.end(1006);
  for (const [event, values] of Object.entries(told)) {
    assert.equal(values.length % 2, 0, event);
    for (let index = 0; index < values.length; index += 2) assert.equal(values[index], values[index + 1], event);
  }
  assert.deepEqual(Object.keys(told).sort(), ["client", "gap", "members", "message", "presence", "signal", "status"]);
  assert.equal(told.members.at(-1), JSON.stringify([
    { userId: "a", info: { hats: [1] } }, { userId: "b", info: { name: "B" } },
  ]));
  assert.deepEqual(room.position, at(9, "f"));
});

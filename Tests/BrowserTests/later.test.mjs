// A gateway of a later version: what this client does not know neither breaks nor misleads it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, at, message, record, turn } from "./gateway.mjs";

const page = (rosterVersion, ...users) => ({
  type: "members", count: 9, rosterVersion, later: 1, members: users.map((userId) => ({ userId, info: {}, connections: 1, state: "away" })),
});
const presence = (rosterVersion, ...events) => ({
  type: "presence", roomId: "r", events, members: 2, rosterVersion, timestamp: 1, later: { a: 1 },
});

function rosters(room) {
  const lists = [];
  room.on("members", (members) => lists.push(members.map(({ userId }) => userId).sort().join()));
  return lists;
}

test("an event of presence that is not known has the roster read anew, and removes nobody", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = rosters(room);
  await gateway.answer("members", page(9, "a", "b"));
  await gateway.say(presence(10, { event: "update", userId: "a", info: { hat: 1 } }));
  assert.equal(gateway.sent("members").length, 0);
  await gateway.say(presence(12, { event: "leave", userId: "b" }, { event: "dance", userId: "a" }));
  // Another one while the list is read: it is read once more.
  await gateway.say(presence(13, { event: "dance", userId: "a" }));
  await gateway.answer("members", page(12, "a"));
  await gateway.answer("members", page(13, "a", "c"));
  await gateway.say(presence(14, { event: "leave", userId: "c" }));
  assert.deepEqual(lists, ["a,b", "a,b", "a,c", "a"]);
  assert.equal(gateway.sent("members").length, 0);
});

test("a change of presence that tells no events has the roster read anew", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = rosters(room);
  await gateway.answer("members", page(9, "a"));
  await gateway.say({ type: "presence", roomId: "r", delta: "…", rosterVersion: 12 });
  await gateway.answer("members", page(12, "a", "b"));
  assert.deepEqual(lists, ["a", "a,b"]);
});

test("frames, fields and values that are not known are passed over", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const failures = [];
  t.mock.method(console, "error", (error) => failures.push(error));
  for (const data of ["null", "7", '"text"', "[]", "{}", '{"type":null}', "{", ""]) {
    gateway.socket.onmessage({ data });
  }
  gateway.socket.onmessage({ data: new Uint8Array(3) });
  await gateway.say(
    { type: "later", roomId: "r" }, { type: "room", roomId: "r", event: "painted", colour: "red" },
    { type: "status", userId: "nobody", online: "perhaps" }, { ...message(1), later: [1] }, { type: "pong", load: 3 },
  );
  assert.deepEqual([room.log, failures, client.state], [[1], [], "connected"]);
});

test("what is no message of the stream does not break the position, nor the next join", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  const { seq, ...unstored } = message(0);
  await gateway.say(unstored, message(42));
  assert.deepEqual(room.position, at(42));
  await gateway.end(4999, "of a later gateway");
  await gateway.pass(1_000);
  await gateway.welcome({ userId: undefined, positions: undefined, resumed: undefined, limits: { later: 1 }, colour: "red" });
  const joins = gateway.sent("join").map(({ roomId, since }) => [roomId, since]);
  assert.deepEqual(joins, [["*", at(0)], ["r", at(42)]]);
});

test("a refusal that is not known but says when to ask again is asked again", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = record(client.room("r"));
  client.watch(["bob"], () => {});
  await gateway.welcome();
  const later = { type: "error", code: "queueing", message: "later", retryAfterMs: 2_000 };
  await gateway.answer("join", later);
  await gateway.answer("watch", later);
  assert.notEqual(room.state, "refused");
  await gateway.pass(3_000);
  assert.deepEqual([gateway.sent("join").length, gateway.sent("watch").length], [1, 1]);
});

test("a resume that says nothing of rooms joins them one by one", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  await gateway.answer("resume", { type: "resumed", streams: [] });
  await turn();
  const joins = gateway.sent("join").map(({ roomId }) => roomId).sort();
  assert.deepEqual(joins, ["*", "@alice", "r"]);
  assert.ok(room);
});

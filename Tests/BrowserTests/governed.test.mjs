// Rooms with settings, roles and a host, as a client meets them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, at } from "./gateway.mjs";

const joined = (seq) => ({ type: "joined", ...at(seq), recovered: true, members: 1, rosterVersion: 1 });

function changes(room) {
  const told = [];
  room.on("room", ({ event, version, role }) => told.push([event, version, role].filter((part) => part !== undefined).join(" ")));
  return told;
}

test("what a room is governed by is told as it is joined, and each change", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = client.room("r");
  const told = changes(room);
  await gateway.welcome();
  await gateway.answer("join", { ...joined(0), version: 7, settings: { title: "A" }, role: "moderator" });
  await gateway.say(
    { type: "room", roomId: "r", event: "updated", version: 8, settings: {} },
    { type: "room", roomId: "r", event: "role", userId: "bob", role: "host", version: 9 },
    { type: "room", roomId: "other", event: "updated", version: 8, settings: {} },
  );
  assert.deepEqual(told, ["joined 7 moderator", "updated 8", "role 9 host"]);
});

test("an order goes out with its fields, answers the version, and fails with what the gateway says", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const order = room.govern("mute", { userId: "bob", until: 99 });
  const asked = await gateway.answer("mute", { type: "ack", version: 8 });
  assert.deepEqual([asked.roomId, asked.userId, asked.until], ["r", "bob", 99]);
  assert.equal(await order, 8);
  const refused = room.govern("role", { userId: "bob", role: "host" });
  await gateway.answer("role", { type: "error", code: "forbidden", message: "the role in the room does not allow it" });
  await assert.rejects(refused, { code: "forbidden" });
  // It is not known whether it was done: nobody asks twice.
  const lost = room.govern("remove", { userId: "bob" });
  await gateway.request("remove");
  await gateway.end(1006);
  await assert.rejects(lost, { code: "disconnected" });
});

for (const event of ["removed", "closed"]) {
  test(`who is put out of a room, ${event}, does not come back by itself, and may by another handle`, async (t) => {
    const gateway = new Gateway(t);
    const { client, room } = await gateway.joined();
    const told = changes(room);
    const errors = [];
    room.on("state", ({ error }) => error && errors.push(`${error.code} ${error.message}`));
    await gateway.say({ type: "room", roomId: "r", event, version: 8, reason: event === "removed" ? "enough" : undefined });
    assert.deepEqual([told, errors], [[`${event} 8`], [event === "removed" ? "forbidden enough" : "forbidden forbidden"]]);
    await assert.rejects(room.publish(1), { code: "forbidden" });
    assert.equal(gateway.sent("join").length, 0);
    room.leave();
    await gateway.pass(10);
    client.room("r");
    await gateway.request("join");
  });
}

test("a room that a backend puts the user into is told to whoever listens", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  const told = [];
  client.on("invited", ({ roomId }) => told.push(roomId));
  await gateway.say({ type: "joined", roomId: "new", epoch: "e", seq: 3, recovered: true });
  await gateway.say({ type: "joined", roomId: "r", epoch: "e", seq: 3, recovered: true });
  assert.deepEqual(told, ["new"]);
});

test("a list of members that a role might not read is read once that is told that there is one", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = [];
  room.on("members", (members) => lists.push(members.map(({ userId }) => userId)));
  await gateway.answer("members", { type: "error", code: "forbidden", message: "the role in the room does not allow it" });
  await gateway.pass(60_000);
  assert.equal(gateway.sent("members").length, 0);
  await gateway.say({ type: "presence", roomId: "r", events: [], members: 2, rosterVersion: 1764453600007, timestamp: 1 });
  const members = [{ userId: "a", info: {}, connections: 1 }, { userId: "b", info: {}, connections: 1 }];
  await gateway.answer("members", { type: "members", members, count: 2, rosterVersion: 1764453600007 });
  assert.deepEqual(lists, [["a", "b"]]);
});

test("a payload is taken away by its number, and one's own role is told as a room goes on", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const told = changes(room);
  const redacted = room.govern("redact", { seq: 4, epoch: "e" });
  const asked = await gateway.answer("redact", { type: "ack", version: 8 });
  assert.deepEqual([asked.roomId, asked.seq, asked.epoch], ["r", 4, "e"]);
  assert.equal(await redacted, 8);
  await gateway.say({ type: "room", roomId: "r", event: "updated", version: 9, settings: {}, role: "moderator" });
  assert.deepEqual(told, ["updated 9 moderator"]);
});

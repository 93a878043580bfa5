// Nothing waits for ever: bounds of what is asked for, leaving, the queue, and a connection that no longer answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, at, message, turn } from "./gateway.mjs";

const ack = (seq) => ({ type: "ack", seq, timestamp: 7 });
const joined = { type: "joined", ...at(0), recovered: true, members: 1, rosterVersion: 1 };
const members = { type: "members", count: 1, rosterVersion: 1, members: [{ userId: "a", info: {}, connections: 1 }] };

const calls = {
  publish: (client, room, bounds) => room.publish(1, bounds),
  signal: (client, room, bounds) => room.signal("bob", 1, bounds),
  history: (client, room, bounds) => room.history({ limit: 3, ...bounds }),
  members: (client, room, bounds) => room.members(bounds),
  joined: (client, room, bounds) => room.joined(bounds),
  connect: (client, room, bounds) => client.connect(bounds),
};

for (const [name, call] of Object.entries(calls)) {
  test(`${name} waits no longer than it may without a gateway, and is not made up for later`, async (t) => {
    const gateway = new Gateway(t);
    const client = gateway.client();
    const room = client.room("r");
    const ends = [new AbortController(), new AbortController()];
    ends[1].abort(new Error("before"));
    const late = assert.rejects(call(client, room, { timeout: 3_000 }), { name: "MartletError", code: "timeout" });
    const aborted = assert.rejects(call(client, room, { signal: ends[0].signal }), { message: "mine" });
    await assert.rejects(call(client, room, { signal: ends[1].signal }), { message: "before" });
    const patient = call(client, room, { timeout: Infinity }).then(() => "answered");
    await gateway.pass(2_999);
    ends[0].abort(new Error("mine"));
    await aborted;
    await gateway.pass(1);
    await late;
    await gateway.welcome();
    await gateway.answer("join", joined);
    const type = name === "publish" ? "message" : name;
    assert.equal(gateway.sent(type).length, ["joined", "connect"].includes(name) ? 0 : 1);
    if (name === "publish") await gateway.answer(type, ack(1));
    if (name === "signal") await gateway.answer(type, { type: "ack" });
    if (name === "history") await gateway.answer(type, { type, epoch: "e", messages: [], more: false });
    if (name === "members") await gateway.answer(type, members);
    assert.equal(await patient, "answered");
  });
}

test("a timeout says whether it was sent, and what was sent is not sent again", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const other = client.room("other");
  const sent = assert.rejects(room.publish(1, { timeout: 1_000 }), { code: "timeout", sent: true });
  const waiting = assert.rejects(other.publish(2, { timeout: 1_000 }), { code: "timeout", sent: false });
  await gateway.pass(1_000);
  await Promise.all([sent, waiting]);
  // A late answer is nobody's.
  await gateway.answer("message", ack(1));
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  await gateway.answer("join", joined);
  await gateway.answer("join", joined);
  assert.equal(gateway.sent("message").length, 0);
});

test("members is bounded as a whole, not page by page", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const late = assert.rejects(room.members({ timeout: 1_000 }), { code: "timeout" });
  await gateway.pass(600);
  await gateway.answer("members", { ...members, next: "next" });
  await gateway.pass(400);
  await late;
});

test("a publish that may not wait goes at once or fails", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = client.room("r");
  const now = { queue: false };
  await assert.rejects(room.publish("no connection", now), { code: "disconnected" });
  await gateway.welcome();
  await assert.rejects(room.publish("not joined", now), { code: "disconnected" });
  await gateway.answer("join", joined);
  const stored = room.publish("there", now);
  await gateway.answer("message", ack(1));
  assert.equal((await stored).seq, 1);
  const fast = assert.rejects(room.publish("too fast", now), { code: "rate_limited" });
  await gateway.answer("message", { type: "error", code: "rate_limited", message: "slow down" });
  await fast;
  await assert.rejects(room.publish("still", now), { code: "disconnected" });
  await gateway.pass(2_000);
  const lost = assert.rejects(room.publish("lost", now), { code: "disconnected" });
  await gateway.request("message");
  await gateway.end(1006);
  await lost;
});

test("a request that is not answered has the connection asked, and given up where that is silent too", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const stored = room.publish(1);
  await gateway.pass(4_999);
  assert.equal(gateway.sent("ping").length, 0);
  await gateway.pass(1);
  await gateway.request("ping");
  await gateway.say({ type: "pong" });
  await gateway.pass(5_000);
  await gateway.request("ping");
  await gateway.pass(10_000);
  assert.equal(client.state, "waiting");
  await gateway.pass(1_000);
  await gateway.welcome();
  await gateway.answer("join", joined);
  await gateway.answer("message", ack(1));
  await stored;
  // What is answered in time causes no ping.
  for (let second = 0; second < 12; second += 1) {
    const again = room.publish(2);
    await gateway.pass(1_000);
    await gateway.answer("message", ack(2));
    await again;
  }
  assert.equal(gateway.sent("ping").length, 0);
});

test("a page without a network does not stay connected for long", async (t) => {
  const network = new EventTarget();
  const before = [globalThis.addEventListener, globalThis.removeEventListener];
  globalThis.addEventListener = network.addEventListener.bind(network);
  globalThis.removeEventListener = network.removeEventListener.bind(network);
  t.after(() => ([globalThis.addEventListener, globalThis.removeEventListener] = before));
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  network.dispatchEvent(new Event("offline"));
  await gateway.pass(1_999);
  await gateway.say({ type: "pong" });
  await gateway.pass(20_000);
  assert.equal(client.state, "connected", "a gateway on this very machine");
  network.dispatchEvent(new Event("offline"));
  await gateway.pass(2_000);
  assert.equal(client.state, "waiting");
});

test("leaving ends what waits for the room, for this handle alone, and what was published is sent", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const [room, other] = [client.room("r"), client.room("r")];
  const waits = [room.joined(), room.history(), room.members()].map((wait) => assert.rejects(wait, { code: "closed" }));
  const [stored, page] = [room.publish(1), other.history()];
  const otherJoined = other.joined();
  await room.leave();
  await Promise.all(waits);
  await gateway.welcome();
  await gateway.answer("join", joined);
  await otherJoined;
  await gateway.answer("message", ack(1));
  await stored;
  await gateway.answer("history", { type: "history", epoch: "e", messages: [], more: false });
  await page;
  assert.equal(gateway.sent("history").length, 0);
  // What is under way is given up as well.
  const wait = assert.rejects(other.history(), { code: "closed" });
  await turn();
  other.leave();
  await wait;
});

/** Keeps whether it has settled. */
function watched(promise) {
  const kept = { isSettled: false };
  promise.then(() => (kept.isSettled = true));
  return kept;
}

test("leave() settles with the gateway's answer, and where none will come", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const second = client.room("r");
  await watched(room.leave());
  await gateway.pass(1);
  assert.equal(gateway.sent("leave").length, 0);
  const last = watched(second.leave());
  await gateway.pass(1);
  assert.equal(last.isSettled, false);
  await gateway.answer("leave", { type: "left" });
  await turn();
  assert.equal(last.isSettled, true);
  // Taken over in the same turn; a stream that is never left; one that is lost with the connection.
  const third = client.room("r");
  await gateway.answer("join", joined);
  const over = watched(third.leave());
  const fourth = client.room("r");
  const inbox = watched(client.inbox().leave());
  await gateway.pass(1);
  await turn();
  assert.deepEqual([over.isSettled, inbox.isSettled], [true, true]);
  const lost = watched(fourth.leave());
  await gateway.pass(1);
  await gateway.end(1006);
  assert.equal(lost.isSettled, true);
  await client.room("s").leave();
});

test("close() settles with the gateway's answer, or soon", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  await client.close();
  client.connect();
  await client.close();
  for (const answers of [true, false]) {
    client.connect();
    await gateway.welcome();
    const closed = watched(client.close());
    await turn();
    assert.equal(closed.isSettled, false);
    if (answers) await gateway.end(1000);
    else await gateway.pass(5_000);
    assert.equal(closed.isSettled, true);
    assert.equal(client.state, "idle");
  }
});

test("a thousand publishes before the join leave the roster's own reading its place", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = client.room("r");
  const lists = [];
  room.on("members", (list) => lists.push(list.length));
  const all = Array.from({ length: 1_000 }, (_, index) => room.publish(index));
  await assert.rejects(room.publish("one more"), { code: "queue_full" });
  await gateway.welcome();
  await gateway.answer("join", joined);
  for (let count = 0; count < 200 && gateway.sent("members").length === 0; count += 1) {
    for (const _ of gateway.sent("message")) await gateway.answer("message", ack(1));
    await gateway.pass(100);
  }
  await gateway.answer("members", members);
  assert.deepEqual(lists, [1]);
  client.close();
  await Promise.allSettled(all);
});

test("the queue is bounded in bytes as well", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const payload = "u".repeat(60_000);
  const all = [];
  let refused = null;
  while (refused === null && all.length < 100) {
    const stored = room.publish(payload);
    all.push(stored);
    refused = await Promise.race([stored.catch(({ code }) => code), turn().then(() => null)]);
  }
  assert.equal(refused, "queue_full");
  assert.equal(all.length, 70);
  await gateway.answer("message", ack(1));
  const again = room.publish("small");
  await turn();
  client.close();
  await assert.rejects(again, { code: "closed" });
});

test("a roster that could not be read is read again, ever more seldom, unless it is forbidden", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = [];
  room.on("members", (list) => lists.push(list.length));
  for (const [code, wait] of [["unavailable", 1_500], ["not_found", 3_000], ["of_a_later_gateway", 6_000]]) {
    await gateway.answer("members", { type: "error", code, message: "no" });
    await gateway.pass(wait - 1);
    assert.equal(gateway.sent("members").length, 0);
    await gateway.pass(1);
  }
  await gateway.answer("members", { type: "error", code: "unavailable", message: "no", retryAfterMs: 9_000 });
  await gateway.pass(9_000);
  await gateway.answer("members", members);
  assert.deepEqual(lists, [1]);
  await gateway.say(message(1));
});

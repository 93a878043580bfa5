import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, at, message, turn } from "./gateway.mjs";

const ack = (seq) => ({ type: "ack", seq, timestamp: 7 });

test("a publish is answered with where it was stored", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const stored = room.publish({ text: "ü" }, { msgType: 9, dedupe: "mine" });
  const { id, ...frame } = await gateway.answer("message", ack(1));
  assert.deepEqual(frame, { type: "message", roomId: "r", msgType: 9, dedupe: "mine", payload: { text: "ü" } });
  assert.deepEqual(await stored, { seq: 1, timestamp: 7 });
});

test("publishes wait for their room, in their order and as they were at the call", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = client.room("r");
  const payload = { n: 1 };
  const stored = [room.publish(payload)];
  payload.n = 2;
  stored.push(room.publish(payload));
  await gateway.welcome();
  assert.equal(gateway.sent("message").length, 0);
  await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
  const [first, second] = gateway.sent("message");
  assert.deepEqual([first.payload, second.payload], [{ n: 1 }, { n: 2 }]);
  assert.notEqual(first.dedupe, second.dedupe);
  await gateway.answer("message", ack(1));
  await gateway.answer("message", ack(2));
  assert.deepEqual((await Promise.all(stored)).map(({ seq }) => seq), [1, 2]);
});

test("what was not acknowledged is sent again under its key, before what came later, and resolves once", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  let resolved = 0;
  for (const payload of ["acknowledged", "lost"]) room.publish(payload).then(() => (resolved += 1));
  await gateway.answer("message", ack(1));
  const lost = await gateway.request("message");
  await gateway.end(1006);
  const later = room.publish("later");
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  const { id } = await gateway.request("resume");
  assert.equal(gateway.sent("message").length, 0, "not before the room is there");
  await gateway.say({ type: "resumed", id, rooms: [{ roomId: "r", ...at(2), recovered: true }] });
  await gateway.say(message(1), message(2));
  const again = gateway.sent("message");
  assert.deepEqual(again.map(({ payload }) => payload), ["lost", "later"]);
  assert.equal(again[0].dedupe, lost.dedupe);
  await gateway.answer("message", ack(2));
  await gateway.answer("message", ack(3));
  assert.equal((await later).seq, 3);
  assert.equal(resolved, 2);
  assert.deepEqual(room.position, at(2));
});

test("a publish whose key the gateway may have forgotten is not sent twice", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const fate = assert.rejects(room.publish("sent"), { code: "unknown" });
  await gateway.request("message");
  await gateway.end(1006);
  const stored = room.publish("never sent");
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await gateway.pass(15_000);
    if (attempt < 19) await gateway.end(1006);
  }
  await gateway.welcome();
  await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
  await fate;
  assert.deepEqual(gateway.sent("message").map(({ payload }) => payload), ["never sent"]);
  await gateway.answer("message", ack(1));
  await stored;
});

test("the queue is bounded, and has room again once something is answered", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(0, { maxQueued: 3 });
  const first = [1, 2, 3].map((payload) => room.publish(payload));
  await assert.rejects(room.publish(4), { code: "queue_full" });
  await gateway.answer("message", ack(1));
  await first[0];
  const last = room.publish(5);
  for (const seq of [2, 3, 4]) await gateway.answer("message", ack(seq));
  assert.equal((await last).seq, 4);
});

test("a message too large is refused here, by its bytes", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(0, { maxMessageBytes: 1_000 });
  await assert.rejects(room.publish("ü".repeat(500)), { code: "too_large" });
  const stored = room.publish("u".repeat(500));
  await gateway.answer("message", ack(1));
  await stored;
});

test("a message that the gateway finds too large does not close every connection", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const small = room.publish("small");
  const large = assert.rejects(room.publish("large".repeat(100)), { code: "too_large" });
  await turn();
  await gateway.end(1009);
  await large;
  await gateway.pass(1_000);
  await gateway.welcome();
  await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
  assert.deepEqual(gateway.sent("message").map(({ payload }) => payload), ["small"]);
  await gateway.answer("message", ack(1));
  await small;
});

test("errors reject their request and no other", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const error = { name: "MartletError", code: "unavailable", message: "Redis is away" };
  const failed = assert.rejects(room.publish(1), error);
  const stored = room.publish(2);
  await gateway.answer("message", { type: "error", code: "unavailable", message: "Redis is away" });
  await gateway.answer("message", ack(1));
  await Promise.all([failed, stored]);
});

test("a publish that came too fast waits a second and goes again", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const stored = room.publish(1);
  const { dedupe } = await gateway.answer("message", { type: "error", code: "rate_limited", message: "slow down" });
  const next = room.publish(2);
  await gateway.pass(900);
  assert.equal(gateway.sent("message").length, 0);
  await gateway.pass(200);
  assert.equal(gateway.sent("message")[0].dedupe, dedupe);
  await gateway.answer("message", ack(1));
  await gateway.answer("message", ack(2));
  assert.deepEqual([(await stored).seq, (await next).seq], [1, 2]);
});

test("the gateway's word on how long to wait goes before the second", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const tooFast = { type: "error", code: "rate_limited", message: "slow down", retryAfterMs: 4_000 };
  const stored = room.publish(1);
  await gateway.answer("message", tooFast);
  await gateway.pass(3_900);
  assert.equal(gateway.sent("message").length, 0);
  await gateway.pass(200);
  await gateway.answer("message", ack(1));
  await stored;
  // The test's random delay is half of what there is.
  client.room("other");
  client.watch(["a"], () => {});
  await gateway.answer("join", tooFast);
  await gateway.answer("watch", tooFast);
  await gateway.pass(4_900);
  assert.deepEqual([gateway.sent("join"), gateway.sent("watch")], [[], []]);
  await gateway.pass(200);
  assert.deepEqual([gateway.sent("join").length, gateway.sent("watch").length], [1, 1]);
  const signal = assert.rejects(room.signal("bob", 1), { code: "unavailable", retryAfterMs: 7 });
  await gateway.answer("signal", { type: "error", code: "unavailable", message: "later", retryAfterMs: 7 });
  await signal;
});

test("no more goes out than the gateway takes", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const all = Array.from({ length: 400 }, (_, index) => room.publish(index));
  const counts = [];
  for (let second = 0; second < 4; second += 1) {
    await turn();
    counts.push(gateway.sent("message").length);
    await gateway.pass(1_000);
  }
  assert.ok(counts[0] <= 150 && counts[1] <= 250 && counts[2] <= 350 && counts[3] === 400, counts.join());
  for (let seq = 1; seq <= 400; seq += 1) await gateway.answer("message", ack(seq));
  await Promise.all(all);
});

test("what the gateway says that it takes goes before options that are above it", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client({ maxMessageBytes: 100_000, messagesPerSecond: 1_000 });
  const room = client.room("r");
  const early = assert.rejects(room.publish("u".repeat(5_000)), { code: "too_large" });
  await gateway.welcome({ limits: { messageBytes: 1_000, messagesPerSecond: 10, messageBurst: 40 } });
  await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
  await early;
  await assert.rejects(room.publish("u".repeat(1_000)), { code: "too_large" });
  const all = Array.from({ length: 60 }, (_, index) => room.publish(index));
  await turn();
  const first = gateway.sent("message").length;
  assert.ok(first > 20 && first <= 30, `${first} at once`);
  await gateway.pass(1_000);
  const second = gateway.sent("message").length - first;
  assert.ok(second > 5 && second <= 10, `${second} in a second`);
  client.close();
  await Promise.allSettled(all);
});

test("options below what the gateway takes bound it, and without options its word alone counts", async (t) => {
  const gateway = new Gateway(t);
  const limits = { messageBytes: 100_000, messagesPerSecond: 1_000, messageBurst: 4_000 };
  const begin = async (options) => {
    const room = gateway.client(options).room("r");
    await gateway.welcome({ limits });
    await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
    return room;
  };
  const publishAll = (room) => {
    for (let index = 0; index < 300; index += 1) room.publish(index).catch(() => {});
  };
  const bound = await begin({ maxMessageBytes: 1_000, messagesPerSecond: 10 });
  const refused = bound.publish("u".repeat(1_000)).catch(({ code }) => code);
  assert.equal(await Promise.race([refused, turn()]), "too_large");
  publishAll(bound);
  await turn();
  const first = gateway.sent("message").length;
  assert.ok(first > 5 && first <= 20, `${first} at once`);
  await gateway.pass(1_000);
  const second = gateway.sent("message").length - first;
  assert.ok(second > 5 && second <= 10, `${second} in a second`);
  const free = await begin({});
  free.publish("u".repeat(90_000)).catch(() => {});
  publishAll(free);
  await turn();
  assert.equal(gateway.sent("message").length, 301);
});

test("a membership that the gateway has lost is mended under a publish", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(3);
  const stored = room.publish(1);
  await gateway.answer("message", { type: "error", code: "not_member", message: "join first" });
  assert.deepEqual((await gateway.answer("join", { type: "joined", ...at(3), recovered: true })).since, at(3));
  await gateway.answer("message", ack(4));
  await stored;
});

test("what was published before leaving is sent, and then the room is left", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  await gateway.end(1006);
  const stored = room.publish("bye");
  room.leave();
  await gateway.pass(1_000);
  await gateway.welcome();
  await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
  assert.equal(gateway.sent("leave").length, 0);
  await gateway.answer("message", ack(1));
  await stored;
  assert.equal((await gateway.request("leave")).roomId, "r");
});

test("what is asked of a room waits for its join, and whatever but reading is refused with it", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const [room, secret] = [client.room("r"), client.room("secret")];
  const page = room.history({ limit: 1 });
  const members = room.members();
  const refused = [secret.publish(1), secret.signal("bob", 1)].map((wait) => assert.rejects(wait, { code: "forbidden" }));
  await gateway.welcome();
  assert.deepEqual([gateway.sent("history"), gateway.sent("members")], [[], []]);
  await gateway.answer("join", { type: "joined", ...at(3), recovered: true });
  await gateway.answer("join", { type: "error", code: "forbidden", message: "no" });
  assert.equal((await gateway.answer("history", { type: "history", epoch: "e", messages: [], more: false })).roomId, "r");
  await gateway.answer("members", { type: "members", members: [], count: 0, rosterVersion: 1 });
  assert.deepEqual([await page, await members], [{ epoch: "e", messages: [], more: false }, []]);
  await Promise.all(refused);
  assert.deepEqual([gateway.sent("message"), gateway.sent("signal")], [[], []]);
});

test("an observer, who may not join, reads the log and the members all the same", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = client.room("r");
  const early = room.history({ limit: 1 });
  await gateway.welcome();
  await gateway.answer("join", { type: "error", code: "forbidden", message: "no" });
  const log = { type: "history", epoch: "e", messages: [message(3)], more: false };
  assert.equal((await gateway.answer("history", log)).limit, 1);
  const [later, members] = [room.history(), room.members()];
  await gateway.answer("history", log);
  await gateway.answer("members", page(9, ["a"], "next"));
  await gateway.answer("members", page(9, ["b", "a"])); // One may be on several pages.
  const read = [{ ...message(3), text: '"p3"' }];
  assert.deepEqual((await Promise.all([early, later])).map(({ messages }) => messages), [read, read]);
  assert.deepEqual((await members).map(({ userId }) => userId), ["a", "b"]);
  await assert.rejects(room.joined(), { code: "forbidden" });
  assert.deepEqual(gateway.sent("join"), []);
});

test("who may neither join nor read is told so, and does not join again for it", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = client.room("r");
  await gateway.welcome();
  await gateway.answer("join", { type: "error", code: "forbidden", message: "no" });
  const refused = [room.history(), room.members()].map((wait) => assert.rejects(wait, { code: "forbidden" }));
  await gateway.answer("history", { type: "error", code: "not_member", message: "join the room first" });
  await gateway.answer("members", { type: "error", code: "forbidden", message: "no" });
  await Promise.all(refused);
  assert.deepEqual(gateway.sent("join"), []);
});

test("what is no room's name is not asked for anything", async (t) => {
  const gateway = new Gateway(t);
  const room = gateway.client().room("");
  const refused = assert.rejects(room.history(), { code: "bad_request" });
  await gateway.welcome();
  await gateway.answer("join", { type: "error", code: "bad_request", message: "no name" });
  await refused;
  await assert.rejects(room.members(), { code: "bad_request" });
  assert.deepEqual([gateway.sent("history"), gateway.sent("members")], [[], []]);
});

test("history is asked again after a loss, four at once", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const pages = Array.from({ length: 6 }, () => room.history({ before: 40, limit: 2 }));
  await turn();
  assert.equal(gateway.sent("history").length, 4);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  const resumed = { type: "resumed", rooms: [{ roomId: "r", ...at(0), recovered: true }] };
  await gateway.answer("resume", resumed);
  for (let page = 0; page < 6; page += 1) {
    const reply = { type: "history", epoch: "e", messages: [message(39)], more: true };
    const { before, limit, roomId } = await gateway.answer("history", reply);
    assert.deepEqual([roomId, before, limit], ["r", 40, 2]);
  }
  const read = { ...message(39), text: '"p39"' };
  assert.deepEqual((await Promise.all(pages))[5], { epoch: "e", messages: [read], more: true });
});

test("signals are sent once or fail", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const heard = [];
  room.on("signal", (signal) => heard.push(signal));
  const sent = room.signal("bob", { sdp: "x" });
  const { id, ...frame } = await gateway.answer("signal", { type: "ack" });
  assert.deepEqual(frame, { type: "signal", to: "bob", roomId: "r", payload: { sdp: "x" } });
  await sent;
  const lost = assert.rejects(room.signal("bob", 2), { code: "disconnected" });
  await gateway.say({ type: "signal", roomId: "r", from: "bob", payload: 3 });
  await gateway.end(1006);
  await lost;
  assert.deepEqual(heard, [{ from: "bob", payload: 3 }]);
});

test("watched users are told at first, as they change, and after a loss only if they changed", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  const told = [];
  const off = client.watch(["a", "b"], (status) => told.push(status));
  const initial = [{ userId: "a", online: true }, { userId: "b", online: false, lastSeen: 5 }];
  const first = await gateway.answer("watch", { type: "watching", users: initial });
  assert.deepEqual(first.users, ["a", "b"]);
  await gateway.say({ type: "status", userId: "a", online: false, timestamp: 9 });
  await gateway.say({ type: "status", userId: "c", online: true, timestamp: 9 });
  assert.deepEqual(told.splice(0), [...initial, { userId: "a", online: false, lastSeen: 9 }]);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  const later = [{ userId: "a", online: false, lastSeen: 9 }, { userId: "b", online: true }];
  await gateway.answer("watch", { type: "watching", users: later });
  assert.deepEqual(told.splice(0), [{ userId: "b", online: true }]);
  // Another listener for the same user costs no frame and hears at once.
  const offOther = client.watch(["b"], (status) => told.push(status));
  await turn();
  assert.deepEqual(told.splice(0), [{ userId: "b", online: true }]);
  off();
  await gateway.pass(1);
  assert.deepEqual((await gateway.request("unwatch")).users, ["a"]);
  offOther();
  client.watch(["b"], () => {});
  await gateway.pass(1);
  assert.deepEqual([gateway.sent("watch"), gateway.sent("unwatch")], [[], []]);
});

test("many users are watched in several frames, and a refusal is told", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  const errors = [];
  client.on("error", ({ code }) => errors.push(code));
  client.watch(Array.from({ length: 250 }, (_, index) => `u${index}`), () => {});
  await turn();
  assert.deepEqual(gateway.sent("watch").map(({ users }) => users.length), [100, 100, 50]);
  await gateway.answer("watch", { type: "error", code: "forbidden", message: "too many" });
  await gateway.answer("watch", { type: "error", code: "unavailable", message: "later" });
  assert.deepEqual(errors, ["forbidden"]);
  await gateway.request("watch");
  await gateway.pass(1_500);
  assert.deepEqual(gateway.sent("watch").map(({ users }) => users.length), [100]);
});

test("who may not be watched is told of, and the others are watched", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  const told = [];
  const errors = [];
  client.on("error", ({ code, users }) => errors.push({ code, users }));
  client.watch(["a", "b", "c"], (status) => told.push(status));
  const refused = (userId) => ({ userId, code: "forbidden" });
  await gateway.answer("watch", { type: "watching", users: [refused("a"), { userId: "b", online: true }, refused("c")] });
  assert.deepEqual(told, [{ userId: "b", online: true }]);
  assert.deepEqual(errors, [{ code: "forbidden", users: ["a", "c"] }]);
});

const presence = (rosterVersion, ...events) => ({
  type: "presence", roomId: "r", events, members: 1, rosterVersion, timestamp: 1,
});
const join = (userId) => ({ event: "join", userId, info: {} });
const leave = (userId) => ({ event: "leave", userId });
const page = (rosterVersion, users, next) => ({
  type: "members", count: 9, rosterVersion, next,
  members: users.map((userId) => ({ userId, info: {}, connections: 1 })),
});

function rosters(room) {
  const lists = [];
  room.on("members", (members) => lists.push(members.map(({ userId }) => userId).sort().join()));
  return lists;
}

test("members are read page by page", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const members = room.members();
  await gateway.answer("members", page(9, ["a"], "next"));
  assert.equal((await gateway.answer("members", page(9, ["b"]))).cursor, "next");
  assert.deepEqual(await members, ["a", "b"].map((userId) => ({ userId, info: {}, connections: 1 })));
});

test("the list of members follows the presence frames", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const changes = [];
  room.on("presence", ({ rosterVersion }) => changes.push(rosterVersion));
  const lists = rosters(room);
  await gateway.answer("members", page(9, ["alice"]));
  const bundle = presence(12, join("carol"), leave("bob"));
  await gateway.say(presence(10, join("bob")), bundle, bundle);
  assert.deepEqual(lists, ["alice", "alice,bob", "alice,carol", "alice,carol"]);
  assert.deepEqual(changes, [10, 12, 12]);
  assert.equal(gateway.sent("members").length, 0);
});

test("changes while the pages are read are not lost", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = rosters(room);
  await gateway.answer("members", page(9, ["a", "b"], "next"));
  await gateway.say(presence(10, leave("a")), presence(11, join("z")));
  await gateway.answer("members", page(11, ["c", "z"]));
  assert.deepEqual(lists, ["b,c,z"]);
});

test("a missing step, and one that nobody saw, has the list read anew", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = rosters(room);
  await gateway.answer("members", page(9, ["a"]));
  await gateway.say(presence(11, join("c")));
  await gateway.answer("members", page(11, ["a", "b", "c"]));
  await gateway.say(presence(14));
  await gateway.say(presence(15, join("d")));
  await gateway.answer("members", page(14, ["c"]));
  assert.deepEqual(lists, ["a", "a,b,c", "c,d"]);
});

test("after a loss the list is read anew, and what an old page says is forgotten", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = rosters(room);
  await gateway.request("members");
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  await gateway.answer("join", { type: "joined", ...at(0), recovered: true });
  await gateway.answer("members", page(20, ["a"]));
  await gateway.say(presence(21, join("b")));
  assert.deepEqual(lists, ["a", "a,b"]);
  assert.equal(gateway.sent("members").length, 0);
});

test("where presence may not be seen the room works without", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = rosters(room);
  await gateway.answer("members", { type: "error", code: "forbidden", message: "off" });
  await gateway.say(message(1));
  assert.deepEqual([lists, room.log], [[], [1]]);
  const refused = assert.rejects(room.members(), { code: "forbidden" });
  await gateway.answer("members", { type: "error", code: "forbidden", message: "off" });
  await refused;
});

test("a net change leads from its version to another, and from no other version", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const lists = rosters(room);
  const net = (from, rosterVersion, members, ...events) => ({ ...presence(rosterVersion, ...events), from, members });
  await gateway.answer("members", page(9, ["a", "b"]));
  await gateway.say(net(9, 15, 2, join("c"), leave("a")), net(9, 15, 2, join("x")));
  // Somebody came and went: nothing is left of it but the version.
  await gateway.say(net(15, 17, 2), presence(18, join("d")));
  assert.deepEqual(lists, ["a,b", "b,c", "b,c", "b,c", "b,c,d"]);
  assert.equal(gateway.sent("members").length, 0);
  // A hole before it.
  await gateway.say(net(19, 21, 3, leave("d")));
  await gateway.answer("members", page(23, ["b", "c"]));
  // The list was read in its midst: good where the numbers agree, else read once more.
  await gateway.say(net(21, 25, 3, join("e")));
  assert.deepEqual(lists.slice(5), ["b,c", "b,c,e"]);
  await gateway.say(net(24, 28, 3, join("f")));
  await gateway.answer("members", page(28, ["b", "c", "f"]));
  assert.deepEqual(lists.slice(7), ["b,c,f"]);
});

test("what has no method is asked as a frame, of the gateway or about a room", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const turn = client.request({ type: "turn" });
  const asked = await gateway.answer("turn", { type: "turn", urls: ["turn:t"], username: "1:a", credential: "c", ttl: 1 });
  assert.deepEqual((await turn).urls, ["turn:t"]);
  assert.equal(asked.roomId, undefined);
  const shown = room.request({ type: "presence", info: { mood: "glad" } });
  const frame = await gateway.answer("presence", { type: "ack" });
  assert.deepEqual([frame.roomId, frame.info], ["r", { mood: "glad" }]);
  assert.equal((await shown).type, "ack");
  const refused = client.request({ type: "state", state: "asleep" });
  await gateway.answer("state", { type: "error", code: "bad_request", message: "no" });
  await assert.rejects(refused, { code: "bad_request" });
  const lost = client.request({ type: "turn" });
  await gateway.request("turn");
  await gateway.end(1006);
  await assert.rejects(lost, { code: "disconnected" });
  const late = client.request({ type: "turn" }, { timeout: 1 });
  await gateway.pass(1);
  await assert.rejects(late, { code: "timeout" });
});

test("a watched user who is away is told so, once", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  const told = [];
  client.watch(["a"], (status) => told.push(status));
  await gateway.answer("watch", { type: "watching", users: [{ userId: "a", online: true, state: "active" }] });
  for (let count = 0; count < 2; count += 1) {
    await gateway.say({ type: "status", userId: "a", online: true, state: "away", timestamp: 5 });
  }
  await gateway.say({ type: "status", userId: "a", online: false, timestamp: 9 });
  assert.deepEqual(told, [
    { userId: "a", online: true, state: "active" }, { userId: "a", online: true, state: "away" },
    { userId: "a", online: false, lastSeen: 9 },
  ]);
});

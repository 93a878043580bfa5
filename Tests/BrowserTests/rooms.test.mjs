import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, at, message, record, turn } from "./gateway.mjs";

const joined = (seq, recovered = true, epoch = "e") => ({
  type: "joined", ...at(seq, epoch), recovered, members: 1, rosterVersion: 1,
});

test("a room begins where it was joined", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  assert.deepEqual(room.position, at(41));
  await gateway.say(message(42), message(43));
  assert.deepEqual(room.log, [42, 43]);
  assert.deepEqual(room.position, at(43));
});

test("a message carries what names it, its payload's text, and no more than the frame", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  let got;
  room.on("message", (value) => (got = value));
  await gateway.say(message(1));
  const read = { payload: "p1", text: '"p1"' };
  assert.deepEqual(got, { roomId: "r", userId: "bob", msgType: 1, ...read, timestamp: 1, seq: 1, epoch: "e" });
});

test("repeats are dropped", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(5);
  await gateway.say(message(5), message(6), message(6), message(4), message(7));
  assert.deepEqual(room.log, [6, 7]);
});

test("a resumed session gives all positions in one frame, and its rooms wait for the answer", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined(41);
  const inbox = record(client.inbox());
  await gateway.say(message(42), message(1, "@alice"));
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true, positions: {} });
  const resume = await gateway.request("resume");
  assert.deepEqual(resume.since, { r: at(42), "@alice": at(1), "*": at(0) });
  assert.equal(gateway.sent("join").length, 0);
  // Something live that slips out before the answer comes again after it.
  await gateway.say(message(44));
  const back = (roomId, seq) => ({ roomId, ...at(seq), recovered: true });
  await gateway.say({ type: "resumed", id: resume.id, rooms: [back("r", 44), back("@alice", 2), back("*", 0)] });
  await gateway.say(message(43), message(44), message(45), message(2, "@alice"));
  assert.deepEqual(room.log, [42, 43, 44, 45]);
  assert.deepEqual(inbox.log, [1, 2]);
});

test("a room may be called as JavaScript's own things are", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined(41);
  const names = ["__proto__", "constructor", "toString"];
  const rooms = names.map((name) => record(client.room(name)));
  await turn();
  for (const [index, name] of names.entries()) {
    const { id } = gateway.sent("join").find(({ roomId }) => roomId === name);
    await gateway.say({ ...joined(index + 1), id, roomId: name });
  }
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true, positions: {} });
  const resume = await gateway.request("resume");
  assert.deepEqual(Object.entries(resume.since).filter(([name]) => names.includes(name)), [
    ["__proto__", at(1)], ["constructor", at(2)], ["toString", at(3)],
  ]);
  const back = (roomId, seq) => ({ roomId, ...at(seq), recovered: true });
  await gateway.say({
    type: "resumed", id: resume.id, rooms: [back("r", 41), back("*", 0), ...names.map((name, i) => back(name, i + 1))],
  });
  assert.deepEqual(rooms.map((room) => room.position), [at(1), at(2), at(3)]);
});

test("a session that is gone joins all rooms again from where they were", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined(41);
  const everyone = record(client.everyone());
  await gateway.say(message(42));
  await gateway.end(4413);
  await gateway.pass(1_000);
  await gateway.welcome({ session: "s2", positions: { "@alice": at(0), "*": at(2) } });
  // Live, from the positions of the welcome on, while what was missed is asked for.
  await gateway.say(message(3, "*"));
  const joins = [await gateway.request("join"), await gateway.request("join")];
  assert.deepEqual(joins.map(({ roomId, since }) => [roomId, since]), [["*", at(0)], ["r", at(42)]]);
  await gateway.say({ id: joins[0].id, roomId: "*", ...joined(3) }, message(1, "*"), message(2, "*"), message(3, "*"));
  await gateway.say({ id: joins[1].id, roomId: "r", ...joined(44) }, message(43), message(44), message(4, "*"));
  assert.deepEqual(room.log, [42, 43, 44]);
  assert.deepEqual(everyone.log, [1, 2, 3, 4]);
});

test("a message that left this client out is not missing", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined(41);
  await gateway.say({ type: "seen", roomId: "r", seq: 42 }, message(43), { type: "seen", roomId: "r", seq: 40 }, message(44));
  assert.deepEqual(room.log, [43, 44]);
  assert.equal(gateway.sent("join").length, 0);
  client.close();
});

test("what is volatile has a name and no key, and fails with its connection", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined(41);
  const room = client.room("r");
  const sent = room.publish({}, { event: "typing", echo: false, volatile: true });
  const { id, dedupe, event, echo, volatile } = await gateway.request("message");
  assert.deepEqual([dedupe, event, echo, volatile], [undefined, "typing", false, true]);
  await gateway.say({ type: "ack", id, roomId: "r", timestamp: 5 });
  assert.deepEqual(await sent, { seq: undefined, timestamp: 5 });
  const lost = assert.rejects(room.publish({}, { volatile: true }), { code: "disconnected" });
  await gateway.request("message");
  await gateway.end(1006);
  await lost;
  client.close();
});

test("what missed nothing is not asked for again", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  const everyone = record(client.everyone());
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  await gateway.request("join");
  assert.equal(gateway.sent("join").length, 0);
  await gateway.say(message(1, "*"));
  assert.deepEqual(everyone.log, [1]);
});

test("what the log no longer holds is told as a gap, once", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  const { id } = await gateway.request("resume");
  await gateway.say({ type: "resumed", id, rooms: [{ roomId: "r", ...at(9, "f"), recovered: false }] });
  await gateway.say(message(9), message(10));
  assert.deepEqual(room.log, ["gap 41 9", 10]);
  assert.deepEqual(room.position, at(10, "f"));
});

test("a message without a number reaches the listeners and moves nothing", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  const { seq, ...typing } = message(0);
  await gateway.say({ ...typing, volatile: true, event: "typing" }, message(42));
  assert.deepEqual(room.log, [undefined, 42]);
  await gateway.say(typing);
  assert.deepEqual(room.position, at(42));
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  const join = await gateway.request("join");
  assert.deepEqual(join.since, at(42));
  // It will not come again with what was missed.
  await gateway.say(typing);
  assert.deepEqual(room.log.slice(2), [undefined, undefined]);
});

test("gap and epoch frames move the position", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  await gateway.say({ type: "epoch", roomId: "r", ...at(41, "f") }, message(42));
  assert.deepEqual(room.position, at(42, "f"));
  await gateway.say({ type: "gap", roomId: "r", ...at(1, "g") }, message(2));
  assert.deepEqual(room.log, [42, "gap 42 1", 2]);
  assert.deepEqual(room.position, at(2, "g"));
});

test("positions that are good under another epoch carry that one from then on", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  const join = await gateway.request("join");
  await gateway.say({ id: join.id, roomId: "r", ...joined(43, true, "f") }, message(42));
  assert.deepEqual(room.position, at(42, "f"));
  assert.deepEqual(room.log, [42]);
});

test("a hole that nobody told of is asked for, and told as a gap where that does not help", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  await gateway.say(message(44), message(45));
  assert.deepEqual(room.log, []);
  const join = await gateway.request("join");
  assert.deepEqual(join.since, at(41));
  await gateway.say({ id: join.id, roomId: "r", ...joined(45) }, message(42), message(43), message(44), message(45));
  assert.deepEqual(room.log, [42, 43, 44, 45]);
  await gateway.say(message(48));
  const again = await gateway.request("join");
  await gateway.say({ id: again.id, roomId: "r", ...joined(48) }, message(48));
  assert.deepEqual(room.log.slice(4), ["gap 45 47", 48]);
  assert.equal(gateway.sent("join").length, 0);
});

test("a stream that was at 0 notices that its first messages are gone", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(0);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  // The log's answer to `since` 0 is all that it holds.
  await gateway.answer("join", joined(500));
  await gateway.say(message(301), message(302));
  assert.deepEqual(room.log, ["gap 0 300", 301, 302]);
});

test("all that the log holds can be asked for, without a gap before it", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = record(client.room("r", { since: { seq: 0 } }));
  await gateway.welcome();
  const { since } = await gateway.answer("join", joined(500));
  assert.deepEqual(since, { seq: 0 });
  await gateway.say(message(301), message(302));
  assert.deepEqual(room.log, [301, 302]);
  assert.deepEqual(room.position, at(302));
});

test("a kept position begins a new page's stream where the old one ended", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = record(client.room("r", { since: at(41) }));
  const inbox = record(client.inbox({ since: { seq: 0 } }));
  await gateway.welcome({ positions: { "@alice": at(7), "*": at(0) } });
  const joins = [await gateway.request("join"), await gateway.request("join")];
  const byRoom = Object.fromEntries(joins.map((join) => [join.roomId, join]));
  assert.deepEqual(byRoom.r.since, at(41));
  assert.deepEqual(byRoom["@alice"].since, { seq: 0 });
  await gateway.say({ id: byRoom["@alice"].id, roomId: "@alice", ...joined(7) });
  await gateway.say(message(6, "@alice"), message(7, "@alice"));
  await gateway.say({ id: byRoom.r.id, roomId: "r", ...joined(42) }, message(42));
  assert.deepEqual([room.log, inbox.log], [[42], [6, 7]]);
});

test("another user's inbox begins anew", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  const inbox = record(client.inbox());
  await gateway.say(message(1, "@alice"));
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ userId: "bob", positions: { "@bob": at(7), "*": at(0) } });
  await gateway.say(message(8, "@bob"));
  assert.deepEqual(inbox.log, [1, 8]);
  assert.equal(inbox.id, "@bob");
});

test("React's StrictMode mounts twice, and the room is joined once", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const first = record(client.room("r"));
  first.leave();
  const second = record(client.room("r"));
  await gateway.welcome();
  await gateway.pass(1);
  await gateway.answer("join", joined(0));
  await gateway.say(message(1));
  assert.deepEqual([first.log, second.log], [[], [1]]);
  // The same again on a living connection.
  second.leave();
  const third = record(client.room("r"));
  await gateway.pass(100);
  await gateway.say(message(2));
  assert.deepEqual([second.log, third.log], [[1], [2]]);
  assert.deepEqual([gateway.sent("join"), gateway.sent("leave"), gateway.sockets.length], [[], [], 1]);
});

test("the last handle leaves the room, and a later one begins at the head", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined(0);
  const other = record(client.room("r"));
  await gateway.say(message(1));
  room.leave();
  await gateway.pass(1);
  await gateway.say(message(2));
  assert.equal(gateway.sent("leave").length, 0);
  other.leave();
  await gateway.pass(1);
  const late = record(client.room("r"));
  await gateway.answer("leave", { type: "left" });
  const join = await gateway.request("join");
  assert.equal(join.since, undefined);
  await gateway.say({ id: join.id, roomId: "r", ...joined(9) }, message(10));
  assert.deepEqual([room.log, other.log, late.log], [[1], [1, 2], [10]]);
});

test("a leave that came too fast is said again", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(0);
  room.leave();
  await gateway.pass(1);
  await gateway.answer("leave", { type: "error", code: "rate_limited", message: "slow down" });
  await gateway.pass(1_000);
  await gateway.answer("leave", { type: "left" });
  await gateway.pass(60_000);
  assert.equal(gateway.sent("leave").length, 0);
});

test("a room left without a connection is left when the session comes back with it", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(0);
  await gateway.end(1006);
  room.leave();
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  const { id } = await gateway.request("resume");
  await gateway.say({ type: "resumed", id, rooms: [{ roomId: "r", ...at(0), recovered: true }] });
  assert.equal((await gateway.request("leave")).roomId, "r");
});

test("a room that is asked for another position while it is being joined is joined once more", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const first = client.room("r");
  await gateway.welcome();
  const join = await gateway.request("join");
  first.leave();
  const second = record(client.room("r", { since: at(5) }));
  await gateway.say({ id: join.id, roomId: "r", ...joined(7) });
  const again = await gateway.request("join");
  assert.deepEqual(again.since, at(5));
  await gateway.say({ id: again.id, roomId: "r", ...joined(7) }, message(6), message(7));
  assert.deepEqual(second.log, [6, 7]);
});

test("a refused room says so to its handle and to what waits for it", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = record(client.room("secret"));
  const waits = [room.joined(), room.publish(1)].map((wait) => assert.rejects(wait, { code: "forbidden" }));
  await gateway.welcome();
  await gateway.answer("join", { type: "error", code: "forbidden", message: "no" });
  await Promise.all(waits);
  assert.equal(room.state, "refused");
  await assert.rejects(room.publish(2), { code: "forbidden" });
  // Another connection may be allowed more.
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  await gateway.answer("join", joined(3));
  await room.joined();
  assert.equal(room.state, "joined");
});

test("rooms no longer allowed are told when a session resumes, and when a token narrows", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined(0);
  const other = record(client.room("other"));
  await gateway.answer("join", joined(0));
  await gateway.say({ type: "left", roomId: "other" });
  assert.equal(other.state, "refused");
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  const { id } = await gateway.request("resume");
  await gateway.say({ type: "resumed", id, rooms: [{ roomId: "r", code: "forbidden" }] });
  await assert.rejects(room.joined(), { code: "forbidden" });
});

for (const code of ["unavailable", "conflict", "not_found", "of_a_later_gateway"]) {
  test(`a room that a session could not bring back, ${code}, is joined again, and loses nothing`, async (t) => {
    const gateway = new Gateway(t);
    const { room } = await gateway.joined(0);
    await gateway.say(message(1));
    await gateway.end(1006);
    await gateway.pass(1_000);
    await gateway.welcome({ resumed: true });
    const { id } = await gateway.request("resume");
    const others = ["*", "@alice"].map((roomId) => ({ roomId, ...at(0), recovered: true }));
    await gateway.say({ type: "resumed", id, rooms: [...others, { roomId: "r", code }] });
    assert.notEqual(room.state, "refused");
    // The room goes on by itself too, and what that brings comes again.
    await gateway.say({ type: "gap", roomId: "r", ...at(1) }, message(2));
    await gateway.pass(1_500);
    const join = await gateway.request("join");
    assert.deepEqual(join.since, at(1));
    await gateway.say({ id: join.id, roomId: "r", ...joined(2) }, message(2), message(3));
    assert.deepEqual(room.log, [1, 2, 3]);
    assert.equal(room.state, "joined");
  });
}

test("a join is tried again where Redis is away", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = client.room("r");
  await gateway.welcome();
  await gateway.answer("join", { type: "error", code: "unavailable", message: "later" });
  assert.equal(gateway.sent("join").length, 0);
  await gateway.pass(1_000);
  await gateway.answer("join", joined(3));
  await room.joined();
});

test("a resume that fails is made up for room by room", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined(41);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  await gateway.answer("resume", { type: "error", code: "unavailable", message: "later" });
  const joins = [await gateway.request("join"), await gateway.request("join"), await gateway.request("join")];
  const join = joins.find(({ roomId }) => roomId === "r");
  assert.deepEqual(join.since, at(41));
  await gateway.say({ id: join.id, roomId: "r", ...joined(42) }, message(42));
  assert.deepEqual(room.log, [42]);
});

test("a resumed room that could not be had just now is joined again, others are not held up", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined(41);
  const other = record(client.room("other"));
  await gateway.answer("join", joined(3));
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  const { id } = await gateway.request("resume");
  const everyone = { roomId: "*", ...at(0), recovered: true };
  const rooms = [{ roomId: "r", code: "unavailable" }, { roomId: "other", code: "not_member" }, everyone];
  await gateway.say({ type: "resumed", id, rooms });
  // Live ones that come before the join is answered are not taken: they come again.
  await gateway.say(message(43), message(5, "other"));
  assert.deepEqual(gateway.sent("join").map(({ roomId }) => roomId), ["@alice"]);
  await gateway.request("join");
  await gateway.pass(1_500);
  const joins = [await gateway.request("join"), await gateway.request("join")];
  assert.deepEqual(joins.map(({ roomId, since }) => [roomId, since]), [["r", at(41)], ["other", at(3)]]);
  await gateway.say({ id: joins[0].id, roomId: "r", ...joined(43) }, message(42), message(43));
  await gateway.say({ id: joins[1].id, roomId: "other", ...joined(5) }, message(4, "other"), message(5, "other"));
  assert.deepEqual([room.log, other.log], [[42, 43], [4, 5]]);
});

test("the streams of a user whom nobody listens to are not asked for in a storm", async (t) => {
  const gateway = new Gateway(t);
  await gateway.joined(0);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ positions: { "@alice": at(1), "*": at(0) } });
  for (let round = 0; round < 3; round += 1) {
    assert.equal(gateway.sent("join").filter(({ roomId }) => roomId === "@alice").length, 1);
    const index = gateway.socket.sent.findIndex(({ roomId }) => roomId === "@alice");
    const [{ id }] = gateway.socket.sent.splice(index, 1);
    await gateway.say({ type: "error", id, code: "unavailable", message: "later" });
    assert.equal(gateway.sent("join").filter(({ roomId }) => roomId === "@alice").length, 0);
    await gateway.pass(1_500);
  }
});

test("more rooms than a frame can name are resumed and joined, within the gateway's limits", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client({ maxMessageBytes: 20_000 });
  const rooms = Array.from({ length: 300 }, (_, index) => record(client.room(`room-${index}-`.padEnd(60, "x"))));
  await gateway.welcome();
  let seen = 0;
  const answerJoins = async (since) => {
    for (let round = 0; round < 100 && seen < 300; round += 1) {
      for (const join of gateway.sent("join")) {
        assert.deepEqual(join.since, since);
        await gateway.request("join");
        await gateway.say({ id: join.id, roomId: join.roomId, ...joined(5) });
        seen += 1;
      }
      await gateway.pass(100);
    }
  };
  assert.ok(gateway.sent("join").length <= 150, "no more than the gateway takes at once");
  await answerJoins(undefined);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome({ resumed: true });
  const resume = await gateway.request("resume");
  assert.ok(JSON.stringify(resume).length < 20_000);
  seen = Object.keys(resume.since).length - 2;
  assert.ok(seen > 20 && seen < 300, `${seen} rooms`);
  const answers = Object.entries(resume.since).map(([roomId, position]) => ({ roomId, ...position, recovered: true }));
  await gateway.say({ type: "resumed", id: resume.id, rooms: answers });
  await answerJoins(at(5));
  assert.equal(seen, 300);
  assert.ok(rooms.every((room) => room.isJoined));
});

test("a listener that throws does not keep the message from the others", async (t) => {
  const gateway = new Gateway(t);
  const errors = t.mock.method(console, "error", () => {});
  const { client } = await gateway.joined();
  const bad = client.room("r");
  bad.on("message", () => {
    throw new Error("mine");
  });
  const good = record(client.room("r"));
  await gateway.say(message(1), message(2));
  assert.deepEqual(good.log, [1, 2]);
  assert.equal(errors.mock.callCount(), 2);
});

test("a handle that was left hears and does nothing more", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  room.leave();
  room.leave();
  await gateway.say(message(1));
  assert.deepEqual(room.log, []);
  await assert.rejects(room.publish(1), { code: "closed" });
  await assert.rejects(room.joined(), { code: "closed" });
});

test("a page that shows again, or is online again, is connected at once", async (t) => {
  const page = new EventTarget();
  const before = [globalThis.document, globalThis.addEventListener, globalThis.removeEventListener];
  globalThis.document = Object.assign(new EventTarget(), { hidden: true });
  globalThis.addEventListener = page.addEventListener.bind(page);
  globalThis.removeEventListener = page.removeEventListener.bind(page);
  t.after(() => ([globalThis.document, globalThis.addEventListener, globalThis.removeEventListener] = before));
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();

  await t.test("a hidden page does nothing, a shown one goes at once", async () => {
    await gateway.end(1006);
    document.dispatchEvent(new Event("visibilitychange"));
    await turn();
    assert.equal(gateway.sockets.length, 1);
    document.hidden = false;
    document.dispatchEvent(new Event("visibilitychange"));
    await turn();
    assert.equal(gateway.sockets.length, 2);
    await gateway.pass(10_000);
    assert.equal(gateway.sockets.length, 2, "the wait is over with it");
  });

  await t.test("a connection that seems whole is asked", async () => {
    await gateway.welcome({ resumed: true });
    document.dispatchEvent(new Event("visibilitychange"));
    await gateway.request("ping");
    await gateway.say({ type: "pong" });
    assert.equal(gateway.sockets.length, 2);
  });

  await t.test("coming online ends the wait", async () => {
    await gateway.end(1006);
    page.dispatchEvent(new Event("online"));
    await turn();
    assert.equal(gateway.sockets.length, 3);
  });

  await t.test("a connection from before the network went is not trusted", async () => {
    await gateway.welcome({ resumed: true });
    page.dispatchEvent(new Event("offline"));
    page.dispatchEvent(new Event("online"));
    await turn();
    assert.equal(gateway.sockets.length, 4);
    assert.equal(gateway.socket.url.searchParams.get("session"), "s1");
  });

  client.close();
  page.dispatchEvent(new Event("online"));
  await gateway.pass(60_000);
  assert.equal(gateway.sockets.length, 4);
});

test("who asks for the members of a room that is known is told at once, without a request", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const lists = [];
  room.on("members", (members) => lists.push(members.map(({ userId }) => userId)));
  await gateway.answer("members", { type: "members", members: [{ userId: "alice", info: {} }], rosterVersion: 1 });
  assert.deepEqual(lists, [["alice"]]);
  client.room("r").on("members", (members) => lists.push(members.map(({ userId }) => `later ${userId}`)));
  await gateway.pass(0);
  assert.deepEqual(lists, [["alice"], ["later alice"]]);
  assert.equal(gateway.sent("members").length, 0);
});

test("a room with last begins with those messages, and goes on from where it was", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = record(client.room("r", { last: 2 }));
  await gateway.welcome();
  const join = await gateway.answer("join", joined(5));
  assert.deepEqual([join.last, join.since], [2, undefined]);
  assert.deepEqual(room.position, at(3));
  await gateway.say(message(4), message(5), message(6));
  assert.deepEqual(room.log, [4, 5, 6]);
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  const again = await gateway.answer("join", joined(7));
  assert.deepEqual([again.last, again.since], [undefined, at(6)]);
  await gateway.say(message(7));
  assert.deepEqual(room.log, [4, 5, 6, 7]);
});

test("of the last messages those are taken that the log holds", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const room = record(client.room("r", { last: 100 }));
  await gateway.welcome();
  await gateway.answer("join", joined(5));
  assert.deepEqual(room.position, at(0));
  await gateway.say(message(4), message(5));
  assert.deepEqual(room.log, [4, 5]);
});

for (const resumes of [false, true]) {
  test(`where none of the last messages came, nothing is lost that came before the join, resumed: ${resumes}`, async (t) => {
    const gateway = new Gateway(t);
    const client = gateway.client();
    const room = record(client.room("r", { last: 20 }));
    await gateway.welcome();
    await gateway.answer("join", joined(30));
    assert.deepEqual(room.position, at(10));
    await gateway.end(1006);
    await gateway.pass(1_000);
    await gateway.welcome({ resumed: resumes });
    if (resumes) {
      const rooms = ["@alice", "*"].map((roomId) => ({ roomId, ...joined(0) }));
      rooms.push({ roomId: "r", ...joined(31, false) });
      const { since } = await gateway.answer("resume", { type: "resumed", rooms });
      assert.deepEqual(since.r, at(10));
    } else {
      assert.deepEqual((await gateway.answer("join", joined(31, false))).since, at(10));
    }
    // The log may have what came since.
    assert.deepEqual((await gateway.answer("join", joined(31))).since, at(30));
    await gateway.say(message(31));
    assert.deepEqual(room.log, [31]);
    client.reconnect();
    await gateway.welcome();
    await gateway.answer("join", joined(40, false));
    assert.deepEqual(room.log, [31, "gap 31 40"]);
  });
}

test("who may not have the last messages begins at the head", async (t) => {
  const gateway = new Gateway(t);
  const room = gateway.client().room("r", { last: 20 });
  await gateway.welcome();
  await gateway.answer("join", joined(30, false));
  assert.deepEqual(room.position, at(30));
});

for (const start of [{ last: 5 }, { since: { seq: 0 } }]) {
  test(`what comes first after a join is no later than what came behind it, ${JSON.stringify(start)}`, async (t) => {
    const gateway = new Gateway(t);
    const client = gateway.client();
    const room = record(client.room("r", start));
    await gateway.welcome();
    await gateway.answer("join", joined(20));
    await gateway.end(1006);
    await gateway.pass(1_000);
    await gateway.welcome();
    await gateway.answer("join", joined(22));
    await gateway.say(message(22));
    if (start.last) await gateway.answer("join", joined(22));
    await gateway.say(message(22));
    assert.deepEqual(room.log, [`gap ${start.last ? 15 : 0} 21`, 22]);
  });
}

for (const isTaken of [false, true]) {
  test(`an inbox that was opened by its name before the welcome is the inbox, ${isTaken ? "" : "not "}taken besides`, async (t) => {
    const gateway = new Gateway(t);
    const client = gateway.client();
    const early = record(client.room("@alice"));
    const inbox = isTaken ? record(client.inbox()) : null;
    const [promise, published] = [early.joined(), early.publish(1)];
    await gateway.welcome({ positions: { "@alice": at(7), "*": at(0) } });
    assert.ok(early.isJoined);
    await promise;
    await gateway.answer("message", { type: "error", code: "forbidden", message: "no" });
    await assert.rejects(published, { code: "forbidden" });
    const late = record(client.room("@alice"));
    await gateway.say(message(8, "@alice"));
    for (const handle of [early, inbox, late]) if (handle) assert.deepEqual(handle.log, [8]);
    assert.deepEqual([early.isJoined, early.position, early.state], [true, at(8), "joined"]);
    early.leave();
    await gateway.pass(10);
    await gateway.say(message(9, "@alice"));
    assert.deepEqual([early.log, late.log], [[8], [8, 9]]);
    assert.equal(gateway.sent("join").length + gateway.sent("leave").length, 0);
  });
}

test("an inbox that was opened by its name, from a position, and left before the welcome is the inbox", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const first = client.room("@alice");
  const room = record(client.room("@alice", { since: at(5) }));
  first.leave();
  await gateway.welcome({ positions: { "@alice": at(7), "*": at(0) } });
  await gateway.pass(10);
  assert.equal(room.id, "@alice");
  await gateway.say(message(8, "@alice"));
  assert.deepEqual(room.log, [8]);
  room.leave();
  await gateway.pass(10);
  const again = record(client.room("@alice"));
  await gateway.say(message(9, "@alice"));
  assert.deepEqual(again.log, [9]);
});

test("a page that asks for it is away while it is hidden", async (t) => {
  const before = globalThis.document;
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  t.after(() => (globalThis.document = before));
  const show = async (isShown) => {
    document.hidden = !isShown;
    document.dispatchEvent(new Event("visibilitychange"));
    await turn();
  };
  const gateway = new Gateway(t);
  const { client } = await gateway.joined(0, { awayWhenHidden: true });
  assert.equal(gateway.sent("state").length, 0);
  await show(false);
  assert.equal((await gateway.request("state")).state, "away");
  await show(true);
  assert.equal((await gateway.request("state")).state, "active");
  await show(false);
  client.reconnect();
  await gateway.welcome({ resumed: true });
  assert.equal((await gateway.request("state")).state, "away", "another connection is active until it says so");
  const other = await gateway.joined();
  await show(true);
  await show(false);
  assert.equal(gateway.sent("state").length, 0, "who has not asked for it is not");
  other.client.close();
});

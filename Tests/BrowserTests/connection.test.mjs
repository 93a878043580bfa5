import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { MartletError } from "./library.mjs";
import { Gateway, at, token, turn } from "./gateway.mjs";

test("nothing is opened before something is asked for", async (t) => {
  const gateway = new Gateway(t);
  gateway.client();
  await gateway.pass(60_000);
  assert.equal(gateway.sockets.length, 0);
});

test("the user and the session stand in the address, percent-encoded", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client({ userId: "a b+c|ü" });
  client.room("r");
  assert.equal(gateway.socket.url.search, "?userId=a%20b%2Bc%7C%C3%BC");
  await gateway.welcome({ session: "s/1" });
  await gateway.end(1006);
  await gateway.pass(1_000);
  assert.equal(gateway.socket.url.search, "?userId=a%20b%2Bc%7C%C3%BC&session=s%2F1");
});

test("connect() answers with the welcome, and is rejected when the client stops", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const welcome = client.connect();
  await gateway.welcome();
  assert.deepEqual(await welcome, { userId: "alice", connectionId: "c1", nodeId: "n" });
  assert.deepEqual(client.log, ["connecting", "connected"]);
  assert.equal(client.state, "connected");
  await gateway.end(4403, "no");
  await assert.rejects(client.room("r").joined(), { code: "forbidden", closeCode: 4403 });
});

test("the token goes in the first frame, and is asked for at each connect", async (t) => {
  const gateway = new Gateway(t);
  let asked = 0;
  gateway.client({ userId: undefined, getToken: async () => `t${++asked}` }).connect();
  await turn();
  gateway.socket.onopen();
  assert.equal(gateway.socket.url.search, "");
  assert.deepEqual(gateway.socket.sent, [{ type: "auth", token: "t1" }]);
  await gateway.welcome();
  await gateway.end(1006);
  await gateway.pass(1_000);
  gateway.socket.onopen();
  assert.deepEqual(gateway.socket.sent, [{ type: "auth", token: "t2" }]);
});

test("the first try comes within a second, the others by doubling bounds up to half a minute", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const delays = [];
  client.on("state", ({ retryInMs }) => retryInMs && delays.push(retryInMs));
  client.connect();
  for (let failure = 0; failure < 8; failure += 1) {
    await gateway.end(1006);
    const before = gateway.sockets.length;
    await gateway.pass(delays.at(-1) - 1);
    assert.equal(gateway.sockets.length, before);
    await gateway.pass(1);
    assert.equal(gateway.sockets.length, before + 1);
  }
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
});

test("only a connection that has stood for a while begins the delays anew", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const delays = [];
  client.on("state", ({ retryInMs }) => retryInMs && delays.push(retryInMs));
  client.connect();
  for (const lifetime of [100, 100, 10_000, 100]) {
    await gateway.welcome();
    await gateway.pass(lifetime);
    await gateway.end(1001);
    await gateway.pass(delays.at(-1));
  }
  assert.deepEqual(delays, [500, 1_000, 500, 1_000]);
});

test("a user with too many connections or requests is not back at once", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const delays = [];
  client.on("state", ({ retryInMs }) => retryInMs && delays.push(retryInMs));
  client.connect();
  await gateway.end(4429, "too many connections");
  assert.deepEqual(delays, [5_500]);
  await gateway.pass(5_500);
  assert.equal(gateway.sockets.length, 2);
});

for (const [code, error] of [[4403, "forbidden"], [4409, "replaced"]]) {
  test(`${code} ends the client for good, and all that waits with it`, async (t) => {
    const gateway = new Gateway(t);
    const { client, room } = await gateway.joined();
    const publish = assert.rejects(room.publish(1), { code: error });
    await gateway.end(code, "why");
    await publish;
    await assert.rejects(room.publish(2), { code: error });
    await gateway.pass(600_000);
    assert.equal(gateway.sockets.length, 1);
    assert.equal(client.state, "stopped");
    assert.equal(client.error.message, "why");
    // By the user's wish it begins anew, without the session that somebody else has now.
    client.connect();
    assert.equal(gateway.sockets.length, 2);
    assert.equal(gateway.socket.url.searchParams.get("session"), null);
  });
}

test("a refused token, the same again or pages of a failing server, is asked for again until one is good", async (t) => {
  const gateway = new Gateway(t);
  const tokens = ["same", "same", "<html>", "<html>", "good"];
  const client = gateway.client({ userId: undefined, getToken: async () => tokens.shift() });
  const delays = [];
  client.on("state", ({ retryInMs }) => retryInMs && delays.push(retryInMs));
  const connect = client.connect();
  for (let refused = 0; refused < 4; refused += 1) {
    await turn();
    await gateway.end(4401, "expired");
    assert.equal(client.state, "waiting");
    await gateway.pass(delays.at(-1));
  }
  assert.deepEqual(delays, [500, 1_000, 2_000, 4_000]);
  await gateway.welcome();
  assert.equal((await connect).userId, "alice");
});

test("a missing token ends the client, at the first connect and after a refusal", async (t) => {
  for (const tokens of [[null], ["old", ""], ["old", undefined]]) {
    const gateway = new Gateway(t);
    const client = gateway.client({ userId: undefined, getToken: async () => tokens.shift() });
    const connect = assert.rejects(client.connect(), { code: "unauthorized" });
    await turn();
    if (gateway.socket) await gateway.end(4401);
    await gateway.pass(1_000);
    await connect;
    assert.equal(client.state, "stopped");
    mock.timers.reset();
    mock.restoreAll();
  }
});

test("getToken ends the client by throwing `unauthorized`, and by nothing else that it throws", async (t) => {
  const gateway = new Gateway(t);
  const answers = [
    () => Promise.reject(Object.assign(new Error("not ours"), { code: "unauthorized" })),
    () => Promise.reject(new MartletError("unavailable")),
    () => {
      throw new MartletError("unauthorized", "signed out");
    },
  ];
  const client = gateway.client({ userId: undefined, getToken: () => answers.shift()() });
  const connect = assert.rejects(client.connect(), { code: "unauthorized", message: "signed out" });
  await gateway.pass(500);
  await gateway.pass(1_000);
  await connect;
  assert.equal(client.error.message, "signed out");
  await gateway.pass(600_000);
  assert.equal(gateway.sockets.length, 0);
});

test("a refresh that fails is told and tried again: thrown, too long, or another user's token", async (t) => {
  const gateway = new Gateway(t);
  const start = Date.now();
  const mine = token(start + 600_000);
  const answers = [
    () => mine,
    () => Promise.reject(new Error("offline")),
    () => new Promise(() => {}),
    () => token(start + 900_000, "bob's"),
    () => token(start + 900_000, "mine"),
  ];
  const client = gateway.client({ userId: undefined, getToken: () => answers.shift()() });
  const errors = [];
  client.on("error", ({ code, message }) => errors.push(`${code}: ${message}`));
  client.connect();
  await gateway.welcome({ heartbeat: 700_000 });
  await gateway.request("auth");
  await gateway.pass(540_000);
  assert.deepEqual(errors.splice(0), ["unavailable: offline"]);
  await gateway.pass(10_000);
  await gateway.pass(30_000);
  assert.deepEqual(errors.splice(0), ["unavailable: getToken took too long"]);
  await gateway.pass(10_000);
  await gateway.answer("auth", { type: "error", code: "forbidden", message: "another user's" });
  assert.deepEqual(errors, ["forbidden: another user's"]);
  await gateway.pass(5_000);
  await gateway.answer("auth", { type: "authenticated", expires: start + 900_000 });
  assert.equal(client.state, "connected");
  assert.equal(errors.length, 1);
});

test("errors that answer no request are told", async (t) => {
  const gateway = new Gateway(t);
  const { client } = await gateway.joined();
  const errors = [];
  client.on("error", ({ name, code, message }) => errors.push([name, code, message]));
  await gateway.say({ type: "error", code: "bad_request", message: "no JSON" });
  assert.deepEqual(errors, [["MartletError", "bad_request", "no JSON"]]);
});

for (const [how, code] of [["closed", "closed"], ["stopped", "forbidden"]]) {
  test(`a client that was ${how} is opened by connect() alone, and says why`, async (t) => {
    const gateway = new Gateway(t);
    const { client } = await gateway.joined();
    if (how === "closed") client.close();
    else await gateway.end(4403);
    const told = [];
    const handles = [client.room("s"), client.inbox(), client.everyone()];
    for (const handle of handles) handle.on("state", ({ state, error }) => told.push([state, error?.code]));
    client.on("error", (error) => told.push(["error", error.code]));
    client.watch(["bob"], () => {});
    await turn();
    assert.deepEqual(told, [...handles.map(() => ["refused", code]), ["error", code]]);
    const calls = ["joined", "publish", "signal", "history", "members"].map((name) => handles[0][name](1, 1));
    for (const call of calls) await assert.rejects(call, { code });
    await gateway.pass(600_000);
    assert.equal(gateway.sockets.length, 1);
    // The wish is kept.
    client.connect();
    await gateway.welcome();
    const rooms = gateway.sent("join").map(({ roomId }) => roomId).sort();
    assert.deepEqual([rooms, gateway.sent("watch").length], [["r", "s"], 1]);
  });
}

test("promises that nobody waits for may fail", async (t) => {
  const gateway = new Gateway(t);
  const unhandled = [];
  const note = (error) => unhandled.push(error);
  process.on("unhandledRejection", note);
  t.after(() => process.off("unhandledRejection", note));
  const { client, room } = await gateway.joined();
  const ask = () => [room.publish(1), room.signal("b", 1), room.history(), room.members(), client.room("s").joined()];
  ask();
  await turn();
  client.close();
  ask();
  room.leave();
  ask();
  await turn();
  await turn();
  assert.deepEqual(unhandled, []);
});

test("without tokens 4401 ends the client at once", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const connect = assert.rejects(client.connect(), { code: "unauthorized", closeCode: 4401 });
  await gateway.end(4401);
  await connect;
});

test("a token that expired on a living connection is replaced and the session resumed", async (t) => {
  const gateway = new Gateway(t);
  let count = 0;
  gateway.client({ userId: undefined, getToken: async () => `t${++count}` }).connect();
  for (let round = 0; round < 4; round += 1) {
    await gateway.welcome();
    await gateway.end(4401, "expired");
    await gateway.pass(30_000);
  }
  assert.equal(gateway.sockets.length, 5);
});

test("getToken may fail, or take too long, and is asked again", async (t) => {
  const gateway = new Gateway(t);
  const answers = [() => Promise.reject(new Error("offline")), () => new Promise(() => {}), () => "t3"];
  const client = gateway.client({ userId: undefined, getToken: () => answers.shift()() });
  let error;
  client.on("state", (change) => (error ??= change.error));
  client.connect();
  await gateway.pass(500);
  assert.equal(error.message, "offline");
  await gateway.pass(30_000);
  assert.equal(client.state, "waiting");
  await gateway.pass(1_000);
  assert.equal(gateway.sockets.length, 1);
});

test("a token that comes after close() opens nothing", async (t) => {
  const gateway = new Gateway(t);
  let give;
  const client = gateway.client({ userId: undefined, getToken: () => new Promise((resolve) => (give = resolve)) });
  client.connect().catch(() => {});
  client.close();
  give("late");
  await gateway.pass(60_000);
  assert.equal(gateway.sockets.length, 0);
  assert.equal(client.state, "idle");
});

test("a fresh token is sent a minute before the old one ends, by the gateway's clock", async (t) => {
  const gateway = new Gateway(t);
  const ahead = 3_600_000;
  const start = Date.now() + ahead;
  const tokens = [token(start + 600_000), token(start + 1_200_000, "2"), token(start + 1_800_000, "3")];
  gateway.client({ userId: undefined, getToken: async () => tokens.shift() }).connect();
  await gateway.welcome({ timestamp: start });
  await gateway.request("auth");
  const beat = async (milliseconds) => {
    for (let left = milliseconds; left > 0; left -= 20_000) {
      await gateway.pass(Math.min(left, 20_000));
      await gateway.say({ type: "pong" });
    }
  };
  await beat(539_000);
  assert.equal(gateway.sent("auth").length, 0);
  await beat(1_000);
  const refresh = await gateway.request("auth");
  assert.equal(refresh.token, token(start + 1_200_000, "2"));
  await gateway.say({ type: "authenticated", id: refresh.id, expires: start + 1_200_000 });
  await beat(600_000);
  assert.equal((await gateway.request("auth")).token, token(start + 1_800_000, "3"));
});

test("a token that lives for moments is not asked for in a storm", async (t) => {
  const gateway = new Gateway(t);
  let asked = 0;
  gateway.client({ userId: undefined, getToken: async () => token(Date.now() + 61_000, String(++asked)) }).connect();
  await gateway.welcome();
  await gateway.request("auth");
  for (let second = 0; second < 60; second += 1) {
    await gateway.pass(1_000);
    for (const { id } of gateway.sent("auth").splice(0)) {
      await gateway.request("auth");
      await gateway.say({ type: "authenticated", id, expires: Date.now() + 61_000 });
    }
  }
  assert.ok(asked >= 4 && asked <= 8, `asked ${asked} times`);
});

test("silence is answered by a ping, and an unanswered ping by another connection", async (t) => {
  const gateway = new Gateway(t);
  gateway.client().connect();
  await gateway.welcome({ heartbeat: 20_000 });
  await gateway.pass(19_999);
  assert.equal(gateway.sent("ping").length, 0);
  await gateway.pass(1);
  await gateway.request("ping");
  await gateway.pass(9_999);
  await gateway.say({ type: "pong" });
  await gateway.pass(19_999);
  assert.equal(gateway.sent("ping").length, 0);
  await gateway.pass(1);
  await gateway.pass(10_000);
  const [first] = gateway.sockets;
  assert.equal(first.isEnded, true);
  assert.notEqual(first.closedWith, 1000, "a farewell would end the session");
  await gateway.pass(1_000);
  assert.equal(gateway.sockets.length, 2);
  assert.equal(gateway.socket.url.searchParams.get("session"), "s1");
});

test("a socket that fails before it opens, and is never closed, is left at once; later its close says why", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  client.connect();
  await turn();
  const first = gateway.socket;
  first.onerror({});
  assert.equal(client.state, "waiting");
  first.onerror({});
  first.onclose({ code: 1006, reason: "" });
  await gateway.pass(1_000);
  assert.equal(gateway.sockets.length, 2);
  await gateway.welcome();
  gateway.socket.onerror({});
  assert.equal(client.state, "connected");
  await gateway.end(4403);
  assert.equal(client.error.code, "forbidden");
});

test("a gateway that says nothing before its welcome is left", async (t) => {
  const gateway = new Gateway(t);
  gateway.client().connect();
  await gateway.pass(15_000);
  await gateway.pass(1_000);
  assert.equal(gateway.sockets.length, 2);
});

test("reconnect is heeded: at its time, at once, on the old session", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  await gateway.say({ type: "reconnect", afterMs: 1_830 });
  await gateway.pass(1_829);
  await gateway.say({ type: "message", roomId: "r", userId: "b", msgType: 1, payload: 1, timestamp: 1, seq: 1 });
  assert.deepEqual(room.log, [1]);
  assert.equal(gateway.sockets.length, 1);
  await gateway.pass(1);
  assert.equal(gateway.sockets.length, 2);
  assert.notEqual(gateway.sockets[0].closedWith, 1000);
  assert.equal(gateway.socket.url.searchParams.get("session"), "s1");
});

test("a draining node that closes sooner is left at the time it gave", async (t) => {
  const gateway = new Gateway(t);
  await gateway.joined();
  await gateway.say({ type: "reconnect", afterMs: 5_000 });
  await gateway.pass(1_000);
  await gateway.end(1001);
  await gateway.pass(3_999);
  assert.equal(gateway.sockets.length, 1);
  await gateway.pass(1);
  assert.equal(gateway.sockets.length, 2);
});

test("close() says farewell and ends what waits", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const publish = assert.rejects(room.publish(1), { code: "closed" });
  await gateway.request("message");
  client.close();
  await publish;
  assert.equal(gateway.socket.closedWith, 1000);
  await gateway.pass(600_000);
  assert.equal(gateway.sockets.length, 1);
});

test("what a socket that was left behind still says is not heard", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const [old] = gateway.sockets;
  const { onmessage, onclose } = old;
  await gateway.say({ type: "reconnect", afterMs: 0 });
  await gateway.pass(0);
  await gateway.welcome({ resumed: true });
  old.onmessage({ data: JSON.stringify({ type: "message", roomId: "r", seq: 1 }) });
  old.onclose({ code: 4409, reason: "resumed elsewhere" });
  await gateway.pass(60_000);
  assert.deepEqual(room.log, []);
  assert.equal(gateway.clients[0].state === "stopped", false);
  assert.ok(onmessage && onclose);
});

test("an address that cannot be stops the client", async (t) => {
  const gateway = new Gateway(t);
  class Refusing {
    constructor() {
      throw new SyntaxError("mixed content");
    }
  }
  const client = gateway.client({ WebSocket: Refusing });
  await assert.rejects(client.connect(), { code: "invalid", message: "mixed content" });
});

test("frames that are not JSON or of no known type are passed over", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  gateway.socket.onmessage({ data: "{" });
  await gateway.say({ type: "later", roomId: "r" }, { type: "message", roomId: "other", seq: 1, payload: 1 });
  await gateway.say({ type: "message", roomId: "r", userId: "b", msgType: 1, payload: 1, timestamp: 1, seq: 1 });
  assert.deepEqual(room.log, [1]);
});

test("a welcome without sessions is enough", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  client.room("r");
  await gateway.welcome({ session: undefined, resumed: undefined, positions: { "*": at(3) } });
  assert.equal((await gateway.request("join")).roomId, "r");
  assert.equal(gateway.socket.sent.length, 0);
});

test("a guest has every stream but an inbox", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client({ userId: undefined });
  const welcome = client.connect();
  const inbox = client.inbox();
  const early = assert.rejects(inbox.joined(), { code: "forbidden" });
  client.room("r");
  await gateway.welcome({ userId: undefined, positions: { "*": at(3) } });
  assert.equal((await welcome).userId, null);
  assert.deepEqual(gateway.sent("join").map(({ roomId }) => roomId), ["r"]);
  await early;
  await assert.rejects(inbox.history(), { code: "forbidden" });
  assert.equal(client.userId, null);
  // Who signs in has one.
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  await inbox.joined();
  assert.equal(inbox.id, "@alice");
});

test("a guest has no user, no session and no inbox, and joins anew with its positions", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client({ userId: undefined });
  const messages = [];
  const room = client.room("news");
  room.on("message", ({ seq }) => messages.push(seq));
  const told = client.connect();
  const greeting = { userId: undefined, session: undefined, positions: { "*": at(0) } };
  await gateway.welcome(greeting);
  assert.deepEqual(await told, { userId: null, connectionId: "c1", nodeId: "n" });
  assert.equal(client.userId, null);
  await assert.rejects(client.inbox().joined(), { code: "forbidden" });
  const join = gateway.socket.sent.find(({ type }) => type === "join");
  await gateway.say({ type: "joined", id: join.id, roomId: "news", ...at(3), recovered: true });
  await gateway.say({ type: "message", roomId: "news", userId: "u", msgType: 1, payload: 1, timestamp: 1, seq: 4 });
  await gateway.end(1006);
  await gateway.pass(1_000);
  assert.equal(gateway.socket.url.search, "");
  await gateway.welcome(greeting);
  const again = gateway.socket.sent.find(({ type }) => type === "join");
  assert.deepEqual(again.since, at(4));
  assert.deepEqual(messages, [4]);
});

test("a client with a token passes over a guest's greeting, and what comes before its own", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client({ userId: undefined, getToken: async () => "t1" });
  const messages = [];
  client.everyone().on("message", ({ seq }) => messages.push(seq));
  await gateway.welcome({ userId: undefined, session: undefined, positions: { "*": at(3) } });
  assert.equal(client.state, "connecting");
  await gateway.say({ type: "message", roomId: "*", userId: "u", msgType: 1, payload: 1, timestamp: 1, seq: 4 });
  await gateway.welcome({ positions: { "@alice": at(0), "*": at(4) } });
  assert.equal(client.userId, "alice");
  await gateway.say({ type: "message", roomId: "*", userId: "u", msgType: 1, payload: 1, timestamp: 1, seq: 5 });
  assert.deepEqual(messages, [5]);
});

// What a person expects of a client: listening once, loops, a network of one's own, a log, reloads, addresses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Martlet } from "./library.mjs";
import { Gateway, at, message, record, turn } from "./gateway.mjs";

const joined = (seq = 0) => ({ type: "joined", ...at(seq), recovered: true, members: 1, rosterVersion: 1 });
const members = { type: "members", count: 1, rosterVersion: 1, members: [{ userId: "a", info: {}, connections: 1 }] };

/** Puts these in place of what the page has, until the test is over. */
function replaced(t, values) {
  for (const [name, value] of Object.entries(values)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
  }
}

test("once hears one, and off takes away what listens, once or always, a single time", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const heard = [];
  const listener = ({ seq }) => heard.push(seq);
  room.once("message", listener);
  await gateway.say(message(1), message(2));
  assert.deepEqual(heard.splice(0), [1]);
  room.once("message", listener);
  room.off("message", listener);
  const off = room.once("message", listener);
  off();
  room.on("message", listener);
  room.on("message", listener);
  room.off("message", listener);
  room.off("message", () => {});
  room.off("nothing", listener);
  await gateway.say(message(3));
  assert.deepEqual(heard, [3]);
  const states = [];
  const note = ({ state }) => states.push(state);
  client.once("state", note);
  client.on("state", note);
  client.off("state", note);
  await gateway.end(1006);
  await gateway.pass(1_000);
  assert.deepEqual(states, ["waiting", "connecting"]);
});

test("once has the roster read as well", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const list = new Promise((resolve) => room.once("members", resolve));
  await gateway.answer("members", members);
  assert.deepEqual(await list, [{ userId: "a", info: {} }]);
});

/** Loops over a room, keeping what came and how it ended. */
function loop(room, until = Infinity) {
  const kept = { seqs: [], end: null };
  kept.over = (async () => {
    try {
      for await (const { seq } of room) if (kept.seqs.push(seq) >= until) break;
      kept.end = "done";
    } catch ({ code }) {
      kept.end = code;
    }
  })();
  return kept;
}

test("a loop has the messages in order, over a loss, until the room is left", async (t) => {
  const gateway = new Gateway(t);
  const { room } = await gateway.joined();
  const all = loop(room);
  const few = loop(room, 2);
  await gateway.say(message(1), message(2), message(3));
  await few.over;
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.welcome();
  await gateway.answer("join", joined(4));
  await gateway.say(message(4));
  await turn();
  assert.deepEqual([all, few].map(({ seqs, end }) => [seqs, end]), [[[1, 2, 3, 4], null], [[1, 2], "done"]]);
  room.leave();
  await all.over;
  assert.equal(all.end, "done");
});

test("a loop ends with the client, with a refusal's reason, and when it falls behind", async (t) => {
  const gateway = new Gateway(t);
  const { client, room } = await gateway.joined();
  const [secret, slow, alone] = [loop(client.room("secret")), loop(room), loop(room)];
  await gateway.answer("join", { type: "error", code: "forbidden", message: "no" });
  await secret.over;
  assert.equal(secret.end, "forbidden");
  await turn();
  // All at once: no loop takes one before the last has come.
  for (let seq = 1; seq <= 1_001; seq += 1) gateway.socket.onmessage({ data: JSON.stringify(message(seq)) });
  await Promise.all([slow.over, alone.over]);
  assert.deepEqual([slow.seqs.length, slow.end], [1_000, "queue_full"]);
  const [quiet, stopped] = [loop(room), loop(client.everyone())];
  await turn();
  client.close();
  await quiet.over;
  assert.equal(quiet.end, "done");
  await stopped.over;
  const closed = loop(room);
  await closed.over;
  assert.equal(closed.end, "closed");
});

test("reconnect() begins another connection at once, on the old session", async (t) => {
  const gateway = new Gateway(t);
  const fresh = gateway.client();
  fresh.reconnect();
  await turn();
  assert.equal(gateway.sockets.length, 0);
  const { client } = await gateway.joined();
  client.reconnect();
  await turn();
  assert.equal(gateway.sockets.length, 2);
  assert.equal(gateway.socket.url.searchParams.get("session"), "s1");
  await gateway.end(1006);
  client.reconnect();
  await turn();
  assert.equal(gateway.sockets.length, 3);
  client.close();
  client.reconnect();
  await gateway.pass(60_000);
  assert.equal(gateway.sockets.length, 3);
});

test("the network may be told of by another than the page", async (t) => {
  const network = new EventTarget();
  const gateway = new Gateway(t);
  const { client } = await gateway.joined(0, { network });
  network.dispatchEvent(new Event("offline"));
  await gateway.request("ping");
  network.dispatchEvent(new Event("online"));
  await turn();
  assert.equal(gateway.sockets.length, 2);
  client.close();
  network.dispatchEvent(new Event("online"));
  await gateway.pass(60_000);
  assert.equal(gateway.sockets.length, 2);
});

test("the log has what happens, and neither tokens nor payloads", async (t) => {
  const gateway = new Gateway(t);
  t.mock.method(console, "error", () => {});
  const lines = [];
  const log = (event, details) => {
    lines.push(`${event} ${details.state ?? details.type ?? details.code}`);
    assert.doesNotMatch(JSON.stringify(details), /secret/);
    throw new Error("the log's own");
  };
  const client = gateway.client({ userId: undefined, getToken: () => "secret token", log });
  const room = record(client.room("r"));
  await gateway.welcome();
  await gateway.answer("join", joined());
  room.publish("secret payload");
  await gateway.say({ ...message(1), payload: "secret" }, { type: "error", code: "bad_request", message: "no" });
  assert.deepEqual(lines, [
    "state connecting", "sent auth", "received welcome", "state connected", "sent join", "received joined", "sent message",
    "received message", "received error", "error bad_request",
  ]);
  assert.deepEqual(room.log, [1]);
});

test("an address may be relative, and is resolved when it is used", async (t) => {
  const gateway = new Gateway(t);
  const addresses = [
    ["/ws", "wss://shop.test/ws"], ["ws?room=1#top", "wss://shop.test/a/ws?room=1"], ["//other.test/ws", "wss://other.test/ws"],
    ["HTTP://shop.test/ws", "ws://shop.test/ws"], ["https://shop.test/ws#x", "wss://shop.test/ws"],
    [new URL("ws://shop.test/ws"), "ws://shop.test/ws"],
  ];
  for (const [address, used] of addresses) {
    const client = gateway.client({ userId: undefined }, address);
    replaced(t, { location: { href: "https://shop.test/a/b?c#d" } });
    client.connect();
    assert.equal(gateway.socket.url.href, used);
    replaced(t, { location: undefined });
  }
});

test("on a server nothing throws before it connects, and then says why", async (t) => {
  new Gateway(t);
  replaced(t, { WebSocket: undefined });
  for (const address of ["/ws", "ws://gateway.test/ws", "no address"]) {
    const client = new Martlet(address, { userId: "alice" });
    client.on("state", () => {});
    const told = [];
    client.room("r").on("state", ({ state }) => told.push(state));
    await assert.rejects(client.connect(), { code: "invalid" });
    assert.equal(client.error.code, "invalid");
  }
});

test("an option that is undefined is as one that is not given", async (t) => {
  const gateway = new Gateway(t);
  const names = ["getToken", "network", "log", "persist", "parse", "stringify", "maxQueued", "maxMessageBytes", "messagesPerSecond"];
  const { client, room } = await gateway.joined(0, Object.fromEntries(names.map((name) => [name, undefined])));
  room.publish({ a: 1 });
  assert.deepEqual((await gateway.request("message")).payload, { a: 1 });
  await gateway.say(message(1));
  assert.deepEqual(room.log, [1]);
  replaced(t, { WebSocket: undefined });
  const bare = new Martlet("ws://gateway.test/ws", { userId: "alice", WebSocket: undefined });
  await assert.rejects(bare.connect(), { code: "invalid", message: "no WebSocket" });
  client.close();
});

test("a URL without setters, as React Native has it, is enough", async (t) => {
  const gateway = new Gateway(t);
  const Whole = URL;
  class Bare {
    #url;
    constructor(...given) {
      this.#url = new Whole(...given);
    }
    get href() {
      return this.#url.href;
    }
    get protocol() {
      return this.#url.protocol;
    }
    get search() {
      return this.#url.search;
    }
    get hash() {
      return this.#url.hash;
    }
    toString() {
      return this.#url.href;
    }
  }
  replaced(t, { URL: Bare });
  const client = gateway.client({ WebSocket: class {
    constructor(url) {
      gateway.sockets.push({ url, sent: [], close() {} });
    }
  } }, "https://gateway.test/ws?a=1");
  client.connect();
  assert.equal(String(gateway.socket.url), "wss://gateway.test/ws?a=1&userId=alice");
});

for (const [what, reply, told] of [
  ["a page", { ok: true, status: 200 }, ["invalid"]],
  ["a wrong path", { ok: false, status: 404 }, ["invalid"]],
  ["a gateway", { ok: false, status: 426 }, []],
  ["a proxy whose gateway is away", { ok: false, status: 502 }, []],
]) {
  test(`where no socket opens, ${what} is ${told.length ? "told, once, and tried again" : "no error"}`, async (t) => {
    const gateway = new Gateway(t);
    const asked = [];
    replaced(t, { fetch: async (url) => (asked.push(String(url)), reply) });
    const client = gateway.client();
    const errors = [];
    client.on("error", ({ code }) => errors.push(code));
    client.connect();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await gateway.end(1006);
      await gateway.pass(30_000);
    }
    assert.deepEqual([asked, errors], [["http://gateway.test/ws"], told]);
    assert.equal(gateway.sockets.length, 4);
  });
}

test("a socket that has opened is not doubted", async (t) => {
  const gateway = new Gateway(t);
  replaced(t, { fetch: () => assert.fail("asked") });
  await gateway.joined();
  await gateway.end(1006);
  await gateway.pass(1_000);
  await gateway.end(1006);
});

/** A tab: its storage, which a tab that it opens begins with a copy of, and its pages, one after the other. */
class Tab {
  kept;

  constructor(t, opener) {
    this.t = t;
    this.kept = new Map(opener?.kept);
  }

  /** Another page in this tab; what it is like to come there: navigate, reload, back_forward. */
  load(type) {
    const page = new EventTarget();
    const { kept } = this;
    replaced(this.t, {
      sessionStorage: {
        getItem: (key) => kept.get(key) ?? null,
        setItem: (key, value) => void kept.set(key, String(value)),
        removeItem: (key) => void kept.delete(key),
      },
      addEventListener: page.addEventListener.bind(page),
      removeEventListener: page.removeEventListener.bind(page),
      performance: { getEntriesByType: () => [{ type }] },
    });
    this.unload = () => page.dispatchEvent(new Event("pagehide"));
    this.show = (persisted) => page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted }));
  }
}

/** The positions that a page with these streams begins from. */
async function begin(gateway, { user = "alice", persist = "tab" } = {}) {
  const client = gateway.client({ userId: user, persist });
  const handles = [record(client.room("r")), record(client.inbox()), client.everyone(), record(client.room("__proto__"))];
  await gateway.welcome({ userId: user, positions: { [`@${user}`]: at(9), "*": at(0) } });
  const since = {};
  for (const { roomId, since: from, id } of gateway.sent("join")) {
    since[`${roomId}:`] = from?.seq;
    await gateway.say({ id, roomId, ...joined(from?.seq ?? 5) });
  }
  return { client, handles, since };
}

const afresh = { "r:": undefined, "__proto__:": undefined };

test("positions are kept over a reload, once, and for the same user alone", async (t) => {
  const gateway = new Gateway(t);
  const tab = new Tab(t);
  tab.load("navigate");
  assert.deepEqual((await begin(gateway)).since, afresh);
  await gateway.say(message(6), message(10, "@alice"));
  tab.unload();
  tab.load("reload");
  const again = await begin(gateway);
  assert.deepEqual(again.since, { "r:": 6, "@alice:": 10, "__proto__:": 5 });
  await gateway.say(message(7));
  assert.deepEqual(again.handles[0].log, [7]);
  // A page that crashes, and another user.
  tab.load("reload");
  assert.deepEqual((await begin(gateway)).since, afresh);
  tab.unload();
  tab.load("reload");
  assert.deepEqual((await begin(gateway, { user: "bob" })).since, afresh);
});

test("a room that is opened after the welcome goes on as well, the first time", async (t) => {
  const gateway = new Gateway(t);
  const tab = new Tab(t);
  tab.load("navigate");
  await begin(gateway);
  await gateway.say(message(6));
  tab.unload();
  tab.load("back_forward");
  const client = gateway.client({ persist: "tab" });
  client.connect();
  await gateway.welcome();
  const room = client.room("r");
  assert.deepEqual((await gateway.answer("join", joined(6))).since, at(6));
  room.leave();
  await gateway.pass(1);
  await gateway.answer("leave", { type: "left" });
  client.room("r");
  assert.equal((await gateway.answer("join", joined(8))).since, undefined);
});

test("a page that is loaded again before it was welcomed, or had opened its rooms, passes on what it was left", async (t) => {
  const gateway = new Gateway(t);
  const tab = new Tab(t);
  tab.load("navigate");
  await begin(gateway);
  await gateway.say(message(6), message(10, "@alice"));
  tab.unload();
  // One that has opened a room, one that has opened none; then one that is welcomed and would have opened its rooms later.
  for (const open of [(client) => client.room("r"), (client) => client.connect()]) {
    tab.load("reload");
    const client = gateway.client({ persist: "tab" });
    open(client);
    assert.deepEqual([...tab.kept], [], "nothing lies there while the page does");
    tab.unload();
  }
  tab.load("reload");
  gateway.client({ persist: "tab" }).connect();
  await gateway.welcome();
  tab.unload();
  tab.load("reload");
  assert.deepEqual((await begin(gateway)).since, { "r:": 6, "@alice:": 10, "__proto__:": 5 });
});

test("what a page was left is nobody else's, ends with close(), and is bounded", async (t) => {
  const gateway = new Gateway(t);
  const tab = new Tab(t);
  tab.load("navigate");
  await begin(gateway);
  tab.unload();
  const kept = () => JSON.parse([...tab.kept.values()][0]);
  const key = [...tab.kept.keys()][0];
  // Another user's page passes nothing on.
  tab.load("reload");
  gateway.client({ userId: "bob", persist: "tab" }).connect();
  await gateway.welcome({ userId: "bob", positions: { "@bob": at(0), "*": at(0) } });
  tab.unload();
  assert.deepEqual(kept(), { userId: "bob", positions: [] });
  const positions = Array.from({ length: 5_000 }, (_, index) => ["room" + index, at(index)]);
  tab.kept.set(key, JSON.stringify({ userId: "alice", positions }));
  tab.load("reload");
  gateway.client({ persist: "tab" }).connect();
  tab.unload();
  assert.deepEqual(kept(), { userId: "alice", positions: positions.slice(-1_000) });
  tab.load("reload");
  const client = gateway.client({ persist: "tab" });
  client.connect();
  client.close();
  tab.unload();
  assert.deepEqual([...tab.kept], []);
});

test("of a room whose last messages never came the reload goes on from where it was joined", async (t) => {
  const gateway = new Gateway(t);
  const tab = new Tab(t);
  tab.load("navigate");
  const open = () => gateway.client({ persist: "tab" }).room("r", { last: 20 });
  open();
  await gateway.welcome();
  await gateway.answer("join", joined(30));
  tab.unload();
  tab.load("reload");
  open();
  await gateway.welcome();
  assert.deepEqual((await gateway.answer("join", joined(30))).since, at(30));
});

test("positions are never shared with a tab that was opened from this one", async (t) => {
  const gateway = new Gateway(t);
  const tab = new Tab(t);
  tab.load("navigate");
  await begin(gateway);
  const opened = new Tab(t, tab);
  const duplicate = new Tab(t, tab);
  assert.deepEqual([...tab.kept], []);
  tab.unload();
  // Opened by a page that has nothing to do with the gateway, in the same tab.
  const later = new Tab(t, tab);
  for (const [other, type] of [[opened, "navigate"], [duplicate, "reload"], [later, "navigate"]]) {
    other.load(type);
    assert.deepEqual((await begin(gateway)).since, afresh);
  }
  tab.load("reload");
  tab.show(false);
  assert.equal((await begin(gateway)).since["r:"], 5);
  // A whole page that the browser has kept comes back.
  tab.unload();
  tab.show(true);
  assert.deepEqual([...tab.kept], []);
});

test("nothing is kept unless it is asked for, or where there is no storage", async (t) => {
  const gateway = new Gateway(t);
  const tab = new Tab(t);
  tab.load("navigate");
  await begin(gateway, { persist: null });
  tab.unload();
  assert.deepEqual([...tab.kept], []);
  const denied = () => {
    throw new Error("denied");
  };
  replaced(t, { sessionStorage: { getItem: denied, setItem: denied, removeItem: denied } });
  assert.deepEqual((await begin(gateway)).since, afresh);
  tab.unload();
});

// The hooks of martlet/react, as the package has them, in React's StrictMode, on a page of which there is nothing.
import assert from "node:assert/strict";
import test from "node:test";
import { at, Gateway, message, turn } from "./gateway.mjs";
import { project, requireIn } from "./packed.mjs";

const require = requireIn(project());
const { keep, useConnection, useMembers, useRoom, useStatus } = require("martlet/react");
const { createElement, StrictMode } = require("react");
// What React looks at of a page where nothing is drawn.
globalThis.window = { HTMLIFrameElement: class {} };
const nowhere = { nodeType: 1, nodeName: "DIV", tagName: "DIV", addEventListener() {}, removeEventListener() {} };
Object.assign(nowhere, { namespaceURI: "http://www.w3.org/1999/xhtml", lastChild: null, ownerDocument: nowhere });
const { createRoot } = require("react-dom/client");
const testing = require("react-dom/test-utils");
const { renderToString } = require("react-dom/server");

// React complains of changes beside `act` only where this is set, and a test's end has some.
async function act(change) {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  await testing.act(async () => change());
  globalThis.IS_REACT_ACT_ENVIRONMENT = false;
}

/** Shows a component whose render is `use`, in StrictMode; `shown.values` are what it has given. */
async function show(t, use, props = {}) {
  const root = createRoot({ ...nowhere });
  const shown = { values: [], show: (more) => act(() => root.render(element(more))), end: () => act(() => root.unmount()) };
  const Component = (given) => (shown.values.push(use(given)), null);
  const element = (given) => createElement(StrictMode, null, createElement(Component, given));
  await shown.show(props);
  t.after(shown.end);
  Object.defineProperty(shown, "value", { get: () => shown.values.at(-1) });
  return shown;
}

const seqs = ({ value }) => value.messages.map(({ seq }) => seq);
const page = (...numbers) => ({ type: "history", epoch: "e", messages: numbers.map((seq) => message(seq)), more: false });
const joined = (seq) => ({ type: "joined", ...at(seq), recovered: true, members: 1, rosterVersion: 1 });

/** Shows a room whose log holds up to `seq`, of which the hook has read the last three. */
async function room(t, seq = 3, options = undefined) {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, ({ roomId = "r" }) => useRoom(client, roomId, options));
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", joined(seq));
    await gateway.answer("history", page(seq - 2, seq - 1, seq));
    await gateway.pass(16);
  });
  return { gateway, client, shown };
}

test("a double mount joins once, and shows the log and what comes", async (t) => {
  const { gateway, shown } = await room(t);
  assert.deepEqual(seqs(shown), [1, 2, 3]);
  assert.equal(shown.value.state, "joined");
  assert.equal(shown.value.messages[0].epoch, "e");
  assert.equal(gateway.sent("join").length + gateway.sent("leave").length + gateway.sent("history").length, 0);
  await act(async () => {
    await gateway.say(message(4));
    await gateway.pass(16);
  });
  assert.deepEqual(seqs(shown), [1, 2, 3, 4]);
  assert.equal(gateway.sockets.length, 1);
});

test("what comes while the log is read is shown once, and in order", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => useRoom(client, "r"));
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", joined(2));
    await gateway.say(message(3));
    await gateway.answer("history", page(1, 2, 3));
    await gateway.say(message(4));
    await gateway.pass(16);
  });
  assert.deepEqual(seqs(shown), [1, 2, 3, 4]);
});

test("a log that is ahead of what comes is not shown twice", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => useRoom(client, "r"));
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", joined(2));
    await gateway.answer("history", page(1, 2, 3, 4));
    await gateway.say(message(3), message(4), message(5));
    await gateway.pass(16);
  });
  assert.deepEqual(seqs(shown), [1, 2, 3, 4, 5]);
});

test("2,000 messages at once are one render, and the list is bounded", async (t) => {
  const { gateway, shown } = await room(t, 3, { limit: 100 });
  const before = shown.values.length;
  await act(async () => {
    await gateway.say(...Array.from({ length: 2_000 }, (_, index) => message(4 + index)));
    await gateway.pass(16);
  });
  // StrictMode renders twice what is rendered once.
  assert.equal(shown.values.length - before, 2);
  assert.deepEqual(seqs(shown), Array.from({ length: 100 }, (_, index) => 1_904 + index));
});

test("a message costs the same, however long the list is", async (t) => {
  const { gateway, shown } = await room(t, 3, { limit: 10_000 });
  const cost = async (first) => {
    const frames = Array.from({ length: 5_000 }, (_, index) => message(first + index));
    const began = performance.now();
    await gateway.say(...frames);
    return performance.now() - began;
  };
  await act(async () => {
    await cost(4);
    const short = await cost(5_004);
    await cost(10_004);
    const long = await cost(15_004);
    await gateway.pass(16);
    // Four times as long would be the list's doing, and more than that work for each of its messages.
    assert.ok(long < 4 * short + 50, `${short} ms, then ${long} ms`);
  });
  assert.equal(seqs(shown).length, 10_000);
  assert.equal(seqs(shown).at(-1), 20_003);
});

test("after a gap the list begins anew, without a hole", async (t) => {
  const { gateway, shown } = await room(t);
  await act(async () => {
    await gateway.say({ type: "gap", roomId: "r", ...at(9) }, message(10));
    await gateway.pass(16);
  });
  assert.deepEqual(seqs(shown), [10]);
  await act(async () => {
    await gateway.answer("history", page(8, 9, 10));
    await gateway.pass(16);
  });
  assert.deepEqual(seqs(shown), [8, 9, 10]);
});

const redacted = (seq, epoch = "e") => ({ type: "room", roomId: "r", event: "redacted", seq, epoch });
const payloads = ({ value }) => value.messages.map((each) => [each.payload, each.redacted, each.text].join());

test("a payload that is taken away is shown no more", async (t) => {
  const { gateway, shown } = await room(t);
  const before = shown.value.messages;
  await act(async () => {
    await gateway.say(message(4), redacted(4), redacted(2), redacted(9), { ...redacted(1), event: "updated" });
    await gateway.pass(16);
  });
  assert.deepEqual(payloads(shown), ['p1,,"p1"', ",true,null", 'p3,,"p3"', ",true,null"]);
  assert.equal(before[1].payload, "p2", "what was shown is not written to");
});

test("a payload that is taken away while the log is read is read once more, without it", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => useRoom(client, "r"));
  const gone = { ...page(1, 2), messages: [message(1), { ...message(2), payload: null, redacted: true }] };
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", joined(2));
    const reading = await gateway.request("history");
    await gateway.say(redacted(2), redacted(1, "other"), { id: reading.id, roomId: "r", ...page(1, 2) });
    await gateway.pass(16);
    assert.deepEqual(shown.value.messages, []);
    await gateway.answer("history", gone);
    await gateway.pass(16);
  });
  assert.deepEqual(payloads(shown), ['p1,,"p1"', ",true,null"]);
  assert.equal(gateway.sent("history").length, 0);
});

test("a payload of an epoch that the list calls otherwise has the list read anew", async (t) => {
  const { gateway, shown } = await room(t);
  const gone = { ...page(1, 2, 3), messages: [message(1), { ...message(2), payload: null, redacted: true }, message(3)] };
  await act(async () => {
    await gateway.say(redacted(2, "before"), redacted(1, "before"));
    await gateway.answer("history", page(1, 2, 3));
    await gateway.answer("history", gone);
    await gateway.pass(16);
  });
  assert.deepEqual(payloads(shown), ['p1,,"p1"', ",true,null", 'p3,,"p3"']);
  assert.equal(gateway.sent("history").length, 0);
});

for (const event of ["removed", "closed"]) {
  test(`whoever is put out of a room is told by its state, ${event}`, async (t) => {
    const { gateway, shown } = await room(t);
    await act(() => gateway.say({ type: "room", roomId: "r", event, version: 8 }));
    assert.deepEqual([shown.value.state, shown.value.error?.code, seqs(shown)], ["refused", "forbidden", [1, 2, 3]]);
  });
}

test("a message that is not stored is heard and not listed", async (t) => {
  const heard = [];
  const { gateway, shown } = await room(t, 3, { onMessage: ({ payload }) => heard.push(payload) });
  const { seq, ...passing } = message(4);
  await act(async () => {
    await gateway.say({ ...passing, payload: "typing" }, message(4));
    await gateway.pass(16);
  });
  assert.deepEqual(heard, ["typing", "p4"]);
  assert.deepEqual(seqs(shown), [1, 2, 3, 4]);
});

test("another room shows nothing of the one before, which is left", async (t) => {
  const { gateway, shown } = await room(t);
  await shown.show({ roomId: "other" });
  assert.deepEqual([shown.value.messages, shown.value.state], [[], "joining"]);
  await act(async () => {
    await gateway.pass(1);
    assert.equal((await gateway.request("leave")).roomId, "r");
    assert.equal((await gateway.request("join")).roomId, "other");
    await gateway.say(message(4));
    await gateway.pass(16);
  });
  assert.deepEqual(seqs(shown), []);
});

test("an unmount leaves, and a publish after it is still sent", async (t) => {
  const { gateway, shown } = await room(t);
  const { publish } = shown.value;
  assert.ok(shown.values.slice(2).every((value) => value.publish === publish), "it stays the same function");
  await shown.end();
  publish("goodbye");
  await gateway.pass(1);
  assert.equal((await gateway.answer("message", { type: "ack", seq: 4, timestamp: 1 })).payload, "goodbye");
  await gateway.pass(1);
  assert.equal((await gateway.request("leave")).roomId, "r");
});

test("a refusal is told, and a room that may only be read is shown", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => useRoom(client, "r"));
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", { type: "error", code: "forbidden", message: "not you" });
    await gateway.answer("history", page(1, 2));
    await gateway.pass(16);
  });
  assert.deepEqual([shown.value.state, shown.value.error.code], ["refused", "forbidden"]);
  assert.deepEqual(seqs(shown), [1, 2]);
});

test("a list that was read before the room let one in has no hole", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => useRoom(client, "r"));
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", { type: "error", code: "forbidden", message: "not you" });
    await gateway.answer("history", page(1, 2));
    await gateway.end(1006);
    await gateway.pass(2_000);
    await gateway.welcome();
    await gateway.answer("join", joined(10));
    await gateway.answer("history", page(8, 9, 10));
    await gateway.say(message(11));
    await gateway.pass(16);
  });
  assert.deepEqual(seqs(shown), [8, 9, 10, 11]);
});

test("a log that cannot be read just now is read later", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => useRoom(client, "r"));
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", joined(1));
    await gateway.answer("history", { type: "error", code: "unavailable", message: "not now" });
    await gateway.pass(2_000);
    await gateway.answer("history", page(1));
    await gateway.pass(16);
  });
  assert.deepEqual(seqs(shown), [1]);
  assert.equal(shown.value.error, null);
});

test("no room is none, and a publish to it fails without an unhandled rejection", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => [useRoom(client, null), useMembers(client, undefined), useStatus(client, null)]);
  await gateway.pass(1_000);
  assert.equal(gateway.sockets.length, 0);
  const [{ publish, messages }, members, status] = shown.value;
  assert.deepEqual([messages, members, status], [[], [], null]);
  publish("nowhere");
  await turn();
  await assert.rejects(publish("nowhere"), TypeError);
});

test("* is what is sent to everyone, @ the user's inbox", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => [useRoom(client, "*", { history: 0 }), useRoom(client, "@", { history: 0 })]);
  await act(async () => {
    await gateway.welcome();
    await gateway.say(message(1, "*"), message(1, "@alice"));
    await gateway.pass(16);
  });
  assert.deepEqual(shown.value.map(({ messages }) => messages[0].roomId), ["*", "@alice"]);
  assert.equal(gateway.sent("join").length, 0);
});

test("members are shown to each who asks, also to who asks later", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => useMembers(client, "r").map(({ userId }) => userId));
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", joined(0));
    await gateway.answer("members", { type: "members", members: [{ userId: "alice", info: {} }], rosterVersion: 1 });
  });
  assert.deepEqual(shown.value, ["alice"]);
  const later = await show(t, () => useMembers(client, "r").map(({ userId }) => userId));
  assert.deepEqual(later.value, ["alice"]);
  await act(async () => {
    const events = [{ event: "join", userId: "bob", info: {} }];
    await gateway.say({ type: "presence", roomId: "r", events, members: 2, rosterVersion: 2, timestamp: 1 });
  });
  assert.deepEqual([shown.value, later.value], [["alice", "bob"], ["alice", "bob"]]);
  assert.equal(gateway.sent("members").length, 0);
});

test("a status and the connection are shown as they change", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => [useConnection(client), useStatus(client, "bob")]);
  assert.deepEqual(shown.value, [{ state: "connecting", userId: null, error: null }, null]);
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("watch", { type: "watching", users: [{ userId: "bob", online: true }] });
  });
  assert.deepEqual(shown.value, [{ state: "connected", userId: "alice", error: null }, { userId: "bob", online: true }]);
  await act(() => gateway.end(4403, "banned"));
  assert.deepEqual([shown.value[0].state, shown.value[0].error.code], ["stopped", "forbidden"]);
});

test("a connection alone is looked at and not opened", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client();
  const shown = await show(t, () => useConnection(client));
  assert.equal(shown.value.state, "idle");
  assert.equal(gateway.sockets.length, 0);
});

test("on a server the hooks show an empty room and ask for nothing", async (t) => {
  const gateway = new Gateway(t);
  const client = gateway.client({}, "/ws");
  const All = () => {
    const { state, messages } = useRoom(client, "r");
    return JSON.stringify([state, messages, useMembers(client, "r"), useStatus(client, "bob"), useConnection(client)]);
  };
  const html = renderToString(createElement(StrictMode, null, createElement(All))).replaceAll("&quot;", '"');
  assert.equal(html, '["joining",[],[],null,{"state":"idle","userId":null,"error":null}]');
  await gateway.pass(1_000);
  assert.equal(gateway.sockets.length, 0);
});

test("a module that is replaced hot keeps its client and its connection", async (t) => {
  const gateway = new Gateway(t);
  const module = () => keep("test", () => gateway.client());
  const shown = await show(t, ({ client }) => useRoom(client, "r", { history: 0 }), { client: module() });
  await act(async () => {
    await gateway.welcome();
    await gateway.answer("join", joined(0));
  });
  await shown.show({ client: module() });
  await act(() => gateway.pass(1_000));
  assert.equal(gateway.clients.length, 1);
  assert.equal(gateway.sockets.length, 1);
  assert.equal(shown.value.state, "joined");
});

// What the types take, and, below each `@ts-expect-error`, what they refuse: the compiler complains of one that is taken.
import { Martlet, MartletError, type ClientEvents, type ErrorCode, type Message, type Options, type Room } from "martlet";
import { keep, useConnection, useMembers, useRoom, useStatus } from "martlet/react";

interface Chat {
  text: string;
}

interface Person {
  name: string;
}

const options: Options = { getToken: async () => "token", persist: "tab", maxQueued: 10, stringify: JSON.stringify };
const client = new Martlet(new URL("wss://chat.example.org/ws"), options);
// @ts-expect-error An address is needed.
new Martlet();
// @ts-expect-error There is no such option.
new Martlet("/ws", { tokens: "" });
// @ts-expect-error A tab is all that positions are kept for.
new Martlet("/ws", { persist: "disk" });

// Events, by their names.
const off: () => void = client.on("state", ({ state, retryInMs }) => {
  const wait: number | undefined = state === "waiting" ? retryInMs : undefined;
  // @ts-expect-error No client is in this state.
  return void (state === "lost" && wait);
});
off();
client.once("error", ({ retryAfterMs }) => void retryAfterMs?.toFixed());
// @ts-expect-error No client tells this.
client.on("message", () => {});

// What `on` takes can be wrapped without losing its types.
function heard<Name extends keyof ClientEvents>(name: Name): Promise<ClientEvents[Name]> {
  return new Promise((resolve) => client.once(name, resolve));
}
heard("error").then(({ code }) => code);
// @ts-expect-error A state has no `text`.
heard("state").then(({ text }) => text);

// Codes are a union.
function told(error: MartletError): string {
  const code: ErrorCode = error.code;
  switch (code) {
    case "forbidden": return "not for you";
    case "queue_full": return "too much at once";
    // @ts-expect-error There is no such code.
    case "no_such_code": return "";
    default: return code;
  }
}
told(new MartletError("unauthorized", "signed out"));
// @ts-expect-error There is no such code.
new MartletError("no_such_code");

// Payloads and what tokens say of people are parameters.
const room: Room<Chat, Person> = client.room<Chat, Person>("lobby", { since: { seq: 0 } });
room.on("message", ({ payload, text, seq }) => [payload.text.length, text.length, seq?.toFixed()]);
room.on("members", (members) => members.map(({ info }) => info.name));
room.on("gap", ({ from, to }) => to.seq - from.seq);
// @ts-expect-error No room tells this.
room.on("messages", () => {});
// @ts-expect-error A payload has no such field.
room.on("message", ({ payload }) => payload.subject);
// @ts-expect-error A person has no such field.
room.on("members", ([first]) => first?.info.age);
// @ts-expect-error Where it is not told, a payload is unknown.
client.room("lobby").on("message", ({ payload }) => payload.text);

// What has no method of its own.
const last: Room = client.room("lobby", { last: 20 });
const credentials: Promise<unknown> = client.request({ type: "turn" }).then(({ urls, ttl }) => [urls, ttl]);
room.request({ type: "presence", info: { mood: "glad" } }, { timeout: 5_000 }).then(({ type }) => type.length);
client.watch(["bob"], ({ state }) => state === "away");
// @ts-expect-error A frame has a type.
client.request({ state: "away" });
// @ts-expect-error A number of messages.
client.room("lobby", { last: "all" });
new Martlet("/ws", { awayWhenHidden: true });

async function requests(): Promise<void> {
  const { signal } = new AbortController();
  const { seq, timestamp } = await room.publish({ text: "Hello" }, { timeout: 5_000, signal, queue: false, dedupe: "k" });
  const { epoch, messages, more } = await room.history({ before: seq, limit: 10, timeout: 1_000 });
  const oldest = messages[0];
  await room.history({ before: oldest && { epoch: oldest.epoch ?? epoch, seq: oldest.seq }, after: { epoch, seq: 1 } });
  // @ts-expect-error A position in another epoch names it.
  await room.history({ before: { seq: 1 } });
  const [member] = await room.members({ timeout: 1_000 });
  const told: [number, boolean, string | undefined, number | undefined] =
    [timestamp, more, messages[0]?.payload.text, member?.connections];
  // @ts-expect-error A payload of this room is a Chat.
  await room.publish("Hello");
  // @ts-expect-error Milliseconds are a number.
  await room.joined({ timeout: "5s" });
  for await (const { payload } of room) told.push.call(told, payload.text.length);
  await room.leave();
  await client.close();
}

client.watch(new Set(["bob"]), ({ online, lastSeen }) => [online, lastSeen?.toFixed()]);
// @ts-expect-error Several names are a list.
client.watch(7, () => {});
// @ts-expect-error Nobody but the client sets it.
client.state = "idle";

// Hooks.
const kept: Martlet = keep("chat", () => client);
export function lesson(roomId: string | null): Promise<unknown> {
  const { messages, state, error, publish } = useRoom<Chat>(kept, roomId, { limit: 100, onMessage: (one: Message<Chat>) => one });
  const names: string[] = useMembers<Person>(kept, roomId).map(({ info }) => info.name);
  const isOnline: boolean | undefined = useStatus(kept, "bob")?.online;
  const seqs: number[] = messages.map(({ seq }) => seq);
  // @ts-expect-error A payload of this room is a Chat.
  publish(7);
  // @ts-expect-error A client is needed.
  useConnection("chat");
  // @ts-expect-error There is no such option.
  useRoom(kept, "lobby", { most: 5 });
  return publish({ text: [state, error?.code, isOnline, ...names, ...seqs, useConnection(kept).userId].join() });
}
export { requests };

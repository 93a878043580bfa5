// A gateway that says what a test tells it to, on sockets that the test opens, feeds and ends; and a clock that stands
// still until it is moved.
import assert from "node:assert/strict";
import { mock } from "node:test";
import { Martlet } from "./library.mjs";

class FakeSocket {
  static gateway;
  sent = [];
  texts = [];
  isEnded = false;

  constructor(url, subprotocol) {
    this.url = new URL(url);
    assert.equal(subprotocol, "martlet.v1");
    FakeSocket.gateway.sockets.push(this);
  }

  send(text) {
    assert.equal(this.isEnded, false, "nothing is sent to a socket that has ended");
    this.texts.push(text);
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith ??= code;
    this.isEnded = true;
  }
}

export class Gateway {
  sockets = [];
  clients = [];

  /** @param t the test's context, which ends what the test began */
  constructor(t) {
    FakeSocket.gateway = this;
    // Half of each random delay.
    mock.method(Math, "random", () => 0.5);
    mock.method(globalThis, "fetch", async () => {
      throw new TypeError("there is no network");
    });
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
    t.after(() => {
      for (const client of this.clients) client.close();
      mock.timers.reset();
      mock.restoreAll();
    });
  }

  client(options = {}, url = "ws://gateway.test/ws") {
    const client = new Martlet(url, { WebSocket: FakeSocket, userId: "alice", ...options });
    client.log = [];
    client.on("state", ({ state }) => client.log.push(state));
    this.clients.push(client);
    return client;
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Moves the clock, and lets all that follows from it happen. */
  async pass(milliseconds) {
    await turn();
    mock.timers.tick(milliseconds);
    await turn();
  }

  /** Opens the latest socket and welcomes the client. */
  async welcome(fields = {}) {
    await turn();
    this.socket.onopen?.({});
    await this.say({
      type: "welcome", connectionId: "c" + this.sockets.length, nodeId: "n", userId: "alice", session: "s1",
      resumed: false, heartbeat: 30_000, timestamp: Date.now(), positions: { "@alice": at(0), "*": at(0) }, ...fields,
    });
  }

  async say(...frames) {
    await turn();
    for (const frame of frames) this.socket.onmessage?.({ data: JSON.stringify(frame) });
    await turn();
  }

  /** Answers the oldest unanswered request of this type with these fields, and returns the request. */
  async answer(type, reply) {
    const request = await this.request(type);
    await this.say({ id: request.id, roomId: request.roomId, ...reply });
    return request;
  }

  /** Takes the oldest frame of this type out of what the client has sent. */
  async request(type) {
    await turn();
    const index = this.socket.sent.findIndex((frame) => frame.type === type);
    assert.notEqual(index, -1, `no "${type}" among ${JSON.stringify(this.socket.sent)}`);
    return this.socket.sent.splice(index, 1)[0];
  }

  /** The frames of this type that were sent and not taken. */
  sent(type) {
    return this.socket.sent.filter((frame) => frame.type === type);
  }

  async end(code, reason = "") {
    await turn();
    this.socket.isEnded = true;
    this.socket.onclose?.({ code, reason });
    await turn();
  }

  /** A client that is in the room "r", whose head is at `seq`, with all that its handle is told in `room.log`. */
  async joined(seq = 0, options = {}) {
    const client = this.client(options);
    const room = record(client.room("r"));
    await this.welcome();
    await this.answer("join", { type: "joined", ...at(seq), recovered: true, members: 1, rosterVersion: 1 });
    return { client, room };
  }
}

export const at = (seq, epoch = "e") => ({ epoch, seq });

export const message = (seq, roomId = "r") => ({
  type: "message", roomId, userId: "bob", msgType: 1, payload: "p" + seq, timestamp: 1, seq,
});

/** Keeps what a handle is told: messages by their number, the rest by name. */
export function record(room) {
  room.log = [];
  room.on("message", ({ seq }) => room.log.push(seq));
  room.on("gap", ({ from, to }) => room.log.push(`gap ${from.seq} ${to.seq}`));
  room.on("state", ({ state }) => (room.state = state));
  return room;
}

/** Lets all promises and microtasks run that can. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A token that ends at this time, in milliseconds; `name` tells it from others. */
export function token(expires, name = "") {
  const claims = JSON.stringify({ sub: "alice", exp: expires / 1000, name });
  return `h.${btoa(claims).replace(/=+$/, "")}.s`;
}

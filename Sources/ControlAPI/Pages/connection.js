// The console's connection to the client port: the gateway's own client library, and what the console wants beyond it.

import { Martlet, MartletError } from "./martlet.js";

// What close codes mean, in words; the numbers are the protocol's.
const CLOSES = {
  0: "The gateway did not answer in time.",
  1000: "The connection was closed.",
  1001: "The node went away.",
  1003: "The gateway takes text frames only.",
  1006: "The connection was lost, or never came about: is the address right and the gateway running?",
  1007: "Something sent was not UTF-8.",
  1009: "A message was too large.",
  1011: "The gateway met an error of its own.",
  4400: "Too many malformed frames in a row.",
  4401: "The gateway does not accept this token or user id (none, bad or expired).",
  4403: "The gateway does not allow this.",
  4408: "The gateway heard nothing from this page for too long.",
  4409: "A newer connection took this one's place, or this one was one too many.",
  4413: "This page reads too slowly.",
  4429: "Too many requests.",
  4503: "The gateway cannot reach its store just now.",
};

export function closeWords(code, reason) {
  const words = CLOSES[code] || "The connection was closed.";
  return words + (code ? " (" + code + (reason ? ", " + reason : "") + ")" : reason ? " (" + reason + ")" : "");
}

export class Connection {
  #client;
  #handlers;
  #rooms = new Map();
  #inbox;
  #everyone;
  // The text of the frame that the library is about to read, or reads just now.
  #frame;
  #refusal = null;

  // identity: { userId } or { token }. handlers: state(change) as the library tells it; error(words); message(message, frame) and
  // signal(signal, frame), frame being its text; gap(gap); presence(change); changed(change) of a governed room; members(roomId, members); room(roomId, change);
  // unwatched(userIds, code).
  constructor(address, { userId, token }, handlers) {
    this.#handlers = handlers;
    const keep = (text) => (this.#frame = text);
    const options = {
      stringify: (text) => text,
      parse: (text) => text,
      WebSocket: class extends WebSocket {
        constructor(...given) {
          super(...given);
          this.addEventListener("message", ({ data }) => keep(data));
        }
      },
    };
    if (token === undefined) options.userId = userId;
    else options.getToken = () => this.#token(token);
    this.#client = new Martlet(address, options);
    this.#client.on("state", (change) => {
      if (change.code === 4401) this.#refusal = closeWords(change.code, change.reason);
      this.#handlers.state(change);
    });
    this.#client.on("invited", ({ roomId }) => this.join(roomId));
    this.#client.on("error", ({ message, users, code }) => {
      if (users) this.#handlers.unwatched(users, code);
      this.#handlers.error(message);
    });
  }

  get userId() {
    return this.#client.userId;
  }

  // The first change of state may be told before this returns.
  open() {
    this.#inbox = this.#listen(this.#client.inbox());
    this.#everyone = this.#listen(this.#client.everyone());
  }

  join(roomId) {
    if (this.#rooms.has(roomId)) return;
    const room = this.#listen(this.#client.room(roomId));
    this.#rooms.set(roomId, room);
    room.on("room", (change) => this.#handlers.changed({ ...change, roomId }));
    room.on("presence", (change) => this.#handlers.presence(change));
    room.on("members", (members) => this.#handlers.members(roomId, members));
    room.on("state", (change) => {
      if (change.state === "refused") this.leave(roomId);
      this.#handlers.room(roomId, change);
    });
  }

  leave(roomId) {
    const room = this.#rooms.get(roomId);
    this.#rooms.delete(roomId);
    if (room) room.leave();
  }

  // JSON, which goes out as it was typed. Answers when the gateway has stored it.
  send(roomId, text) {
    return this.#room(roomId).publish(text);
  }

  signal(roomId, userId, text) {
    return this.#room(roomId).signal(userId, text);
  }

  // A page of the log; each message has its payload's text.
  history(roomId, range) {
    return this.#room(roomId).history(range);
  }

  // The user's own inbox and everyone's stream are rooms that every connection is in.
  isIn(roomId) {
    return this.#find(roomId) !== undefined;
  }

  // Answers what ends it.
  watch(userId, listener) {
    return this.#client.watch([userId], listener);
  }

  close() {
    this.#client.close();
  }

  #find(roomId) {
    if (roomId === "*") return this.#everyone;
    return roomId === this.#inbox?.id ? this.#inbox : this.#rooms.get(roomId);
  }

  #room(roomId) {
    const room = this.#find(roomId);
    if (!room) throw new MartletError("not_member", "this page is not in " + roomId);
    return room;
  }

  #listen(room) {
    room.on("message", (message) => this.#handlers.message(message, this.#frame));
    room.on("signal", ({ from, payload }) => this.#handlers.signal({ roomId: room.id, from, text: payload }, this.#frame));
    room.on("gap", (gap) => this.#handlers.gap(gap));
    return room;
  }

  // The person's token is all there is: once refused, another try would end the same.
  #token(token) {
    if (this.#refusal) throw new MartletError("unauthorized", this.#refusal);
    return token;
  }
}

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

// As many frames are kept as they stood, for messages that are about to be shown.
const MAX_FRAMES = 1000;

export class Connection {
  #client;
  #handlers;
  #rooms = new Map();
  #frames = new Map();
  #refusal = null;

  // identity: { userId } or { token }. handlers: state(change) as the library tells it; error(words); message(message, frame), frame
  // being its text; gap(gap); presence(change); members(roomId, members); room(roomId, change).
  constructor(address, { userId, token }, handlers) {
    this.#handlers = handlers;
    const keep = (text) => this.#keep(text);
    const options = {
      stringify: (text) => text,
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
    this.#client.on("error", ({ message }) => this.#handlers.error(message));
  }

  // The first change of state may be told before this returns.
  open() {
    this.#listen(this.#client.inbox());
    this.#listen(this.#client.everyone());
    this.#client.connect();
  }

  join(roomId) {
    if (this.#rooms.has(roomId)) return;
    const room = this.#client.room(roomId);
    this.#rooms.set(roomId, room);
    this.#listen(room);
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
    return this.#rooms.get(roomId).publish(text);
  }

  close() {
    this.#client.close();
  }

  #listen(room) {
    room.on("message", (message) => {
      const key = message.roomId + " " + message.seq;
      this.#handlers.message(message, this.#frames.get(key));
      this.#frames.delete(key);
    });
    room.on("gap", (gap) => this.#handlers.gap(gap));
  }

  // The person's token is all there is: once refused, another try would end the same.
  #token(token) {
    if (this.#refusal) throw new MartletError("unauthorized", this.#refusal);
    return token;
  }

  // What JavaScript makes of a number beyond 2^53 is not what was sent: the console shows the text.
  #keep(text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (frame.type !== "message") return;
    this.#frames.set(frame.roomId + " " + frame.seq, text);
    if (this.#frames.size > MAX_FRAMES) this.#frames.delete(this.#frames.keys().next().value);
  }
}

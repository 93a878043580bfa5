// The console's connection to the client port: all that it knows of WebSockets and of the protocol's requests.

// What close codes mean, in words; the numbers are the protocol's.
const CLOSES = {
  1000: "The connection was closed.",
  1001: "The node is going away; connect again.",
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

export class Connection {
  #socket;
  #nextId = 1;
  #pending = new Map();
  #handlers;

  // handlers: frame(frame, raw, asked) for each frame, asked being the request that it answers; unreadable() for what is
  // none; closed({ code, reason, words, isBad }) once, at the end.
  // Throws where the address or the browser does not allow it.
  constructor(address, identity, handlers) {
    const url = new URL(address);
    if (url.protocol !== "ws:" && url.protocol !== "wss:") throw new Error("it must begin with ws:// or wss://");
    if (identity.userId !== undefined) url.searchParams.set("userId", identity.userId);
    this.#handlers = handlers;
    this.#socket = new WebSocket(url, "martlet.v1");
    this.#socket.onopen = () => {
      if (identity.token !== undefined) this.#socket.send(JSON.stringify({ type: "auth", token: identity.token }));
    };
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = ({ code, reason }) => {
      const isBad = code !== 1000 && code !== 1005;
      this.#end({ code, reason, words: CLOSES[code] || "The connection was closed.", isBad });
    };
  }

  join(roomId) { this.#request({ type: "join", roomId }); }
  leave(roomId) { this.#request({ type: "leave", roomId }); }
  members(roomId, cursor) { this.#request({ type: "members", roomId, limit: 100, cursor }); }
  // The payload is JSON text and goes in as it was typed: numbers that JavaScript cannot hold stay what they are.
  send(roomId, payload) { this.#request({ type: "message", roomId, msgType: 1 }, payload); }

  // What comes after this is not handed on.
  close() {
    this.#end({ code: 1000, reason: "", words: CLOSES[1000], isBad: false });
    this.#socket.close(1000);
  }

  #request(fields, payload) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const id = this.#nextId++;
    this.#pending.set(id, fields);
    let frame = JSON.stringify({ ...fields, id });
    if (payload !== undefined) frame = frame.slice(0, -1) + ',"payload":' + payload + "}";
    this.#socket.send(frame);
  }

  #receive(data) {
    if (!this.#handlers) return;
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      this.#handlers.unreadable();
      return;
    }
    const asked = this.#pending.get(frame.id);
    this.#pending.delete(frame.id);
    this.#handlers.frame(frame, data, asked);
  }

  #end(why) {
    const handlers = this.#handlers;
    this.#handlers = null;
    if (handlers) handlers.closed(why);
  }
}

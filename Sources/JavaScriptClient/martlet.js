// The client of a Martlet gateway, for browsers and Node: one module without dependencies. Its types: martlet.d.ts.
//
//   const client = new Martlet("wss://chat.example.org/ws", { getToken: async () => (await fetch("/token")).text() });
//   const room = client.room("lobby");
//   room.on("message", ({ userId, payload }) => console.log(userId, payload));
//   await room.publish({ text: "Hello" });

const FIRST_RETRY = 1_000; // Bound of the first delay; each failure doubles it.
const LONGEST_RETRY = 30_000;
const PAUSE_AFTER_TOO_MANY = 5_000; // What the gateway has closed for too many requests adds to them by coming back.
const STABLE_AFTER = 10_000; // A connection that stood this long has proven itself.
const TOKEN_LIMIT = 30_000;
const WELCOME_LIMIT = 15_000; // The gateway gives up after 10 s by itself.
const PONG_LIMIT = 10_000;
const OFFLINE_PONG_LIMIT = 2_000; // Where the page has been told that the network is gone.
const ANSWER_LIMIT = 5_000; // What is unanswered for so long has the connection asked whether it lives.
const FAREWELL_LIMIT = 5_000;
const REFRESH_AHEAD = 60_000;
const DEDUPE_TIME = 110_000; // The gateway knows a dedupe key for 2 minutes.
const LONGEST_TIMER = 2 ** 31 - 1;
const MAX_READS = 4; // Pages of history or members that a gateway reads for one connection at once.
const MAX_QUEUED_BYTES = 4 * 2 ** 20;
const CARRIERS = ["message", "signal", "history"]; // Frames with payloads.
const OF_ROOMS = ["message", "presence", "gap", "epoch", "signal", "seen"]; // Methods of a stream.
const READS = ["history", "members"];
const PASSING = ["conflict", "not_member", "rate_limited", "unavailable"];
const MAX_KEPT = 1000; // Of the positions that nobody has asked for, which a page passes on.
const MAX_WAITING_FRAMES = 1000; // Presence frames kept while a roster is read.
const MAX_UNREAD = 1000; // Messages that a loop over a room may be behind.
const USERS_A_FRAME = 100;
const LEFT = "this room was left";
const HELD = ["Object", "Array", "String", "Boolean"]; // Besides null and some numbers, by JSON.
const ABRUPT = 4000; // Any close code but 1000, which is the farewell that ends the session.

/** What went wrong; `code` is the gateway's error code or one of those that martlet.d.ts lists. */
export class MartletError extends Error {
  constructor(code, message, details) {
    super(message || code);
    Object.assign(this, { name: "MartletError", code }, details);
  }
}

const EMIT = Symbol("emit");
const OFF = Symbol("off");

class Emitter {
  #entries = new Set();

  // An entry each time: the same function may listen twice and is taken away once, by what its user `known` it as.
  on(event, listener, known = listener) {
    const entry = { event, listener, known };
    this.#entries.add(entry);
    return () => void this.#entries.delete(entry);
  }

  once(event, listener) {
    const once = (value) => {
      off();
      listener(value);
    };
    const off = this.on(event, once, listener);
    return off;
  }

  off(event, listener) {
    const entry = [...this.#entries].find((each) => each.event === event && each.known === listener);
    this.#entries.delete(entry);
  }

  // Each listener gets a value of its own, to do with as it likes: a copy, or what a function makes.
  [EMIT](event, value) {
    for (const each of [...this.#entries]) {
      if (each.event === event) guarded(each.listener, typeof value === "function" ? value() : copy(value));
    }
  }

  [OFF]() {
    this.#entries.clear();
  }
}

function nothing() {}

// A listener's own failure must not break the stream for the others.
function guarded(listener, value) {
  try {
    listener(value);
  } catch (error) {
    (globalThis.reportError ?? console.error)(error);
  }
}

class Timers {
  #handles = new Map();

  set(name, milliseconds, action) {
    this.clear(name);
    const run = () => {
      this.#handles.delete(name);
      action();
    };
    this.#handles.set(name, setTimeout(run, Math.min(Math.max(0, milliseconds), LONGEST_TIMER)));
  }

  has(name) {
    return this.#handles.has(name);
  }

  clear(name) {
    clearTimeout(this.#handles.get(name));
    this.#handles.delete(name);
  }

  clearAllBut(kept) {
    for (const name of this.#handles.keys()) if (name !== kept) this.clear(name);
  }
}

// How many frames may go out now. It stays below what the gateway allows, which counts pongs too.
class Pace {
  limit(perSecond, burst) {
    this.perMillisecond = (perSecond * 0.9) / 1000;
    this.burst = Math.max(1, burst * 0.75);
    this.tokens = this.burst;
    this.at = Date.now();
  }

  refill() {
    const now = Date.now();
    this.tokens = Math.min(this.burst, this.tokens + Math.max(0, now - this.at) * this.perMillisecond);
    this.at = now;
    return this.tokens >= 1;
  }

  // The gateway found us too fast: nothing for so long.
  penalize(milliseconds) {
    this.refill();
    this.tokens = Math.min(this.tokens, 1 - milliseconds * this.perMillisecond);
  }

  get wait() {
    return Math.ceil((1 - this.tokens) / this.perMillisecond);
  }
}

// Who is in a room: a list read in pages, then kept by `presence` frames as long as their versions follow each other.
class Roster {
  isWanted = false;
  users = new Map();
  #version = null;
  #waiting = null; // Frames that come while the list is read.
  #round = 0;
  #failures = 0;

  constructor(stream) {
    this.stream = stream;
  }

  // For a handle, which is told at once what is known.
  want(handle) {
    const isKnown = this.#version !== null && !this.#waiting;
    if (isKnown) queueMicrotask(() => handle[EMIT]("members", [...this.users.values()]));
    if (this.isWanted) return;
    this.isWanted = true;
    this.read();
  }

  async read() {
    if (!this.isWanted || this.stream.phase !== "in") return;
    const round = ++this.#round;
    this.#version = null;
    this.#waiting = [];
    try {
      const { members, rosterVersion } = await this.stream.readMembers();
      if (round !== this.#round) return;
      this.#failures = 0;
      this.users = new Map(members.map(({ userId, info }) => [userId, { userId, info }]));
      // The first page's version: what changed since then is in the frames that waited, and may be applied twice.
      this.#version = rosterVersion;
      const frames = this.#waiting;
      this.#waiting = null;
      if (!frames.every((frame) => this.#apply(frame))) return this.read();
      this.#tell();
    } catch (error) {
      if (round !== this.#round) return;
      this.#waiting = null;
      // Where presence is off or forbidden there is no list; after a loss the next `joined` reads it.
      if (error.code === "forbidden") return;
      const wait = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** this.#failures++) * (1 + Math.random());
      this.stream.core.timers.set(this, error.retryAfterMs ?? wait, () => this.read());
    }
  }

  receive(frame) {
    if (this.#waiting?.push(frame) < MAX_WAITING_FRAMES || (!this.#waiting && this.#failures)) return;
    if (!this.#waiting && this.#apply(frame)) this.#tell();
    else this.read();
  }

  forget() {
    this.#round += 1;
    this.#version = null;
    this.#waiting = null;
  }

  // Answers false where a step is missing, or is one of a later gateway. With `from` the events are the net change since
  // that version.
  #apply({ events = [], members, from, rosterVersion }) {
    if (rosterVersion <= this.#version) return true;
    if (from === undefined && events.length === 0) return false;
    if ((from ?? rosterVersion - events.length) > this.#version) return false;
    for (const { event, userId, info } of events) {
      if (event === "join" || event === "update") this.users.set(userId, { userId, info });
      else if (event === "leave") this.users.delete(userId);
      else return false;
    }
    // A list that was read in the midst of a net change has steps that this one leaves out, since they were undone.
    if (from < this.#version && members !== this.users.size) return false;
    this.#version = rosterVersion;
    return true;
  }

  #tell() {
    this.stream.emit("members", [...this.users.values()]);
  }
}

// One room as this client follows it, whatever connection it comes by. Phases: `out`, `asked` (joining, or resuming),
// `in`, `leaving`, `refused`.
class Stream {
  handles = new Set();
  waiters = new Set();
  leavers = new Set(); // What is told once the room is left, or need not be.
  roster = new Roster(this);
  phase = "out";
  error = null;
  // All up to here has been handed to the user: {epoch, seq}.
  position = null;
  // Whether the session knows that we are in the room.
  isInSession = false;
  // The gateway could not, just now.
  isDelayed = false;
  // How many of the newest messages the first join asks for.
  last;
  // The stream that this one has become a part of.
  merged = null;
  // Where the room stood when the newest messages, or all that the log holds, were asked for, until the first one comes:
  // whatever it is, nothing is missing up to here.
  #head = 0;
  #mendedAt = null;

  // Requests of this room that are not answered; it is not left before.
  outstanding = 0;

  constructor(core, id, isImplicit) {
    this.core = core;
    this.id = id;
    this.isImplicit = isImplicit;
  }

  get isWanted() {
    return this.handles.size > 0 || this.outstanding > 0;
  }

  // Whether a request of this room need not wait. Who may not join may be allowed to read all the same.
  takes(frame) {
    return this.phase === "in" || (this.phase === "refused" && !this.isClosedTo(frame));
  }

  // Whether a request of this room is refused as its join was.
  isClosedTo(frame) {
    return this.error !== null && !(this.error.code === "forbidden" && this.id !== null && READS.includes(frame.type));
  }

  emit(event, value) {
    for (const handle of [...this.handles]) handle[EMIT](event, value);
  }

  // The position for whoever has not asked for what comes first.
  get kept() {
    return this.#head ? { ...this.position, seq: this.#head } : this.position;
  }

  startFrom(since) {
    this.position = { ...since };
    this.#head = 0;
  }

  become(phase, error = null) {
    this.isDelayed = false;
    if (phase === this.phase) return;
    this.phase = phase;
    this.error = error;
    if (phase !== "in") this.roster.forget();
    const state = { asked: "joining", in: "joined", refused: "refused" }[phase];
    if (state) this.emit("state", error ? { state, error } : { state });
    if (phase === "in" || phase === "refused") this.settleWaiters(error);
  }

  settleWaiters(error) {
    for (const waiter of this.waiters) waiter.settle(error);
    this.waiters.clear();
  }

  settleLeavers() {
    for (const resolve of this.leavers) resolve();
    this.leavers.clear();
  }

  // The gateway goes on from our position, or says that it cannot.
  entered({ epoch, seq, recovered, ...room }) {
    const from = this.position;
    this.isInSession = true;
    if (from && !recovered && this.#head) {
      // The log has not all that was to come first, and perhaps never had: it may have all that came since.
      this.startFrom(this.kept);
      return this.become("out");
    }
    const last = (!from && recovered && this.last) || 0;
    this.position = { epoch, seq: from && recovered ? from.seq : Math.max(0, seq - last) };
    if (from?.epoch === undefined) this.#head = (from ? from.seq : !last) ? 0 : seq;
    this.become("in");
    if (from && !recovered) this.#tellGap(from);
    if (room.settings) this.emit("room", { ...room, event: "joined" });
    this.roster.read();
  }

  message({ type, ...message }) {
    // Not stored: it is no part of the stream, and will not come again.
    if (message.seq === undefined) return this.#hand(message);
    // While we are joining, a replay from our position is on its way and brings this one too.
    if (this.phase !== "in") return;
    const { epoch, seq } = this.position;
    if (message.seq <= seq) return;
    if (message.seq > Math.max(seq, this.#head) + 1) {
      // A hole that the gateway did not tell of: ask once for what is missing. `since` 0 would not ask for just that.
      if (seq > 0 && this.#mendedAt !== seq) {
        this.#mendedAt = seq;
        this.become("out");
        return this.core.settle(this);
      }
      this.position = { epoch, seq: message.seq - 1 };
      this.#tellGap({ epoch, seq });
    }
    this.#head = 0;
    this.position = { epoch, seq: message.seq };
    if (type !== "seen") this.#hand({ ...message, epoch });
  }

  #hand(message) {
    this.emit("message", () => this.core.read(message));
  }

  signal({ from, text }) {
    this.emit("signal", () => ({ from, payload: this.core.read({ text }).payload }));
  }

  gap({ epoch, seq }) {
    if (this.phase !== "in") return;
    const from = this.position;
    this.position = { epoch, seq };
    this.#head = 0;
    this.#tellGap(from);
  }

  // A message left us out: it is not missing.
  seen = this.message;

  epoch({ epoch }) {
    if (this.phase === "in") this.position = { ...this.position, epoch };
  }

  #tellGap(from) {
    this.emit("gap", { roomId: this.id, from, to: { ...this.position } });
  }

  presence({ type, ...change }) {
    if (this.phase !== "in") return;
    this.emit("presence", change);
    this.roster.receive(change);
  }

  // For a handle, or for this client itself, which is not counted among the user's.
  async readMembers({ handle, signal, timeout } = {}) {
    const users = new Map(); // One may be on several pages.
    const end = Date.now() + timeout;
    let cursor, first;
    do {
      const frame = { type: "members", roomId: this.id, limit: 1000, cursor };
      const bounds = { signal, timeout: timeout && end - Date.now() };
      const page = await this.core.request(frame, { stream: this, handle, isOwn: !handle, onLoss: "reject", bounds });
      for (const member of page.members) users.set(member.userId, member);
      first ??= page;
      cursor = page.next;
    } while (cursor);
    return { members: [...users.values()], rosterVersion: first.rosterVersion };
  }
}

// The connection, what is asked over it, and what survives its loss.
class Core extends Emitter {
  state = "idle";
  // Why nothing is asked any more: `close()`, or what has stopped the client. Null before.
  ended = null;
  welcome = null;
  timers = new Timers();
  streams = new Map();
  all = new Stream(this, "*", true);
  own = new Stream(this, null, true);
  #socket = null;
  #attempt = 0;
  #failures = 0;
  #session = null;
  #token = null;
  #isProbing = false;
  #isExamined = false; // Whether the address was asked what it is, or a socket has opened there.
  #wasOffline = false;
  #clockSkew = 0;
  #nextId = 0;
  #laterAt = 0;
  #nextKey = 0;
  #keyPrefix = randomKey();
  #keptAs;
  #kept = null; // The positions of the page before, of which user.
  #asked = new Map(); // id → { answered: what to do with the reply, at: when it was asked }
  #outbox = new Set(); // The user's requests in their order, until they are answered.
  #queued = 0; // Of those what the user has asked for, and its bytes.
  #queuedBytes = 0;
  #unsettled = new Set();
  #watched = new Map(); // user → { listeners, shown: its status }
  #toWatch = new Set();
  #isFlushing = false;
  #pace = new Pace();
  #waiters = new Set();

  constructor(url, options) {
    super();
    this.url = url;
    this.#keptAs = `martlet ${url}`;
    this.config = options;
    this.#heed();
    this.streams.set("*", this.all);
  }

  // ---- Connecting

  start() {
    if (this.state !== "idle" && !this.ended) return;
    this.ended = null;
    this.#failures = 0;
    this.#kept ??= this.#takeKept();
    this.#listen("addEventListener");
    this.#connect();
  }

  async connected(bounds) {
    this.start();
    if (this.ended) throw this.ended;
    if (this.state !== "connected") await settled(this.#waiters, bounds);
    return this.welcome;
  }

  #listen(method) {
    const network = this.config.network ?? globalThis;
    network[method]?.("online", this.#cameOnline);
    network[method]?.("offline", this.#wentOffline);
    globalThis.document?.[method]("visibilitychange", this.#changedVisibility);
    globalThis[method]?.("pagehide", this.#keep);
    globalThis[method]?.("pageshow", this.#cameBack);
  }

  reconnect() {
    if (this.state !== "idle" && !this.ended) this.#again();
  }

  // For good: `error` is why, null where the user wished it.
  stop(error) {
    this.#session = null;
    this.#abandon(error ? ABRUPT : 1000);
    this.timers.clear("retry");
    this.#listen("removeEventListener");
    const reason = (this.ended = error ?? closed());
    for (const entry of this.#outbox) this.#finish(entry, reason);
    for (const waiter of this.#waiters) waiter.settle(reason);
    for (const stream of this.streams.values()) stream.settleWaiters(reason);
    this.#enter(error ? "stopped" : "idle", error && { error });
  }

  // Answers once the gateway has taken leave as well.
  async close() {
    if (this.state === "idle") return;
    const socket = this.state === "connected" ? this.#socket : null;
    this.stop(null);
    if (!socket) return;
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, FAREWELL_LIMIT);
      socket.onclose = () => resolve(clearTimeout(timer));
    });
  }

  #enter(state, details) {
    this.state = state;
    this[EMIT]("state", { state, ...details });
  }

  [EMIT](event, value) {
    guarded(() => this.config.log?.(event, value));
    super[EMIT](event, value);
  }

  async #connect() {
    const attempt = ++this.#attempt;
    this.timers.clear("retry");
    this.#wasOffline = false;
    this.#enter("connecting");
    if (attempt !== this.#attempt) return;
    const { getToken, userId } = this.config;
    if (getToken) {
      const token = await this.#askToken((error) => this.#lost(0, "getToken failed", error));
      if (!token) return;
      this.#token = token;
    }
    let socket;
    try {
      let url = absolute(this.url);
      // Not by searchParams, which writes a blank as a plus sign.
      const add = (name, value) => (url += `${url.includes("?") ? "&" : "?"}${name}=${encodeURIComponent(value)}`);
      if (userId !== undefined) add("userId", userId);
      if (this.#session) add("session", this.#session);
      const Socket = this.config.WebSocket ?? globalThis.WebSocket;
      if (!Socket) throw new Error("no WebSocket");
      socket = new Socket(url, "martlet.v1");
    } catch (error) {
      // A bad address, or one that this page may not use: another try would end the same.
      return this.stop(new MartletError("invalid", error.message));
    }
    this.#socket = socket;
    this.timers.set("deadline", WELCOME_LIMIT, () => this.#lost(0, "no welcome"));
    // The token goes in the first frame, since addresses end up in logs.
    socket.onopen = () => {
      socket.onerror = nothing;
      this.#isExamined = true;
      if (getToken) this.#send({ type: "auth", token: this.#token });
    };
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = ({ code, reason }) => this.#lost(code, reason);
    // Not every WebSocket that never opened is closed.
    socket.onerror = () => this.#lost(1006);
  }

  // Leaves the socket behind: nothing of it is heard any more.
  #abandon(code) {
    const socket = this.#socket;
    this.#attempt += 1;
    this.#socket = null;
    this.#isProbing = false;
    this.timers.clearAllBut("retry");
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = socket.onerror = nothing;
      try {
        socket.close(code);
      } catch {
        // It never came about.
      }
    }
    this.#asked.clear();
    // What is allowed may change with the next token; what is no room's name stays none.
    for (const stream of this.streams.values()) {
      if (stream.error?.code !== "bad_request") stream.become("out");
      stream.settleLeavers();
    }
    for (const entry of this.#outbox) {
      if (!entry.isSent) continue;
      entry.isSent = false;
      if (entry.onLoss === "reject") {
        this.#finish(entry, new MartletError("disconnected"));
      }
    }
  }

  #lost(code, reason, error) {
    if (code === 1009) {
      // A frame too large closes the connection, and would again: of those under way the largest is one.
      const sent = [...this.#outbox].filter((entry) => entry.isSent);
      const [largest] = sent.sort((one, other) => other.cost - one.cost);
      if (largest) this.#finish(largest, tooLarge(largest));
    }
    if (code === 1006) this.#examine();
    this.#abandon(ABRUPT);
    const cause = { 4401: !this.config.getToken && "unauthorized", 4403: "forbidden", 4409: "replaced" }[code];
    if (cause) return this.stop(new MartletError(cause, reason, { closeCode: code }));
    // A `reconnect` frame has already said when.
    let retryInMs;
    if (!this.timers.has("retry")) {
      // Uniform from nothing to the bound, so that a thousand clients cut off at once do not come back at once.
      retryInMs = Math.random() * Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** this.#failures);
      if (code === 4429) retryInMs += PAUSE_AFTER_TOO_MANY;
      this.#failures += 1;
      this.timers.set("retry", retryInMs, () => this.#connect());
    }
    this.#enter("waiting", { code, reason, retryInMs, error });
  }

  // A socket that never opened does not say why; what the same address answers to a plain request may.
  async #examine() {
    if (this.#isExamined) return;
    this.#isExamined = true;
    try {
      const { ok, status } = await fetch("http" + absolute(this.url).slice(2));
      if (!ok && status !== 404) return;
      this[EMIT]("error", new MartletError("invalid", `${status} in place of a gateway`));
    } catch {
      // Nothing answers, or not to this page.
    }
  }

  #again() {
    this.#abandon(ABRUPT);
    this.#connect();
  }

  #cameOnline = () => {
    if (this.state === "waiting" || this.#wasOffline) this.#again();
    else this.#probe();
  };

  #wentOffline = () => {
    this.#wasOffline = true;
    this.#probe(OFFLINE_PONG_LIMIT);
  };

  #changedVisibility = () => {
    const { hidden } = globalThis.document;
    this.#tellState(hidden ? "away" : "active");
    if (hidden) return;
    if (this.state === "waiting") this.#again();
    else this.#probe();
  };

  #tellState(state) {
    if (this.config.awayWhenHidden && this.state === "connected") this.ask({ type: "state", state });
  }

  // ---- Frames

  #send(frame, text = JSON.stringify(frame)) {
    this.#pace.tokens -= 1;
    this.#tell("sent", frame);
    this.#socket.send(text);
  }

  // To the log, without what is nobody else's business.
  #tell(event, { type, roomId }) {
    this[EMIT](event, { type, roomId });
  }

  // For what the client itself wants to know: forgotten with the connection.
  ask(frame, answered = nothing) {
    this.#send({ ...frame, id: this.#expect(answered) });
  }

  #expect(answered) {
    this.#asked.set(++this.#nextId, { answered, at: Date.now() });
    if (!this.timers.has("answer")) this.timers.set("answer", ANSWER_LIMIT, () => this.#checkAnswers());
    return this.#nextId;
  }

  // The oldest that is not answered tells whether the connection is to be doubted.
  #checkAnswers() {
    const [oldest] = this.#asked.values();
    if (!oldest) return;
    const left = oldest.at + ANSWER_LIMIT - Date.now();
    if (left <= 0) this.#probe();
    this.timers.set("answer", left > 0 ? left : ANSWER_LIMIT, () => this.#checkAnswers());
  }

  #received(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    if (!frame?.type) return;
    this.#tell("received", frame);
    if (frame.type === "welcome") return this.#welcomed(frame);
    if (frame.type === "error" && frame.id === undefined) this[EMIT]("error", refusal(frame));
    if (this.state !== "connected") return;
    this.#heard();
    if (CARRIERS.includes(frame.type)) addTexts(frame, data);
    const asked = this.#asked.get(frame.id);
    if (asked) {
      this.#asked.delete(frame.id);
      const error = frame.type === "error" ? refusal(frame) : null;
      if (error?.code === "rate_limited") this.#pace.penalize(error.retryAfterMs ?? 1_000);
      asked.answered(frame, error);
      return this.flush();
    }
    const stream = this.streams.get(frame.roomId);
    if (OF_ROOMS.includes(frame.type)) return stream?.[frame.type](frame);
    switch (frame.type) {
      case "status": return this.#tellStatus({ lastSeen: frame.timestamp, ...frame });
      case "reconnect": return this.timers.set("retry", Number(frame.afterMs) || 0, () => this.#again());
      case "joined": return stream || this[EMIT]("invited", frame);
      case "room":
        stream?.emit("room", frame);
        if (frame.event !== "removed" && frame.event !== "closed") return;
      // It puts this client out.
      case "left": return stream && this.#refuse(stream, new MartletError("forbidden", frame.reason));
    }
  }

  #heard() {
    this.#isProbing = false;
    this.timers.set("silence", this.welcome.heartbeat || 30_000, () => this.#probe());
  }

  // A browser sees no WebSocket pings, so silence proves nothing before this is unanswered.
  #probe(limit = PONG_LIMIT) {
    if (this.state !== "connected" || (this.#isProbing && limit === PONG_LIMIT)) return;
    this.#isProbing = true;
    this.#send({ type: "ping" });
    this.timers.set("silence", limit, () => this.#lost(0, "the gateway fell silent"));
  }

  #welcomed(welcome) {
    const { session, resumed = false, positions = {}, limits, userId } = welcome;
    // Where guests are let in, a client is greeted as one before its token has been looked at.
    if (!userId && this.config.getToken) return;
    if (this.welcome && this.welcome.userId !== userId) this.#changeUser();
    this.welcome = welcome;
    this.#session = session ?? null;
    this.#clockSkew = welcome.timestamp - Date.now();
    this.#heed(limits);
    this.timers.clear("deadline");
    this.timers.set("stable", STABLE_AFTER, () => (this.#failures = 0));
    this.#refreshBefore(expiry(this.#token));
    this.#nameInbox(userId);
    this.#heardWelcome(resumed, positions);
    this.#toWatch = new Set(this.#watched.keys());
    const { connectionId, nodeId } = welcome;
    this.#enter("connected", { userId, connectionId, nodeId, resumed });
    if (this.state !== "connected") return;
    if (globalThis.document?.hidden) this.#tellState("away");
    for (const waiter of this.#waiters) waiter.settle();
    this.flush();
  }

  // The lower of what this gateway takes and what the options say; where neither says anything, a gateway's defaults.
  #heed(limits) {
    const { maxMessageBytes, messagesPerSecond } = this.config;
    this.most = lower(limits?.messageBytes, maxMessageBytes) ?? 65_536;
    const perSecond = lower(limits?.messagesPerSecond, messagesPerSecond) ?? 100;
    const burst = lower(limits?.messageBurst, messagesPerSecond && 2 * messagesPerSecond);
    this.#pace.limit(perSecond, burst ?? 2 * perSecond);
  }

  #nameInbox(userId) {
    const { own } = this;
    if (userId === undefined) {
      own.id = null;
      return own.become("refused", new MartletError("forbidden"));
    }
    if (own.phase === "refused") own.become("out");
    own.id = "@" + userId;
    const other = this.streams.get(own.id);
    this.streams.set(own.id, own);
    if (!other || other === own) return;
    // The inbox was opened by its name before it had one.
    other.merged = own;
    for (const handle of other.handles) own.handles.add(handle);
    for (const waiter of other.waiters) own.waiters.add(waiter);
    for (const entry of this.#outbox) if (entry.stream === other) entry.stream = own;
    own.outstanding += other.outstanding;
    own.position ??= other.position;
  }

  #heardWelcome(resumed, positions) {
    this.state = "connected";
    this.#heard();
    if (resumed) {
      this.#resume();
    } else {
      for (const stream of this.streams.values()) stream.isInSession = false;
    }
    for (const stream of this.streams.values()) {
      if (stream.phase !== "out") continue;
      if (stream.isWanted && !stream.position) this.openImplicit(stream);
      const head = stream.isImplicit && positions[stream.id];
      const { position } = stream;
      const isThere = !position || (position.epoch === head?.epoch && position.seq === head?.seq);
      if (head && isThere) stream.entered({ ...head, recovered: true });
      else if (!stream.isImplicit || position || stream.isWanted) this.#unsettled.add(stream);
    }
  }

  // What another user's connection left half done is not this one's.
  #changeUser() {
    this.streams.delete(this.own.id);
    this.own.position = null;
    for (const entry of this.#outbox) {
      if (entry.sentAt) this.#finish(entry, new MartletError("unknown"));
    }
  }

  // One frame brings back all rooms of the session; those that do not fit into it are joined one by one.
  #resume() {
    // Without a prototype: a room may be called `__proto__`.
    const since = Object.create(null);
    const named = [];
    let size = 100;
    for (const stream of new Set([this.all, this.own, ...this.streams.values()])) {
      if (!stream.position || !stream.isInSession || stream.id === null) continue;
      size += 3 * stream.id.length + 2 * (stream.position.epoch?.length ?? 0) + 50;
      if (size > this.most) break;
      since[stream.id] = stream.position;
      stream.become("asked");
      named.push({ stream, from: stream.position });
    }
    this.ask({ type: "resume", since }, (reply, error) => {
      const rooms = new Map((reply.rooms ?? []).map((room) => [room.roomId, room]));
      for (const { stream, from } of named) {
        const room = rooms.get(stream.id);
        if (stream.position !== from || !room) stream.become("out");
        else if (room.code) this.#notJoined(stream, refusal(room), room.code === "forbidden");
        else stream.entered(room);
        this.settle(stream);
      }
      // Left while there was no connection to say so.
      for (const { roomId, code } of rooms.values()) {
        if (!code && !this.streams.has(roomId)) this.ask({ type: "leave", roomId });
      }
    });
  }

  // ---- Positions over a reload
  // They lie in the tab's storage only while none of its pages is there, since another tab begins with a copy of it.

  #keep = () => {
    if (this.config.persist !== "tab") return;
    const before = this.#kept;
    const { userId } = this.welcome ?? before;
    // What this page has not come to ask for is the next one's.
    const rest = userId === before.userId ? [...before.positions].slice(-MAX_KEPT) : [];
    const streams = [...this.streams.values()].filter(({ handles, position }) => handles.size > 0 && position);
    const kept = { userId, positions: [...rest, ...streams.map(({ id, kept }) => [id, kept])] };
    try {
      sessionStorage.setItem(this.#keptAs, JSON.stringify(kept));
    } catch {
      // There is no room, or no permission.
    }
  };

  // From where browsers keep whole pages.
  #cameBack = ({ persisted }) => persisted && this.#takeKept();

  // Where this user's room was when the page was loaded again; said once.
  #recall({ id }) {
    const { userId, positions } = (this.#kept ??= this.#takeKept());
    if (this.welcome?.userId !== userId) return undefined;
    const position = positions.get(id);
    positions.delete(id);
    return position;
  }

  #takeKept() {
    let kept = null;
    try {
      if (this.config.persist === "tab") kept = JSON.parse(sessionStorage.getItem(this.#keptAs));
      sessionStorage.removeItem(this.#keptAs);
      // A page that was opened by another may have got a copy.
      if (performance.getEntriesByType("navigation")[0]?.type === "navigate") kept = null;
    } catch {
      // There is no storage here.
    }
    return { userId: kept?.userId, positions: new Map(kept?.positions) };
  }

  // ---- Rooms

  open(id, since, last) {
    let stream = this.streams.get(id);
    if (!stream) this.streams.set(id, (stream = new Stream(this, id, false)));
    if (stream.isWanted) return stream;
    stream.last = last;
    return this.openImplicit(stream, since);
  }

  openImplicit(stream, since = this.#recall(stream)) {
    if (since) {
      stream.startFrom(since);
      if (stream.phase === "in") stream.become("out");
    }
    return stream;
  }

  settle(stream) {
    this.#unsettled.add(stream);
    this.flush();
  }

  // Takes the room one step towards what is wanted of it.
  #step(stream) {
    const { phase, isWanted, isImplicit, merged } = stream;
    if (merged) return;
    if (stream.handles.size > 0 || isImplicit) stream.settleLeavers();
    if (stream.isDelayed) return;
    if (phase === "out" && (isWanted || isImplicit)) {
      this.#join(stream);
    } else if (phase === "in" && !isWanted && !isImplicit) {
      stream.become("leaving");
      stream.position = null;
      stream.isInSession = false;
      this.#leave(stream);
    } else if ((phase === "out" || phase === "refused") && !isWanted && !isImplicit) {
      stream.settleLeavers();
      this.streams.delete(stream.id);
    }
  }

  // What waits for answers that the handle is to be given fails, what it has said goes out.
  async left(stream, handle) {
    for (const waiter of stream.waiters) if (waiter.owner === handle) waiter.settle(closed(LEFT));
    for (const entry of this.#outbox) {
      if (entry.handle === handle && READS.includes(entry.frame.type)) this.#finish(entry, closed(LEFT));
    }
    // Another handle may take the room over in this very turn, as in React's StrictMode.
    setTimeout(() => this.settle(stream), 0);
    if (this.state === "connected") await new Promise((resolve) => stream.leavers.add(resolve));
  }

  #join(stream) {
    const from = stream.position;
    stream.become("asked");
    const { id, last } = stream;
    this.ask({ type: "join", roomId: id, ...(from ? { since: from } : { last }) }, (reply, error) => {
      // A handle may have asked for another position in the meantime.
      if (stream.position !== from) stream.become("out");
      else if (error) this.#notJoined(stream, error, !isPassing(error));
      else stream.entered(reply);
      this.settle(stream);
    });
  }

  #leave(stream) {
    if (stream.phase !== "leaving" || this.state !== "connected") return;
    this.ask({ type: "leave", roomId: stream.id }, (reply, error) => {
      if (error && isPassing(error)) {
        return this.timers.set(stream, error.retryAfterMs ?? 1_000, () => this.#leave(stream));
      }
      stream.become("out");
      this.settle(stream);
    });
  }

  // Of a resume all but a right that is gone may have passed: what holds is said to a join.
  #notJoined(stream, error, isRefused) {
    if (isRefused) return this.#refuse(stream, error);
    stream.become("out");
    stream.isDelayed = true;
    this.#later(error);
  }

  // What failed for a passing reason is tried again after a little while, or when the gateway has said to.
  #later({ retryAfterMs }) {
    const wait = retryAfterMs === undefined ? 500 + 1000 * Math.random() : retryAfterMs * (1 + 0.5 * Math.random());
    const isFirst = !this.timers.has("later");
    if (!isFirst && (retryAfterMs === undefined || Date.now() + wait <= this.#laterAt)) return;
    this.#laterAt = Date.now() + wait;
    this.timers.set("later", wait, () => {
      for (const stream of this.streams.values()) {
        if (!stream.isDelayed) continue;
        stream.isDelayed = false;
        this.#unsettled.add(stream);
      }
      this.flush();
    });
  }

  #refuse(stream, error) {
    stream.isInSession = false;
    stream.become("refused", error);
    for (const entry of this.#outbox) {
      if (entry.stream === stream && stream.isClosedTo(entry.frame)) this.#finish(entry, error);
    }
    this.flush();
  }

  // ---- Requests

  publish(stream, payload, { msgType = 1, event, echo, volatile, queue = !volatile, dedupe, ...bounds } = {}) {
    if (!volatile) dedupe ??= this.#keyPrefix + this.#nextKey++;
    const frame = { type: "message", roomId: stream.id, msgType, event, echo, volatile, dedupe };
    const text = this.write(payload);
    const onLoss = queue ? "repeat" : "reject";
    return this.request(frame, { stream, payload: text, onLoss, dedupe, isPrompt: !queue, bounds })
      .then(({ seq, timestamp }) => ({ seq, timestamp }));
  }

  // A payload's text. What the user's own `stringify` gives need only be JSON.
  write(payload) {
    const { stringify } = this.config;
    try {
      const text = stringify ? stringify(payload) : JSON.stringify(payload, held);
      if (stringify || text === undefined) JSON.parse(text);
      return text;
    } catch (cause) {
      throw new MartletError("invalid", cause?.message, { cause });
    }
  }

  // What came with a payload, whose text is kept, and a payload made of it anew.
  read({ payload, ...rest }) {
    const { parse = JSON.parse } = this.config;
    try {
      if (rest.text !== undefined) payload = parse(rest.text);
    } catch (cause) {
      payload = undefined;
      this[EMIT]("error", new MartletError("invalid", cause?.message, { cause }));
    }
    return { ...rest, payload };
  }

  // `onLoss`: whether the request is made again on the next connection or fails with this one. `isPrompt`: it goes out
  // at once or not at all. `isOwn`: the user has not asked for it.
  request(frame, { bounds, ...rest }) {
    return new Promise((resolve, reject) => {
      const entry = { frame, stream: null, ...rest, resolve, reject, isSent: false, sentAt: 0, tries: 0 };
      const { stream, isOwn, isPrompt } = entry;
      entry.cost = new TextEncoder().encode(this.#encode(entry, 1e9)).length;
      if (this.ended) reject(this.ended);
      else if (stream?.isClosedTo(frame)) reject(stream.error);
      else if (entry.cost > this.most) reject(tooLarge(entry));
      else if (!isOwn && this.#isFull(entry)) reject(new MartletError("queue_full"));
      else if (isPrompt && this.state !== "connected") reject(new MartletError("disconnected"));
      else {
        this.#outbox.add(entry);
        if (stream) stream.outstanding += 1;
        this.#count(entry, 1);
        entry.release = bound(bounds, (error) => this.#finish(entry, error));
        this.flush();
      }
    });
  }

  #count({ isOwn, cost }, sign) {
    if (isOwn) return;
    this.#queued += sign;
    this.#queuedBytes += sign * cost;
  }

  #isFull({ cost }) {
    const most = this.config.maxQueued ?? 1000;
    return this.#queued >= most || (this.#queued > 0 && this.#queuedBytes + cost > MAX_QUEUED_BYTES);
  }

  #encode({ frame, payload }, id) {
    const text = JSON.stringify({ ...frame, id });
    return payload === undefined ? text : `${text.slice(0, -1)},"payload":${payload}}`;
  }

  #finish(entry, error, reply) {
    if (!this.#outbox.delete(entry)) return;
    const { stream } = entry;
    this.#count(entry, -1);
    entry.release?.();
    if (error?.code === "timeout") error.sent = entry.sentAt > 0;
    if (stream && --stream.outstanding === 0 && !stream.isWanted) this.settle(stream);
    if (error) entry.reject(error);
    else entry.resolve(reply);
  }

  // Sends, once the present turn is over, all that may be sent.
  flush() {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      if (this.state !== "connected") return;
      this.#flushNow();
      for (const entry of this.#outbox) {
        if (entry.isPrompt && !entry.isSent) this.#finish(entry, new MartletError("disconnected"));
      }
    });
  }

  #flushNow() {
    for (const stream of this.#unsettled) {
      if (!this.#mayGo()) return;
      this.#unsettled.delete(stream);
      this.#step(stream);
    }
    if (!this.timers.has("later")) this.#watchNow();
    const isRead = (entry) => READS.includes(entry.frame.type);
    let reads = [...this.#outbox].filter((entry) => entry.isSent && isRead(entry)).length;
    for (const entry of this.#outbox) {
      if (entry.isSent || entry.stream?.takes(entry.frame) === false) continue;
      if (isRead(entry) && reads >= MAX_READS) continue;
      if (!this.#mayGo()) return;
      reads += isRead(entry);
      this.#transmit(entry);
    }
  }

  #mayGo() {
    if (this.#pace.refill()) return true;
    this.timers.set("pace", this.#pace.wait, () => this.flush());
    return false;
  }

  #transmit(entry) {
    const isForgotten = entry.dedupe && entry.sentAt && Date.now() - entry.sentAt > DEDUPE_TIME;
    if (isForgotten) return this.#finish(entry, new MartletError("unknown"));
    // It was taken on before this gateway said what it takes.
    if (entry.cost > this.most) return this.#finish(entry, tooLarge(entry));
    entry.isSent = true;
    entry.sentAt ||= Date.now();
    const id = this.#expect((reply, error) => this.#answered(entry, reply, error));
    this.#send(entry.frame, this.#encode(entry, id));
  }

  #answered(entry, reply, error) {
    if (!this.#outbox.has(entry)) return;
    const { stream, isPrompt } = entry;
    const isOutside = error?.code === "not_member" && stream;
    if (error?.code === "rate_limited" && !isPrompt) {
      entry.isSent = false;
    } else if (isOutside && !stream.error && entry.tries++ < 3) {
      // The gateway has lost our membership: join again, from where we are.
      entry.isSent = false;
      stream.become("out");
      this.settle(stream);
    } else {
      this.#finish(entry, (isOutside && stream.error) || error, reply);
    }
  }

  // ---- Users

  watch(users, listener) {
    const names = [...new Set(users)];
    const entry = { listener };
    for (const user of names) {
      if (!this.#watched.has(user)) {
        this.#watched.set(user, { listeners: new Set(), shown: null });
        this.#toWatch.add(user);
      }
      const watched = this.#watched.get(user);
      watched.listeners.add(entry);
      if (watched.shown) queueMicrotask(() => watched.listeners.has(entry) && guarded(listener, copy(watched.shown)));
    }
    this.flush();
    return () => {
      for (const user of names) this.#watched.get(user)?.listeners.delete(entry);
      // Somebody else may take the watch over in this very turn.
      setTimeout(() => this.#unwatch(names), 0);
    };
  }

  #watchNow() {
    while (this.#toWatch.size > 0 && this.#mayGo()) {
      const users = [...this.#toWatch].slice(0, USERS_A_FRAME);
      for (const user of users) this.#toWatch.delete(user);
      this.ask({ type: "watch", users }, (reply, error) => {
        if (!error) {
          this.#tellStatuses(reply.users);
        } else if (isPassing(error)) {
          for (const user of users) if (this.#watched.has(user)) this.#toWatch.add(user);
          this.#later(error);
        } else {
          this[EMIT]("error", error);
        }
      });
    }
  }

  #unwatch(names) {
    const users = names.filter((user) => this.#watched.get(user)?.listeners.size === 0);
    for (const user of users) {
      this.#watched.delete(user);
      this.#toWatch.delete(user);
    }
    if (this.state !== "connected") return;
    while (users.length > 0) this.ask({ type: "unwatch", users: users.splice(0, USERS_A_FRAME) });
  }

  // Those who may not be watched have a code; with another connection that may be otherwise.
  #tellStatuses(users) {
    const refused = new Map();
    for (const { code, ...status } of users) {
      const { userId } = status;
      if (code === undefined) {
        this.#tellStatus(status);
      } else if (this.#watched.has(userId)) {
        this.#watched.get(userId).shown = null;
        refused.set(code, [...(refused.get(code) ?? []), userId]);
      }
    }
    for (const [code, users] of refused) {
      this[EMIT]("error", new MartletError(code, "unwatched", { users }));
    }
  }

  #tellStatus({ userId, online, state, lastSeen }) {
    const watched = this.#watched.get(userId);
    if (!watched || (watched.shown?.online === online && watched.shown.state === state)) return;
    watched.shown = { userId, online, ...(online ? state && { state } : lastSeen && { lastSeen }) };
    for (const { listener } of [...watched.listeners]) guarded(listener, copy(watched.shown));
  }

  // ---- Tokens

  // `expires` in milliseconds by the gateway's clock; null where it is not known.
  #refreshBefore(expires) {
    if (!expires || !this.config.getToken) return;
    const left = expires - (Date.now() + this.#clockSkew);
    if (left <= 0) return;
    const delay = Math.max(left - REFRESH_AHEAD, Math.min(left / 2, 10_000), 1_000);
    this.timers.set("refresh", delay, () => this.#refresh(expires));
  }

  // A token, unless it cannot be had; what is over by then is not told of.
  async #askToken(failed) {
    const attempt = this.#attempt;
    let token, error;
    try {
      token = await new Promise((resolve, reject) => {
        this.timers.set("token", TOKEN_LIMIT, () => reject(new MartletError("timeout", "getToken took too long")));
        Promise.resolve(this.config.getToken()).then(resolve, reject);
      });
      if (!token) error = new MartletError("unauthorized");
    } catch (thrown) {
      error = thrown;
    }
    if (attempt !== this.#attempt) return null;
    this.timers.clear("token");
    if (!error) return token;
    if (error instanceof MartletError && error.code === "unauthorized") this.stop(error);
    else failed(error);
    return null;
  }

  // Should no new token come in time, the gateway closes with 4401.
  async #refresh(expires) {
    const failed = (error) => {
      this[EMIT]("error", error);
      this.#refreshBefore(expires);
    };
    const token = await this.#askToken((cause) => {
      failed(new MartletError("unavailable", cause?.message, { cause }));
    });
    if (!token) return;
    // Nothing new, or a timer that could not be set as long as the token is good.
    if (token === this.#token) return this.#refreshBefore(expires);
    this.ask({ type: "auth", token }, (reply, error) => {
      if (error) return failed(error);
      this.#token = token;
      this.#refreshBefore(reply.expires);
      for (const stream of this.streams.values()) {
        if (stream.phase !== "refused") continue;
        stream.become("out");
        this.settle(stream);
      }
    });
  }
}

/** A connection to a gateway that mends itself; see martlet.d.ts. */
export class Martlet {
  #core;

  constructor(url, options = {}) {
    this.#core = new Core(url, { ...options });
  }

  get state() {
    return this.#core.state;
  }

  get error() {
    return this.state === "stopped" ? this.#core.ended : null;
  }

  get userId() {
    return this.#core.welcome?.userId ?? null;
  }

  on(event, listener) {
    return this.#core.on(event, listener);
  }

  once(event, listener) {
    return this.#core.once(event, listener);
  }

  off(event, listener) {
    this.#core.off(event, listener);
  }

  connect(bounds) {
    const told = ({ userId = null, connectionId, nodeId }) => ({ userId, connectionId, nodeId });
    return ignorable(this.#core.connected(bounds).then(told));
  }

  close() {
    return this.#core.close();
  }

  reconnect() {
    this.#core.reconnect();
  }

  room(id, { since, last } = {}) {
    return this.#handle(this.#core.open(String(id), since, last));
  }

  inbox({ since } = {}) {
    return this.#handle(this.#core.openImplicit(this.#core.own, since));
  }

  everyone({ since } = {}) {
    return this.#handle(this.#core.openImplicit(this.#core.all, since));
  }

  watch(users, listener) {
    this.#wake((error) => this.#core[EMIT]("error", error));
    return this.#core.watch(users, listener);
  }

  request(frame, bounds) {
    this.#wake(nothing);
    return ignorable(this.#core.request(frame, { onLoss: "reject", bounds }));
  }

  #handle(stream) {
    const room = new Room(this.#core, stream);
    this.#wake((error) => room[EMIT]("state", { state: "refused", error }));
    this.#core.settle(stream);
    return room;
  }

  // Opens the connection where it never was. One that has ended is opened by `connect()` alone; who listens from this
  // turn on is told why.
  #wake(tell) {
    const { ended } = this.#core;
    if (ended) queueMicrotask(() => tell(ended));
    else this.#core.start();
  }
}

// What a user holds of a room; several may hold the same one.
class Room extends Emitter {
  #core;
  #taken;

  constructor(core, stream) {
    super();
    this.#core = core;
    this.#taken = stream;
    stream.handles.add(this);
  }

  get #stream() {
    return this.#taken.merged ?? this.#taken;
  }

  get id() {
    return this.#stream.id;
  }

  get position() {
    return this.#stream.position && { ...this.#stream.position };
  }

  get isJoined() {
    return this.#stream.phase === "in";
  }

  on(event, ...listener) {
    const off = super.on(event, ...listener);
    if (event === "members") this.#stream.roster.want(this);
    return off;
  }

  // The messages from here on, until the room is left or the client closed.
  async *[Symbol.asyncIterator]() {
    const messages = [];
    let wake, end;
    const finish = (error) => {
      end ??= { error };
      wake?.();
    };
    await this.#begin(({ error }) => error && finish(error));
    const heard = (message) => {
      if (messages.length < MAX_UNREAD) wake?.(messages.push(message));
      else finish(new MartletError("queue_full"));
    };
    const offs = [
      this.on("message", heard),
      this.on("left", () => finish()),
      this.on("state", ({ error }) => error && finish(error)),
      this.#core.on("state", ({ error }) => this.#core.ended && finish(error)),
    ];
    try {
      while (messages.length || !end) {
        if (messages.length) yield messages.shift();
        else await new Promise((resolve) => (wake = resolve));
      }
      if (end.error) throw end.error;
    } finally {
      for (const off of offs) off();
    }
  }

  joined(bounds) {
    return this.#try(async (stream) => {
      if (stream.error) throw stream.error;
      if (stream.phase !== "in") await settled(stream.waiters, bounds, this);
    });
  }

  publish(payload, options) {
    return this.#try((stream) => this.#core.publish(stream, payload, options));
  }

  // `rest` is how the core is to take it.
  request(frame, bounds, rest) {
    const roomId = this.id;
    return this.#try((stream) => {
      return this.#core.request({ ...frame, roomId }, { stream, onLoss: "reject", bounds, ...rest });
    });
  }

  signal(to, payload, bounds) {
    return this.#try(async () => {
      await this.request({ type: "signal", to }, bounds, { payload: this.#core.write(payload ?? null) });
    });
  }

  govern(type, fields, bounds) {
    return ignorable(this.request({ ...fields, type }, bounds).then(({ version }) => version));
  }

  history({ before, after, limit, ...bounds } = {}) {
    return this.#try(async () => {
      const frame = { type: "history", before, after, limit };
      const answer = await this.request(frame, bounds, { handle: this, onLoss: "repeat" });
      const { type, id, roomId, text, ...page } = answer;
      return { ...page, messages: page.messages.map((message) => this.#core.read(message)) };
    });
  }

  members(bounds) {
    return this.#try(async (stream) => (await stream.readMembers({ ...bounds, handle: this })).members);
  }

  async leave() {
    if (!this.#stream.handles.delete(this)) return;
    this[EMIT]("left");
    this[OFF]();
    await this.#core.left(this.#stream, this);
  }

  #try(action) {
    return ignorable(this.#begin(action));
  }

  async #begin(action) {
    if (!this.#stream.handles.has(this)) throw closed(LEFT);
    if (this.#core.ended) throw this.#core.ended;
    return action(this.#stream);
  }
}

function closed(what) {
  return new MartletError("closed", what);
}

// Whoever does not wait for it is not called to account for its failure.
function ignorable(promise) {
  promise.catch(nothing);
  return promise;
}

// Has `end` called with the signal's reason, or when the time is over, unless what it answers is called before.
function bound({ signal, timeout } = {}, end) {
  const aborted = () => end(signal.reason);
  if (signal?.aborted) return aborted();
  signal?.addEventListener("abort", aborted);
  const late = () => end(new MartletError("timeout", `not within ${timeout} ms`));
  const timer = timeout === undefined ? undefined : setTimeout(late, Math.min(timeout, LONGEST_TIMER));
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", aborted);
  };
}

// Waits among these to be settled, within the bounds.
function settled(waiters, bounds, owner) {
  return new Promise((resolve, reject) => {
    let release;
    const settle = (error) => {
      release?.();
      waiters.delete(waiter);
      if (error === undefined || error === null) resolve();
      else reject(error);
    };
    const waiter = { owner, settle };
    waiters.add(waiter);
    release = bound(bounds, settle);
  });
}

function kindOf(value) {
  return {}.toString.call(value).slice(8, -1);
}

function copy(value) {
  if (Array.isArray(value)) return value.map(copy);
  if (kindOf(value) !== "Object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, copy(part)]));
}

// A replacer that refuses what JSON would leave out or turn into something else. Without a value an object's field is
// left out as ever.
function held(name, value) {
  const kind = kindOf(value);
  let isHeld = HELD.includes(kind);
  if (kind === "Number") isHeld = Number.isFinite(value);
  else if (kind === "Undefined") isHeld = !Array.isArray(this);
  else if (kind === "Null") isHeld = this[name] === null;
  if (!isHeld || ArrayBuffer.isView(this[name])) throw new TypeError(`not JSON: ${kind} ${name}`);
  return value;
}

// Puts beside each payload of a frame its text, byte for byte.
function addTexts(frame, data) {
  const texts = textsOf(data);
  frame.text = texts.get("payload");
  const pages = textsOf(texts.get("messages") ?? "");
  frame.messages?.forEach((message, index) => (message.text = textsOf(pages.get(index)).get("payload")));
}

// The texts of what a JSON object or array holds, by name or number.
function textsOf(json) {
  const texts = new Map();
  let depth = 0;
  let isString = false;
  let start, name;
  for (const { 0: token, index } of json.matchAll(/\\.|["[\]{},:]/g)) {
    if (token === '"') isString = !isString;
    if (isString) continue;
    const text = depth === 1 && json.slice(start, index).trim();
    if (text && token === ":") name = JSON.parse(text);
    else if (text && ",]}".includes(token)) texts.set(name ?? texts.size, text);
    if ("[{".includes(token)) depth += 1;
    else if ("]}".includes(token)) depth -= 1;
    if (depth === 1 && "[{,:".includes(token)) start = index + 1;
  }
  return texts;
}

// What an error frame says, or an entry that has a code.
function refusal({ code, message, retryAfterMs }) {
  return new MartletError(code, message, Number.isFinite(retryAfterMs) ? { retryAfterMs } : {});
}

// Whether the same may be asked again later; of a code that is not known the gateway says so.
function isPassing({ code, retryAfterMs }) {
  return PASSING.includes(code) || retryAfterMs !== undefined;
}

function tooLarge({ cost }) {
  return new MartletError("too_large", cost + " bytes");
}

// Of two limits, either of which may be missing.
function lower(one, other) {
  return one === undefined || other < one ? other : one;
}

// A WebSocket's address, from one that may begin with http or be relative to the page. By its text, since React Native's
// URL has no setters.
function absolute(url) {
  const text = /^[\w+.-]+:/.test(url) ? String(url) : new URL(url, globalThis.location?.href).href;
  return text.replace(/^http/i, "ws").replace(/#.*/s, "");
}

// Other than every other page's; nobody has to be kept from guessing it.
function randomKey() {
  const part = () => Math.random().toString(36).slice(2);
  return part() + part() + ".";
}

// When a JWT ends, in milliseconds since 1970; null for a token that is none.
function expiry(token) {
  try {
    const { exp } = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return exp * 1000 || null;
  } catch {
    return null;
  }
}

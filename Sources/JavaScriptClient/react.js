// Hooks for React 18 and later, over a client that is made outside of all components. Their types: react.d.ts.
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";

const SHOWN_TOGETHER = 16; // Milliseconds: what comes in them is one render.
const RETRY = 1_000;
const PASSING = new Set(["conflict", "disconnected", "rate_limited", "unavailable"]);

// What a hook shows: a value that is replaced, never written to. Nothing is asked for before somebody subscribes, so it may
// be made in a render that is thrown away, and on a server.
class Store {
  #changed = null;

  constructor(first) {
    this.first = first;
    this.value = first;
  }

  read = () => this.value;
  readFirst = () => this.first;

  subscribe = (changed) => {
    this.#changed = changed;
    const stop = this.follow();
    return () => {
      this.#changed = null;
      stop?.();
    };
  };

  show(value) {
    this.value = value;
    this.#changed?.();
  }
}

function useStore(make, inputs) {
  const store = useMemo(make, inputs);
  return useSyncExternalStore(store.subscribe, store.read, store.readFirst);
}

// `*` is what the backend sends to everyone, `@` the user's inbox.
function open(client, id) {
  if (id === "*") return client.everyone();
  if (id === "@") return client.inbox();
  return client.room(id);
}

// The newest messages of a room: a page of its history, then what comes.
class RoomStore extends Store {
  #client;
  #id;
  #limit;
  #history;
  #heard;
  #room = null;
  #messages = []; // In order, and at most twice as many as are shown.
  #timer = null;
  #retry = null;
  #round = 0; // Which reading of the history counts.
  #isReading = false;
  #isOutdated = false; // Whether what is being read may have a payload that was taken away since.

  constructor(client, id, { limit, history, heard }) {
    super({ state: "joining", error: null, messages: [] });
    this.first.publish = this.#publish;
    this.#client = client;
    this.#id = id;
    this.#limit = limit;
    this.#history = Math.min(history, limit);
    this.#heard = heard;
  }

  follow() {
    if (this.#id === null) return undefined;
    const room = (this.#room = open(this.#client, this.#id));
    const refused = (error) => {
      if (this.#room === room) this.#tell({ state: "refused", error });
    };
    let isLoaded = false;
    const joined = () => {
      if (this.#room !== room) return;
      this.#tell({ state: "joined", error: null });
      if (isLoaded) return;
      isLoaded = true;
      // What was read while the room was refused may end long before what comes.
      this.#begin(room);
    };
    room.on("message", (message) => this.#receive(message));
    room.on("gap", () => this.#begin(room));
    room.on("room", (change) => change.event === "redacted" && this.#redact(change, room));
    room.on("state", ({ state, error }) => {
      if (state === "joined") joined();
      else this.#tell({ state, error: error ?? null });
    });
    room.joined().then(joined, (error) => {
      refused(error);
      // One may be allowed to read without being in the room.
      if (error.code === "forbidden" && this.#room === room) this.#load(room);
    });
    return () => {
      this.#room = null;
      this.#begin(null);
      room.leave();
    };
  }

  // Goes on with nothing, as after a gap; without a room for the next that subscribes.
  #begin(room) {
    this.#round += 1;
    clearTimeout(this.#retry);
    this.#messages = [];
    if (room) {
      this.#change();
      this.#load(room);
    } else {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.value = this.first;
    }
  }

  #receive(message) {
    const last = this.#messages.at(-1);
    // One that is not stored is in no list, and the history may have had this one already.
    const isKnown = last && last.epoch === message.epoch && last.seq >= message.seq;
    if (message.seq !== undefined && !isKnown) {
      this.#messages.push(message);
      if (this.#messages.length >= 2 * this.#limit) this.#messages = this.#messages.slice(-this.#limit);
      this.#change();
    }
    this.#heard.current?.(message);
  }

  // Its epoch may be called otherwise here, where the room's count went on in another: then the list begins anew.
  #redact({ epoch, seq }, room) {
    this.#isOutdated = this.#isReading;
    const isIt = (message) => message.seq === seq && message.epoch === epoch;
    const taken = { payload: null, text: "null", redacted: true };
    if (this.#messages.some(isIt)) {
      this.#messages = this.#messages.map((message) => (isIt(message) ? { ...message, ...taken } : message));
      this.#change();
    } else if (this.#messages.some((message) => message.seq === seq)) {
      this.#begin(room);
    }
  }

  async #load(room) {
    if (this.#history === 0) return;
    const round = ++this.#round;
    this.#isReading = true;
    this.#isOutdated = false;
    try {
      const { epoch, messages } = await room.history({ limit: this.#history });
      if (round !== this.#round) return;
      if (this.#isOutdated) return this.#load(room);
      this.#isReading = false;
      const [first] = this.#messages;
      const isOlder = (message) => !first || message.epoch !== undefined || message.seq < first.seq;
      const older = messages.filter(isOlder).map((message) => ({ epoch, ...message }));
      this.#messages = [...older, ...this.#messages];
      this.#change();
    } catch (error) {
      if (round !== this.#round) return;
      this.#isReading = false;
      if (PASSING.has(error.code) || error.retryAfterMs !== undefined) {
        const wait = error.retryAfterMs ?? RETRY * (1 + Math.random());
        this.#retry = setTimeout(() => this.#load(room), wait);
      } else if (error.code !== "closed") {
        this.#tell({ error });
      }
    }
  }

  #change() {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#tell({ messages: this.#messages.slice(-this.#limit) });
    }, SHOWN_TOGETHER);
  }

  #tell(change) {
    this.show({ ...this.value, ...change });
  }

  // Where the room is not open, before the first effect or after the last, it is for as long as that takes. The promises are
  // the room's own, which need not be waited for.
  #publish = (payload, options) => {
    if (this.#room) return this.#room.publish(payload, options);
    if (this.#id === null) return nowhere();
    const room = open(this.#client, this.#id);
    const answer = room.publish(payload, options);
    room.leave();
    return answer;
  };
}

function nowhere() {
  const answer = Promise.reject(new TypeError("there is no room to publish to"));
  answer.catch(() => {});
  return answer;
}

class MembersStore extends Store {
  constructor(client, id) {
    super([]);
    this.client = client;
    this.id = id;
  }

  follow() {
    if (this.id === null) return undefined;
    const room = open(this.client, this.id);
    room.on("members", (members) => this.show(members));
    return () => void room.leave();
  }
}

class StatusStore extends Store {
  constructor(client, userId) {
    super(null);
    this.client = client;
    this.userId = userId;
  }

  follow() {
    return this.userId === null ? undefined : this.client.watch([this.userId], (status) => this.show(status));
  }
}

class ConnectionStore extends Store {
  constructor(client) {
    super({ state: "idle", userId: null, error: null });
    this.client = client;
    this.read();
  }

  // What has changed between a render and its effects counts too.
  read = () => {
    const { state, userId, error } = this.client;
    const { value } = this;
    if (value.state !== state || value.userId !== userId || value.error !== error) this.value = { state, userId, error };
    return this.value;
  };

  follow() {
    return this.client.on("state", () => this.show(this.read()));
  }
}

export function useRoom(client, roomId, { limit = 500, history = 50, onMessage } = {}) {
  const heard = useRef(onMessage);
  useEffect(() => void (heard.current = onMessage));
  const make = () => new RoomStore(client, roomId ?? null, { limit, history, heard });
  return useStore(make, [client, roomId ?? null, limit, history]);
}

export function useMembers(client, roomId) {
  return useStore(() => new MembersStore(client, roomId ?? null), [client, roomId ?? null]);
}

export function useStatus(client, userId) {
  return useStore(() => new StatusStore(client, userId ?? null), [client, userId ?? null]);
}

export function useConnection(client) {
  return useStore(() => new ConnectionStore(client), [client]);
}

const KEPT = Symbol.for("martlet.kept");

export function keep(name, make) {
  const kept = (globalThis[KEPT] ??= new Map());
  if (!kept.has(name)) kept.set(name, make());
  return kept.get(name);
}

// The members of a joined room: a page or more of them first, then each step as `presence` frames tell it.

const MAX_SHOWN = 300;
const MAX_STEPS = 1000;

export class Roster {
  // User id to { info, connections }, at most MAX_SHOWN of them.
  users = new Map();
  // All members, shown or not.
  count;
  // The cursor of the next page, where another one is wanted.
  next;
  #version;
  #isLoaded = false;
  // The latest steps with their versions: a page that was read before some of them is brought up to date by them.
  #steps = [];
  // Up to which version the roster has changed without its steps being told.
  #unseen = 0;

  constructor(count) {
    this.count = count;
  }

  get isLoaded() { return this.#isLoaded; }

  // Before the first page is asked for, and again after something was missed.
  restart() {
    this.#isLoaded = false;
    this.#steps = [];
  }

  // Takes a page; false where it was read before something that was missed, and the members must be asked for again.
  take(page) {
    if (!this.#isLoaded) {
      if (page.rosterVersion < this.#unseen) return false;
      this.users = new Map();
      this.count = page.count;
      this.#version = page.rosterVersion;
      this.#isLoaded = true;
    }
    for (const { userId, info, connections } of page.members) {
      if (this.users.size < MAX_SHOWN) this.users.set(userId, { info, connections });
    }
    for (const step of this.#steps) {
      if (step.version > page.rosterVersion) this.#do(step);
    }
    this.next = this.users.size < MAX_SHOWN ? page.next : undefined;
    return true;
  }

  // Takes a `presence` frame; false where a step was missed and the members must be asked for again.
  apply(frame) {
    const before = frame.rosterVersion - frame.events.length;
    const steps = frame.events.map((event, index) => ({ ...event, version: before + index + 1 }));
    this.#steps = [...this.#steps, ...steps].slice(-MAX_STEPS);
    if (steps.length === 0) this.#unseen = frame.rosterVersion;
    if (!this.#isLoaded) return true;
    if (before > this.#version || (steps.length === 0 && frame.rosterVersion > this.#version)) return false;
    for (const step of steps) {
      if (step.version > this.#version) this.#do(step);
    }
    this.count = frame.members;
    return true;
  }

  #do({ event, userId, info, version }) {
    if (event === "leave") {
      this.users.delete(userId);
    } else if (!this.users.has(userId) && this.users.size < MAX_SHOWN) {
      this.users.set(userId, { info, connections: 1 });
    }
    if (version > this.#version) {
      this.#version = version;
      this.count += event === "leave" ? -1 : 1;
    }
  }
}

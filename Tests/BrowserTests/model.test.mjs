// Random losses against a small model of a gateway: whatever happens, a handle's stream is without hole and repeat, or
// has a gap where the log had one, and what was acknowledged is stored once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gateway, turn } from "./gateway.mjs";

const STEPS = 1000;
const ROOMS = ["a", "b", "*"];

/** Repeatable: the same seed, the same numbers. */
function randomFrom(seed) {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

/** The truth about one room, and how the contract has it answered. */
class Room {
  epoch = 1;
  seq = 0;
  first = 1; // The log's oldest message.
  ends = new Map(); // Earlier epochs → where each ended without a loss.
  stored = new Map(); // `epoch/seq` → payload
  keys = new Map(); // dedupe → seq
  losses = 0;

  publish(payload, dedupe) {
    if (dedupe && this.keys.has(dedupe)) return this.keys.get(dedupe);
    this.seq += 1;
    this.stored.set(`${this.epoch}/${this.seq}`, payload);
    if (dedupe) this.keys.set(dedupe, this.seq);
    return this.seq;
  }

  get position() {
    return { epoch: String(this.epoch), seq: this.seq };
  }

  /** Whether all after this position can be had. */
  canRecover({ epoch, seq }) {
    const isGood = epoch === String(this.epoch) ? seq <= this.seq : seq <= (this.ends.get(epoch) ?? -1);
    // From 0 on: whatever the log holds, which the client itself has to look at.
    return seq === 0 || (isGood && seq + 1 >= this.first);
  }

  /** What a join or a resume is answered, and the messages behind it. */
  answer(since) {
    const recovered = !since || this.canRecover(since);
    const missed = [];
    if (since && recovered) for (let n = Math.max(since.seq + 1, this.first); n <= this.seq; n += 1) missed.push(n);
    return { reply: { ...this.position, recovered }, missed };
  }
}

class Model {
  rooms = new Map(ROOMS.map((id) => [id, new Room()]));
  session = null;
  sessionRooms = new Set();
  live = new Set();

  constructor(gateway, random) {
    this.gateway = gateway;
    this.random = random;
  }

  get socket() {
    return this.gateway.socket;
  }

  get isOpen() {
    return this.socket?.isWelcomed && !this.socket.isEnded;
  }

  message(id, seq) {
    const room = this.rooms.get(id);
    const payload = room.stored.get(`${room.epoch}/${seq}`);
    return { type: "message", roomId: id, userId: "u", msgType: 1, payload, timestamp: 1, seq };
  }

  async tell(id, seq) {
    if (this.isOpen && this.live.has(id)) await this.gateway.say(this.message(id, seq));
  }

  async welcome() {
    const asked = this.socket.url.searchParams.get("session");
    const resumed = asked !== null && asked === this.session;
    if (!resumed) this.sessionRooms.clear();
    this.session = `s${this.random(1e9)}`;
    this.live = new Set(resumed ? [] : ["*"]);
    this.socket.isWelcomed = true;
    const positions = resumed ? {} : { "*": this.rooms.get("*").position };
    await this.gateway.welcome({ session: this.session, resumed, positions });
  }

  /** Serves the oldest request, or loses its answer with the connection. */
  async serve(isLost) {
    const request = this.socket.sent.shift();
    if (!request) return;
    const { type, id, roomId } = request;
    const frames = [];
    if (type === "message") {
      if (!this.sessionRooms.has(roomId)) frames.push({ type: "error", id, code: "not_member", message: "join" });
      else {
        const room = this.rooms.get(roomId);
        const before = room.seq;
        const seq = room.publish(request.payload, request.dedupe);
        if (seq > before && this.live.has(roomId)) frames.push(this.message(roomId, seq));
        frames.push({ type: "ack", id, roomId, seq, timestamp: 1 });
      }
    } else if (type === "join") {
      const { reply, missed } = this.rooms.get(roomId).answer(request.since);
      if (roomId !== "*") this.sessionRooms.add(roomId);
      this.live.add(roomId);
      frames.push({ type: "joined", id, roomId, ...reply, members: 1, rosterVersion: 1 });
      frames.push(...missed.map((seq) => this.message(roomId, seq)));
    } else if (type === "resume") {
      const ids = [...this.sessionRooms, "*"];
      const answers = ids.map((each) => ({ roomId: each, ...this.rooms.get(each).answer(request.since[each]) }));
      frames.push({ type: "resumed", id, rooms: answers.map(({ roomId, reply }) => ({ roomId, ...reply })) });
      for (const { roomId, missed } of answers) frames.push(...missed.map((seq) => this.message(roomId, seq)));
      for (const each of ids) this.live.add(each);
    } else if (type === "ping") {
      frames.push({ type: "pong" });
    }
    if (isLost) return this.gateway.end(1006);
    // The connection may end in the midst of what was missed.
    const count = this.random(10) === 0 ? this.random(frames.length + 1) : frames.length;
    await this.gateway.say(...frames.slice(0, count));
    if (count < frames.length) await this.gateway.end(1006);
  }

  /** Another run of Redis, with all of the log or without its end. */
  async restart(id, lost) {
    const room = this.rooms.get(id);
    lost = Math.min(lost, room.seq - room.first + 1);
    const before = room.epoch;
    const kept = room.seq - lost;
    room.epoch += 1;
    for (let n = room.first; n <= kept; n += 1) {
      room.stored.set(`${room.epoch}/${n}`, room.stored.get(`${before}/${n}`));
    }
    for (const [key, seq] of room.keys) if (seq > kept) room.keys.delete(key);
    room.seq = kept;
    room.losses += lost > 0 ? 1 : 0;
    if (lost > 0) for (const [epoch, end] of room.ends) room.ends.set(epoch, Math.min(end, kept));
    room.ends.set(String(before), kept);
    const frame = { type: lost > 0 ? "gap" : "epoch", roomId: id, ...room.position };
    if (this.isOpen && this.live.has(id)) await this.gateway.say(frame);
  }
}

for (let seed = 1; seed <= 20; seed += 1) {
  test(`streams stay whole, seed ${seed}`, async (t) => {
    const random = randomFrom(seed * 7919);
    const gateway = new Gateway(t);
    const model = new Model(gateway, random);
    const client = gateway.client();
    const handles = new Map(ROOMS.map((id) => [id, id === "*" ? client.everyone() : client.room(id)]));
    const streams = new Map(ROOMS.map((id) => [id, []]));
    const published = [];
    let delivered = 0;
    for (const [id, handle] of handles) {
      let last = null;
      handle.on("message", ({ seq, epoch, payload }) => {
        if (last !== null) assert.equal(seq, last + 1, `${id}: ${seq} after ${last}`);
        assert.equal(payload, model.rooms.get(id).stored.get(`${epoch}/${seq}`), `${id}: ${epoch}/${seq}`);
        last = seq;
        delivered += 1;
      });
      handle.on("gap", ({ from, to }) => {
        if (last !== null) assert.equal(from.seq, last, `${id}: a gap from where the stream was`);
        const room = model.rooms.get(id);
        const isTrue = !room.canRecover(from) || (from.seq === 0 && room.first > 1) || from.epoch !== to.epoch;
        assert.ok(isTrue, `${id}: a gap from ${JSON.stringify(from)} to ${JSON.stringify(to)} that was none`);
        last = to.seq;
      });
    }
    // An assertion in a listener is the client's to report.
    const failures = [];
    t.mock.method(console, "error", (error) => failures.push(error));

    const step = async (isCalm) => {
      const id = ROOMS[random(ROOMS.length)];
      const room = model.rooms.get(id);
      const action = isCalm ? 99 : random(60);
      if (action < 14) {
        await model.tell(id, room.publish(`others ${random(1e9)}`));
      } else if (action < 20 && id !== "*") {
        const payload = `mine ${published.length}`;
        const code = handles.get(id).publish(payload).then(() => "stored", (error) => error.code);
        published.push({ id, payload, code });
      } else if (action === 20) {
        room.first = Math.min(room.seq + 1, room.first + random(4));
      } else if (action === 21) {
        await model.restart(id, random(2) * random(5));
      } else if (!model.socket || model.socket.isEnded) {
        await gateway.pass(1_000);
      } else if (!model.socket.isWelcomed) {
        await model.welcome();
      } else if (action === 22) {
        await gateway.end(1006);
      } else if (action === 23) {
        await gateway.end(1001);
        if (random(2)) model.session = null;
      } else if (action === 24) {
        await gateway.say({ type: "reconnect", afterMs: random(2_000) });
      } else if (action === 25) {
        await gateway.pass(random(3_000));
      } else {
        await model.serve(action < 28);
      }
      await turn();
    };
    for (let count = 0; count < STEPS; count += 1) await step(false);
    for (let count = 0; count < 400; count += 1) await step(true);

    assert.deepEqual(failures, []);
    for (const [id, handle] of handles) assert.deepEqual(handle.position, model.rooms.get(id).position, id);
    for (const { id, payload, code } of published) {
      const room = model.rooms.get(id);
      const places = [...room.stored].filter(([, value]) => value === payload);
      const seqs = new Set(places.map(([place]) => place.split("/")[1]));
      // What Redis has lost together with its key may be stored once more.
      assert.ok(seqs.size <= 1 + room.losses, `${payload} is stored once`);
      const fate = await code;
      assert.ok(fate === "unknown" || (fate === "stored" && seqs.size > 0), `${payload}: ${fate}`);
    }
    assert.ok(delivered > 150, `${delivered} delivered`);
  });
}

// The call page: who is in the room is told by presence, browsers find each other by signals, and hanging up is leaving.

import { fillAddress } from "./address.js";
import { Martlet } from "./martlet.js";
import { $, chosen, element, isUserId } from "./parts.js";
import { Peer } from "./peer.js";
import { picture } from "./picture.js";

// Other than those of all pages before: whoever loads the page again is called anew.
const PAGE = crypto.getRandomValues(new Uint32Array(2)).join("-");

let call = null;

class Call {
  #client;
  #room;
  #stream;
  #peers = new Map();
  #turn = null;
  // Lists and signals are taken one after another, in their order.
  #work = Promise.resolve();
  #isOver = false;

  constructor(address, identity, roomId, stream) {
    this.#stream = stream;
    this.#client = new Martlet(address, identity);
    this.#client.on("state", (change) => this.#changed(change));
    this.#room = this.#client.room(roomId);
    this.#room.on("members", (members) => this.#next(() => this.#meet(members.map(({ userId }) => userId))));
    this.#room.on("signal", ({ from, payload }) => this.#next(() => this.#hear(from, payload)));
    this.#room.on("state", ({ state, error }) => {
      if (state === "refused") stop("The room cannot be joined: " + error.message, true);
    });
  }

  get #ownId() {
    return this.#client.userId;
  }

  #changed({ state, reason, error }) {
    if (this.#isOver) return;
    if (state === "connected") say("on", "In the call as " + this.#ownId);
    else if (state === "stopped") stop(error.message, true);
    else say("wait", state === "waiting" ? "Away: " + (reason || "trying again") : "Connecting");
  }

  #next(step) {
    // What another has said may mean nothing, and is to end nothing.
    this.#work = this.#work.then(step).catch((error) => console.warn("call", error));
  }

  // Whoever is on the list is called, whoever is not has left.
  async #meet(userIds) {
    const others = new Set(userIds.filter((userId) => userId !== this.#ownId));
    for (const userId of [...this.#peers.keys()]) if (!others.has(userId)) this.#forget(userId);
    const servers = await this.#iceServers();
    if (this.#isOver) return;
    for (const userId of others) if (!this.#peers.has(userId)) this.#call(userId, null, servers);
    shown(this.#peers.size + 1);
  }

  async #hear(from, { page, to, ...signal }) {
    // What another page of ours was told, before this one was loaded.
    if (from === this.#ownId || (to && to !== PAGE)) return;
    const servers = await this.#iceServers();
    if (this.#isOver) return;
    let peer = this.#peers.get(from);
    // Who has loaded the page again knows nothing of the connection that there was.
    if (!peer || (peer.page && peer.page !== page)) {
      this.#forget(from);
      peer = this.#call(from, page, servers);
    }
    peer.page ??= page;
    peer.hear(signal);
    shown(this.#peers.size + 1);
  }

  #call(userId, page, servers) {
    const shownAs = tile(userId);
    const peer = new Peer({
      servers, stream: this.#stream, page,
      // Of two that offer at the same moment the one with the greater name gives way.
      isPolite: this.#ownId > userId,
      // One that does not arrive was for somebody who has left: presence tells that.
      send: (signal) => void this.#room.signal(userId, { page: PAGE, to: peer.page, ...signal }),
      onStream: (stream) => shownAs.show(stream),
      onState: (state) => shownAs.tell(state),
    });
    peer.shownAs = shownAs;
    this.#peers.set(userId, peer);
    return peer;
  }

  #forget(userId) {
    const peer = this.#peers.get(userId);
    if (!peer) return;
    this.#peers.delete(userId);
    peer.close();
    peer.shownAs.remove();
    shown(this.#peers.size + 1);
  }

  // Credentials are asked for again once half of their time is over.
  async #iceServers() {
    if (this.#turn && this.#turn.until > Date.now()) return this.#turn.servers;
    try {
      const { urls, username, credential, ttl } = await this.#client.request({ type: "turn" }, { timeout: 5_000 });
      this.#turn = { servers: [{ urls, username, credential }], until: Date.now() + ttl * 500 };
    } catch {
      // The gateway has no TURN servers, or cannot be asked just now: addresses of their own may do.
      this.#turn = { servers: [], until: Date.now() + 60_000 };
    }
    return this.#turn.servers;
  }

  async hangUp() {
    this.#isOver = true;
    for (const userId of [...this.#peers.keys()]) this.#forget(userId);
    for (const track of this.#stream.getTracks()) track.stop();
    await this.#room.leave();
    await this.#client.close();
  }
}

// One person's picture, and how many of its frames this page has shown.
function tile(userId, isOwn = false) {
  const item = element("li");
  const video = element("video");
  const state = element("span", "calling");
  const line = element("p");
  line.append(element("strong", isOwn ? userId + " (you)" : userId), state);
  item.append(video, line);
  item.dataset.user = userId;
  if (isOwn) item.dataset.own = "";
  video.autoplay = video.playsInline = true;
  video.muted = isOwn;
  let frames = 0;
  let told = "";
  const tell = () => (state.textContent = (told ? told + ", " : "") + frames + " frames");
  const count = () => {
    item.dataset.frames = frames += 1;
    if (frames % 5 === 0) tell();
    video.requestVideoFrameCallback(count);
  };
  video.requestVideoFrameCallback?.(count);
  // Where a page may not begin to play by itself, the first click on it does. One whose picture is taken away need not play.
  const play = () => video.play().catch(({ name }) => {
    if (name === "NotAllowedError") document.addEventListener("click", play, { once: true });
  });
  $("people").append(item);
  return {
    show(stream) {
      if (video.srcObject !== stream) video.srcObject = stream;
      play();
    },
    tell(text) {
      item.dataset.state = told = text;
      tell();
    },
    remove() {
      video.srcObject = null;
      item.remove();
    },
  };
}

function say(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}

function shown(count) {
  $("people-total").textContent = call ? count : "";
  $("nobody").hidden = Boolean(call) && count > 1;
}

function note(text, isBad) {
  $("note").textContent = text;
  $("note").dataset.state = isBad ? "bad" : "on";
}

async function begin() {
  const isToken = chosen("identity") === "token";
  const userId = $("user-id").value;
  const token = $("token").value.trim();
  if (isToken ? !token : !isUserId(userId)) return note(isToken ? "Type a token." : "Type a user id.", true);
  $("call").disabled = true;
  note("");
  say("wait", "Asking for the picture");
  try {
    const stream = await picture(chosen("picture"), userId);
    const own = tile(isToken ? "you" : userId, true);
    own.show(stream);
    own.tell("");
    call = new Call($("ws-url").value.trim(), isToken ? { getToken: () => token } : { userId }, $("room").value.trim(), stream);
    $("hang-up").disabled = false;
    shown(1);
  } catch (error) {
    stop("No picture: " + error.message, true);
  }
}

async function stop(text, isBad) {
  const ended = call;
  call = null;
  $("hang-up").disabled = true;
  say("off", "Not in a call");
  note(text, isBad);
  await ended?.hangUp();
  $("people").replaceChildren();
  shown(0);
  $("call").disabled = false;
}

$("call-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!call) begin();
});
$("hang-up").addEventListener("click", () => stop("You have left."));
for (const input of document.querySelectorAll("input[name=identity]")) {
  input.addEventListener("change", () => {
    for (const field of document.querySelectorAll("[data-for]")) field.hidden = field.dataset.for !== chosen("identity");
  });
}
$("user-id").value = "guest-" + PAGE.slice(0, 4);
fillAddress($("ws-url"), (words) => note(words, true));

// The console of a Martlet node: one WebSocket to the client port, and REST calls to the node this page came from.

import { fillAddress } from "./address.js";
import * as composer from "./composer.js";
import { Connection, closeWords } from "./connection.js";
import { startGoverned } from "./governed.js";
import * as history from "./history.js";
import { line, note, startLog } from "./log.js";
import * as members from "./members.js";
import { messageLine, signalLine } from "./messages.js";
import { refreshNodes, startNodes } from "./nodes.js";
import { $, chosen, element, told } from "./parts.js";
import { PayloadField } from "./payload.js";
import { key, post } from "./rest.js";
import { refreshSpenders, startSpenders } from "./spenders.js";
import { refreshStory, startStory } from "./story.js";
import { showTab, startTabs } from "./tabs.js";
import { refreshUsers, startUsers } from "./users.js";
import * as watch from "./watch.js";

let connection = null;
let broadcastPayload;
const rooms = new Set();

function status(text, state) {
  $("status").textContent = text;
  $("status").dataset.state = state;
}

// ---- the connection

function connect(event) {
  event.preventDefault();
  if (connection) connection.close();
  const identity = chosen("identity") === "token"
    ? { token: $("token").value.trim() } : { userId: $("user-id").value };
  try {
    connection = new Connection($("ws-url").value, identity, {
      state: changed, room: roomChanged, unwatched: watch.refused,
      message: ({ epoch, ...message }, frame) => line(messageLine(message, frame)),
      changed: (change) => note(wordsOf(change)),
      signal: (signal, frame) => line(signalLine(signal, frame)),
      error: (words) => note(words, true),
      members: members.listed,
      presence: (change) => {
        const words = members.wordsOf(change);
        if (words) note(words);
      },
      gap: ({ roomId, from, to }) =>
        note("Messages of " + roomId + " after " + from.seq + " were lost; it goes on after " + to.seq + ".", true),
    });
  } catch (error) {
    note("This address cannot be used: " + error.message, true);
    return;
  }
  $("connect").disabled = true;
  $("disconnect").disabled = false;
  connection.open();
  watch.use(connection);
}

function changed({ state, userId, nodeId, resumed, code, reason, retryInMs, error }) {
  switch (state) {
    case "connecting":
      status("Connecting…", "wait");
      break;
    case "connected":
      status(userId + " on " + nodeId, "on");
      note(resumed ? "Back as " + userId + " on node " + nodeId + ", where it was." : "Connected as " + userId + " to node " + nodeId + ".");
      break;
    case "waiting":
      status("Lost; trying again", "bad");
      note(closeWords(code, reason) + (retryInMs === undefined ? " Coming back when the gateway said." : ""), true);
      break;
    case "stopped":
      status("Closed" + (error.closeCode ? ": " + error.closeCode : ""), "bad");
      note(error.closeCode ? closeWords(error.closeCode, error.message) : error.message, true);
      ended();
      break;
    case "idle":
      status("Not connected", "off");
      note("The connection was closed.");
      ended();
  }
  watch.doubt(state === "waiting" || state === "connecting");
  showRooms();
}

// A change of a governed room in words.
function wordsOf({ roomId, event, version, userId, role, reason }) {
  const what = {
    joined: "is governed, and you are " + role, updated: "has other settings", restored: "has lost settings", host: "has the host " + userId,
    role: "has made " + userId + " " + role, muted: "has muted " + userId, unmuted: "lets " + userId + " speak",
    removed: "has put you out" + (reason ? ": " + reason : ""), closed: "was closed",
  }[event];
  return roomId + " " + (what ?? "tells of " + event) + (version ? " (version " + version + ")." : ".");
}

function ended() {
  connection = null;
  watch.use(null);
  for (const room of rooms) members.left(room);
  rooms.clear();
  $("connect").disabled = false;
  $("disconnect").disabled = true;
}

function roomChanged(roomId, { state, error }) {
  if (state === "refused") {
    forget(roomId);
    note("Could not join " + roomId + ": " + error.message + " (" + error.code + ")", true);
  } else if (state === "joined") {
    // A room that was joined before the connection was lost is joined again, and no news.
    if (rooms.has(roomId)) return;
    note("Joined " + roomId + ".");
    rooms.add(roomId);
    members.joined(roomId);
    showRooms(roomId);
  }
}

function leave(roomId) {
  connection.leave(roomId);
  forget(roomId);
  note("Left " + roomId + ".");
}

function forget(roomId) {
  rooms.delete(roomId);
  members.left(roomId);
  showRooms();
}

function showRooms(selected) {
  const names = [...rooms].sort();
  $("rooms").replaceChildren(...names.map(chip));
  $("no-rooms").hidden = names.length > 0;
  $("join").disabled = connection === null;
  composer.offer(connection, names, selected);
  history.offer(connection, names);
}

function chip(room) {
  const item = element("li");
  const name = element("button", room, "name");
  name.title = "History of " + room;
  name.addEventListener("click", () => {
    showTab("history");
    history.load(room);
  });
  const cross = element("button", "×");
  cross.setAttribute("aria-label", "Leave " + room);
  cross.addEventListener("click", () => leave(room));
  for (const button of [name, cross]) button.type = "button";
  item.append(name, cross);
  return item;
}

// ---- broadcasts, by REST

async function broadcast(event) {
  event.preventDefault();
  const answer = $("broadcast-answer");
  const names = $("broadcast-rooms").value.split(/[\s]+/).filter(Boolean);
  const to = chosen("target") === "rooms" ? { rooms: names } : { everyone: true };
  const json = broadcastPayload.read();
  if (json === null) return;
  const body = '{"to":' + JSON.stringify(to) + ',"payload":' + json + "}";
  $("broadcast").disabled = true;
  try {
    const result = await post("/v1/broadcast", body);
    const targets = result.rooms.map((room) =>
      room.error ? room.roomId + " failed: " + room.error.message : (room.roomId === "*" ? "everyone" : room.roomId) + " at #" + room.seq);
    told(answer, "Stored: " + targets.join(", ") + ".", result.rooms.some((room) => room.error));
  } catch (error) {
    told(answer, error.message, true);
  } finally {
    $("broadcast").disabled = false;
  }
}

// ---- the page

function showChosen() {
  for (const name of ["identity", "target"]) {
    for (const radio of document.querySelectorAll(`input[name="${name}"]`)) {
      for (const part of document.querySelectorAll(`[data-for="${radio.value}"]`)) part.hidden = !radio.checked;
    }
  }
}

function refresh() {
  refreshNodes();
  refreshSpenders();
  refreshStory();
  refreshUsers();
}

function start() {
  key.restore();
  $("connect-form").addEventListener("submit", connect);
  $("disconnect").addEventListener("click", () => connection && connection.close());
  $("join-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (connection) connection.join($("room").value.trim());
  });
  $("broadcast-form").addEventListener("submit", broadcast);
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    refresh();
  });
  key.field.addEventListener("input", () => key.changed());
  key.field.addEventListener("change", refresh);
  for (const radio of document.querySelectorAll("input[type=radio]")) radio.addEventListener("change", showChosen);
  showChosen();
  for (const startPart of [
    startTabs, startLog, composer.startComposer, history.startHistory, members.startMembers, watch.startWatch,
    startUsers, startNodes, startSpenders, startStory, startGoverned,
  ]) startPart();
  broadcastPayload = new PayloadField("broadcast-payload");
  showRooms();
  if (key.field.value) refresh();
  fillAddress($("ws-url"), (words) => note(words, true));
}

start();

// The console of a Martlet node: one WebSocket to the client port, and REST calls to the node this page came from.

import { Connection, closeWords } from "./connection.js";
import * as members from "./members.js";
import { $, age, asJSON, chosen, clock, count, element, told } from "./parts.js";
import { call, key, post } from "./rest.js";
import { refreshSpenders, startSpenders } from "./spenders.js";
import { refreshUsers, startUsers } from "./users.js";

const MAX_LINES = 500;

let connection = null;
const rooms = new Set();

// ---- what arrives

function status(text, state) {
  $("status").textContent = text;
  $("status").dataset.state = state;
}

function line(item) {
  const log = $("log");
  const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(item);
  while (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
  $("empty").hidden = true;
  if (follows) log.scrollTop = log.scrollHeight;
}

function note(text, isBad) {
  const item = element("li", undefined, isBad ? "bad" : "");
  const head = element("div", undefined, "head");
  head.append(element("span", text, "note"), clock(Date.now()));
  item.append(head);
  line(item);
}

function message({ roomId, userId, seq, msgType, payload, timestamp }, frame = "") {
  const item = element("li");
  const head = element("div", undefined, "head");
  head.append(element("span", roomId, "where"), element("strong", userId), element("span", "#" + seq));
  if (msgType !== 1) head.append(element("span", "msgType " + msgType));
  head.append(clock(timestamp));
  const details = element("details");
  details.append(element("summary", "frame"), element("pre", frame));
  item.append(head, element("pre", typeof payload === "string" ? payload : payloadText(payload, frame)), details);
  line(item);
}

// The payload as it came. Neither mark can stand inside a string of the frame before it, since a quote there would be escaped.
function payloadText(payload, frame) {
  const start = frame.indexOf(',"payload":');
  const end = frame.lastIndexOf(',"timestamp":');
  return start >= 0 && end > start ? frame.slice(start + 11, end) : JSON.stringify(payload);
}

// ---- the connection

function connect(event) {
  event.preventDefault();
  if (connection) connection.close();
  const identity = chosen("identity") === "token"
    ? { token: $("token").value.trim() } : { userId: $("user-id").value };
  try {
    connection = new Connection($("ws-url").value, identity, {
      state: changed, room: roomChanged, message,
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
  showRooms();
}

function ended() {
  connection = null;
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
    if (!rooms.has(roomId)) note("Joined " + roomId + ".");
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

async function send(event) {
  event.preventDefault();
  const room = $("send-room").value;
  const payload = asJSON($("payload").value);
  $("payload").value = "";
  try {
    await connection.send(room, payload);
  } catch (error) {
    note("Could not send to " + room + ": " + error.message + " (" + error.code + ")", true);
  }
}

function showRooms(selected) {
  const chips = [...rooms].sort().map((room) => {
    const item = element("li", room);
    const button = element("button", "×");
    button.type = "button";
    button.setAttribute("aria-label", "Leave " + room);
    button.addEventListener("click", () => leave(room));
    item.append(button);
    return item;
  });
  $("rooms").replaceChildren(...chips);
  $("no-rooms").hidden = rooms.size > 0;
  $("join").disabled = connection === null;

  const select = $("send-room");
  const before = selected || select.value;
  const options = [...rooms].sort().map((room) => new Option(room, room));
  select.replaceChildren(...(options.length ? options : [new Option("no room", "")]));
  if (rooms.has(before)) select.value = before;
  for (const id of ["send-room", "payload", "send"]) $(id).disabled = rooms.size === 0;
}

// ---- by REST: broadcasts, nodes and totals

async function broadcast(event) {
  event.preventDefault();
  const answer = $("broadcast-answer");
  const names = $("broadcast-rooms").value.split(/[\s]+/).filter(Boolean);
  const to = chosen("target") === "rooms" ? { rooms: names } : { everyone: true };
  const body = '{"to":' + JSON.stringify(to) + ',"payload":' + asJSON($("broadcast-payload").value) + "}";
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

function redisLine({ kind, version, topology, shards }) {
  const places = shards.map((shard) => shard.address + (shard.answers ? "" : " (does not answer)"));
  return `${kind} ${version}${topology === "single" ? "" : ` (${topology})`} at ${places.join(", ")}`;
}

async function listNodes() {
  const remark = $("nodes-note");
  if (!key.field.value) {
    remark.textContent = "Type the API key above to see the live nodes.";
    remark.hidden = false;
    $("nodes").hidden = true;
    $("totals").textContent = "";
    return;
  }
  try {
    const [{ nodes, total }, stats] = await Promise.all([call("/v1/nodes?limit=100"), call("/v1/stats")]);
    const rows = nodes.map((node) => {
      const row = element("tr");
      const name = element("td", node.nodeId);
      name.title = "version " + node.version;
      if (node.ready === false) name.append(" (not ready: " + node.reason + ")");
      row.append(name, element("td", node.connections), element("td", node.rooms), element("td", node.load.toFixed(2)), element("td", age(node.startedAt)));
      return row;
    });
    $("nodes").tBodies[0].replaceChildren(...rows);
    $("nodes").hidden = false;
    // Of a Cluster, a part of which is away, some are not known.
    const totals = [["nodes", "node"], ["connections", "connection"], ["users", "user"], ["rooms", "room"]]
      .filter(([name]) => stats[name] !== undefined)
      .map(([name, one]) => count(stats[name], one, name));
    $("totals").textContent = [...totals, redisLine(stats.redis)].join(" · ");
    remark.textContent = total > nodes.length ? "The first " + nodes.length + " of " + total + "." : "";
    remark.hidden = total <= nodes.length;
  } catch (error) {
    $("nodes").hidden = true;
    $("totals").textContent = "";
    remark.textContent = error.message;
    remark.hidden = false;
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

function webSocketURL(port) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return scheme + "//" + location.hostname + ":" + port + "/ws";
}

function refresh() {
  listNodes();
  refreshSpenders();
  refreshUsers();
}

async function start() {
  key.restore();
  $("connect-form").addEventListener("submit", connect);
  $("disconnect").addEventListener("click", () => connection && connection.close());
  $("join-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (connection) connection.join($("room").value.trim());
  });
  $("send-form").addEventListener("submit", send);
  $("broadcast-form").addEventListener("submit", broadcast);
  $("nodes-refresh").addEventListener("click", listNodes);
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    refresh();
  });
  key.field.addEventListener("input", () => key.changed());
  key.field.addEventListener("change", refresh);
  $("clear").addEventListener("click", () => {
    $("log").replaceChildren();
    $("empty").hidden = false;
  });
  for (const radio of document.querySelectorAll("input[type=radio]")) radio.addEventListener("change", showChosen);
  showChosen();
  showRooms();
  members.startMembers();
  startUsers();
  startSpenders();
  if (key.field.value) refresh();
  setInterval(() => {
    if (!document.hidden && key.isAccepted) listNodes();
  }, 5000);
  $("ws-url").value = webSocketURL(8080);
  try {
    const { clientPort, apiPort } = await (await fetch("/console/config.json")).json();
    // Behind a proxy the ports are the proxy's: most keep the two as far apart as the node's own are.
    const isDirect = location.port === "" || apiPort === 0 || Number(location.port) === apiPort;
    const port = isDirect ? clientPort : Number(location.port) + clientPort - apiPort;
    if ($("ws-url").value === webSocketURL(8080)) $("ws-url").value = webSocketURL(port);
  } catch {
    note("This node did not say where its client port is; check the WebSocket address.", true);
  }
}

start();

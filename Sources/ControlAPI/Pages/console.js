// The console of a Martlet node: one WebSocket to the client port, and REST calls to the node this page came from.

import { Connection } from "./connection.js";
import * as members from "./members.js";
import { $, age, asJSON, chosen, clock, count, element, told } from "./parts.js";
import { call, key, post } from "./rest.js";
import { refreshUsers, startUsers } from "./users.js";

const MAX_LINES = 500;

let connection = null;
let isWelcome = false;
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

function message(frame, raw) {
  const item = element("li");
  const head = element("div", undefined, "head");
  head.append(element("span", frame.roomId, "where"), element("strong", frame.userId), element("span", "#" + frame.seq));
  if (frame.msgType !== 1) head.append(element("span", "msgType " + frame.msgType));
  head.append(clock(frame.timestamp));
  const details = element("details");
  details.append(element("summary", "frame"), element("pre", raw));
  item.append(head, element("pre", typeof frame.payload === "string" ? frame.payload : rawPayload(frame, raw)), details);
  line(item);
}

// The payload as it came: what JavaScript makes of a number beyond 2^53 is not what was sent. Neither mark can stand inside
// a string of the frame before it, since a quote there would be escaped.
function rawPayload(frame, raw) {
  const start = raw.indexOf(',"payload":');
  const end = raw.lastIndexOf(',"timestamp":');
  return start >= 0 && end > start ? raw.slice(start + 11, end) : JSON.stringify(frame.payload);
}

// ---- the connection

function connect(event) {
  event.preventDefault();
  if (connection) connection.close();
  const identity = chosen("identity") === "token"
    ? { token: $("token").value.trim() } : { userId: $("user-id").value };
  try {
    connection = new Connection($("ws-url").value, identity, {
      frame: receive, closed, unreadable: () => note("A frame came that is not JSON.", true),
    });
  } catch (error) {
    note("This address cannot be used: " + error.message, true);
    return;
  }
  members.membersOf(connection);
  status("Connecting…", "wait");
  $("connect").disabled = true;
  $("disconnect").disabled = false;
}

function closed({ code, reason, words, isBad }) {
  connection = null;
  isWelcome = false;
  rooms.clear();
  members.membersOf(null);
  showRooms();
  $("connect").disabled = false;
  $("disconnect").disabled = true;
  status(isBad ? "Closed: " + code : "Not connected", isBad ? "bad" : "off");
  note(words + (isBad ? " (" + code + (reason ? ", " + reason : "") + ")" : ""), isBad);
}

function receive(frame, raw, asked) {
  switch (frame.type) {
    case "welcome":
      isWelcome = true;
      status(frame.userId + " on " + frame.nodeId, "on");
      note("Connected as " + frame.userId + " to node " + frame.nodeId + ".");
      showRooms();
      break;
    case "joined":
      rooms.add(frame.roomId);
      showRooms(frame.roomId);
      note("Joined " + frame.roomId + ", which is at message " + frame.seq + ".");
      members.joined(frame);
      break;
    case "left":
      rooms.delete(frame.roomId);
      showRooms();
      members.left(frame.roomId);
      note("Left " + frame.roomId + ".");
      break;
    case "message":
      message(frame, raw);
      break;
    case "members":
      members.listed(frame);
      break;
    case "presence":
      note(members.changed(frame));
      break;
    case "authenticated":
    case "ack":
    case "pong":
      break;
    case "gap":
      note("Messages of " + frame.roomId + " were lost; it goes on after " + frame.seq + ".", true);
      break;
    case "epoch":
      note(frame.roomId + " goes on under a new epoch; nothing was lost.");
      break;
    case "reconnect":
      note("The node is shutting down and asks to connect again in " + frame.afterMs + " ms.");
      break;
    case "error":
      if (asked && asked.type === "members") members.unlisted(asked.roomId, frame);
      else note(failure(asked) + ": " + frame.message + " (" + frame.code + ")", true);
      break;
    default:
      note("A frame of type " + frame.type + " came.");
  }
}

function failure(asked) {
  switch (asked && asked.type) {
    case "join": return "Could not join " + asked.roomId;
    case "leave": return "Could not leave " + asked.roomId;
    case "message": return "Could not send to " + asked.roomId;
    default: return "The gateway refused a request";
  }
}

function showRooms(selected) {
  const isUsable = Boolean(connection && isWelcome);
  const chips = [...rooms].sort().map((room) => {
    const item = element("li", room);
    const leave = element("button", "×");
    leave.type = "button";
    leave.setAttribute("aria-label", "Leave " + room);
    leave.addEventListener("click", () => connection.leave(room));
    item.append(leave);
    return item;
  });
  $("rooms").replaceChildren(...chips);
  $("no-rooms").hidden = rooms.size > 0;
  $("join").disabled = !isUsable;

  const select = $("send-room");
  const before = selected || select.value;
  const options = [...rooms].sort().map((room) => new Option(room, room));
  select.replaceChildren(...(options.length ? options : [new Option("no room", "")]));
  if (rooms.has(before)) select.value = before;
  for (const id of ["send-room", "payload", "send"]) $(id).disabled = !isUsable || rooms.size === 0;
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
      row.append(name, element("td", node.connections), element("td", node.rooms), element("td", node.load.toFixed(2)), element("td", age(node.startedAt)));
      return row;
    });
    $("nodes").tBodies[0].replaceChildren(...rows);
    $("nodes").hidden = false;
    $("totals").textContent = [
      count(stats.nodes, "node", "nodes"), count(stats.connections, "connection", "connections"),
      count(stats.users, "user", "users"), count(stats.rooms, "room", "rooms"),
    ].join(" · ");
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
  $("send-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (connection) connection.send($("send-room").value, asJSON($("payload").value));
    $("payload").value = "";
  });
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

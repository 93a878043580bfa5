"use strict";

// The console of a Martlet node: one WebSocket to the client port, and REST calls to the node this page came from.
// Whatever comes from outside reaches the page as text only.

const MAX_LINES = 500;
const $ = (id) => document.getElementById(id);

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
  4409: "A newer connection took this one's place.",
  4413: "This page reads too slowly.",
  4429: "Too many requests.",
  4503: "The gateway cannot reach its store just now.",
};

let socket = null;
let welcomed = false;
let nextId = 1;
const pending = new Map();
const rooms = new Set();

// ---- small things

function element(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

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

function clock(milliseconds) {
  const time = element("time", new Date(milliseconds).toLocaleTimeString());
  time.dateTime = new Date(milliseconds).toISOString();
  return time;
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

// What was typed, as JSON: as it stands where it is JSON, else as a string.
function asJSON(text) {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

// ---- the WebSocket

function request(fields, payload) {
  if (!socket || socket.readyState !== WebSocket.OPEN) return;
  const id = nextId++;
  pending.set(id, fields);
  let frame = JSON.stringify({ ...fields, id });
  // The payload goes in as it was typed: numbers that JavaScript cannot hold stay what they are.
  if (payload !== undefined) frame = frame.slice(0, -1) + ',"payload":' + payload + "}";
  socket.send(frame);
}

function connect(event) {
  event.preventDefault();
  let url;
  try {
    url = new URL($("ws-url").value);
    if (url.protocol !== "ws:" && url.protocol !== "wss:") throw new Error("scheme");
  } catch {
    note("The WebSocket address must look like ws://host:8080/ws.", true);
    return;
  }
  if (socket) socket.close(1000);
  const byToken = chosen("identity") === "token";
  if (!byToken) url.searchParams.set("userId", $("user-id").value);
  welcomed = false;
  let opened;
  try {
    opened = new WebSocket(url, "martlet.v1");
  } catch (error) {
    note("The browser refuses this address: " + error.message, true);
    return;
  }
  socket = opened;
  status("Connecting…", "wait");
  $("connect").disabled = true;
  $("disconnect").disabled = false;
  opened.onopen = () => {
    if (byToken) opened.send(JSON.stringify({ type: "auth", token: $("token").value.trim() }));
  };
  opened.onmessage = ({ data }) => {
    if (socket === opened) receive(data);
  };
  opened.onclose = ({ code, reason }) => {
    if (socket === opened) closed(code, reason);
  };
}

function closed(code, reason) {
  socket = null;
  pending.clear();
  rooms.clear();
  showRooms();
  $("connect").disabled = false;
  $("disconnect").disabled = true;
  const words = CLOSES[code] || "The connection was closed.";
  const isBad = code !== 1000 && code !== 1005;
  status(isBad ? "Closed: " + code : "Not connected", isBad ? "bad" : "off");
  note(words + (isBad ? " (" + code + (reason ? ", " + reason : "") + ")" : ""), isBad);
}

function receive(data) {
  let frame;
  try {
    frame = JSON.parse(data);
  } catch {
    note("A frame came that is not JSON.", true);
    return;
  }
  const asked = pending.get(frame.id);
  pending.delete(frame.id);
  switch (frame.type) {
    case "welcome":
      welcomed = true;
      status(frame.userId + " on " + frame.nodeId, "on");
      note("Connected as " + frame.userId + " to node " + frame.nodeId + ".");
      showRooms();
      break;
    case "authenticated":
      break;
    case "joined":
      rooms.add(frame.roomId);
      showRooms(frame.roomId);
      note("Joined " + frame.roomId + ", which is at message " + frame.seq + ".");
      break;
    case "left":
      rooms.delete(frame.roomId);
      showRooms();
      note("Left " + frame.roomId + ".");
      break;
    case "message":
      message(frame, data);
      break;
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
      note(failure(asked) + ": " + frame.message + " (" + frame.code + ")", true);
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
  const isUsable = Boolean(socket && welcomed);
  const chips = [...rooms].sort().map((room) => {
    const item = element("li", room);
    const leave = element("button", "×");
    leave.type = "button";
    leave.setAttribute("aria-label", "Leave " + room);
    leave.addEventListener("click", () => request({ type: "leave", roomId: room }));
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

// ---- REST

async function call(path, options = {}) {
  const headers = { Authorization: "Bearer " + $("api-key").value };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch {
    throw new Error("This node cannot be reached any more.");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  if (response.status === 401) throw new Error("The API key is not accepted.");
  const told = body && body.error;
  throw new Error(told ? told.message + " (" + told.code + ")" : "The node answered " + response.status + ".");
}

async function broadcast(event) {
  event.preventDefault();
  const answer = $("broadcast-answer");
  const names = $("broadcast-rooms").value.split(/[\s]+/).filter(Boolean);
  const to = chosen("target") === "rooms" ? { rooms: names } : { everyone: true };
  const body = '{"to":' + JSON.stringify(to) + ',"payload":' + asJSON($("broadcast-payload").value) + "}";
  $("broadcast").disabled = true;
  try {
    const result = await call("/v1/broadcast", { method: "POST", body });
    keepKey();
    const targets = result.rooms.map((room) =>
      room.error ? room.roomId + " failed: " + room.error.message : (room.roomId === "*" ? "everyone" : room.roomId) + " at #" + room.seq);
    answer.textContent = "Stored: " + targets.join(", ") + ".";
    answer.dataset.state = result.rooms.some((room) => room.error) ? "bad" : "on";
    if ($("nodes").hidden) listNodes();
  } catch (error) {
    answer.textContent = error.message;
    answer.dataset.state = "bad";
  } finally {
    $("broadcast").disabled = false;
  }
}

function age(since) {
  const seconds = Math.max(0, Math.round((Date.now() - since) / 1000));
  if (seconds < 120) return seconds + " s";
  if (seconds < 6000) return Math.round(seconds / 60) + " min";
  return seconds < 172800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " d";
}

async function listNodes() {
  const remark = $("nodes-note");
  if (!$("api-key").value) {
    remark.textContent = "Type the API key above to see the live nodes.";
    remark.hidden = false;
    return;
  }
  try {
    const { nodes, total } = await call("/v1/nodes?limit=100");
    keepKey();
    const rows = nodes.map((node) => {
      const row = element("tr");
      const name = element("td", node.nodeId);
      name.title = "version " + node.version;
      row.append(name, element("td", node.connections), element("td", node.rooms), element("td", node.load.toFixed(2)), element("td", age(node.startedAt)));
      return row;
    });
    $("nodes").tBodies[0].replaceChildren(...rows);
    $("nodes").hidden = false;
    remark.textContent = total > nodes.length ? "The first " + nodes.length + " of " + total + "." : "";
    remark.hidden = total <= nodes.length;
  } catch (error) {
    $("nodes").hidden = true;
    remark.textContent = error.message;
    remark.hidden = false;
  }
}

// The key is worth keeping once a node has accepted it, and for no longer than this tab lives.
function keepKey() {
  try {
    sessionStorage.setItem("martlet-api-key", $("api-key").value);
  } catch {
    // A browser that stores nothing asks again after a reload.
  }
}

// ---- the page

function chosen(name) {
  return document.querySelector(`input[name="${name}"]:checked`).value;
}

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

async function start() {
  try {
    $("api-key").value = sessionStorage.getItem("martlet-api-key") || "";
  } catch {
    // As above.
  }
  $("connect-form").addEventListener("submit", connect);
  $("disconnect").addEventListener("click", () => socket && socket.close(1000));
  $("join-form").addEventListener("submit", (event) => {
    event.preventDefault();
    request({ type: "join", roomId: $("room").value.trim() });
  });
  $("send-form").addEventListener("submit", (event) => {
    event.preventDefault();
    request({ type: "message", roomId: $("send-room").value, msgType: 1 }, asJSON($("payload").value));
    $("payload").value = "";
  });
  $("broadcast-form").addEventListener("submit", broadcast);
  $("nodes-refresh").addEventListener("click", listNodes);
  $("api-key").addEventListener("change", listNodes);
  $("clear").addEventListener("click", () => {
    $("log").replaceChildren();
    $("empty").hidden = false;
  });
  for (const radio of document.querySelectorAll("input[type=radio]")) radio.addEventListener("change", showChosen);
  showChosen();
  showRooms();
  if ($("api-key").value) listNodes();
  setInterval(() => {
    if (!document.hidden && !$("nodes").hidden) listNodes();
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

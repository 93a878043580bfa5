// Who is online, by REST: a page of users, kept up to date, and one of them with all connections.

import { $, age, askTwice, clock, count, element, told } from "./parts.js";
import { PayloadField } from "./payload.js";
import { call, key, post, segment } from "./rest.js";

const PAGE = 25;
const PERIOD = 2000;

// The cursors of the pages up to the one that is shown.
let cursors = [""];
let next;
let shown = null;
let selected = null;
let isAsking = false;
let calmDisconnect;
let payload;

export function startUsers() {
  $("users-next").addEventListener("click", () => turn([...cursors, next]));
  $("users-back").addEventListener("click", () => turn(cursors.slice(0, -1)));
  $("lookup-form").addEventListener("submit", (event) => {
    event.preventDefault();
    select($("lookup").value);
  });
  $("user-close").addEventListener("click", () => select(null));
  payload = new PayloadField("push-payload");
  $("push-form").addEventListener("submit", push);
  $("user-refresh").addEventListener("click", askAgain);
  calmDisconnect = askTwice($("user-disconnect"), "Really disconnect?", disconnect);
  setInterval(() => {
    if (!document.hidden && key.isAccepted) refreshUsers();
  }, PERIOD);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && key.isAccepted) refreshUsers();
  });
}

// Reads the page of users and the selected one anew; what is shown stays where that fails.
export async function refreshUsers() {
  if (isAsking) return;
  if (!key.field.value) {
    remark("Type the API key above to see who is online.");
    return;
  }
  isAsking = true;
  const wanted = cursors;
  try {
    const cursor = wanted[wanted.length - 1];
    const page = await call("/v1/users?limit=" + PAGE + (cursor ? "&cursor=" + encodeURIComponent(cursor) : ""));
    if (wanted === cursors) show(page);
    if (selected !== null) await refreshUser();
  } catch (error) {
    // The place of a cursor is gone with the page before it.
    if (error.status === 400 && wanted.length > 1) cursors = [""];
    remark(error.message);
  } finally {
    isAsking = false;
    if (wanted !== cursors) refreshUsers();
  }
}

function remark(text) {
  $("users-note").textContent = text;
  $("users-note").hidden = text === "";
}

function turn(path) {
  cursors = path;
  shown = null;
  refreshUsers();
}

function show(page) {
  if (page.users.length === 0 && cursors.length > 1) {
    cursors = cursors.slice(0, -1);
    return;
  }
  next = page.next;
  // It is not known where apps have users of their own beside these.
  $("users-total").textContent = page.total === undefined ? "" : page.total.toLocaleString();
  const rows = page.users.map(({ userId }) => {
    const row = element("li");
    const button = element("button", userId, "person");
    button.type = "button";
    if (shown && !shown.has(userId)) button.classList.add("new");
    if (userId === selected) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => select(userId));
    row.append(button);
    return row;
  });
  replaceKeepingFocus($("users"), rows);
  shown = new Set(page.users.map(({ userId }) => userId));
  $("users-back").disabled = cursors.length === 1;
  $("users-next").disabled = next === undefined;
  $("users-pages").hidden = cursors.length === 1 && next === undefined;
  $("users-page").textContent = "page " + cursors.length;
  const isEmpty = page.total === 0 || (page.users.length === 0 && cursors.length === 1 && next === undefined);
  remark(isEmpty ? "Nobody is online." : "");
}

// Whoever stands on a button in the list goes on standing on it while others come and go around.
function replaceKeepingFocus(list, rows) {
  const name = list.contains(document.activeElement) ? document.activeElement.textContent : null;
  list.replaceChildren(...rows);
  if (name === null) return;
  const button = [...list.querySelectorAll("button")].find((button) => button.textContent === name);
  if (button) button.focus({ preventScroll: true });
}

// ---- one user

async function select(userId) {
  if (userId !== selected) {
    $("push-answer").textContent = "";
    $("disconnect-answer").textContent = "";
    $("user-connections").replaceChildren();
    calmDisconnect();
  }
  selected = userId;
  for (const button of $("users").querySelectorAll("button")) {
    button.toggleAttribute("aria-current", false);
    if (button.textContent === userId) button.setAttribute("aria-current", "true");
  }
  $("user").hidden = userId === null;
  if (userId === null) return;
  $("user").scrollIntoView({ block: "nearest" });
  $("user-title").textContent = userId;
  state("wait", "asking…");
  try {
    await refreshUser();
  } catch (error) {
    state("bad", error.message);
  }
}

async function refreshUser() {
  const asked = selected;
  let user;
  try {
    user = await call("/v1/users/" + segment(asked));
  } catch (error) {
    if (error.status !== 404) throw error;
    user = { online: false, connections: [] };
  }
  if (asked !== selected) return;
  if (user.online) {
    const reached = user.connections.length;
    state("on", reached ? "online, " + count(reached, "connection", "connections") : "online, within the grace after a loss");
  } else {
    state("off", user.lastSeen === undefined ? "never seen" : "offline since ");
    if (user.lastSeen !== undefined) $("user-state").append(clock(user.lastSeen));
  }
  $("user-connections").replaceChildren(...user.connections.map(connection));
  $("user-disconnect").disabled = !user.online;
  $("user-refresh").disabled = !user.online;
}

function state(name, text) {
  $("user-state").dataset.state = name;
  $("user-state").textContent = text;
}

function connection({ connectionId, nodeId, connectedAt, dialect, rooms, remoteAddress }) {
  const item = element("li");
  const where = element("p", nodeId, "mono");
  where.title = connectionId;
  const details = [age(connectedAt)];
  if (dialect) details.push(dialect);
  if (remoteAddress) details.push(remoteAddress);
  item.append(where, element("p", details.join(" · "), "soft"));
  if (rooms.length) {
    const list = element("ul", undefined, "tags");
    list.setAttribute("aria-label", "Rooms");
    list.append(...rooms.slice(0, 20).map((room) => element("li", room)));
    if (rooms.length > 20) list.append(element("li", "and " + (rooms.length - 20) + " more"));
    item.append(list);
  }
  return item;
}

async function push(event) {
  event.preventDefault();
  const userId = selected;
  const answer = $("push-answer");
  const json = payload.read();
  if (json === null) return;
  const body = '{"to":' + JSON.stringify({ users: [userId] }) + ',"payload":' + json + "}";
  try {
    const [user] = (await post("/v1/broadcast", body)).users;
    if (userId !== selected) return;
    const reach = user.connections
      ? "Reached on " + count(user.connections, "connection", "connections")
      : user.online ? "Within the grace after a loss" : "Offline";
    told(answer, reach + "; in the inbox at #" + user.seq + ".", false);
  } catch (error) {
    if (userId === selected) told(answer, error.message, true);
  }
}

// Has the backend that decides asked again about the user.
async function askAgain() {
  const userId = selected;
  try {
    const { refreshed } = await post("/v1/users/" + segment(userId) + "/refresh");
    if (userId === selected) told($("disconnect-answer"), "Asked again about " + count(refreshed, "connection", "connections") + ".", false);
  } catch (error) {
    if (userId === selected) told($("disconnect-answer"), error.message, true);
  }
}

async function disconnect() {
  const userId = selected;
  const reason = $("disconnect-reason").value;
  try {
    const body = JSON.stringify(reason ? { reason } : {});
    const { disconnected } = await post("/v1/users/" + segment(userId) + "/disconnect", body);
    if (userId === selected) told($("disconnect-answer"), "Closing " + count(disconnected, "connection", "connections") + ".", false);
  } catch (error) {
    if (userId === selected) told($("disconnect-answer"), error.message, true);
  }
  refreshUsers();
}

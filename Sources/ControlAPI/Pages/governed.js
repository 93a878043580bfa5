// One room as backends see it, by REST: its settings, who is what in it, and what is to be done about a user.

import { $, askTwice, clock, count, element, told } from "./parts.js";
import { call, segment } from "./rest.js";

const MAX_SHOWN = 300;
const PATHS = { mute: "mutes", unmute: "mutes", ban: "bans", unban: "bans", role: "members", remove: "members" };

let shown = null; // The room as it was last read.
let calmClose;

export function startGoverned() {
  $("governed-form").addEventListener("submit", (event) => {
    event.preventDefault();
    show($("governed-room").value.trim());
  });
  $("settings-form").addEventListener("submit", save);
  $("order-form").addEventListener("submit", carryOut);
  $("order").addEventListener("change", showFields);
  calmClose = askTwice($("room-close"), "Really close?", close);
  showFields();
}

async function show(roomId) {
  try {
    const path = "/v1/rooms/" + segment(roomId);
    const [room, page] = await Promise.all([read(path, roomId), call(path + "/members?limit=1000")]);
    calmClose();
    shown = room;
    $("governed").hidden = false;
    $("governed-state").textContent = room.version
      ? "Version " + room.version + (room.host ? ", host " + room.host : ", no host") : "No settings, roles or bans.";
    $("settings").value = JSON.stringify(room.settings, null, 1);
    $("room-close").disabled = room.version === 0;
    showPeople(room, page.members);
    told($("governed-answer"), "", false);
  } catch (error) {
    told($("governed-answer"), error.message, true);
  }
}

// A room that nobody has used yet is as good as one without settings.
async function read(path, roomId) {
  try {
    return await call(path);
  } catch (error) {
    if (error.status !== 404) throw error;
    return { roomId, version: 0, settings: {} };
  }
}

function showPeople({ host, roles = {}, muted = {}, banned = {} }, members) {
  const present = new Set(members.map(({ userId }) => userId));
  const names = [...new Set([...Object.keys(roles), ...Object.keys(muted), ...Object.keys(banned), ...present])].sort();
  $("governed-total").textContent = count(present.size, "member", "members");
  $("governed-people").replaceChildren(...names.slice(0, MAX_SHOWN).map((userId) => {
    const item = element("li");
    const name = element("button", userId, "person");
    name.type = "button";
    name.addEventListener("click", () => {
      $("order-user").value = userId;
      $("order-user").focus();
    });
    item.append(name);
    const marks = [present.has(userId) ? "" : "not here", userId === host ? "host" : roles[userId]].filter(Boolean);
    if (marks.length) item.append(" ", element("small", marks.join(", ")));
    for (const [word, ends] of [["mute", muted], ["banned", banned]]) {
      // A name may be one that objects have by themselves.
      if (Object.hasOwn(ends, userId)) item.append(" ", until(word, ends[userId]));
    }
    return item;
  }));
}

function until(word, end) {
  const mark = element("small", word);
  if (end) mark.append(" until ", clock(end));
  return mark;
}

function showFields() {
  const order = $("order").value;
  $("order-role").hidden = order !== "role";
  $("order-minutes").hidden = order !== "mute" && order !== "ban";
  $("order-reason").hidden = order !== "remove" && order !== "ban";
}

// ---- what is changed

async function save(event) {
  event.preventDefault();
  await change(async () => {
    const headers = { "If-Match": String(shown.version) };
    await call("/v1/rooms/" + segment(shown.roomId), { method: "PUT", headers, body: $("settings").value });
    return "Saved.";
  });
}

async function close() {
  await change(async () => {
    const headers = { "If-Match": String(shown.version) };
    await call("/v1/rooms/" + segment(shown.roomId), { method: "DELETE", headers });
    return "Closed: everybody is out.";
  });
}

async function carryOut(event) {
  event.preventDefault();
  const order = $("order").value;
  const userId = $("order-user").value;
  const room = "/v1/rooms/" + segment(shown.roomId);
  await change(async () => {
    if (order === "invite") {
      const { users: [user] } = await call(room + "/members", { method: "POST", body: JSON.stringify({ users: [userId] }) });
      return user.connections ? count(user.connections, "connection was", "connections were") + " told to join." : "Nobody of that name is online.";
    }
    const path = room + "/" + PATHS[order] + "/" + segment(userId);
    const reason = $("order-reason").value;
    const minutes = Number($("order-minutes").value);
    const until = minutes > 0 ? Date.now() + minutes * 60_000 : undefined;
    if (order === "role") await call(path, { method: "PUT", body: JSON.stringify({ role: $("order-role").value }) });
    else if (order === "mute") await call(path, { method: "PUT", body: JSON.stringify({ until }) });
    else if (order === "ban") await call(path, { method: "PUT", body: JSON.stringify({ until, reason }) });
    else await call(path + (order === "remove" && reason ? "?reason=" + encodeURIComponent(reason) : ""), { method: "DELETE" });
    return "Done.";
  });
}

async function change(action) {
  if (!shown) return;
  try {
    const answer = await action();
    await show(shown.roomId);
    told($("governed-answer"), answer, false);
  } catch (error) {
    told($("governed-answer"), error.message, true);
  }
}

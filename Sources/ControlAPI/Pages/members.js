// The members of the rooms that this page has joined, live.

import { $, count, element, shortened } from "./parts.js";

const MAX_SHOWN = 300;
const PATIENCE = 1500;
// Room to its members as last told; undefined before that, null once it has taken too long.
const rosters = new Map();

export function startMembers() {
  $("members-room").addEventListener("change", show);
}

export function joined(roomId) {
  if (!rosters.has(roomId)) rosters.set(roomId, undefined);
  showRooms(roomId);
  // Where the room keeps no roster, or the token does not open it, none is told.
  setTimeout(() => {
    if (rosters.has(roomId) && rosters.get(roomId) === undefined) listed(roomId, null);
  }, PATIENCE);
}

export function left(roomId) {
  rosters.delete(roomId);
  showRooms();
}

export function listed(roomId, members) {
  if (!rosters.has(roomId)) return;
  rosters.set(roomId, members);
  show();
}

// A `presence` frame in words; none where all that happened was undone again.
export function wordsOf({ roomId, events, members, from }) {
  const size = " (" + count(members, "member", "members") + ")";
  if (events.length === 0 && from !== undefined) return "";
  if (events.length === 0) return roomId + " has other members by now" + size + ".";
  const words = [];
  for (const [event, verb] of [["join", "joined"], ["leave", "left"], ["update", "changed in"]]) {
    const users = events.filter((step) => step.event === event).map((step) => step.userId);
    if (users.length) words.push((users.length > 3 ? users.length + " users" : users.join(", ")) + " " + verb);
  }
  return words.join("; ") + " " + roomId + size + ".";
}

function showRooms(selected) {
  const select = $("members-room");
  const before = selected || select.value;
  const names = [...rosters.keys()].sort();
  select.replaceChildren(...names.map((name) => new Option(name, name)));
  if (rosters.has(before)) select.value = before;
  $("members-part").hidden = names.length === 0;
  show();
}

function show() {
  const members = rosters.get($("members-room").value);
  $("members-total").textContent = members ? members.length.toLocaleString() : "";
  $("members").replaceChildren(...(members || []).slice(0, MAX_SHOWN).map(({ userId, info }) => {
    const item = element("li", userId);
    const text = Object.keys(info || {}).length ? JSON.stringify(info) : "";
    if (text) item.append(" ", element("small", shortened(text, 80)));
    return item;
  }));
  const hidden = members ? members.length - MAX_SHOWN : 0;
  $("members-note").textContent = hidden > 0 ? "and " + hidden.toLocaleString() + " more" : "No roster of this room is told.";
  $("members-note").hidden = members !== null && hidden <= 0;
}

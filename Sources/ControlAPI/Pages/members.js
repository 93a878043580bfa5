// The members of the rooms that this page has joined, live.

import { $, count, element } from "./parts.js";
import { Roster } from "./roster.js";

const rosters = new Map();
let connection = null;

export function startMembers() {
  $("members-room").addEventListener("change", show);
}

// A connection has been opened; null where it has ended.
export function membersOf(opened) {
  connection = opened;
  rosters.clear();
  showRooms();
}

// Takes the answer to a join.
export function joined({ roomId, members }) {
  if (!rosters.has(roomId)) rosters.set(roomId, { roster: new Roster(members), problem: "" });
  showRooms(roomId);
  if (members === undefined) {
    rosters.get(roomId).problem = "No roster is kept of this room.";
    show();
  } else {
    connection.members(roomId);
  }
}

export function left(roomId) {
  rosters.delete(roomId);
  showRooms();
}

// Takes the answer to `members`.
export function listed(page) {
  const entry = rosters.get(page.roomId);
  if (!entry) return;
  entry.problem = "";
  if (entry.roster.take(page)) {
    if (entry.roster.next !== undefined) connection.members(page.roomId, entry.roster.next);
  } else {
    connection.members(page.roomId);
  }
  show();
}

export function unlisted(roomId, error) {
  const entry = rosters.get(roomId);
  if (!entry) return;
  entry.problem = error.code === "forbidden" ? "You may not see who is in this room." : error.message;
  show();
}

// Takes a `presence` frame, and answers it in words.
export function changed(frame) {
  const entry = rosters.get(frame.roomId);
  if (entry && !entry.roster.apply(frame)) {
    entry.roster.restart();
    connection.members(frame.roomId);
  }
  show();
  const size = " (" + count(frame.members, "member", "members") + ")";
  if (frame.events.length === 0) return frame.roomId + " has other members by now" + size + ".";
  const words = [];
  for (const [event, verb] of [["join", "joined"], ["leave", "left"]]) {
    const users = frame.events.filter((step) => step.event === event).map((step) => step.userId);
    if (users.length) words.push((users.length > 3 ? users.length + " users" : users.join(", ")) + " " + verb);
  }
  return words.join("; ") + " " + frame.roomId + size + ".";
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
  const entry = rosters.get($("members-room").value);
  if (!entry) return;
  const { roster, problem } = entry;
  $("members-total").textContent = roster.count === undefined ? "" : roster.count.toLocaleString();
  $("members").replaceChildren(...[...roster.users].map(([userId, { info, connections }]) => {
    const item = element("li", userId);
    const shown = Object.keys(info || {}).length ? JSON.stringify(info) : "";
    if (shown) item.append(" ", element("small", shown.length > 80 ? shown.slice(0, 80) + "…" : shown));
    if (connections !== undefined) item.title = count(connections, "connection", "connections") + " in this room when last asked";
    return item;
  }));
  const hidden = roster.isLoaded ? roster.count - roster.users.size : 0;
  $("members-note").textContent = problem || (hidden > 0 ? "and " + hidden.toLocaleString() + " more" : "");
  $("members-note").hidden = $("members-note").textContent === "";
}

// What this page says in a room: messages to all who are in it, signals to one of them.

import { note } from "./log.js";
import { $ } from "./parts.js";
import { PayloadField } from "./payload.js";

let payload;
let connection = null;

export function startComposer() {
  payload = new PayloadField("payload");
  $("send-form").addEventListener("submit", send);
  $("send-as").addEventListener("change", showAddressee);
}

// The rooms that the connection is in; `selected` is chosen, else what was stays so.
export function offer(current, rooms, selected) {
  connection = current;
  const select = $("send-room");
  const before = selected ?? select.value;
  select.replaceChildren(...(rooms.length ? rooms.map((room) => new Option(room, room)) : [new Option("no room", "")]));
  if (rooms.includes(before)) select.value = before;
  for (const id of ["send-room", "send-as", "send-to", "payload-kind", "payload", "send"]) $(id).disabled = rooms.length === 0;
  showAddressee();
}

function showAddressee() {
  const isSignal = $("send-as").value === "signal";
  $("send-to").hidden = !isSignal;
  $("send-to").required = isSignal;
}

async function send(event) {
  event.preventDefault();
  const [room, to] = [$("send-room").value, $("send-as").value === "signal" ? $("send-to").value : null];
  const json = payload.read();
  if (json === null) return;
  const takeBack = payload.clear();
  try {
    if (to === null) await connection.send(room, json);
    else await connection.signal(room, to, json);
    if (to !== null) note("Signalled " + to + " in " + room + ".");
  } catch (error) {
    takeBack();
    payload.refuse("Not sent to " + (to ?? room) + ": " + error.message + " (" + error.code + ")");
  }
}

// What a room's log holds, a page at a time and ever further back: over the connection where that is in the room, by REST
// everywhere else.

import { messageLine } from "./messages.js";
import { $, count, told } from "./parts.js";
import { ask, key, segment } from "./rest.js";
import { textsOf } from "./texts.js";

const PAGE = 50;
const MAX_SHOWN = 2000;

let connection = null;
// The room that is shown, the epoch of its log and the number of the first message shown.
let shown = { roomId: null };

export function startHistory() {
  $("history-form").addEventListener("submit", (event) => {
    event.preventDefault();
    load($("history-room").value.trim());
  });
  $("history-earlier").addEventListener("click", earlier);
}

// Whose rooms may be read over the connection.
export function offer(current, rooms) {
  connection = current;
  const names = current?.userId ? [...rooms, "@" + current.userId, "*"] : rooms;
  $("history-rooms").replaceChildren(...names.map((name) => new Option(name, name)));
  if ($("history-room").value === "" && rooms.length > 0) $("history-room").value = rooms[0];
}

export function load(roomId) {
  $("history-room").value = roomId;
  $("history-list").replaceChildren();
  shown = { roomId };
  return earlier();
}

async function earlier() {
  const asked = shown;
  const button = $("history-earlier");
  button.disabled = true;
  told($("history-note"), "Reading…", false);
  try {
    const { page, source } = await read(asked.roomId, asked.first);
    if (asked !== shown) return;
    if (asked.epoch !== undefined && asked.epoch !== page.epoch) return load(asked.roomId);
    asked.epoch = page.epoch;
    const [first] = page.messages;
    // Of an earlier epoch it says so itself: a number alone would be one of the present epoch.
    if (first) asked.first = { epoch: first.epoch ?? page.epoch, seq: first.seq };
    prepend(page.messages, () => {
      button.hidden = !page.more;
      told($("history-note"), wordsOf(page, source), false);
    });
  } catch (error) {
    if (asked !== shown) return;
    button.hidden = asked.first === undefined;
    told($("history-note"), error.message + (error.code ? " (" + error.code + ")" : ""), true);
  } finally {
    if (asked === shown) button.disabled = false;
  }
}

async function read(roomId, before) {
  if (connection?.isIn(roomId)) {
    return { page: await connection.history(roomId, { before, limit: PAGE }), source: "over the connection" };
  }
  if (!key.field.value) throw new Error("This page is not in that room. Join it, or type the API key to read it by REST.");
  const place = before === undefined ? "" : "&before=" + encodeURIComponent(before.epoch + ":" + before.seq);
  const path = "/v1/rooms/" + segment(roomId) + "/messages?limit=" + PAGE + place;
  const text = await ask(path);
  const page = JSON.parse(text);
  const texts = textsOf(textsOf(text).get("messages"));
  page.messages.forEach((message, index) => (message.text = textsOf(texts.get(index)).get("payload")));
  return { page, source: "by REST" };
}

// Whoever reads sees the end first, and then stays where they are, whatever else changes with it.
function prepend(messages, change) {
  const list = $("history-list");
  while (list.childElementCount + messages.length > MAX_SHOWN) list.lastElementChild.remove();
  const fromEnd = list.scrollHeight - list.scrollTop - list.clientHeight;
  list.prepend(...messages.map((message) => messageLine({ ...message, roomId: undefined })));
  change();
  list.scrollTop = list.scrollHeight - list.clientHeight - fromEnd;
}

function wordsOf({ epoch, messages, more }, source) {
  const number = $("history-list").childElementCount;
  if (number === 0 && messages.length === 0 && !more) return "The log holds nothing, " + source + ".";
  return count(number, "message", "messages") + ", " + source + (more ? "" : "; the log holds none before") + ". Epoch " + epoch + ".";
}

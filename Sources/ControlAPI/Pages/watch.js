// Users whom this page watches, as they come and go. They stay on the list when the connection ends, and the next one
// watches them again.

import { $, clock, element, isUserId } from "./parts.js";

let connection = null;
// User to what ends the watch, and its line.
const watched = new Map();

export function startWatch() {
  const field = $("watch-user");
  field.addEventListener("input", () => field.setCustomValidity(""));
  $("watch-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!isUserId(field.value)) {
      field.setCustomValidity("A user id is 1 to 128 bytes without control characters.");
      field.reportValidity();
      return;
    }
    if (!watched.has(field.value)) add(field.value);
    field.value = "";
  });
}

// The connection that is to watch, null where there is none.
export function use(current) {
  connection = current;
  for (const [userId, entry] of watched) follow(userId, entry);
}

// What was told last may be over while the connection is away.
export function doubt(isAway) {
  $("watched").classList.toggle("stale", isAway);
}

export function refused(users, code) {
  for (const userId of users) {
    const entry = watched.get(userId);
    if (entry) show(entry, "bad", "may not be watched (" + code + ")");
  }
}

function add(userId) {
  const item = element("li");
  const button = element("button", "×", "small");
  button.type = "button";
  button.setAttribute("aria-label", "Watch " + userId + " no more");
  const state = element("small");
  item.append(element("span", userId), state, button);
  const entry = { item, state, off: null };
  watched.set(userId, entry);
  button.addEventListener("click", () => remove(userId, entry));
  $("watched").append(item);
  $("no-watched").hidden = true;
  follow(userId, entry);
}

function remove(userId, entry) {
  entry.off?.();
  entry.item.remove();
  watched.delete(userId);
  $("no-watched").hidden = watched.size > 0;
}

function follow(userId, entry) {
  entry.off = null;
  if (connection === null) return show(entry, "off", "not connected");
  show(entry, "wait", "asking…");
  entry.off = connection.watch(userId, ({ online, lastSeen }) => {
    if (online) show(entry, "on", "online");
    else if (lastSeen === undefined) show(entry, "off", "never seen");
    else show(entry, "off", "offline since ", clock(lastSeen));
  });
}

function show({ item, state }, name, ...words) {
  item.dataset.state = name;
  state.replaceChildren(...words);
}

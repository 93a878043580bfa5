// What arrives, and what happens to the connection: a line each, the oldest first.

import { $, clock, element } from "./parts.js";

const MAX_LINES = 500;
// Whether whoever reads is at the end and is to stay there.
let follows = true;

export function startLog() {
  $("clear").addEventListener("click", () => {
    $("log").replaceChildren();
    $("empty").hidden = false;
  });
}

export function line(item) {
  const log = $("log");
  // While it is not shown nobody scrolls.
  if (log.clientHeight > 0) follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(item);
  while (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
  $("empty").hidden = true;
  catchUp();
}

export function catchUp() {
  if (follows) $("log").scrollTop = $("log").scrollHeight;
}

export function note(text, isBad) {
  const item = element("li", undefined, isBad ? "bad" : "");
  const head = element("div", undefined, "head");
  head.append(element("span", text, "note"), clock(Date.now()));
  item.append(head);
  line(item);
}

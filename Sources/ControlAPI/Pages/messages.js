// A message as a line of the page: of what arrives, and of the history.

import { clock, element, shortened } from "./parts.js";

const MAX_SHOWN = 4000;
// What does not print, or has text around it run the other way; but for what scripts and emoji join their letters by.
const UNSEEN = /((?![\u200c\u200d\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}])/u;

// `text` is the payload byte for byte, `frame` all that came with it, where that is known; `epoch` is said of a message that
// has another than its room.
export function messageLine({ roomId, userId, seq, msgType, event, redacted, epoch, text, timestamp }, frame) {
  const head = [element("strong", userId ?? "a guest"), element("span", seq === undefined ? "volatile" : "#" + seq)];
  if (msgType !== 1) head.push(element("span", "msgType " + msgType));
  if (event !== undefined) head.push(element("span", "event " + event));
  if (redacted) head.push(element("span", "redacted"));
  if (epoch !== undefined) head.push(element("span", "epoch " + epoch));
  return payloadLine(roomId, [...head, clock(timestamp)], text, frame);
}

export function signalLine({ roomId, from, text }, frame) {
  return payloadLine(roomId, [element("strong", from), element("span", "signal"), clock(Date.now())], text, frame);
}

function payloadLine(roomId, parts, text, frame) {
  const item = element("li");
  const head = element("div", undefined, "head");
  if (roomId !== undefined) head.append(element("span", roomId, "where"));
  head.append(...parts);
  const content = element("pre");
  content.append(...shown(shortened(text, MAX_SHOWN)));
  item.append(head, content);
  if (frame !== undefined) item.append(whole("frame", frame));
  else if (text.length > MAX_SHOWN) item.append(whole("all of it", text));
  return item;
}

// Each character is there, and those that nobody would see have their number before them.
function shown(text) {
  return text.split(UNSEEN).map((part, index) => {
    if (index % 2 === 0) return part;
    const unseen = element("span", part, "unseen");
    unseen.dataset.code = "U+" + part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return unseen;
  });
}

// Most are never opened, and a long text is laid out only then.
function whole(summary, text) {
  const details = element("details");
  const content = element("pre");
  details.append(element("summary", summary), content);
  details.addEventListener("toggle", () => {
    content.replaceChildren();
    if (details.open) for (const part of shown(text)) content.append(part);
  });
  return details;
}

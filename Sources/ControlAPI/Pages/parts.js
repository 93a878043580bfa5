// Small things that every part of the page uses. Whatever comes from outside reaches the page as text only.

export const $ = (id) => document.getElementById(id);

export function element(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
}

export function chosen(name) {
  return document.querySelector(`input[name="${name}"]:checked`).value;
}

// Whether the text can be written as UTF-8: half of a surrogate pair cannot.
export function isWellFormed(text) {
  try {
    encodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

// As the gateway has it: 1 to 128 bytes without control characters.
export function isUserId(text) {
  const { length } = new TextEncoder().encode(text);
  return length > 0 && length <= 128 && isWellFormed(text) && !/[\0-\x1f\x7f-\x9f]/.test(text);
}

// No longer than that; never the half of a pair.
export function shortened(text, length) {
  return text.length <= length ? text : text.slice(0, length).replace(/[\ud800-\udbff]$/, "") + "…";
}

// With the day, where it is not today.
export function clock(milliseconds) {
  const date = new Date(milliseconds);
  const isToday = date.toDateString() === new Date().toDateString();
  const time = element("time", isToday ? date.toLocaleTimeString() : date.toLocaleString());
  time.dateTime = date.toISOString();
  return time;
}

export function age(since) {
  const seconds = Math.max(0, Math.round((Date.now() - since) / 1000));
  if (seconds < 120) return seconds + " s";
  if (seconds < 6000) return Math.round(seconds / 60) + " min";
  return seconds < 172800 ? Math.round(seconds / 3600) + " h" : Math.round(seconds / 86400) + " d";
}

export function count(number, one, many) {
  return number.toLocaleString() + " " + (number === 1 ? one : many);
}

export function told(node, text, isBad) {
  node.textContent = text;
  node.dataset.state = isBad ? "bad" : "on";
}

// A button whose first click asks and whose second, within four seconds, does.
export function askTwice(button, question, action) {
  const label = button.textContent;
  let timer = null;
  const calm = () => {
    clearTimeout(timer);
    timer = null;
    button.textContent = label;
    delete button.dataset.asks;
  };
  button.addEventListener("click", () => {
    if (timer !== null) {
      calm();
      action();
      return;
    }
    button.textContent = question;
    button.dataset.asks = "";
    timer = setTimeout(calm, 4000);
  });
  return calm;
}

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

// What was typed, as JSON: as it stands where it is JSON, else as a string.
export function asJSON(text) {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

export function clock(milliseconds) {
  const time = element("time", new Date(milliseconds).toLocaleTimeString());
  time.dateTime = new Date(milliseconds).toISOString();
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

// REST calls to the node that the page came from, each with the API key that was typed in.

import { isWellFormed } from "./parts.js";

const STORED = "martlet-api-key";
let isAccepted = false;

export const key = {
  get field() { return document.getElementById("api-key"); },
  // Whether a node has taken the key as it stands there now.
  get isAccepted() { return isAccepted; },
  restore() {
    try {
      this.field.value = sessionStorage.getItem(STORED) || "";
    } catch {
      // A browser that stores nothing asks again after a reload.
    }
  },
  changed() { isAccepted = false; },
};

// What is asked for, as it came; throws an Error whose message is for people, with the HTTP status where there was one.
export async function ask(path, options = {}) {
  const typed = key.field.value;
  const headers = { ...options.headers, Authorization: "Bearer " + typed };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch {
    throw failure("This node cannot be reached any more.");
  }
  const text = await response.text().catch(() => "");
  const body = parsed(text);
  if (response.status === 401) {
    isAccepted = false;
    throw failure("The API key is not accepted.", 401);
  }
  if (typed === key.field.value) keep(typed);
  if (response.ok && body) return text;
  const told = body && body.error;
  throw failure(told ? told.message + " (" + told.code + ")" : "The node answered " + response.status + ".", response.status);
}

export async function call(path, options) {
  return JSON.parse(await ask(path, options));
}

// A name as a part of a path. Browsers take `.` and `..` for ways within the path, encoded or not.
export function segment(name) {
  if (name === "." || name === "..") throw failure("A browser cannot ask for anything that is called " + name + ".");
  if (!isWellFormed(name)) throw failure("This name holds half of a surrogate pair, which has no bytes.");
  return encodeURIComponent(name);
}

export function post(path, body) {
  return call(path, { method: "POST", body });
}

// The key is worth keeping once a node has accepted it, and for no longer than this tab lives.
function keep(typed) {
  isAccepted = true;
  try {
    sessionStorage.setItem(STORED, typed);
  } catch {
    // As above.
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function failure(message, status) {
  return Object.assign(new Error(message), { status });
}

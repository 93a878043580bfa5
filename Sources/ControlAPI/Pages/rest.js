// REST calls to the node that the page came from, each with the API key that was typed in.

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

// The answer's body; throws an Error whose message is for people, with the HTTP status where there was one.
export async function call(path, options = {}) {
  const typed = key.field.value;
  const headers = { Authorization: "Bearer " + typed };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch {
    throw failure("This node cannot be reached any more.");
  }
  const body = await response.json().catch(() => null);
  if (response.status === 401) {
    isAccepted = false;
    throw failure("The API key is not accepted.", 401);
  }
  if (typed === key.field.value) keep(typed);
  if (response.ok && body) return body;
  const told = body && body.error;
  throw failure(told ? told.message + " (" + told.code + ")" : "The node answered " + response.status + ".", response.status);
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

function failure(message, status) {
  return Object.assign(new Error(message), { status });
}

// What backends did, by REST: the latest calls that changed something, on whatever node.

import { $, clock, element, shortened } from "./parts.js";
import { call, key } from "./rest.js";

const PERIOD = 5000;
const SHOWN = 20;
const REFUSAL = "This key may not see what others did: it takes the scope admin.";
// The key that may not see them; it is not asked with again.
let refused = null;

export function startStory() {
  setInterval(() => {
    if (!document.hidden && key.isAccepted) refreshStory();
  }, PERIOD);
}

// Reads them anew; what is shown stays where that fails.
export async function refreshStory() {
  const typed = key.field.value;
  if (!typed) return;
  if (typed === refused) return note(REFUSAL);
  try {
    const { calls } = await call("/v1/calls?limit=" + SHOWN);
    $("calls").replaceChildren(...calls.map(row));
    note(calls.length ? "" : "Nothing was changed by a backend in the last month.");
  } catch (error) {
    if (error.status === 403) refused = typed;
    note(error.status === 403 ? REFUSAL : error.message);
  }
}

function row({ timestamp, key: name, call: what, whom, result }) {
  const item = element("li");
  const line = element("p", what, "mono");
  const details = element("p", name + (whom ? " · " + shortened(whom, 40) : "") + " · " + result + " · ", "soft");
  details.title = whom;
  details.append(clock(timestamp));
  item.append(line, details);
  return item;
}

function note(text) {
  $("calls-note").textContent = text;
  $("calls-note").hidden = text === "";
}

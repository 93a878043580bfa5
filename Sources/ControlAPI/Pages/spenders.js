// Who costs most, by REST, and which addresses are kept out.

import { $, askTwice, element, shortened, told } from "./parts.js";
import { call, key, segment } from "./rest.js";

const PERIOD = 5000;
const BAN_SECONDS = 3600;
const NAMES = { users: "userId", rooms: "roomId", addresses: "address" };

export function startSpenders() {
  for (const id of ["top-by", "top-of"]) $(id).addEventListener("change", refreshSpenders);
  setInterval(() => {
    if (!document.hidden && key.isAccepted) refreshSpenders();
  }, PERIOD);
}

// Reads both anew; what is shown stays where that fails.
export async function refreshSpenders() {
  if (!key.field.value) return;
  const [by, of] = [$("top-by").value, $("top-of").value];
  try {
    const { top } = await call("/v1/top?by=" + by + "&of=" + of);
    const { bans } = await call("/v1/addresses/bans");
    // Another choice has been made meanwhile.
    if (by !== $("top-by").value || of !== $("top-of").value) return;
    // Whoever is about to ban an address goes on standing on that button.
    if (document.querySelector("#top [data-asks], #bans [data-asks]")) return;
    $("top").tBodies[0].replaceChildren(...top.slice(0, 10).map((spender) => row(spender, of)));
    $("top").hidden = top.length === 0;
    $("top-note").textContent = "Nobody has cost anything of that in the last minute.";
    $("top-note").hidden = top.length > 0;
    $("bans").replaceChildren(...bans.map(banned));
  } catch (error) {
    $("top-note").textContent = error.message;
    $("top-note").hidden = false;
  }
}

function row(spender, of) {
  const name = spender[NAMES[of]];
  const item = element("tr");
  const cells = [bytes(spender.bytesIn), bytes(spender.bytesOut), time(spender.redis), time(spender.cpu)];
  const first = element("td", shortened(name, 24));
  first.title = name;
  // Under the name, where it is seen however narrow the table is.
  if (of !== "rooms") first.append(element("br"), of === "users" ? userBan(name) : addressBan(name));
  item.append(first, ...cells.map((text) => element("td", text)));
  return item;
}

function addressBan(address) {
  return banButton(address, address + " is kept out.", () => call("/v1/addresses/bans", {
    method: "PUT", body: JSON.stringify({ cidr: address, seconds: BAN_SECONDS, reason: "by the console" }),
  }));
}

function userBan(user) {
  const path = () => "/v1/users/" + segment(user);
  return banButton(user, user + " is kept out for an hour; DELETE /v1/users/{userId}/ban lets it in again.", () => call(
    path() + "/disconnect", {
      method: "POST", body: JSON.stringify({ code: 4403, reason: "banned", banSeconds: BAN_SECONDS }),
    }));
}

function banButton(name, done, ask) {
  const button = element("button", "Ban", "small danger");
  button.type = "button";
  button.setAttribute("aria-label", "Ban " + name + " for an hour");
  askTwice(button, "For an hour?", () => change(ask, done));
  return button;
}

function banned({ cidr, until, reason }) {
  const item = element("li");
  const button = element("button", "Let in", "small");
  button.type = "button";
  button.setAttribute("aria-label", "Let " + cidr + " in");
  button.addEventListener("click", () => change(
    () => call("/v1/addresses/bans?cidr=" + encodeURIComponent(cidr), { method: "DELETE" }),
    cidr + " is let in again."));
  const details = ["until " + new Date(until).toLocaleString()];
  if (reason) details.push(reason);
  item.append(element("p", cidr, "mono"), element("p", details.join(" · "), "soft"), button);
  return item;
}

async function change(ask, done) {
  try {
    await ask();
    told($("ban-answer"), done, false);
  } catch (error) {
    told($("ban-answer"), error.message, true);
  }
  refreshSpenders();
}

function bytes(number) {
  if (number < 10000) return number + " B";
  return number < 1e7 ? Math.round(number / 1000) + " kB" : Math.round(number / 1e6).toLocaleString() + " MB";
}

function time(milliseconds) {
  return milliseconds < 10 ? milliseconds.toFixed(1) + " ms" : Math.round(milliseconds).toLocaleString() + " ms";
}

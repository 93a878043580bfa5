// The live nodes, what they carry together, and the Redis that they share.

import { $, age, count, element } from "./parts.js";
import { call, key } from "./rest.js";

const PERIOD = 5000;

export function startNodes() {
  $("nodes-refresh").addEventListener("click", refreshNodes);
  setInterval(() => {
    if (!document.hidden && key.isAccepted) refreshNodes();
  }, PERIOD);
}

export async function refreshNodes() {
  if (!key.field.value) return remark("Type the API key above to see the live nodes.");
  try {
    const [{ nodes, total }, stats] = await Promise.all([call("/v1/nodes?limit=100"), call("/v1/stats")]);
    $("nodes").tBodies[0].replaceChildren(...nodes.map(row));
    $("nodes").hidden = false;
    // Of a Cluster, a part of which is away, some are not known.
    const totals = [["nodes", "node"], ["connections", "connection"], ["users", "user"], ["rooms", "room"]]
      .filter(([name]) => stats[name] !== undefined)
      .map(([name, one]) => count(stats[name], one, name));
    $("totals").textContent = [...totals, redisLine(stats.redis)].join(" · ");
    $("nodes-note").textContent = total > nodes.length ? "The first " + nodes.length + " of " + total + "." : "";
    $("nodes-note").hidden = total <= nodes.length;
  } catch (error) {
    remark(error.message);
  }
}

function remark(text) {
  $("nodes").hidden = true;
  $("totals").textContent = "";
  $("nodes-note").textContent = text;
  $("nodes-note").hidden = false;
}

function row({ nodeId, version, ready, reason, connections, rooms, load, startedAt }) {
  const item = element("tr");
  const name = element("td", nodeId);
  name.title = "version " + version;
  if (ready === false) name.append(" (not ready: " + reason + ")");
  const cells = [connections, rooms, load.toFixed(2), age(startedAt)];
  item.append(name, ...cells.map((text) => element("td", text)));
  return item;
}

function redisLine({ kind, version, topology, shards }) {
  const places = shards.map((shard) => shard.address + (shard.answers ? "" : " (does not answer)"));
  return `${kind} ${version}${topology === "single" ? "" : ` (${topology})`} at ${places.join(", ")}`;
}

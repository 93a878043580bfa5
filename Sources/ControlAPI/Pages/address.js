// Where this deployment's client port is, as far as a page can know.

function webSocketURL(port) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return scheme + "//" + location.hostname + ":" + port + "/ws";
}

// Fills a field, unless somebody has typed another address meanwhile. Behind a proxy the ports are the proxy's: most keep the
// two as far apart as the node's own are.
export async function fillAddress(field, failed) {
  const usual = webSocketURL(8080);
  field.value = usual;
  try {
    const { clientPort, apiPort } = await (await fetch("/console/config.json")).json();
    const isDirect = location.port === "" || apiPort === 0 || Number(location.port) === apiPort;
    if (field.value === usual) field.value = webSocketURL(isDirect ? clientPort : Number(location.port) + clientPort - apiPort);
  } catch {
    failed("This node did not say where its client port is; check the WebSocket address.");
  }
}

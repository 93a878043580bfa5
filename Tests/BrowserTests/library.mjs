// martlet.js as these tests take it: the module, or, where MARTLET_JS is "min", what a script tag loads.
import { createRequire } from "node:module";

export const folder = new URL("../../Sources/JavaScriptClient/", import.meta.url);

async function load() {
  if (process.env.MARTLET_JS !== "min") return import(new URL("martlet.js", folder));
  await import(new URL("martlet.min.js", folder));
  return { Martlet: globalThis.Martlet, MartletError: globalThis.Martlet.MartletError };
}

export const { Martlet, MartletError } = await load();

// React as Debian has it, for Node: node-react, node-react-dom, node-react-test-renderer.
export const debian = createRequire("/usr/share/nodejs/");

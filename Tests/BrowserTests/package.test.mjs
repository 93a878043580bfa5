// The package as a project gets it: what is in it, that it loads in each way, and that its types say what it does.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { hasNpm, project } from "./packed.mjs";

const top = project();
const installed = join(top, "node_modules/martlet");
const here = fileURLToPath(new URL(".", import.meta.url));
const description = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));

function run(name, code) {
  writeFileSync(join(top, name), code);
  return execFileSync(process.execPath, [join(top, name)], { encoding: "utf8", cwd: top }).trim();
}

function compile(...words) {
  const { stdout, status } = spawnSync("tsc", [
    "--noEmit", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--lib", "es2022,dom,dom.iterable",
    ...words,
  ], { encoding: "utf8", cwd: top });
  return status === 0 ? "" : stdout;
}

test("all that the package names is in it", (t) => {
  if (!hasNpm) t.diagnostic("no npm here: packed by what package.json says");
  const paths = [];
  const collect = (value) => (typeof value === "string" ? paths.push(value) : Object.values(value).forEach(collect));
  collect([description.exports, description.main, description.module, description.types, description.unpkg]);
  for (const path of [...paths, "README.md", "LICENSE", "martlet.min.js.map"]) {
    assert.ok(existsSync(join(installed, path)), `there is no ${path}`);
  }
  assert.ok(!existsSync(join(installed, "build.mjs")));
});

test("it is imported", () => {
  const code = `
    import * as library from "martlet";
    import * as hooks from "martlet/react";
    const client = new library.Martlet("ws://127.0.0.1:1/ws", { WebSocket: class {} });
    client.room("r").joined({ timeout: 10 }).catch(({ name, code }) => {
      console.log(Object.keys(library).join(), Object.keys(hooks).join(), name, code);
      process.exit();
    });`;
  const names = "Martlet,MartletError keep,useConnection,useMembers,useRoom,useStatus";
  assert.equal(run("main.mjs", code), `${names} MartletError timeout`);
});

test("it is required, and imported from what is required", () => {
  const code = `
    const { Martlet, MartletError } = require("martlet");
    const hooks = require("martlet/react");
    console.log(new Martlet("/ws").state, new MartletError("closed").code, Object.keys(hooks).sort().join());`;
  assert.equal(run("main.cjs", code), "idle closed keep,useConnection,useMembers,useRoom,useStatus");
  const named = `import { Martlet } from "./node_modules/martlet/martlet.cjs"; console.log(typeof Martlet);`;
  assert.equal(run("named.mjs", named), "function");
});

test("the build for script tags makes one global", () => {
  const code = `
    const before = new Set(Object.getOwnPropertyNames(globalThis));
    require("node:vm").runInThisContext(require("node:fs").readFileSync("node_modules/martlet/martlet.min.js", "utf8"));
    const made = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name));
    console.log(made.join(), new Martlet("/ws").state, new Martlet.MartletError("closed").code);`;
  assert.equal(run("script.cjs", code), "Martlet idle closed");
});

test("its types take what is right and refuse what is wrong, in each way to load it", () => {
  const uses = readFileSync(join(here, "Types/uses.ts"), "utf8");
  for (const name of ["uses.mts", "uses.cts"]) writeFileSync(join(top, name), uses);
  assert.equal(compile("--module", "node16", "--moduleResolution", "node16", "uses.mts", "uses.cts"), "");
  // As older resolvers find them, which know nothing of `exports`.
  writeFileSync(join(top, "uses.ts"), uses);
  assert.equal(compile("--module", "es2022", "--moduleResolution", "node", "uses.ts"), "");
});

test("the code has what its types say", () => {
  const sources = join(top, "sources");
  mkdirSync(sources);
  for (const name of ["martlet.js", "react.js"]) cpSync(join(installed, name), join(sources, name));
  cpSync(join(here, "Types/declared.ts"), join(top, "declared.ts"));
  const found = compile("--module", "es2022", "--moduleResolution", "node", "--allowJs", "--noImplicitAny", "false", "declared.ts");
  assert.equal(found, "");
});

test("60,000 mounts and unmounts of a room leave no more memory than before", () => {
  const code = `
    import { Martlet } from "martlet";
    // A gateway that answers each request at once.
    class Socket {
      constructor() {
        queueMicrotask(() => this.say({ type: "welcome", userId: "a", connectionId: "c", nodeId: "n", timestamp: Date.now(),
          heartbeat: 30_000, positions: {}, limits: { messagesPerSecond: 1e9, messageBurst: 1e9 } }));
      }
      say(frame) { this.onmessage({ data: JSON.stringify(frame) }); }
      send(text) {
        const { type, id, roomId } = JSON.parse(text);
        const joined = { type: "joined", epoch: "e", seq: 0, members: 1, rosterVersion: 1 };
        const answers = { join: joined, members: { type: "members", members: [], rosterVersion: 1 }, watch: { users: [] } };
        if (id) queueMicrotask(() => this.say({ type: "done", ...answers[type], id, roomId }));
      }
      close() { queueMicrotask(() => this.onclose?.({ code: 1000 })); }
    }
    const client = new Martlet("ws://gateway.test/ws", { WebSocket: Socket, userId: "a" });
    await client.connect();
    const round = async (number) => {
      const room = client.room("room" + number % 200);
      room.on("message", () => {});
      room.on("members", () => {});
      client.watch(["user" + number], () => {})();
      await room.joined();
      await room.leave();
    };
    const heap = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      gc();
      return process.memoryUsage().heapUsed;
    };
    const rounds = async (count) => {
      for (let first = 0; first < count; first += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, index) => round(first + index)));
      }
    };
    await rounds(2_000);
    const before = await heap();
    await rounds(60_000);
    console.log(((await heap()) - before) / 60_000);
    await client.close();`;
  writeFileSync(join(top, "mounts.mjs"), code);
  const told = execFileSync(process.execPath, ["--expose-gc", join(top, "mounts.mjs")], { encoding: "utf8", cwd: top });
  // Bytes for each: what a listener or a closure would take is ten times as much.
  assert.ok(Number(told) < 8, `${told.trim()} bytes a mount`);
});

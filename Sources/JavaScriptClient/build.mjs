// Makes what is built of this package, with Node and the esbuild of Debian 12 (0.17.0):
//
//   node build.mjs          martlet.min.js and its source map, which nodes serve and the repository keeps, and the
//                           integrity hash in the manual: after each change of martlet.js
//   node build.mjs check    whether those are what would be made now, small enough, and of the right version
//   node build.mjs pack     what the package has besides: modules for `require`, their types, the licence; called by npm pack
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const MOST_BYTES = 9_100; // Of martlet.min.js, gzipped. What a change adds is to be found elsewhere first.
const KEPT = ["martlet.min.js", "martlet.min.js.map"];
const MANUAL = "../GatewayNode/Martlet.docc/Browser.md";
const INTEGRITY = /sha384-[A-Za-z0-9+/=]{64}/g;

// Names within martlet.js that no has and no user writes: shortened in martlet.min.js.
const INTERNAL = `
  answered ask become burst clearAllBut config connected core cost emit ended entered flush forget handle handles isClosedTo
  isDelayed isImplicit isInSession isOwn isPrompt isSent isWanted kept known leavers left listeners merged onLoss
  open openImplicit outstanding owner penalize perMillisecond phase read readMembers receive refill release roster
  sentAt settle settleLeavers settleWaiters shown start startFrom stop stream streams takes timers tokens tries wait
  waiters want welcome write
`.trim().split(/\s+/);

process.chdir(fileURLToPath(new URL(".", import.meta.url)));
const { version } = JSON.parse(text("package.json"));

function text(path) {
  return readFileSync(path, "utf8");
}

function esbuild(...options) {
  execFileSync("esbuild", ["--log-level=warning", ...options], { stdio: ["ignore", "inherit", "inherit"] });
}

// Makes martlet.min.js and its map in a folder.
function makeScript(folder) {
  const published = text("martlet.d.ts");
  const taken = INTERNAL.filter((name) => new RegExp(`\\b${name}\\??[:(]`).test(published));
  if (taken.length > 0) throw new Error(`names of the types are none within: ${taken.join(", ")}`);
  esbuild(
    "script.js", "--bundle", "--minify", "--format=iife", "--target=es2022", "--sourcemap", "--sources-content=false",
    `--mangle-props=^(${INTERNAL.join("|")})$`, `--banner:js=/*! martlet ${version}, Apache-2.0 */`,
    `--outfile=${join(folder, "martlet.min.js")}`,
  );
  // Beside the script lie its sources; from wherever they were built.
  const path = join(folder, "martlet.min.js.map");
  const map = JSON.parse(text(path));
  map.sources = map.sources.map((source) => source.replace(/.*\//, ""));
  // Nodes serve the one, and not the other.
  map.sourcesContent = map.sources.map((source) => (source === "script.js" ? text(source) : null));
  writeFileSync(path, JSON.stringify(map) + "\n");
}

function integrity() {
  return "sha384-" + createHash("sha384").update(readFileSync("martlet.min.js")).digest("base64");
}

function write() {
  makeScript(".");
  writeFileSync(MANUAL, text(MANUAL).replace(INTEGRITY, integrity()));
  tellSize();
}

function tellSize() {
  const size = gzipSync(readFileSync("martlet.min.js"), { level: 9 }).length;
  console.log(`martlet.min.js ${version}: ${size} bytes gzipped, of ${MOST_BYTES}`);
  return size;
}

function check() {
  const problems = [];
  const folder = mkdtempSync(join(tmpdir(), "martlet-"));
  try {
    makeScript(folder);
    for (const name of KEPT) {
      if (text(name) !== text(join(folder, name))) problems.push(`${name} is not what its source makes`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  if (tellSize() > MOST_BYTES) problems.push("martlet.min.js is too large");
  const hashes = text(MANUAL).match(INTEGRITY) ?? [];
  if (!hashes.includes(integrity()) || new Set(hashes).size > 1) problems.push("the manual has another integrity hash");
  if (!text(MANUAL).includes(`/martlet-${version}.min.js`)) problems.push("the manual names another version");
  if (!text("../GatewayNode/Settings/MartletVersion.swift").includes(`"${version}"`)) {
    problems.push("package.json has another version than nodes");
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) console.error("`docker/local package` makes them anew");
  process.exitCode = problems.length > 0 ? 1 : 0;
}

function pack() {
  for (const name of ["martlet", "react"]) {
    esbuild(`${name}.js`, "--format=cjs", "--platform=node", "--target=es2022", `--outfile=${name}.cjs`);
    writeFileSync(`${name}.d.cts`, text(`${name}.d.ts`).replaceAll('"./martlet.js"', '"./martlet.cjs"'));
  }
  copyFileSync("../../LICENSE", "LICENSE");
}

const tasks = { check, pack };
(tasks[process.argv[2]] ?? write)();

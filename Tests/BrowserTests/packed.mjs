// The package as a project has it that installed it: packed from a copy of what is in the repository, and unpacked.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { folder } from "./library.mjs";

// Where Debian's packages put the modules of React.
const DEBIAN = "/usr/share/nodejs";

export const hasNpm = (process.env.PATH ?? "").split(":").some((path) => existsSync(join(path, "npm")));

/** A project's folder with the package, and Debian's React beside it, until the process ends. */
export function project() {
  const top = mkdtempSync(join(tmpdir(), "martlet-package-"));
  process.on("exit", () => rmSync(top, { recursive: true }));
  const installed = join(top, "project/node_modules/martlet");
  mkdirSync(installed, { recursive: true });
  pack(join(top, "clone"), installed);
  symlinkSync(join(DEBIAN, "react"), join(top, "project/node_modules/react"));
  return join(top, "project");
}

function pack(clone, target) {
  const source = fileURLToPath(folder);
  const sources = join(clone, "Sources/JavaScriptClient");
  // What a clone has: nothing that was built for another package.
  const built = readFileSync(join(source, ".gitignore"), "utf8").trim().split("\n").map((line) => line.replace("*", ""));
  cpSync(source, sources, { recursive: true, filter: (path) => !built.some((end) => path.endsWith(end)) });
  cpSync(join(source, "../../LICENSE"), join(clone, "LICENSE"));
  const run = (command, ...words) => execFileSync(command, words, { cwd: sources, stdio: ["ignore", "pipe", "pipe"] });
  if (hasNpm) {
    run("npm", "pack", "--offline");
    const [tarball] = readdirSync(sources).filter((name) => name.endsWith(".tgz"));
    run("tar", "-xzf", tarball, "-C", target, "--strip-components=1");
  } else {
    // What npm does, of which there is none here: the script, then the files that are named, and three that always come.
    run(process.execPath, "build.mjs", "pack");
    const { files } = JSON.parse(readFileSync(join(sources, "package.json"), "utf8"));
    for (const name of [...files, "package.json", "README.md", "LICENSE"]) cpSync(join(sources, name), join(target, name));
  }
}

/** `require` of a module in the project, where React is Debian's. */
export function requireIn(folder) {
  process.env.NODE_PATH = DEBIAN;
  Module._initPaths();
  return createRequire(join(folder, "index.js"));
}

"""Says which dependencies are others than those that all was last tried with: called by .ci/run, which goes on.

They float within what Package.swift allows. The versions that were tried stand in .ci/dependencies; `--write` puts the
present ones there.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TRIED = ROOT / ".ci/dependencies"


def resolved():
    pins = json.loads((ROOT / "Package.resolved").read_text(encoding="utf-8"))["pins"]
    return {pin["identity"]: pin["state"].get("version") or pin["state"]["revision"] for pin in pins}


def main():
    here = resolved()
    if "--write" in sys.argv[1:]:
        TRIED.write_text("".join(f"{name} {here[name]}\n" for name in sorted(here)), encoding="utf-8")
        return
    tried = dict(line.split() for line in TRIED.read_text(encoding="utf-8").splitlines())
    moved = [name for name in sorted(here.keys() | tried.keys()) if here.get(name) != tried.get(name)]
    for name in moved:
        print(f"{name}: tried with {tried.get(name, 'none')}, here is {here.get(name, 'none')}")
    if moved:
        print("If all passes: python3 docker/lib/check_dependencies.py --write")
    else:
        print(f"{len(here)} dependencies, all as they were tried")


if __name__ == "__main__":
    main()

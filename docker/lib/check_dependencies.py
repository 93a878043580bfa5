"""Says which dependencies are others than those that all was last tried with, and holds a program that uses MartletClient
to the packages that it is promised; called by .ci/run.

They float within what Package.swift allows. The versions that were tried stand in .ci/dependencies; `--write` puts the
present ones there. Without the trait Node nothing is resolved but what the client needs.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TRIED = ROOT / ".ci/dependencies"
CLIENT = {"swift-nio", "swift-nio-ssl"}


def resolved():
    pins = json.loads((ROOT / "Package.resolved").read_text(encoding="utf-8"))["pins"]
    return {pin["identity"]: pin["state"].get("version") or pin["state"]["revision"] for pin in pins}


def check_client():
    """A package is left out where each use of it wants the trait; what the two name themselves is three more."""
    dump = subprocess.run(["swift", "package", "dump-package"], cwd=ROOT, check=True, capture_output=True, text=True)
    for target in json.loads(dump.stdout)["targets"]:
        for product, package, _, condition in (used["product"] for used in target["dependencies"] if "product" in used):
            if package not in CLIENT and "Node" not in ((condition or {}).get("traits") or []):
                sys.exit(f"{target['name']}: {product} without the trait Node: programs that use MartletClient get {package}")


def main():
    here = resolved()
    if "--write" in sys.argv[1:]:
        TRIED.write_text("".join(f"{name} {here[name]}\n" for name in sorted(here)), encoding="utf-8")
        return
    tried = dict(line.split() for line in TRIED.read_text(encoding="utf-8").splitlines())
    moved = [name for name in sorted(here.keys() | tried.keys()) if here.get(name) != tried.get(name)]
    for name in moved:
        print(f"{name}: tried with {tried.get(name, 'none')}, here is {here.get(name, 'none')}")
    check_client()
    if moved:
        print("If all passes: python3 docker/lib/check_dependencies.py --write")
    else:
        print(f"{len(here)} dependencies, all as they were tried")


if __name__ == "__main__":
    main()

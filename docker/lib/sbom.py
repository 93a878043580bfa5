"""Prints what a built node is made of, as a CycloneDX 1.5 document: called by `docker/local sbom`, with any Python 3.

Usage: sbom.py BINARY. The packages are those of Package.resolved, with the revisions that were built; the system's libraries are
those that the binary is linked with, by Debian's packages where the machine has them. It bears no time and no random name, so
that two of one build are the same.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VERSION = ROOT / "Sources/GatewayNode/Settings/MartletVersion.swift"


def output(*command):
    """What a command prints; empty where it is not here or fails."""
    if not shutil.which(command[0]):
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def packages():
    resolved = ROOT / "Package.resolved"
    if not resolved.exists():
        sys.exit("there is no Package.resolved: build first")
    for pin in json.loads(resolved.read_text(encoding="utf-8"))["pins"]:
        place = re.sub(r"^https://|\.git$", "", pin["location"])
        state = pin["state"]
        version = state.get("version") or state["revision"]
        yield {
            "type": "library", "bom-ref": pin["identity"], "name": pin["identity"], "version": version,
            "purl": f"pkg:swift/{place}@{version}",
            "properties": [{"name": "git:revision", "value": state["revision"]}],
        }


def compiler():
    found = re.search(r"Swift version (\S+)", output("swift", "--version"))
    if found:
        yield {"type": "platform", "bom-ref": "swift", "name": "swift", "version": found[1]}


def libraries(binary):
    """Of the shared libraries that the binary needs."""
    seen = set()
    for path in sorted(re.findall(r"=> (/\S+)", output("ldd", str(binary)))):
        if "/swift/" in path:
            continue  # The runtime, which goes by the compiler's version.
        # Debian 12 knows files by the place that they were in before /usr was merged.
        owner = next(
            (found for name in (path, path.removeprefix("/usr"), str(Path(path).resolve()))
             if (found := output("dpkg", "-S", name).partition(": ")[0].partition(",")[0])), None)
        name = owner.partition(":")[0] if owner else Path(path).name
        if name in seen:
            continue
        seen.add(name)
        component = {"type": "library", "bom-ref": f"system-{name}", "name": name}
        version = output("dpkg-query", "-W", "-f=${Version}", owner) if owner else ""
        if version:
            component |= {"version": version, "purl": f"pkg:deb/debian/{name}@{version}"}
        yield component


def main():
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        sys.exit("usage: sbom.py BINARY")
    version = re.search(r'current = "([^"]+)"', VERSION.read_text(encoding="utf-8"))[1]
    document = {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "martlet", "name": "martlet", "version": version}},
        "components": [*packages(), *compiler(), *libraries(Path(sys.argv[1]))],
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()

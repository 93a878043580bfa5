"""Where things lie, for all tests of what operators are given; the nodes that they start are those of the browser tests."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DOCKER = ROOT / "docker"

sys.path.insert(0, str(ROOT / "Tests/BrowserTests"))

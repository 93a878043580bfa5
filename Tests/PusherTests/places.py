"""Where things lie, for all tests with Pusher's own libraries; the nodes that they start are those of the browser tests."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

sys.path.insert(0, str(ROOT / "Tests/BrowserTests"))

"""The unit in docker/systemd, by systemd's own judgement."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from places import DOCKER, ROOT
from site_of_nodes import MARTLET

UNIT = (DOCKER / "systemd/martlet.service").read_text()
# Of 10, which is no protection at all: what it has, and what little it may lose.
MOST_EXPOSED = 1.5


def analyze(unit, *arguments):
    """What systemd-analyze says of this text of a unit: its status and its words."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "martlet.service"
        # The command has to be there.
        file.write_text(unit.replace("/usr/local/bin/martlet", str(Path(MARTLET).resolve())))
        ended = subprocess.run(["systemd-analyze", *arguments, str(file)], capture_output=True, text=True,
                               env={"PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"}, check=False)
        return ended.returncode, ended.stdout + ended.stderr


class SystemdTests(unittest.TestCase):
    def test_systemd_understands_every_line(self):
        self.assertEqual(analyze(UNIT, "verify"), (0, ""))
        self.assertIn("Unknown key", analyze(UNIT.replace("LimitNOFILE", "LimitFiles"), "verify")[1])

    def test_it_is_as_little_exposed_as_its_work_allows(self):
        security = ["security", "--offline=true", f"--threshold={round(MOST_EXPOSED * 10)}"]
        status, said = analyze(UNIT, *security)
        self.assertEqual(status, 0, said)
        self.assertNotEqual(analyze(UNIT.replace("CapabilityBoundingSet=\n", ""), *security)[0], 0)

    def test_a_drain_has_its_time_and_each_client_a_descriptor(self):
        template = (ROOT / "config/martlet.yaml").read_text()
        drain = int(re.search(r"MARTLET_DRAIN_TIMEOUT\n\s+#timeout: (\d+)s", template)[1])
        self.assertGreaterEqual(int(re.search(r"TimeoutStopSec=(\d+)", UNIT)[1]), drain + 10)
        self.assertGreaterEqual(int(re.search(r"LimitNOFILE=(\d+)", UNIT)[1]), 100_000)
        self.assertIn("RestartPreventExitStatus=78\n", UNIT)
        for name in re.findall(r"Environment=(MARTLET_\w+)=", UNIT):
            self.assertRegex(template, rf"\b{name}\b")


if __name__ == "__main__":
    unittest.main()

"""What the image is made of, by the script that makes it, and a node that runs in it with nothing else around."""

import os
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

from places import DOCKER
from site_of_nodes import MARTLET, Node

# What only root may do is done as the root of a user namespace elsewhere.
INSIDE = """mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && cd / && exec chroot "$@" """
USER = ["--userspec=10001:10001"] if os.geteuid() == 0 else []
NAMESPACE = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])


class ImageTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="martlet-image-")
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        self.root = pathlib.Path(folder.name, "root")
        self.symbols = pathlib.Path(folder.name, "martlet.debug")
        subprocess.run([DOCKER / "lib/image_root.sh", MARTLET, self.root, self.symbols], check=True)

    def program(self):
        for name in ["proc", "dev"]:
            (self.root / name).mkdir()
        return [*NAMESPACE, "sh", "-c", INSIDE, self.root, *USER, self.root, "/usr/local/bin/martlet"]

    def test_there_is_no_shell_no_symbols_and_nothing_that_others_may_write(self):
        files = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        programs = {path.name for path in files if os.access(path, os.X_OK) and ".so" not in path.name}
        self.assertEqual(programs, {"martlet"})
        self.assertEqual([path for path in files if path.stat().st_mode & 0o022], [])
        sections = [subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
                    for path in [self.root / "usr/local/bin/martlet", self.symbols]]
        self.assertNotIn(".symtab", sections[0])
        self.assertIn(".symtab", sections[1])

    def test_a_node_runs_in_it_without_being_root(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        redis = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
                                 stdout=subprocess.DEVNULL)
        self.addCleanup(redis.wait)
        self.addCleanup(redis.kill)
        program = self.program()
        node = Node("n1", f"redis://127.0.0.1:{port}", {}, program=program)
        self.addCleanup(node.kill)
        end = time.monotonic() + 60
        while not self.is_ready(node):
            self.assertLess(time.monotonic(), end, "".join(node.lines))
        self.assertEqual(node.broadcast({"rooms": ["lobby"]}, 1)["rooms"][0]["seq"], 1)
        health = subprocess.run([*program, "health"], env=os.environ | {"MARTLET_API_PORT": str(node.ports["api"])},
                                capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(health.returncode, 0, health.stdout + health.stderr)

    @staticmethod
    def is_ready(node):
        try:
            with urllib.request.urlopen(node.url("/readyz"), timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()

"""Real nodes on a real Redis, and one address in front of them, for tests that last a few seconds."""

import json
import os
import queue
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import urllib.request

KEY = "test-key"
SECRET = "0123456789abcdef0123456789abcdef"
MARTLET = os.environ.get("MARTLET", os.path.join(os.path.dirname(__file__), "../../.build/release/martlet"))


class Node:
    """A `martlet serve` process on ports of its own choosing; a setting that is None is left out.

    `program` is the command that starts the executable, where it is not called as it lies there."""

    def __init__(self, name, redis, settings, arguments=("serve",), program=(MARTLET,)):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MARTLET_")}
        environment |= {
            "MARTLET_NODE_ID": name, "MARTLET_CLIENT_PORT": "0", "MARTLET_API_PORT": "0", "MARTLET_API_KEY": KEY,
            "MARTLET_REDIS_URL": redis, "MARTLET_AUTH_MODE": "none", "MARTLET_AUTH_SECRET": SECRET,
        } | settings
        if environment["MARTLET_AUTH_MODE"] == "none":
            del environment["MARTLET_AUTH_SECRET"]
        environment = {key: value for key, value in environment.items() if value is not None}
        self.process = subprocess.Popen([*program, *arguments], env=environment, stderr=subprocess.STDOUT,
                                        stdout=subprocess.PIPE, text=True)
        self.ports = {}
        self.lines = []
        opened = queue.Queue()
        self.reader = threading.Thread(target=self._read, args=[opened], daemon=True)
        self.reader.start()
        while len(self.ports) < 2:
            found = opened.get(timeout=60)
            if found is None:
                raise RuntimeError("the node ended at its start:\n" + "".join(self.lines))
            self.ports[found[0]] = int(found[1])

    def _read(self, opened):
        for line in self.process.stdout:
            self.lines.append(line)
            port = re.search(r"port=(\d+).* (client|api) port open", line)
            if port:
                opened.put((port[2], port[1]))
        opened.put(None)

    def url(self, path, port="api"):
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def call(self, path, body=None):
        """A REST call; the answer's JSON."""
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url(path), data, headers), timeout=10) as answer:
            return json.load(answer)

    def broadcast(self, to, payload):
        return self.call("/v1/broadcast", {"to": to, "payload": payload})

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()

    def drain(self):
        self.process.terminate()


class Door:
    """A TCP port that leads each connection to the first node that takes it; what a load balancer is to browsers.

    With `takes_turns` the next connection begins with the next node."""

    def __init__(self, targets=(), takes_turns=False):
        self.targets = list(targets)
        self.takes_turns = takes_turns
        self.pairs = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                here = self.listener.accept()[0]
            except OSError:
                return
            there = self._connect()
            if there is None:
                here.close()
            else:
                threading.Thread(target=self._bridge, args=[here, there], daemon=True).start()

    def _connect(self):
        targets = list(self.targets)
        if self.takes_turns:
            self.targets.append(self.targets.pop(0))
        for target in targets:
            try:
                return socket.create_connection(("127.0.0.1", target))
            except OSError:
                continue
        return None

    def _bridge(self, here, there):
        with here, there:
            self.pairs.add((here, there))
            back = threading.Thread(target=self._pass, args=[there, here], daemon=True)
            back.start()
            self._pass(here, there)
            back.join()
            self.pairs.discard((here, there))

    def cut(self):
        """Ends every connection in the midst of whatever it says."""
        for pair in list(self.pairs):
            for end in pair:
                try:
                    # No bytes that wait are sent any more.
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    @staticmethod
    def _pass(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # A reset on one side is the end of both.
            for end in [source, sink]:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def close(self):
        self.listener.close()


class Site:
    """Redis, as many nodes as a test starts, and the door before them."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="martlet-browser-")
        self.redis_path = os.path.join(self.folder, "redis.sock")
        self.redis_url = "unix://" + self.redis_path
        self.redis = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.redis_path, "--save", "", "--dir", self.folder],
            stdout=subprocess.DEVNULL)
        self.nodes = []
        self.door = Door()
        return self

    def node(self, **settings):
        node = Node(f"n{len(self.nodes) + 1}", self.redis_url, settings)
        self.nodes.append(node)
        self.door.targets.append(node.ports["client"])
        return node

    def token(self, user):
        """What a node with `auth.mode: jwt` takes from this user."""
        environment = os.environ | {"MARTLET_AUTH_SECRET": SECRET}
        return subprocess.run([MARTLET, "token", "--user", user], env=environment, capture_output=True, text=True,
                              check=True).stdout.strip()

    def forget_all(self):
        """Empties Redis."""
        subprocess.run(["redis-cli", "-s", self.redis_path, "FLUSHALL"], check=True, stdout=subprocess.DEVNULL)

    def __exit__(self, *_):
        self.door.close()
        for node in self.nodes:
            node.kill()
        self.redis.kill()
        self.redis.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

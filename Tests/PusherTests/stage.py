"""Two nodes, a backend with Pusher's library for Python, and what takes its webhooks."""

import base64
import threading
import time
import unittest
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pusher

import places  # It says where site_of_nodes lies.
from site_of_nodes import Site

APP, PUBLIC, SECRET = "3", "278d425bdf160c739803", "7ad3773142a6692b25b8"
SETTINGS = {"MARTLET_PUSHER_APP_ID": APP, "MARTLET_PUSHER_KEY": PUBLIC, "MARTLET_PUSHER_SECRET": SECRET,
            "MARTLET_PUSHER_API": "client", "MARTLET_PRESENCE_GRACE": "1s"}
MASTER = base64.b64encode(bytes(32)).decode()
# Two hundred characters, and all that there may be.
CHANNEL = "presence-a,b;c@d=e." + "x" * 181


class Receiver:
    """Takes webhooks; the first request is answered with 500."""

    def __init__(self):
        requests = self.requests = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = 200 if requests else 500
                requests.append((status, self.headers["X-Pusher-Key"], self.headers["X-Pusher-Signature"], body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def eventually(what, is_so, within=30):
    end = time.monotonic() + within
    while time.monotonic() < end:
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError(f"it never happened: {what}")


class StageTest(unittest.TestCase):
    def setUp(self):
        # The library keeps its connections, and has no way to end them.
        warnings.simplefilter("ignore", ResourceWarning)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.site = self.enterContext(Site())
        settings = SETTINGS | {"MARTLET_WEBHOOKS_URL": self.receiver.url + " format=pusher",
                               "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true"}
        self.nodes = [self.site.node(**settings), self.site.node(**settings)]

    def backend(self, node=0, port="api", secret=SECRET):
        return pusher.Pusher(app_id=APP, key=PUBLIC, secret=secret, ssl=False, host="127.0.0.1",
                             port=self.nodes[node].ports[port], encryption_master_key_base64=MASTER)

    def told(self):
        """The events of all webhooks that were taken, as the library reads them."""
        backend = self.backend()
        return [event for status, key, signature, body in self.receiver.requests if status == 200
                for event in backend.validate_webhook(key, signature, body)["events"]]

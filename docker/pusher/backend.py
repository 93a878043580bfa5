#!/usr/bin/env python3
"""A backend of an app that speaks Pusher's protocol, with one page: it signs for whoever asks, and triggers events.

To try a node with, on this machine alone: it lets everybody be who they say they are. Needs nothing but Python 3.
"""

import argparse
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).with_name("page.html")


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pusher-js", required=True, type=Path, help="your copy of pusher.min.js (dist/web of the package pusher-js)")
    parser.add_argument("--port", type=int, default=8000, help="where the page is (8000)")
    parser.add_argument("--client-port", type=int, default=8080, help="the node's port for clients (8080)")
    parser.add_argument("--api", default="http://127.0.0.1:8081", help="where the node answers /apps/ (http://127.0.0.1:8081)")
    parser.add_argument("--id", default="1", help="as in MARTLET_PUSHER_APP_ID (1)")
    parser.add_argument("--key", default="shop", help="as in MARTLET_PUSHER_KEY (shop)")
    parser.add_argument("--secret", default="a-secret-of-16-bytes-or-more", help="as in MARTLET_PUSHER_SECRET")
    return parser.parse_args()


class Backend(BaseHTTPRequestHandler):
    app = None

    def do_GET(self):
        if self.path == "/":
            settings = {"key": self.app.key, "port": self.app.client_port}
            page = PAGE.read_text().replace("{{settings}}", json.dumps(settings).replace("<", "\\u003c"))
            self.answer(200, "text/html; charset=utf-8", page.encode())
        elif self.path == "/pusher.js":
            self.answer(200, "text/javascript; charset=utf-8", self.app.pusher_js.read_bytes())
        else:
            self.answer(404, "text/plain", b"there is nothing here\n")

    def do_POST(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        fields = {name: values[0] for name, values in urllib.parse.parse_qs(text).items()}
        try:
            if self.path == "/auth":
                answer = self.authorize(fields["socket_id"], fields["channel_name"], fields.get("user", "somebody"))
            elif self.path == "/trigger":
                answer = self.trigger(fields["channel"], fields["event"], fields["data"])
            else:
                return self.answer(404, "text/plain", b"there is nothing here\n")
        except KeyError as missing:
            return self.answer(400, "text/plain", f"{missing} is missing\n".encode())
        except urllib.error.URLError as error:
            return self.answer(502, "text/plain", f"the node: {error}\n".encode())
        return self.answer(200, "application/json", json.dumps(answer).encode())

    def authorize(self, socket_id, channel, user):
        """Where a real backend asks whether this user may be there."""
        if not channel.startswith("presence-"):
            return {"auth": self.sign(f"{socket_id}:{channel}")}
        data = json.dumps({"user_id": user, "user_info": {"name": user}})
        return {"auth": self.sign(f"{socket_id}:{channel}:{data}"), "channel_data": data}

    def trigger(self, channel, event, data):
        body = json.dumps({"name": event, "channels": [channel], "data": data}).encode()
        path = f"/apps/{self.app.id}/events"
        query = {"auth_key": self.app.key, "auth_timestamp": str(int(time.time())), "auth_version": "1.0",
                 "body_md5": hashlib.md5(body).hexdigest()}
        text = "&".join(f"{name}={query[name]}" for name in sorted(query))
        query["auth_signature"] = self.digest(f"POST\n{path}\n{text}")
        request = urllib.request.Request(f"{self.app.api}{path}?{urllib.parse.urlencode(query)}", data=body,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def sign(self, text):
        return f"{self.app.key}:{self.digest(text)}"

    def digest(self, text):
        return hmac.new(self.app.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Backend.app = options()
    if not Backend.app.pusher_js.is_file():
        raise SystemExit(f"{Backend.app.pusher_js} is no file")
    server = ThreadingHTTPServer(("127.0.0.1", Backend.app.port), Backend)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass

"""The web server of whoever uses the library."""

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Sources/JavaScriptClient")
SCRIPT = "text/javascript"


def library(name):
    """A file of the package."""
    with open(os.path.join(PACKAGE, name), encoding="utf-8") as text:
        return text.read()


class Shop:
    """Pages and their scripts: `files` has content type and text by path, `headers` come with each."""

    def __init__(self, files, headers=None):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                content_type, text = files.get(self.path, ("text/plain", ""))
                body = text.encode()
                self.send_response(200 if self.path in files else 404)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

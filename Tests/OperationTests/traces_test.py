"""What a node tells a collector of traces, read by opentelemetry-proto's own schema."""

import base64
import json
import threading
import time
import unittest
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

import places  # It says where site_of_nodes lies.
from site_of_nodes import KEY, Site

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Collector:
    """Takes what it is sent on /v1/traces."""

    def __init__(self):
        bodies = self.bodies = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bodies.append((self.path, self.headers["Content-Type"], body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def with_base64_ids(value):
    """Ids are hexadecimal in OTLP's JSON and base64 in protobuf's, which is the one difference of the two."""
    if isinstance(value, list):
        return [with_base64_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: base64.b64encode(bytes.fromhex(one)).decode() if name in ("traceId", "spanId", "parentSpanId")
            else with_base64_ids(one) for name, one in value.items()}


def read(body):
    """The request as the schema has it; a field that it does not know is an error."""
    return json_format.ParseDict(with_base64_ids(json.loads(body)), ExportTraceServiceRequest())


class TracesTests(unittest.TestCase):
    def call(self, node, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{node.ports['api']}{path}", method=method, data=body and json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json",
                     "traceparent": f"00-{TRACE}-{PARENT}-01"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def test_the_schema_takes_it(self):
        collector = Collector()
        self.addCleanup(collector.close)
        with Site() as site:
            node = site.node(MARTLET_TRACING_URL=collector.url, MARTLET_TRACING_SAMPLE="0%")
            self.wait_until(lambda: self.call(node, "GET", "/readyz") == 200)
            collector.bodies.clear()
            self.assertEqual(200, self.call(node, "POST", "/v1/broadcast", {"to": {"rooms": ["r"]}, "payload": 'a "b" \n'}))
            self.assertEqual(404, self.call(node, "GET", "/v1/rooms/none"))
            self.assertEqual(404, self.call(node, "GET", "/v1/" + "x" * 100))
            spans = self.spans(collector, {"POST /v1/broadcast", "publish", "GET /v1/rooms/{roomId}", "_OTHER other"})
        by_name = {span.name: span for span in spans}
        for span in spans:
            self.assertEqual(TRACE, span.trace_id.hex())
            self.assertEqual(8, len(span.span_id))
            self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)
            self.assertLess(abs(time.time() - span.start_time_unix_nano / 1e9), 60)
            if span.name != "GET /readyz":
                self.assertNotEqual(Status.STATUS_CODE_ERROR, span.status.code)
        request = by_name["POST /v1/broadcast"]
        self.assertEqual((Span.SPAN_KIND_SERVER, PARENT), (request.kind, request.parent_span_id.hex()))
        self.assertEqual(200, {one.key: one.value.int_value for one in request.attributes}["http.response.status_code"])
        script = by_name["publish"]
        self.assertEqual((Span.SPAN_KIND_CLIENT, request.span_id), (script.kind, script.parent_span_id))

    def wait_until(self, is_so):
        deadline = time.time() + 30
        while not is_so():
            self.assertLess(time.time(), deadline)
            time.sleep(0.1)

    def spans(self, collector, wanted):
        deadline = time.time() + 30
        while True:
            spans = []
            for path, kind, body in list(collector.bodies):
                self.assertEqual(("/v1/traces", "application/json"), (path, kind))
                for resource in read(body).resource_spans:
                    names = {one.key: one.value.string_value for one in resource.resource.attributes}
                    self.assertEqual("martlet", names["service.name"])
                    self.assertTrue(names["service.version"] and names["service.instance.id"])
                    spans += [span for scope in resource.scope_spans for span in scope.spans]
            if wanted <= {span.name for span in spans}:
                return spans
            self.assertLess(time.time(), deadline, sorted({span.name for span in spans}))
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()

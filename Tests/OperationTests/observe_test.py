"""What a node tells of itself, and what docker/observe makes of it: by Prometheus's own tools, on nodes under load."""

import json
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from places import DOCKER, ROOT
from site_of_nodes import KEY, MARTLET, Site

OBSERVE = DOCKER / "observe"
PAGE = (ROOT / "Sources/GatewayNode/Martlet.docc/Metrics.md").read_text()
# Of exporters that are not ours, and of Prometheus itself.
FOREIGN = r"up|ALERTS|probe_\w+|redis_\w+"
MESSAGES, MEMBERS = 300, 40


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def families(text):
    return {family.name + ("_total" if family.type == "counter" else ""): family
            for family in text_string_to_metric_families(text)}


def load(node, *more):
    """Messages to one room with many members; `martlet bench` ends with 1 where one was lost."""
    subprocess.run([MARTLET, "bench", "fanout", "--target", str(node.ports["client"]), "--api", str(node.ports["api"]),
                    "--key", KEY, "--members", str(MEMBERS), "--messages", str(MESSAGES), "--warmup", "0", "--via", "rest",
                    "--window", "4", "--server-pid", str(node.process.pid), *more], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def names(query):
    """The metrics that a query asks for."""
    query = re.sub(r'"[^"]*"|\[[^]]*\]|\{[^}]*\}|by \([^)]*\)|on \([^)]*\)', " ", query)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\w)(?!\s*\()", query)
    return {word for word in words if "_" in word or word in ("up", "ALERTS")} - {"histogram_quantile"}


def dashboard():
    board = json.loads((OBSERVE / "grafana/martlet.json").read_text())
    return [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]


def rules():
    return [rule for group in yaml.safe_load((OBSERVE / "alerts.yml").read_text())["groups"] for rule in group["rules"]]


class Backend(BaseHTTPRequestHandler):
    """One that decides, and lets everybody in."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"allow":true}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class ObserveTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = cls.enterClassContext(Site())
        backend = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        cls.addClassCleanup(backend.server_close)
        cls.addClassCleanup(backend.shutdown)
        threading.Thread(target=backend.serve_forever).start()
        hook = {"MARTLET_HOOKS_AUTHORIZE_URL": f"http://127.0.0.1:{backend.server_port}/", "MARTLET_TRACING_URL": "http://127.0.0.1:9/",
                "MARTLET_WEBHOOKS_URL": "http://127.0.0.1:9/", "MARTLET_WEBHOOKS_SECRET": "0123456789abcdef",
                "MARTLET_WEBHOOKS_ALLOW_PRIVATE": "true"}
        limits = {f"MARTLET_BUDGET_{name}": "0s" for name in ("CONNECTION", "USER", "ROOM", "NODE")}
        cls.node = cls.site.node(**hook, **limits)
        cls.other = cls.site.node(**hook, **limits)
        cls.fresh = fetch(cls.node.url("/metrics"))
        load(cls.node)
        # Loops tick twice a second, and the first tick is late for nothing.
        deadline = time.time() + 60
        while "martlet_event_loop_lag_seconds_count 0\n" in (text := fetch(cls.node.url("/metrics"))) and time.time() < deadline:
            time.sleep(0.1)
        cls.text = text
        cls.families = families(cls.text)

    def test_promtool_finds_nothing_to_say_of_a_node_before_and_under_load(self):
        for text in (self.fresh, self.text):
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
            self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))

    def test_every_family_says_from_the_start_what_it_means_and_stands_on_the_page(self):
        fresh = families(self.fresh)
        self.assertEqual(fresh.keys(), self.families.keys())
        for name, family in fresh.items():
            self.assertTrue(family.documentation, name)
            self.assertNotEqual(family.type, "unknown", name)
            self.assertIn(f"`{name}", PAGE)
        told = set(re.findall(r"`((?:martlet|process)_[a-z_]+)", PAGE))
        self.assertLessEqual({name for name in told if not name.startswith("martlet_archive")} - fresh.keys(),
                             {"martlet_certificate_expiry_timestamp_seconds", "martlet_tokens_checked_total",
                              "martlet_token_issuers_without_keys"})

    def test_what_is_counted_is_what_happened(self):
        def value(name, **labels):
            family = self.families[re.sub("_(count|bucket|sum)$", "", name)]
            return sum(one.value for one in family.samples if one.name == name and labels.items() <= one.labels.items())

        self.assertEqual(value("martlet_fanout_seconds_count"), MESSAGES)
        self.assertEqual(value("martlet_publish_to_deliver_seconds_count"), MESSAGES)
        self.assertEqual(value("martlet_pubsub_lag_seconds_count"), MESSAGES)
        self.assertEqual(value("martlet_redis_command_duration_seconds_count", script="publish"), MESSAGES)
        self.assertGreaterEqual(value("martlet_connect_seconds_count"), MEMBERS)
        for name in ("fanout", "publish_to_deliver", "pubsub_lag", "connect"):
            # Less than five seconds each, on a machine however slow; a clock that was taken for another would show.
            self.assertEqual(value(f"martlet_{name}_seconds_bucket", le="5"), value(f"martlet_{name}_seconds_count"), name)
        self.assertGreater(value("martlet_event_loop_lag_seconds_count"), 0, "ticks")
        self.assertGreater(value("martlet_node_lease_seconds"), 0, "lease")
        self.assertEqual(value("martlet_build_info", version="0.1.0"), 1)
        self.assertEqual(value("martlet_presence_repairs_total"), 0)
        age = time.time() - value("process_start_time_seconds")
        self.assertTrue(0 < age < 600, age)

    def test_alerts_and_dashboard_ask_for_nothing_that_nobody_tells(self):
        known = set(self.families) | set(re.findall(r"`(martlet_[a-z_]+)", PAGE))
        known |= {f"{name}_bucket" for name in known} | {f"{name}_count" for name in known}
        queries = [*dashboard(), *((rule["alert"], rule["expr"]) for rule in rules())]
        for where, query in queries:
            for name in names(query):
                self.assertTrue(name in known or re.fullmatch(FOREIGN, name), f"{where}: {name}")
        self.assertGreater(len(queries), 60)

    def test_promtool_takes_the_rules_and_each_alert_has_its_test_and_its_line_of_what_to_do(self):
        tests = ROOT / "Tests/OperationTests/alerts.test.yml"
        for command in (["check", "rules", OBSERVE / "alerts.yml"], ["check", "config", OBSERVE / "prometheus.yml"],
                        ["test", "rules", tests]):
            ended = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
            self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        for rule in rules():
            self.assertIn(rule["alert"], tests.read_text())
            self.assertIn(rule["labels"]["severity"], ("page", "ticket"))
            self.assertEqual(rule["annotations"].keys(), {"summary", "runbook"})

    def test_prometheus_answers_every_query_of_the_dashboard_and_fires_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                place = f"127.0.0.1:{listener.getsockname()[1]}"
            text = (OBSERVE / "prometheus.yml").read_text().replace("5s", "1s")
            for name, node in (("gateway-a", self.node), ("gateway-b", self.other)):
                text = text.replace(f"{name}:8081", f"127.0.0.1:{node.ports['api']}")
            configuration = yaml.safe_load(text)
            configuration["rule_files"] = [str(OBSERVE / "alerts.yml")]
            # The exporters are not here.
            configuration["scrape_configs"] = configuration["scrape_configs"][:1]
            file = Path(folder) / "prometheus.yml"
            file.write_text(yaml.safe_dump(configuration))
            log = open(Path(folder) / "log", "w+", encoding="utf-8")
            prometheus = subprocess.Popen(
                ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={place}"],
                stdout=log, stderr=subprocess.STDOUT)

            def ask(query):
                words = urllib.parse.urlencode({"query": query.replace("$__rate_interval", "4s")})
                return json.loads(fetch(f"http://{place}/api/v1/query?{words}"))["data"]["result"]

            try:
                deadline = time.time() + 60
                while True:
                    try:
                        if ask('count(count_over_time(up{job="martlet"}[10s]) > 2) == 2'):
                            break
                    except OSError:
                        pass
                    self.assertLess(time.time(), deadline, "Prometheus does not scrape")
                    time.sleep(0.2)
                load(self.node)
                load(self.other)
                time.sleep(1.5)
                silent = set()
                for title, query in dashboard():
                    if not ask(query) and not re.search(r"redis_(connected|master)|martlet_archive|> 0$", query):
                        silent.add(title)
                self.assertEqual(silent, set())
                self.assertEqual([one["value"][1] for one in ask("sum(martlet_coordinated_partitions)")], ["64"])
                firing = ask('ALERTS{alertstate="firing"}')
                self.assertEqual([one["metric"]["alertname"] for one in firing if one["metric"]["alertname"] != "MartletWebhooksBehind"], [])
                kept = json.loads(fetch(f"http://{place}/api/v1/rules"))["data"]["groups"]
                self.assertEqual({rule["health"] for group in kept for rule in group["rules"]}, {"ok"})
            finally:
                prometheus.terminate()
                prometheus.wait(timeout=20)
                log.close()


if __name__ == "__main__":
    unittest.main()

"""The list of scenarios that every client of this repository has to live through, by martlet.js: in headless Chromium, against
two real nodes. The Swift client plays the same list."""

import base64
import hashlib
import hmac
import json
import os
import random
import socket
import subprocess
import time

from playwright._impl._driver import compute_driver_executable

from chromium import ChromiumTests
from shop import SCRIPT, Shop, library
from site_of_nodes import SECRET, Door, Site

HERE = os.path.dirname(os.path.abspath(__file__))

with open(os.path.join(HERE, "../client-scenarios.txt"), encoding="utf-8") as lines:
    LIST = lines.read().splitlines()

# What each page has: a client, which waits a hundredth of each random delay, and a room with all that it is told.
BEGIN = """async ([address, options]) => {
  Math.random = () => 0.01;
  const { Martlet } = await import("/martlet.js");
  if (options.tokens) options.getToken = () => window.nextToken();
  window.client = new Martlet(address, options);
  window.told = { seqs: [], payloads: [], gaps: 0, states: [], nodes: [], codes: [], acks: null };
  client.on("state", ({ state, nodeId, code }) => {
    told.states.push(state);
    if (nodeId) told.nodes.push(nodeId);
    if (code) told.codes.push(code);
  });
  window.room = client.room("r");
  room.on("message", ({ seq, payload }) => {
    told.seqs.push(seq);
    told.payloads.push(payload);
  });
  room.on("gap", () => told.gaps++);
}"""


class ScenarioTests(ChromiumTests):
    def begin(self, port, **options):
        """A page of a site of its own, with a client of whatever answers at that port, or will."""
        shop = Shop({"/": ("text/html", "<!doctype html><title>page</title>"), "/martlet.js": (SCRIPT, library("martlet.js"))})
        self.addCleanup(shop.close)
        page = self.page()
        page.goto(shop.url)
        if tokens := options.pop("tokens", None):
            page.expose_function("nextToken", tokens)
            options["tokens"] = True
        page.evaluate(BEGIN, [f"ws://127.0.0.1:{port}/ws", options])
        return page

    def door(self, *nodes):
        door = Door([node.ports["client"] for node in nodes], takes_turns=True)
        self.addCleanup(door.close)
        return door

    def connections_cut_at_random(self):
        for seed in [1, 2]:
            with self.subTest(seed=seed), Site() as site:
                chance, cuts = random.Random(seed), 0
                first, second = site.node(), site.node()
                doors = [self.door(first, second), self.door(second, first)]
                alice, bob = self.begin(doors[0].port, userId="alice"), self.begin(doors[1].port, userId="bob")
                for page in [alice, bob]:
                    page.evaluate("room.joined()")
                # Ten milliseconds apart, whatever is still on its way.
                bob.evaluate("""void (async () => {
                  const acks = [];
                  for (let number = 1; number <= 300; number++) {
                    acks.push(room.publish(number).then(({ seq }) => seq));
                    await new Promise((resolve) => setTimeout(resolve, 10));
                  }
                  told.acks = await Promise.all(acks);
                })()""")
                while not bob.evaluate("told.acks"):
                    time.sleep(chance.uniform(0.05, 0.3))
                    if chance.random() < 0.2:
                        alice.evaluate("client.reconnect()")
                    else:
                        chance.choice(doors).cut()
                    cuts += 1
                self.assertEqual(bob.evaluate("told.acks"), list(range(1, 301)))
                for page in [alice, bob]:
                    self.until(page, "told.seqs.at(-1) === 300")
                    self.assertEqual(page.evaluate("told.payloads"), list(range(1, 301)))
                    self.assertEqual(page.evaluate("told.gaps"), 0)
                self.assertEqual(set(alice.evaluate("told.nodes")), {"n1", "n2"})
                print(f"seed {seed}: {cuts} cuts, {len(alice.evaluate('told.nodes'))} connections of whoever hears, "
                      f"{len(bob.evaluate('told.nodes'))} of whoever speaks")

    def a_thousand_messages_at_once(self):
        with Site() as site:
            first, second = site.node(), site.node()
            bob = self.begin(second.ports["client"], userId="bob")
            bob.evaluate("room.joined()")
            alice = self.begin(first.ports["client"], userId="alice")
            # Perhaps before there is a connection, and surely before all of them can go out.
            acks = alice.evaluate("Promise.all(Array.from({ length: 1000 }, (_, n) => room.publish(n + 1).then(({ seq }) => seq)))")
            self.assertEqual(acks, list(range(1, 1001)))
            self.until(bob, "told.seqs.at(-1) === 1000")
            self.assertEqual(bob.evaluate("told.payloads"), list(range(1, 1001)))
            self.assertEqual([bob.evaluate("told.gaps"), alice.evaluate("told.codes")], [0, []])

    def tokens_that_fail(self):
        with Site() as site:
            nodes = [site.node(MARTLET_AUTH_MODE="jwt") for _ in range(2)]
            old, good = signed(time.time() - 60), signed(time.time() + 3600)
            answers = [None, old, old, "<html>Bad Gateway</html>", "<html>Bad Gateway</html>", good]

            def next_token():
                answer = answers.pop(0)
                if answer is None:
                    raise ConnectionError("away")
                return answer

            alice = self.begin(self.door(*nodes).port, tokens=next_token)
            alice.evaluate("room.joined()")
            self.assertEqual([alice.evaluate("client.userId"), answers], ["alice", []])
            self.assertEqual(alice.evaluate("told.states"), ["connecting", "waiting"] * 5 + ["connecting", "connected"])

    def a_thousand_watched_users(self):
        users = ["x" * 66 + str(1000 + number) for number in range(1000)]
        with Site() as site:
            first, second = site.node(), site.node()
            door = self.door(first, second)
            alice = self.begin(door.port, userId="alice")
            alice.evaluate("""(users) => {
              told.offline = new Set();
              told.online = [];
              client.watch(users, ({ userId, online }) => online ? told.online.push(userId) : told.offline.add(userId));
            }""", users)
            self.until(alice, "told.offline.size === 1000")
            door.cut()
            self.until(alice, "told.nodes.length === 2")
            self.begin(second.ports["client"], userId=users[-1])
            self.until(alice, "told.online.length === 1")
            self.assertEqual(alice.evaluate("told.online"), [users[-1]])
            self.assertEqual(alice.evaluate("told.nodes"), ["n1", "n2"])
            self.assertNotIn(1009, alice.evaluate("told.codes"))

    def an_outage_at_the_first_connect(self):
        with socket.socket() as held:
            # Nobody listens there, and nobody else is given it.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", 0))
            port = held.getsockname()[1]
            alice = self.begin(port, userId="alice")
            alice.evaluate("void room.publish(1).then(({ seq }) => told.acks = [seq])")
            self.until(alice, "told.states.filter((state) => state === 'waiting').length > 1")
        with Site() as site:
            site.node(MARTLET_CLIENT_PORT=str(port))
            second = site.node()
            self.until(alice, "told.acks !== null")
            second.broadcast({"rooms": ["r"]}, 2)
            self.until(alice, "told.seqs.at(-1) === 2")
            self.assertEqual(alice.evaluate("[told.acks, told.payloads, told.gaps]"), [[1], [1, 2], 0])

    def a_gateway_of_a_later_version(self):
        """By a fake, in Node: the conversations of later.test.mjs."""
        command = [compute_driver_executable()[0], "--test", os.path.join(HERE, "later.test.mjs")]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stdout)

    played = {
        "connections cut at random leave a held room's stream whole": connections_cut_at_random,
        "a thousand messages at once are stored once and in order, none refused": a_thousand_messages_at_once,
        "a token page that fails, and a cache that gives an old token, are lived through": tokens_that_fail,
        "a thousand watched users with long names are watched on each connection": a_thousand_watched_users,
        "a client that starts before the gateway has its room once that is there": an_outage_at_the_first_connect,
        "a gateway of a later version neither breaks nor misleads a client": a_gateway_of_a_later_version,
    }

    def test_each_scenario_of_the_list_is_played_and_no_other(self):
        self.assertEqual(list(self.played), LIST)


def signed(expires):
    """A token of alice that ends then."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": "alice", "exp": int(expires)}
    head = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return (head + b"." + part(hmac.digest(SECRET.encode(), head, hashlib.sha256))).decode()


for scenario, play in ScenarioTests.played.items():
    setattr(ScenarioTests, "test_" + play.__name__, play)

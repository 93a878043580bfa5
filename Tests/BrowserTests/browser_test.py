"""martlet.js in headless Chromium, against real nodes."""

import os
import subprocess
import threading
import unittest

from playwright._impl._driver import compute_driver_executable

from chromium import ChromiumTests
from site_of_nodes import Site

# What each page of a test has: a client, and a room with all that it is told.
BEGIN = """async ([address, options]) => {
  const { Martlet } = await import(`http://${address}/martlet.js`);
  if (options.tokens) options.getToken = () => window.nextToken();
  window.client = new Martlet(`ws://${address}/ws`, options);
  window.told = { seqs: [], gaps: [], states: [], resumed: [], members: [] };
  client.on("state", ({ state, resumed }) => {
    told.states.push(state);
    if (state === "connected") told.resumed.push(resumed);
  });
  window.room = client.room("lobby");
  room.on("message", ({ seq }) => told.seqs.push(seq));
  room.on("gap", (gap) => told.gaps.push(gap));
  await room.joined();
}"""


class BrowserTests(ChromiumTests):
    def open(self, site, tokens=None, **options):
        """A page of another origin than the gateway's, whose client is in the room."""
        page = self.page()
        if tokens:
            page.expose_function("nextToken", tokens)
            options["tokens"] = True
        page.goto(site.nodes[-1].url("/healthz"))
        page.evaluate(BEGIN, [f"127.0.0.1:{site.door.port}", options])
        return page

    def test_the_stream_stays_whole_while_nodes_are_killed(self):
        with Site() as site:
            first, second = site.node(), site.node()
            page = self.open(site, userId="alice")
            count, stored = 400, []

            def publish():
                for number in range(count):
                    stored.append(second.broadcast({"rooms": ["lobby"]}, number)["rooms"][0]["seq"])
                    if number == count // 4:
                        first.kill()

            publisher = threading.Thread(target=publish)
            publisher.start()
            # The page speaks too: what it was acknowledged is in the log once, under the number that it was given.
            own = page.evaluate("Promise.all(Array.from({ length: 50 }, (_, n) => new Promise((resolve) => "
                                "setTimeout(() => room.publish({ n }).then(({ seq }) => resolve(seq)), n * 20))))")
            publisher.join()
            total = count + 50
            page.wait_for_function(f"told.seqs.at(-1) === {total}")
            told = page.evaluate("told")
            self.assertEqual(sorted(stored + own), list(range(1, total + 1)))
            self.assertEqual(told["seqs"], list(range(1, total + 1)))
            self.assertEqual(told["gaps"], [])
            self.assertEqual(told["resumed"], [False, True])
            log = second.call("/v1/rooms/lobby/messages?after=0&limit=1000")["messages"]
            mine = [message["seq"] for message in log if message["userId"] == "alice"]
            self.assertEqual(sorted(mine), sorted(own))
            print(f"{total} messages, {len(told['seqs'])} delivered, 0 lost, 0 doubled, 0 out of order")

    def test_a_draining_node_loses_nothing(self):
        with Site() as site:
            first, second = site.node(), site.node()
            page = self.open(site, userId="alice")
            for number in range(20):
                second.broadcast({"rooms": ["lobby"]}, number)
                if number == 5:
                    first.drain()
            first.process.wait(30)
            second.broadcast({"rooms": ["lobby"]}, "last")
            page.wait_for_function("told.seqs.at(-1) === 21")
            self.assertEqual(page.evaluate("told.seqs"), list(range(1, 22)))
            self.assertEqual(first.process.returncode, 0)

    def test_tokens_are_asked_for_until_one_is_good_or_there_are_no_more(self):
        with Site() as site:
            site.node(MARTLET_AUTH_MODE="jwt")
            good = site.token("alice")
            tokens = ["bad", "bad", good]
            page = self.open(site, tokens=lambda: tokens.pop(0))
            self.assertEqual(page.evaluate("client.userId"), "alice")
            self.assertEqual(tokens, [])
            self.assertEqual(page.evaluate("told.states"), ["connecting", "waiting"] * 2 + ["connecting", "connected"])

            stopped = """async (address) => {
              const { Martlet, MartletError } = await import(`http://${address}/martlet.js`);
              const tokens = ["bad"];
              const signedOut = () => Promise.reject(new MartletError("unauthorized"));
              const other = new Martlet(`ws://${address}/ws`, { getToken: async () => tokens.pop() ?? signedOut() });
              return other.connect().catch(({ name, code }) => [name, code, other.state]);
            }"""
            answer = page.evaluate(stopped, f"127.0.0.1:{site.door.port}")
            self.assertEqual(answer, ["MartletError", "unauthorized", "stopped"])

    def test_a_reload_goes_on_where_the_page_was_and_a_page_that_it_opens_begins_afresh(self):
        with Site() as site:
            node = site.node()
            begin = [f"127.0.0.1:{site.door.port}", {"userId": "alice", "persist": "tab"}]
            page = self.open(site, **begin[1])
            node.broadcast({"rooms": ["lobby"]}, 1)
            page.wait_for_function("told.seqs.at(-1) === 1")
            page.reload()
            node.broadcast({"rooms": ["lobby"]}, 2)
            page.evaluate(BEGIN, begin)
            page.wait_for_function("told.seqs.join() === '2'")
            with page.expect_popup() as opened:
                page.evaluate("void window.open(location.href)")
            node.broadcast({"rooms": ["lobby"]}, 3)
            opened.value.evaluate(BEGIN, begin)
            node.broadcast({"rooms": ["lobby"]}, 4)
            opened.value.wait_for_function("told.seqs.at(-1) === 4")
            self.assertEqual(opened.value.evaluate("told.seqs"), [4])
            self.assertEqual(page.evaluate("sessionStorage.length"), 0)

    def test_a_wrong_path_is_told(self):
        with Site() as site:
            site.node()
            page = self.page()
            page.goto(f"http://127.0.0.1:{site.door.port}/martlet.js")
            told = page.evaluate("""async () => {
              const { Martlet } = await import("/martlet.js");
              const told = new Promise((resolve) => {
                for (const path of ["/wss", "/ws"]) {
                  const client = new Martlet(path, { userId: "alice" });
                  client.on("error", ({ code }) => resolve(`${path} ${code}`));
                  client.connect();
                }
              });
              return told;
            }""")
            self.assertEqual(told, "/wss invalid")

    def test_members_and_watched_users_come_and_go(self):
        with Site() as site:
            site.node()
            alice = self.open(site, userId="alice")
            # A function that an expression answers would be called by Playwright.
            alice.evaluate("void room.on('members', (list) => told.members = list.map(({ userId }) => userId).sort())")
            alice.evaluate("told.status = [], void client.watch(['bob'], ({ online }) => told.status.push(online))")
            alice.wait_for_function("told.members.join() === 'alice' && told.status.length === 1")
            bob = self.open(site, userId="bob")
            alice.wait_for_function("told.members.join() === 'alice,bob' && told.status.at(-1) === true")
            bob.evaluate("client.close()")
            alice.wait_for_function("told.members.join() === 'alice' && told.status.at(-1) === false")
            self.assertEqual(alice.evaluate("told.status"), [False, True, False])

    def test_what_came_while_the_page_was_away_is_in_the_inbox(self):
        with Site() as site:
            node = site.node()
            for number in range(3):
                node.broadcast({"users": ["alice"]}, number)
            page = self.open(site, userId="alice")
            page.evaluate("told.inbox = [], void client.inbox({ since: { seq: 0 } }).on('message', "
                          "({ payload }) => told.inbox.push(payload))")
            page.wait_for_function("told.inbox.length === 3")
            node.broadcast({"users": ["alice"]}, 3)
            page.wait_for_function("told.inbox.length === 4")
            self.assertEqual(page.evaluate("told.inbox"), [0, 1, 2, 3])

    def test_a_room_survives_a_double_mount(self):
        with Site() as site:
            node = site.node()
            page = self.open(site, userId="alice")
            page.evaluate("""() => {
              const mount = () => {
                const room = client.room("react");
                told.react = [];
                room.on("message", ({ payload }) => told.react.push(payload));
                return () => room.leave();
              };
              mount()();
              window.unmount = mount();
            }""")
            page.evaluate("client.room('react').joined()")
            node.broadcast({"rooms": ["react"]}, "once")
            page.wait_for_function("told.react.length === 1")
            page.evaluate("unmount()")
            self.assertEqual(page.evaluate("told.react"), ["once"])

    def test_node_speaks_it_too(self):
        module = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Sources/JavaScriptClient/martlet.js")
        script = """
          const { Martlet } = await import(process.argv[1]);
          const client = new Martlet(process.argv[2], { userId: "server" });
          const room = client.room("lobby");
          const message = new Promise((resolve) => room.on("message", resolve));
          await room.publish("from Node");
          const { seq, payload } = await message;
          console.log(seq, payload);
          client.close();
        """
        with Site() as site:
            url = site.node().url("/ws", port="client")
            command = [compute_driver_executable()[0], "--input-type=module", "--eval", script, module, url]
            result = subprocess.run(command, capture_output=True, text=True, timeout=30)
            self.assertEqual((result.stdout, result.stderr), ("1 from Node\n", ""))

"""martlet/react in a page, in React's development build and StrictMode, against real nodes."""

import importlib.util
import os
import threading

from chromium import ChromiumTests
from shop import SCRIPT, Shop, library
from site_of_nodes import Site

# The package dash has React's builds in one file each; nothing else of it is used.
REACT_FOLDER = os.path.join(importlib.util.find_spec("dash").submodule_search_locations[0], "deps")
REACT = "18.3.1"

INDEX = """<!doctype html>
<title>useRoom</title>
<main></main>
<script src="/react.js"></script>
<script src="/react-dom.js"></script>
<script type="importmap">
  {"imports": {"react": "/react-module.js", "martlet": "/martlet.js", "martlet/react": "/hooks.js"}}
</script>
<script type="module" src="/app.js"></script>
"""

# What a bundler makes of `import … from "react"`.
REACT_MODULE = ("export const { StrictMode, createElement, useEffect, useMemo, useRef, useSyncExternalStore } = "
                "window.React;")

APP = """
import { StrictMode, createElement, useEffect } from "react";
import { Martlet } from "martlet";
import { keep, useMembers, useRoom } from "martlet/react";

const getToken = async () => (await fetch("/token")).text();
const client = keep("chat", () => new Martlet("wss://chat.example.org/ws", { getToken }));

function Lesson({ roomId }) {
  const { messages, publish } = useRoom(client, roomId);
  const members = useMembers(client, roomId);
  useEffect(() => void told.mounts++, []);
  told.publish = publish;
  told.renders++;
  told.members = members.map(({ userId }) => userId).sort();
  const seqs = messages.map(({ seq }) => seq);
  if (seqs.some((seq, index) => index > 0 && seq <= seqs[index - 1])) told.disorder.push(seqs);
  return createElement("ol", null, messages.map(({ seq, payload }) => createElement("li", { key: seq }, payload)));
}

const root = ReactDOM.createRoot(document.querySelector("main"));
window.show = (roomId) => root.render(roomId && createElement(StrictMode, null, createElement(Lesson, { roomId })));
window.shown = () => [...document.querySelectorAll("li")].map((item) => item.textContent);
"""

# Leads the address of the pages to the nodes, and notes what is said on the way.
WATCH = """(() => {
  window.told = { mounts: 0, renders: 0, disorder: [], sent: [], left: [], sockets: 0 };
  window.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      super(url.replace("wss://chat.example.org", "ws://ADDRESS"), protocols);
      told.sockets++;
      told.socket = this;
      this.addEventListener("message", ({ data }) => {
        const { type, roomId } = JSON.parse(data);
        if (type === "left") told.left.push(roomId);
      });
    }
    send(data) {
      const { type, roomId } = JSON.parse(data);
      told.sent.push(`${type} ${roomId}`);
      super.send(data);
    }
  };
})()"""


def build(name):
    with open(os.path.join(REACT_FOLDER, f"{name}@{REACT}.js"), encoding="utf-8") as script:
        return script.read()


class ReactTests(ChromiumTests):
    def open(self, site):
        """A page with React and the hooks, that shows no room yet."""
        shop = Shop({
            "/": ("text/html", INDEX), "/app.js": (SCRIPT, APP), "/hooks.js": (SCRIPT, library("react.js")),
            "/martlet.js": (SCRIPT, library("martlet.js")), "/react.js": (SCRIPT, build("react")),
            "/react-dom.js": (SCRIPT, build("react-dom")), "/react-module.js": (SCRIPT, REACT_MODULE),
            "/token": ("text/plain", site.token("alice")),
        })
        self.addCleanup(shop.close)
        page = self.page()
        self.complaints = []
        page.on("console", lambda line: self.complaints.append(line.text) if "Warning:" in line.text else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.add_init_script(WATCH.replace("ADDRESS", f"127.0.0.1:{site.door.port}"))
        page.goto(shop.url)
        page.wait_for_function("'show' in window")
        return page

    def show(self, page, room):
        page.evaluate("(roomId) => show(roomId)", room)
        page.wait_for_function("told.members.join() === 'alice'")

    def said(self, page, room):
        """What the page has asked of a room, in order, but for its history and members."""
        return [words for words in page.evaluate("told.sent")
                if words in [f"join {room}", f"leave {room}", f"message {room}"]]

    def members(self, node, room):
        return [member["userId"] for member in node.call(f"/v1/rooms/{room}/members")["members"]]

    def test_a_double_mount_joins_once_and_an_unmount_leaves(self):
        with Site() as site:
            node = site.node(MARTLET_AUTH_MODE="jwt")
            node.broadcast({"rooms": ["lesson"]}, "before")
            page = self.open(site)
            self.show(page, "lesson")
            self.assertEqual(page.evaluate("told.mounts"), 2)
            page.wait_for_function("shown().join() === 'before'")
            node.broadcast({"rooms": ["lesson"]}, "live")
            page.wait_for_function("shown().join() === 'before,live'")
            page.evaluate("told.publish('mine')")
            page.wait_for_function("shown().join() === 'before,live,mine'")
            self.assertEqual(self.said(page, "lesson"), ["join lesson", "message lesson"])
            self.assertEqual(self.members(node, "lesson"), ["alice"])

            self.show(page, "other")
            page.wait_for_function("told.left.includes('lesson')")
            self.assertEqual(page.evaluate("shown()"), [])
            node.broadcast({"rooms": ["other"]}, "there")
            page.wait_for_function("shown().join() === 'there'")
            self.assertEqual(self.members(node, "lesson"), [])

            page.evaluate("show(null)")
            page.wait_for_function("told.left.includes('other')")
            self.assertEqual(self.members(node, "other"), [])
            self.assertEqual(self.said(page, "other"), ["join other", "leave other"])
            self.assertEqual(page.evaluate("told.sockets"), 1)
            self.assertEqual(self.complaints, [])

    def test_the_list_stays_whole_while_its_node_is_killed(self):
        with Site() as site:
            first, second = (site.node(MARTLET_AUTH_MODE="jwt") for _ in range(2))
            page = self.open(site)
            self.show(page, "lesson")
            count = 300

            def publish():
                for number in range(count):
                    second.broadcast({"rooms": ["lesson"]}, number)
                    if number == count // 3:
                        first.kill()

            publisher = threading.Thread(target=publish)
            publisher.start()
            page.wait_for_function(f"shown().at(-1) === '{count - 1}'")
            publisher.join()
            self.assertEqual(page.evaluate("shown()"), [str(number) for number in range(count)])
            self.assertEqual(page.evaluate("told.disorder"), [])
            self.assertGreater(page.evaluate("told.sockets"), 1)
            self.assertEqual(self.members(second, "lesson"), ["alice"])
            self.assertEqual(self.complaints, [])

    def test_many_messages_at_once_are_shown_together_and_the_list_is_bounded(self):
        with Site() as site:
            site.node(MARTLET_AUTH_MODE="jwt")
            page = self.open(site)
            self.show(page, "lesson")
            before = page.evaluate("told.renders")
            # Faster than the page is drawn: as many frames as stand in one answer of the socket.
            page.evaluate("for (let n = 0; n < 140; n++) void told.publish(`${n}`)")
            page.wait_for_function("shown().at(-1) === '139'")
            self.assertLess(page.evaluate("told.renders") - before, 100)
            for number in range(140, 600):
                site.nodes[0].broadcast({"rooms": ["lesson"]}, f"{number}")
            page.wait_for_function("shown().at(-1) === '599'")
            self.assertEqual(page.evaluate("shown()"), [str(number) for number in range(100, 600)])
            self.assertEqual(page.evaluate("told.disorder"), [])
            self.assertEqual(self.complaints, [])

    def test_a_gap_loads_the_list_anew(self):
        with Site() as site:
            node = site.node(MARTLET_AUTH_MODE="jwt")
            page = self.open(site)
            self.show(page, "lesson")
            for word in ["one", "two"]:
                node.broadcast({"rooms": ["lesson"]}, word)
            page.wait_for_function("shown().join() === 'one,two'")
            site.forget_all()
            node.broadcast({"rooms": ["lesson"]}, "three")
            page.wait_for_function("shown().join() === 'three'")
            self.assertEqual(self.complaints, [])

    def test_2000_messages_at_once_do_not_hold_the_page_up(self):
        with Site() as site:
            site.node(MARTLET_AUTH_MODE="jwt")
            page = self.open(site)
            self.show(page, "lesson")
            page.evaluate("""() => {
              told.longest = 0;
              let last = performance.now();
              const tick = () => {
                told.longest = Math.max(told.longest, performance.now() - last);
                last = performance.now();
                setTimeout(tick);
              };
              tick();
              let seq = 1;
              const feed = () => {
                for (const end = seq + 2_000; seq < end; seq++) {
                  const message = { type: "message", roomId: "lesson", userId: "bob", msgType: 1, payload: `${seq}`, timestamp: 1, seq };
                  told.socket.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));
                }
                if (seq < 4_000) setTimeout(feed, 500);
              };
              feed();
            }""")
            page.wait_for_function("shown().at(-1) === '4000'")
            self.assertEqual(page.evaluate("told.disorder"), [])
            longest = page.evaluate("told.longest")
            print(f"4,000 messages, 2,000 at once: the page was held up for {longest:.0f} ms")
            self.assertLess(longest, 500)
            self.assertEqual(self.complaints, [])

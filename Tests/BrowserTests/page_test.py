"""martlet.js as pages load it, and what browsers do to pages: freeze them, put them away, cut them off."""

import base64
import hashlib
import urllib.request

from chromium import ChromiumTests
from shop import SCRIPT, Shop, library
from site_of_nodes import Site

# What each page has: a client, and all that its room is told.
FOLLOW = """
self.told = { seqs: [], gaps: 0, states: [], persisted: null };
self.client = new Martlet(ADDRESS, { userId: "alice", persist: "tab" });
client.on("state", ({ state }) => told.states.push(state));
self.room = client.room("lobby");
room.on("message", ({ seq }) => told.seqs.push(seq));
room.on("gap", () => told.gaps++);
"""
MODULE = 'import { Martlet } from "/martlet.js";' + FOLLOW
PAGE = '<!doctype html><title>page</title><script type="module" src="/app.js"></script>'
# With nothing but what it needs: no inline code, no eval, no styles, no strings that become code.
STRICT = ("default-src 'none'; script-src 'self' SCRIPTS; connect-src SOCKETS; worker-src 'self'; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")


class PageTests(ChromiumTests):
    def shop(self, site, files, headers=None):
        address = f'"ws://127.0.0.1:{site.door.port}/ws"'
        shop = Shop({path: (kind, text.replace("ADDRESS", address)) for path, (kind, text) in files.items()}, headers)
        self.addCleanup(shop.close)
        return shop

    def open(self, site, page=None):
        """A page of another origin than the gateway's, in the room."""
        shop = self.shop(site, {
            "/": ("text/html", PAGE), "/other": ("text/html", "<!doctype html><title>other</title>"),
            "/app.js": (SCRIPT, MODULE), "/martlet.js": (SCRIPT, library("martlet.js")),
        })
        page = page or self.page()
        page.goto(shop.url)
        self.until(page, "self.room?.isJoined")
        return page, shop

    def follows(self, page, node, numbers):
        for number in numbers:
            node.broadcast({"rooms": ["lobby"]}, number)
        self.until(page, f"told.seqs.at(-1) === {numbers[-1]}")

    def test_a_script_tag_with_an_integrity_hash_under_the_strictest_policy(self):
        with Site() as site:
            node = site.node()
            origin = f"http://127.0.0.1:{site.door.port}"
            with urllib.request.urlopen(node.url("/martlet.min.js", port="client")) as answer:
                digest = base64.b64encode(hashlib.sha384(answer.read()).digest()).decode()
            tag = f'<script src="{origin}/martlet.min.js" crossorigin="anonymous" integrity="sha384-{digest}"></script>'
            policy = STRICT.replace("SCRIPTS", origin).replace("SOCKETS", origin.replace("http", "ws"))
            shop = self.shop(site, {
                "/": ("text/html", f'<!doctype html><title>tag</title>{tag}<script src="/app.js"></script>'),
                "/app.js": (SCRIPT, FOLLOW),
            }, {"Content-Security-Policy": policy})
            page = self.page()
            complaints = []
            page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(shop.url)
            self.until(page, "self.room?.isJoined")
            self.follows(page, node, [1, 2])
            self.assertEqual(page.evaluate("new Martlet.MartletError('closed').code"), "closed")
            # The browser itself asks for a favicon, which is not there.
            self.assertEqual([line for line in complaints if "favicon" not in line and "404" not in line], [])

    def test_a_module_worker_under_the_strictest_policy(self):
        with Site() as site:
            node = site.node()
            policy = STRICT.replace("SCRIPTS", "").replace("SOCKETS", f"ws://127.0.0.1:{site.door.port}")
            # Where strings must not become addresses of code, a policy lets this one through.
            policy = policy.replace("; require-trusted-types-for 'script'; trusted-types 'none'", "")
            begin = 'self.told = []; new Worker("/worker.js", { type: "module" }).onmessage = ({ data }) => told.push(data);'
            worker = MODULE + 'room.on("message", ({ seq }) => postMessage(seq)); room.joined().then(() => postMessage("in"));'
            shop = self.shop(site, {
                "/": ("text/html", PAGE), "/app.js": (SCRIPT, begin), "/worker.js": (SCRIPT, worker),
                "/martlet.js": (SCRIPT, library("martlet.js")),
            }, {"Content-Security-Policy": policy})
            page = self.page()
            page.goto(shop.url)
            self.until(page, "self.told?.join() === 'in'")
            for number in range(3):
                node.broadcast({"rooms": ["lobby"]}, number)
            self.until(page, "told.join() === 'in,1,2,3'")

    def test_a_frozen_tab_goes_on_where_it_was(self):
        with Site() as site:
            node = site.node()
            page, _ = self.open(site)
            self.follows(page, node, [1])
            session = page.context.new_cdp_session(page)
            session.send("Page.setWebLifecycleState", {"state": "frozen"})
            for number in range(2, 30):
                node.broadcast({"rooms": ["lobby"]}, number)
            session.send("Page.setWebLifecycleState", {"state": "active"})
            self.follows(page, node, [30])
            self.assertEqual(page.evaluate("told.seqs"), list(range(1, 31)))
            self.assertEqual(page.evaluate("told.gaps"), 0)

    def test_a_page_that_was_put_away_and_comes_back_misses_nothing(self):
        chromium = self.playwright.chromium.launch(
            executable_path=self.executable, args=["--no-sandbox", "--disable-gpu"],
            ignore_default_args=["--disable-back-forward-cache"], timeout=120_000)
        self.addCleanup(chromium.close)
        with Site() as site:
            node = site.node()
            page = chromium.new_page()
            page.set_default_timeout(60_000)
            page.add_init_script("addEventListener('pageshow', ({ persisted }) => self.wasKept = persisted)")
            page, shop = self.open(site, page)
            self.follows(page, node, [1, 2])
            page.goto(shop.url + "other")
            node.broadcast({"rooms": ["lobby"]}, 3)
            page.evaluate("history.back()")
            page.wait_for_url(shop.url, wait_until="commit")
            self.until(page, "self.room?.isJoined")
            self.follows(page, node, [4])
            # Chromium loads the page anew, or gives back the very same one.
            was_kept = page.evaluate("wasKept")
            self.assertEqual(page.evaluate("told.seqs"), [1, 2, 3, 4] if was_kept else [3, 4])
            self.assertEqual(page.evaluate("told.gaps"), 0)
            members = node.call("/v1/rooms/lobby/members")["members"]
            self.assertEqual([(member["userId"], member["connections"]) for member in members], [("alice", 1)])
            print("back:", "the very same page" if was_kept else "loaded anew")

    def test_a_page_that_was_offline_misses_nothing_and_comes_back_at_once(self):
        with Site() as site:
            node = site.node()
            page, _ = self.open(site)
            self.follows(page, node, [1])
            page.context.set_offline(True)
            for number in range(2, 20):
                node.broadcast({"rooms": ["lobby"]}, number)
            # Longer than the client takes to find out that nothing comes.
            page.wait_for_timeout(3_000)
            page.context.set_offline(False)
            self.follows(page, node, [20])
            self.assertEqual(page.evaluate("told.seqs"), list(range(1, 21)))
            self.assertEqual(page.evaluate("told.gaps"), 0)
            self.assertEqual(page.evaluate("told.states.at(-1)"), "connected")

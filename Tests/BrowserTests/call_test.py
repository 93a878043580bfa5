"""The call page in headless Chromium, with made-up cameras, against real nodes: two browsers see each other."""

import os
import unittest

from chromium import ChromiumTests
from site_of_nodes import Site


class CallTests(ChromiumTests):
    # A camera that is made up, and given without asking; addresses of this machine, since a test may have no other.
    arguments = ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                 "--allow-loopback-in-peer-connection"]

    def open(self, node, user, picture="camera", room="call"):
        """A person in a browser of their own who is in the call."""
        context = self.chromium.new_context(viewport={"width": 1100, "height": 720})
        self.addCleanup(context.close)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda line: line.type in ("error", "warning") and page.complaints.append(line.text))
        page.goto(node.url("/console/call"))
        self.call(page, node, user, picture, room)
        return page

    def call(self, page, node, user, picture="camera", room="call"):
        page.fill("#ws-url", f"ws://127.0.0.1:{node.ports['client']}/ws")
        page.fill("#user-id", user)
        page.fill("#room", room)
        page.check(f"input[name=picture][value={picture}]")
        page.click("#call")

    def frames(self, page, user):
        """How many frames of this person the page has shown."""
        return page.evaluate("(user) => Number(document.querySelector(`#people [data-user='${user}']`)?.dataset.frames ?? 0)", user)

    def sees(self, page, user, more=30):
        before = self.frames(page, user)
        self.until(page, """([user, least]) => Number(document.querySelector(`#people [data-user='${user}']`)?.dataset.frames) >= least""",
                   [user, before + more])
        return self.frames(page, user)

    def test_two_browsers_see_each_other_and_the_call_comes_back_after_a_reload(self):
        with Site() as site:
            alice = self.open(site.node(), "alice")
            bob = self.open(site.node(), "bob", "test")
            counts = [self.sees(alice, "bob"), self.sees(bob, "alice")]
            self.assertEqual(alice.inner_text("#people-total"), "2")
            self.assertFalse(alice.is_visible("#nobody"))
            if os.environ.get("CALL_SCREENSHOT"):
                alice.wait_for_timeout(500)
                alice.screenshot(path=os.environ["CALL_SCREENSHOT"])
            # Frames are pictures: the one that was drawn is not black, nor the camera's.
            for page, user in [(alice, "bob"), (bob, "alice")]:
                self.assertGreater(page.evaluate("""(user) => {
                  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 48 });
                  const context = canvas.getContext("2d");
                  context.drawImage(document.querySelector(`#people [data-user='${user}'] video`), 0, 0, 64, 48);
                  return Math.max(...context.getImageData(0, 0, 64, 48).data.filter((_, place) => place % 4 < 3));
                }""", user), 60)
            # Of two that meet one offers first, the other waits: each in its turn loads the page again.
            for page, node, user, picture in [(bob, site.nodes[1], "bob", "test"), (alice, site.nodes[0], "alice", "camera")]:
                page.reload()
                self.call(page, node, user, picture)
                after = [self.sees(alice, "bob"), self.sees(bob, "alice")]
                self.assertEqual(alice.locator("#people li").count(), 2)
            print(f"frames seen: {counts[0]} and {counts[1]}, after the reloads {after[0]} and {after[1]}")
            # Hanging up is leaving: the other is alone at once, and may be called again.
            bob.click("#hang-up")
            self.until(alice, "document.querySelectorAll('#people li').length === 1")
            self.assertTrue(alice.is_visible("#nobody"))
            self.until(bob, "!document.getElementById('call').disabled")
            bob.click("#call")
            self.sees(alice, "bob")
            self.sees(bob, "alice")
            self.assertEqual(alice.complaints + bob.complaints, [])

    def test_three_are_a_call_as_well_and_who_goes_leaves_the_others_alone(self):
        with Site() as site:
            node = site.node()
            pages = {user: self.open(node, user, "test") for user in ["ann", "bob", "cid"]}
            for user, page in pages.items():
                for other in pages:
                    if other != user:
                        self.sees(page, other, 10)
            pages["cid"].close()
            for user in ["ann", "bob"]:
                self.until(pages[user], "document.querySelectorAll('#people li').length === 2")
            self.sees(pages["ann"], "bob", 10)

    def test_a_signal_that_means_nothing_ends_nothing(self):
        with Site() as site:
            node = site.node()
            ann = self.open(node, "ann", "test")
            self.until(ann, "document.getElementById('status').dataset.state === 'on'")
            context = self.chromium.new_context(bypass_csp=True)
            self.addCleanup(context.close)
            stranger = context.new_page()
            stranger.goto(node.url("/console/call"))
            stranger.evaluate("""(url) => new Promise((resolve) => {
              const socket = new WebSocket(url);
              const say = (frame) => socket.send(JSON.stringify({ roomId: "call", ...frame }));
              socket.onmessage = ({ data }) => {
                const { type, id } = JSON.parse(data);
                if (type === "welcome") say({ type: "join", id: 1 });
                if (type === "joined") say({ type: "signal", id: 2, to: "ann", payload: null });
                if (id === 2) resolve(), socket.close();
              };
            })""", f"ws://127.0.0.1:{node.ports['client']}/ws?userId=mallory")
            bob = self.open(node, "bob", "test")
            self.sees(ann, "bob", 10)
            self.sees(bob, "ann", 10)

    def test_what_cannot_be_is_said(self):
        with Site() as site:
            node = site.node()
            page = self.page()
            page.goto(node.url("/console/call"))
            page.fill("#user-id", "")
            page.click("#call")
            self.assertIn("user id", page.inner_text("#note"))
            page.fill("#user-id", "alice")
            page.fill("#ws-url", f"ws://127.0.0.1:{node.ports['api']}/nowhere")
            page.check("input[name=picture][value=test]")
            page.click("#call")
            self.until(page, "document.getElementById('status').dataset.state === 'wait'")
            page.click("#hang-up")
            self.until(page, "document.getElementById('status').textContent === 'Not in a call'")
            self.assertEqual(page.locator("#people li").count(), 0)


if __name__ == "__main__":
    unittest.main()

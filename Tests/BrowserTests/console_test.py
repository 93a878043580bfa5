"""The console in headless Chromium, against real nodes: as a person uses it, and as a hostile one fills it."""

import json
import urllib.request

from chromium import ChromiumTests
from site_of_nodes import KEY, Site

# What would run, be fetched or break out of its place, were it ever taken for markup.
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\">'\"&lt;%2e%00"
USER = "o'<b>\"%2F/../é\u202f😀"


class ConsoleTests(ChromiumTests):
    def open(self, node, user="alice", rooms=("lobby",), key=True, port=None):
        """A console that is connected, by the node's own port or another, and in the rooms."""
        page = self.page()
        self.complaints = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(node.url("/console"))
        if key:
            page.fill("#api-key", KEY)
            page.press("#api-key", "Enter")
        # Nodes on ports of their own choosing do not tell the page which.
        page.fill("#ws-url", f"ws://127.0.0.1:{port or node.ports['client']}/ws")
        page.fill("#user-id", user)
        page.click("#connect")
        page.wait_for_selector(".status[data-state=on]")
        for room in rooms:
            self.join(page, room)
        return page

    def join(self, page, room):
        page.fill("#room", room)
        page.click("#join")
        self.until(page, "(room) => [...document.getElementById('send-room').options].some(({ value }) => value === room)",
                               room)

    def send(self, page, typed, kind="json"):
        page.select_option("#payload-kind", kind)
        page.fill("#payload", typed)
        page.press("#payload", "Enter")

    def shown(self, page, text, within="#log"):
        """Waits for a line with just this payload."""
        self.until(page, """([within, text]) => [...document.querySelectorAll(within + ' li > pre')]
                                  .some(({ textContent }) => textContent === text)""", [within, text])

    def payloads(self, page, within):
        return page.evaluate("(within) => [...document.querySelectorAll(within + ' li > pre')].map((it) => it.textContent)", within)

    def log(self, node, room):
        """What REST says of a room's log, byte for byte."""
        request = urllib.request.Request(node.url(f"/v1/rooms/{room}/messages?limit=1000"), headers={"Authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def test_json_goes_out_byte_for_byte_and_is_shown_so(self):
        typed = ['{ "n":12345678901234567890,\n\t"n" : 1.0, "a":[ 1e2 ,-0]  }', '9007199254740993', '"\\u00e9\\/\\ud800"', '"</script>"']
        with Site() as site:
            node = site.node()
            page = self.open(node)
            for text in typed:
                self.send(page, text)
                self.shown(page, text)
                self.assertIn(f'"payload":{text},', self.log(node, "lobby"))
                self.assertEqual(page.input_value("#payload"), "")
            # By REST as well: to everyone, and to an inbox.
            for text in typed:
                page.select_option("#broadcast-payload-kind", "json")
                page.fill("#broadcast-payload", text)
                page.click("#broadcast")
                self.until(page, "(text) => document.getElementById('log').lastChild.textContent.includes(text)", text)
            self.assertEqual(self.payloads(page, "#log"), typed * 2)
            self.send(page, '{"a":1}', kind="text")
            self.shown(page, '"{\\"a\\":1}"')
            # Whatever would turn the rest around, or not be seen, is shown by its number and still there.
            self.send(page, '"\u202eolleh\ufeff"')
            self.shown(page, '"\u202eolleh\ufeff"')
            self.assertEqual(page.locator("#log .unseen").evaluate_all("(all) => all.map((it) => it.dataset.code)"), ["U+202E", "U+FEFF"])
            self.assertEqual(self.complaints, [])

    def test_what_is_no_json_is_refused_beside_its_field_and_stays_there(self):
        with Site() as site:
            page = self.open(site.node())
            for field, submit in [("payload", "#send"), ("broadcast-payload", "#broadcast")]:
                page.select_option(f"#{field}-kind", "json")
                for typed in ["Hello", '{"a":1,}', "{'a':1}", "01", "[1", "\u00a01"]:
                    page.fill(f"#{field}", typed)
                    page.click(submit)
                    self.assertIn("This is not JSON", page.inner_text(f"#{field}-note"))
                    self.assertEqual(page.input_value(f"#{field}"), typed)
                    self.assertEqual(page.get_attribute(f"#{field}", "aria-invalid"), "true")
                page.fill(f"#{field}", "[1]")
                self.assertIsNone(page.get_attribute(f"#{field}", "aria-invalid"))
                self.assertIn("3 bytes of JSON", page.inner_text(f"#{field}-note"))
            # Half a surrogate pair has no bytes; only a script can put it there.
            page.evaluate("""() => {
              const field = document.getElementById("payload");
              field.value = '"\\ud800"';
              field.form.requestSubmit();
            }""")
            self.assertIn("surrogate", page.inner_text("#payload-note"))
            # JSON, and deeper than the gateway takes it: that is said in the same place, and what was typed comes back.
            deep = "[" * 65 + "]" * 65
            self.send(page, deep)
            self.until(page, "document.getElementById('payload-note').textContent.includes('bad_request')")
            self.assertEqual(page.input_value("#payload"), deep)
            self.send(page, deep[1:-1])
            self.shown(page, deep[1:-1])
            self.assertEqual(self.payloads(page, "#log"), [deep[1:-1]])
            self.assertEqual(self.complaints, [])

    def test_history_goes_back_page_by_page_over_the_connection_and_by_rest(self):
        with Site() as site:
            node = site.node()
            page = self.open(node)
            for number in range(120):
                node.broadcast({"rooms": ["lobby"]}, 9007199254740993 + number)
            for number in range(3):
                node.broadcast({"users": [USER]}, number)
            everything = [str(9007199254740993 + number) for number in range(120)]

            page.click("#rooms .name")
            self.assertEqual(page.get_attribute("#history-tab", "aria-selected"), "true")
            for count in [50, 100, 120]:
                self.until(page, f"document.getElementById('history-list').childElementCount === {count}")
                self.assertEqual(self.payloads(page, "#history-list"), everything[-count:])
                if count < 120:
                    page.click("#history-earlier")
            self.assertIn("over the connection; the log holds none before", page.inner_text("#history-note"))
            self.assertFalse(page.is_visible("#history-earlier"))

            # A room that this page is not in, and an inbox whose name is as wild as names may be.
            page.click("#rooms button[aria-label='Leave lobby']")
            page.click("#history-form button")
            self.until(page, "document.getElementById('history-note').textContent.includes('by REST')")
            self.assertEqual(self.payloads(page, "#history-list"), everything[-50:])
            page.click("#history-earlier")
            self.until(page, "document.getElementById('history-list').childElementCount === 100")
            page.fill("#history-room", "@" + USER)
            page.click("#history-form button")
            self.until(page, "document.getElementById('history-list').childElementCount === 3")
            self.assertEqual(self.payloads(page, "#history-list"), ["0", "1", "2"])
            # A log that has begun anew meanwhile is not mixed with the one before.
            page.fill("#history-room", "lobby")
            page.click("#history-form button")
            self.until(page, "document.getElementById('history-list').childElementCount === 50")
            site.forget_all()
            node.broadcast({"rooms": ["lobby"]}, "anew")
            page.click("#history-earlier")
            self.until(page, "document.getElementById('history-list').childElementCount === 1")
            self.assertEqual(self.payloads(page, "#history-list"), ['"anew"'])
            self.assertFalse(page.is_visible("#history-earlier"))
            for room, words in [("..", "cannot ask for"), ("nobody-was-here", "nothing was ever written"), ("a b", "bad_request")]:
                page.fill("#history-room", room)
                page.click("#history-form button")
                self.until(page, "(words) => document.getElementById('history-note').textContent.includes(words)", words)
            page.fill("#api-key", "wrong")
            page.click("#history-form button")
            self.until(page, "document.getElementById('history-note').textContent.includes('not accepted')")
            page.fill("#api-key", "")
            page.click("#history-form button")
            self.until(page, "document.getElementById('history-note').textContent.includes('type the API key')")
            self.assertEqual(self.complaints, [])

    def test_a_room_that_is_left_while_its_history_loads(self):
        with Site() as site:
            node = site.node()
            page = self.open(node, rooms=["lobby", "other"], key=False)
            node.broadcast({"rooms": ["lobby", "other"]}, 1)
            page.evaluate("""() => {
              document.querySelector("#rooms .name").click();
              document.querySelector("#rooms button[aria-label='Leave lobby']").click();
            }""")
            self.until(page, "document.getElementById('history-note').dataset.state === 'bad'")
            self.assertIn("this room was left", page.inner_text("#history-note"))
            # What is asked for next is not disturbed by what came before.
            page.evaluate("""() => {
              for (const room of ["lobby", "other"]) {
                document.getElementById("history-room").value = room;
                document.getElementById("history-form").requestSubmit();
              }
            }""")
            self.shown(page, "1", "#history-list")
            self.assertIn("over the connection", page.inner_text("#history-note"))
            self.assertEqual(self.complaints, [])

    def test_watched_users_and_signals(self):
        with Site() as site:
            node = site.node()
            alice = self.open(node)
            for user in [USER, "carol"]:
                alice.fill("#watch-user", user)
                alice.press("#watch-user", "Enter")
            state = "(text) => [...document.querySelectorAll('#watched li')].some((it) => it.textContent.includes(text))"
            self.until(alice, state, USER + "never seen")
            bob = self.open(node, user=USER)
            self.until(alice, state, USER + "online")

            alice.select_option("#send-as", "signal")
            alice.fill("#send-to", USER)
            self.send(alice, '{"offer": 9007199254740993}')
            self.shown(bob, '{"offer": 9007199254740993}')
            self.assertIn("signal", bob.inner_text("#log li:last-child .head"))
            self.assertEqual(self.payloads(alice, "#log"), [])
            alice.fill("#send-to", "carol")
            self.send(alice, "1")
            self.until(alice, "document.getElementById('payload-note').dataset.state === 'bad'")
            self.assertEqual(alice.input_value("#payload"), "1")

            # The next connection watches them again.
            bob.click("#disconnect")
            self.until(alice, state, USER + "offline since")
            alice.click("#disconnect")
            self.until(alice, state, USER + "not connected")
            alice.click("#connect")
            self.until(alice, state, USER + "offline since")
            alice.click(f"#watched button[aria-label='Watch carol no more']")
            self.assertEqual(alice.locator("#watched li").count(), 1)
            alice.fill("#watch-user", "\u0001")
            alice.press("#watch-user", "Enter")
            self.assertEqual(alice.locator("#watched li").count(), 1)
            self.assertEqual(self.complaints, [])

    def test_a_lost_connection_comes_back_with_all_that_was_chosen_and_typed(self):
        with Site() as site:
            node = site.node()
            page = self.open(node, rooms=["lobby", "other"], port=site.door.port)
            page.select_option("#send-room", "lobby")
            page.select_option("#members-room", "lobby")
            page.fill("#watch-user", "carol")
            page.press("#watch-user", "Enter")
            self.until(page, "document.querySelector('#watched li').dataset.state === 'off'")
            page.select_option("#payload-kind", "json")
            page.fill("#payload", '{"half":')
            site.door.cut()
            self.until(page, "document.getElementById('watched').classList.contains('stale')")
            node.broadcast({"rooms": ["lobby"]}, "while it was away")
            self.shown(page, '"while it was away"')
            self.assertEqual([page.input_value("#send-room"), page.input_value("#members-room")], ["lobby", "lobby"])
            self.until(page, "!document.getElementById('watched').classList.contains('stale')")
            self.join(page, "third")
            self.until(page, "document.getElementById('send-room').value === 'third'")
            self.assertEqual(page.input_value("#payload"), '{"half":')
            lines = page.evaluate("[...document.querySelectorAll('#log .note')].map((it) => it.textContent)")
            self.assertEqual([line for line in lines if line.startswith("Joined")], ["Joined lobby.", "Joined other.", "Joined third."])
            self.assertEqual(self.complaints, [])

    def test_names_as_the_contract_has_them(self):
        longest = ("A-z0_.:=,;@" * 20)[:200]
        with Site() as site:
            node = site.node()
            page = self.open(node, user=USER, rooms=[longest, "..", "__proto__"])
            for room in [longest, "..", "__proto__"]:
                page.select_option("#send-room", room)
                self.send(page, json.dumps(room))
                self.shown(page, json.dumps(room))
            page.click("#rooms .name:text-is('..')")
            self.shown(page, '".."', "#history-list")
            for name in ["@alice", "*", "a b", "a/b", "é", "a" * 201]:
                page.fill("#room", name)
                page.click("#join")
                self.assertFalse(page.evaluate("document.getElementById('room').validity.valid"), name)
            self.assertEqual(page.locator("#rooms li").count(), 3)
            # The user's own name, in every place that shows it or asks by it.
            page.click("#users .person")
            self.until(page, "document.querySelectorAll('#user-connections > li').length === 1")
            page.fill("#push-payload", HOSTILE)
            page.click("#push-form button")
            page.click("#live-tab")
            self.shown(page, json.dumps(HOSTILE))
            for user, words in [("..", "cannot ask for"), ("nobody", "never seen")]:
                page.fill("#lookup", user)
                page.press("#lookup", "Enter")
                self.until(page, "(words) => document.getElementById('user-state').textContent.includes(words)", words)
            self.assertEqual(page.title(), "Martlet console")
            self.assertEqual(page.locator("main img, main script, main b").count(), 0)
            self.assertEqual(self.complaints, [])

    def test_a_payload_as_large_as_a_frame_and_one_beyond(self):
        with Site() as site:
            node = site.node()
            page = self.open(node)
            large = json.dumps("é" * 32_600, ensure_ascii=False)
            self.send(page, large)
            self.until(page, "document.querySelectorAll('#log li > pre').length === 1")
            self.assertLess(len(self.payloads(page, "#log")[0]), 5_000)
            page.click("#log summary")
            self.until(page, "document.querySelector('#log details pre').textContent.length > 32000")
            self.assertIn(large, page.text_content("#log details pre"))
            self.send(page, json.dumps("x" * 66_000))
            self.until(page, "document.getElementById('payload-note').dataset.state === 'bad'")
            self.assertIn("too_large", page.inner_text("#payload-note"))
            self.assertEqual(len(page.input_value("#payload")), 66_002)
            # The history has no frame to show, and yet all of it.
            page.click("#rooms .name")
            page.click("#history-list summary")
            self.until(page, "document.querySelector('#history-list details pre').textContent.length === 32602")
            self.assertEqual(self.complaints, [])

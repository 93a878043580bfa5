"""A backend with Pusher's library for Python: its calls, its errors, and its check of webhooks, against two nodes."""

import json
import unittest

import pusher.errors
import websocket

from stage import CHANNEL, StageTest, eventually


class Member:
    """A native client in a room."""

    def __init__(self, node, user, *rooms):
        self.socket = websocket.create_connection(node.url("/ws", "client").replace("http", "ws") + f"?userId={user}",
                                                  timeout=20)
        self.connection = self.until(lambda frame: frame["type"] == "welcome")["connectionId"]
        for number, room in enumerate(rooms):
            self.socket.send(json.dumps({"type": "join", "id": f"{number}", "roomId": room}))
            self.until(lambda frame: frame["type"] == "joined")

    def until(self, is_it):
        while True:
            frame = json.loads(self.socket.recv())
            if is_it(frame):
                return frame

    def message(self):
        return self.until(lambda frame: frame["type"] == "message" and frame["roomId"] != "*")

    def end(self):
        """The code that the gateway closes it with."""
        while True:
            code, data = self.socket.recv_data()
            if code == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big")


class BackendTest(StageTest):
    def test_events_reach_members_on_both_nodes(self):
        members = [Member(node, user, CHANNEL, "news") for node, user in zip(self.nodes, ["ann", "bob"])]
        for node, port in enumerate(["api", "client"]):
            backend = self.backend(node, port)
            self.assertEqual(backend.trigger([CHANNEL, "news"], "paid é", {"n": "ü😀"}), {})
            for member in members:
                told = [member.message() for _ in range(2)]
                self.assertEqual({one["roomId"] for one in told}, {CHANNEL, "news"})
                self.assertEqual([one["event"] for one in told], ["paid é", "paid é"])
                self.assertEqual([json.loads(one["payload"]) for one in told], [{"n": "ü😀"}] * 2)
            events = [{"channel": "news", "name": f"n{number}", "data": "no JSON"} for number in range(10)]
            self.assertEqual(backend.trigger_batch(events), {})
            for member in members:
                told = [member.message() for _ in range(10)]
                self.assertEqual([(one["event"], one["payload"]) for one in told],
                                 [(f"n{number}", "no JSON") for number in range(10)])

    def test_one_socket_is_left_out_and_a_user_is_reached(self):
        ann, bob = [Member(node, user, "news") for node, user in zip(self.nodes, ["ann", "bob"])]
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
        halves = [sum(digits.index(digit) << 6 * place for place, digit in enumerate(half))
                  for half in (bob.connection[:7], bob.connection[7:])]
        self.backend().trigger("news", "first", "1", socket_id=f"{halves[0]}.{halves[1]}")
        self.backend(1).trigger("news", "second", "2", socket_id="1.2")
        self.assertEqual([ann.message()["event"] for _ in range(2)], ["first", "second"])
        self.assertEqual(bob.message()["event"], "second")
        self.backend().trigger("#server-to-user-bob", "hello", "you")
        self.assertEqual(bob.message()["event"], "hello")

    def test_who_is_where_and_out(self):
        members = [Member(node, user, CHANNEL, "news") for node, user in zip(self.nodes, ["ann", "bob"])]
        for node, port in [(0, "api"), (1, "client")]:
            backend = self.backend(node, port)
            self.assertEqual(backend.channels_info(), {"channels": {CHANNEL: {}, "news": {}}})
            self.assertEqual(backend.channels_info("presence-", ["user_count"]), {"channels": {CHANNEL: {"user_count": 2}}})
            self.assertEqual(backend.channel_info(CHANNEL, ["user_count", "subscription_count"]),
                             {"occupied": True, "user_count": 2, "subscription_count": 2})
            users = backend.users_info(CHANNEL)["users"]
            self.assertEqual({user["id"] for user in users}, {"ann", "bob"})
        # The library leaves the app out of this path.
        self.assertEqual(self.backend().terminate_user_connections("bob"), {})
        self.assertEqual(members[1].end(), 4403)
        eventually("bob's leaving", lambda: self.backend().users_info(CHANNEL) == {"users": [{"id": "ann"}]})

    def test_errors_are_the_library_s_own(self):
        for port in ["api", "client"]:
            with self.assertRaisesRegex(pusher.errors.PusherBadAuth, "auth_signature"):
                self.backend(port=port, secret="another").trigger("news", "e", "1")
            with self.assertRaisesRegex(pusher.errors.PusherBadRequest, "filter_by_prefix"):
                self.backend(port=port).channels_info(attributes=["user_count"])
            with self.assertRaisesRegex(pusher.errors.PusherBadRequest, "presence-"):
                self.backend(port=port).users_info("news")
            with self.assertRaisesRegex(pusher.errors.PusherBadStatus, "413"):
                self.backend(port=port).trigger("news", "e", "x" * 10_241)
            self.assertEqual(self.backend(port=port).trigger("news", "e", "x" * 10_240), {})

    def test_webhooks_pass_the_library_s_check(self):
        member = Member(self.nodes[0], "ann", CHANNEL)
        backend = self.backend()
        expected = [{"name": "channel_occupied", "channel": CHANNEL},
                    {"name": "member_added", "channel": CHANNEL, "user_id": "ann"}]
        eventually("her coming", lambda: sorted(self.told(), key=str) == sorted(expected, key=str))
        self.assertEqual(self.receiver.requests[0][0], 500)
        for _, key, signature, body in self.receiver.requests:
            self.assertIsNotNone(backend.validate_webhook(key, signature, body))
            self.assertIsNone(backend.validate_webhook(key, signature, body + " "))
        member.socket.close()
        expected += [{"name": "member_removed", "channel": CHANNEL, "user_id": "ann"},
                     {"name": "channel_vacated", "channel": CHANNEL}]
        eventually("her leaving", lambda: sorted(self.told(), key=str) == sorted(expected, key=str))


if __name__ == "__main__":
    unittest.main()

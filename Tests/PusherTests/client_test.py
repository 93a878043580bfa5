"""Clients with pysher, Pusher's client for Python, and a backend with Pusher's library that signs for them, on two nodes."""

import base64
import json
import logging
import threading
import unittest

import nacl.secret
import pusher.errors
import pysher
from pysher.channel import Channel

from stage import CHANNEL, PUBLIC, SECRET, StageTest, eventually

# It logs each frame, and each lost connection as an error.
logging.getLogger("pysher").setLevel(logging.CRITICAL)
logging.getLogger("websocket").setLevel(logging.CRITICAL)


class Client:
    """A connection of pysher's, and what its channels were told."""

    def __init__(self, test, node, user=None, info=None, **options):
        self.events = []
        self.lock = threading.Lock()
        data = None if user is None else {"user_id": user, "user_info": info or {}}
        self.pusher = pysher.Pusher(PUBLIC, secure=False, secret=SECRET, user_data=data, custom_host="127.0.0.1",
                                    port=node.ports["client"], reconnect_interval=0.2, log_level=logging.CRITICAL,
                                    **options)
        for event in ["pusher:signin_success", "pusher:error"]:
            self.pusher.connection.bind(event, lambda data, event=event: self.note(None, event, data))
        self.pusher.connect()
        test.addCleanup(self.pusher.disconnect, 5)
        eventually("the greeting", lambda: self.pusher.connection.state == "connected")

    @property
    def socket_id(self):
        return self.pusher.connection.socket_id

    def note(self, channel, event, data):
        with self.lock:
            self.events.append((channel, event, json.loads(data) if isinstance(data, str) and data[:1] in "{[" else data))

    def told(self, channel, event):
        with self.lock:
            return [data for where, what, data in self.events if (where, what) == (channel, event)]

    def listen(self, channel, *names):
        """To what the protocol says of each channel, and to these events."""
        for name in ["pusher_internal:subscription_succeeded", "pusher_internal:member_added",
                     "pusher_internal:member_removed", "pusher:subscription_error", "pusher:cache_miss", *names]:
            channel.bind(name, lambda data, name=name: self.note(channel.name, name, data))
        return channel

    def subscribe(self, name, *names, auth=None):
        """With what the backend has answered, which pysher would not send whole, and would not listen for in time."""
        channel = self.pusher.channels[name] = self.listen(Channel(name, self.pusher.connection), *names)
        self.pusher.connection.send_event("pusher:subscribe", {"channel": name, **(auth or {})})
        return channel

    def enter(self, name, *names, auth=None):
        channel = self.subscribe(name, *names, auth=auth)
        eventually(f"the way into {name}", lambda: self.told(name, "pusher_internal:subscription_succeeded"))
        return channel

    def members(self, channel):
        """Who is there by what it was told."""
        members = {}
        with self.lock:
            events = list(self.events)
        for where, what, data in events:
            if where != channel:
                continue
            if what.endswith("subscription_succeeded"):
                members = dict(data["presence"]["hash"])
            elif what.endswith("member_added"):
                members[data["user_id"]] = data.get("user_info")
            elif what.endswith("member_removed"):
                members.pop(data["user_id"], None)
        return members


class ClientTest(StageTest):
    def test_events_of_each_kind_of_channel(self):
        backend = self.backend()
        clients = [Client(self, node) for node in self.nodes]
        for client in clients:
            client.enter("news", "paid")
            client.enter("private-order,7;@=.", "paid", auth=backend.authenticate("private-order,7;@=.", client.socket_id))
        for number, channel in enumerate(["news", "private-order,7;@=."]):
            self.backend(number % 2).trigger(channel, "paid", {"n": number, "text": "ü😀"})
            for client in clients:
                eventually(f"the event in {channel}", lambda: client.told(channel, "paid"))
                self.assertEqual(client.told(channel, "paid"), [{"n": number, "text": "ü😀"}])
        events = [{"channel": "news", "name": "paid", "data": {"n": number}} for number in range(10)]
        self.assertEqual(self.backend(1, "client").trigger_batch(events), {})
        for client in clients:
            eventually("the batch", lambda: len(client.told("news", "paid")) == 11)
            self.assertEqual([one["n"] for one in client.told("news", "paid")[1:]], list(range(10)))
        self.backend().trigger("news", "paid", {"n": 99}, socket_id=clients[1].socket_id)
        self.backend().trigger("news", "paid", {"n": 100})
        for client, expected in zip(clients, [[99, 100], [100]]):
            eventually("the last one", lambda: client.told("news", "paid")[-1]["n"] == 100)
            self.assertEqual([one["n"] for one in client.told("news", "paid")[11:]], expected)

    def test_what_is_encrypted_is_read_by_those_whom_the_backend_gave_the_key(self):
        name = "private-encrypted-x"
        client = Client(self, self.nodes[0])
        auth = self.backend().authenticate(name, client.socket_id)
        box = nacl.secret.SecretBox(base64.b64decode(auth["shared_secret"]))
        # The key is for the client alone.
        client.enter(name, "paid", auth={"auth": auth["auth"]})
        self.backend(1).trigger(name, "paid", {"n": 1})
        eventually("the event", lambda: client.told(name, "paid"))
        told = client.told(name, "paid")[0]
        text = box.decrypt(base64.b64decode(told["ciphertext"]), base64.b64decode(told["nonce"]))
        self.assertEqual(json.loads(text), {"n": 1})

    def test_what_the_library_does_not_sign_is_refused(self):
        client = Client(self, self.nodes[0])
        forged = self.backend(secret="another secret")
        for name in ["private-x", "presence-x"]:
            data = {"user_id": "eve"} if name.startswith("presence") else None
            client.subscribe(name, auth=forged.authenticate(name, client.socket_id, data))
            eventually(f"the refusal of {name}", lambda: client.told(name, "pusher:subscription_error"))
            self.assertEqual(client.told(name, "pusher:subscription_error")[0]["status"], 401)
            other = self.backend().authenticate(name, "1.1", data)
            client.subscribe(name, auth=other)
            eventually(f"the other of {name}", lambda: len(client.told(name, "pusher:subscription_error")) == 2)
        self.assertEqual(self.backend().channels_info(), {"channels": {}})

    def test_presence_and_client_events_over_both_nodes(self):
        backend = self.backend()
        ann = Client(self, self.nodes[0])
        data = {"user_id": "ann", "user_info": {"name": "Än"}}
        here = ann.enter(CHANNEL, "client-typing", auth=backend.authenticate(CHANNEL, ann.socket_id, data))
        self.assertEqual(ann.members(CHANNEL), {"ann": {"name": "Än"}})
        # With a number for an id, and signed by pysher itself.
        bob = Client(self, self.nodes[1], user=7, info={"name": "Bob"})
        there = bob.listen(bob.pusher.subscribe(CHANNEL), "client-typing")
        eventually("his coming", lambda: "7" in ann.members(CHANNEL))
        self.assertEqual(ann.members(CHANNEL), {"ann": {"name": "Än"}, "7": {"name": "Bob"}})
        for node in range(2):
            users = {user["id"] for user in self.backend(node).users_info(CHANNEL)["users"]}
            self.assertEqual(users, {"ann", "7"})
            info = self.backend(node, "client").channel_info(CHANNEL, ["user_count", "subscription_count"])
            self.assertEqual(info, {"occupied": True, "user_count": 2, "subscription_count": 2})
        here.trigger("client-typing", {"by": "ann"})
        eventually("her event", lambda: bob.told(CHANNEL, "client-typing"))
        there.trigger("client-typing", {"by": "bob"})
        eventually("his event", lambda: ann.told(CHANNEL, "client-typing"))
        self.assertEqual(bob.told(CHANNEL, "client-typing"), [{"by": "ann"}])
        self.assertEqual(ann.told(CHANNEL, "client-typing"), [{"by": "bob"}])
        bob.pusher.unsubscribe(CHANNEL)
        eventually("his leaving", lambda: set(ann.members(CHANNEL)) == {"ann"})
        expected = [("member_added", "7"), ("member_added", "ann"), ("member_removed", "7")]

        def told():
            return sorted((event["name"], event["user_id"]) for event in self.told() if "member" in event["name"])
        eventually("the webhooks", lambda: told() == expected)
        self.assertIn({"name": "channel_occupied", "channel": CHANNEL}, self.told())

    def test_who_signs_in_is_reached_and_thrown_out(self):
        backend = self.backend(1)
        client = Client(self, self.nodes[0])
        signed = backend.authenticate_user(client.socket_id, {"id": "ann", "user_info": {"name": "Ann"}})
        client.pusher.connection.send_event("pusher:signin", signed)
        eventually("the answer", lambda: client.told(None, "pusher:signin_success"))
        client.enter("#server-to-user-ann", "hello")
        backend.send_to_user("ann", "hello", {"n": 1})
        eventually("what is hers", lambda: client.told("#server-to-user-ann", "hello") == [{"n": 1}])
        client.enter("presence-hall", auth=backend.authenticate("presence-hall", client.socket_id, {"user_id": "ann"}))
        before = client.socket_id
        self.assertEqual(backend.terminate_user_connections("ann"), {})
        eventually("her end", lambda: client.pusher.connection.state == "disconnected"
                   or client.socket_id != before)
        eventually("her leaving", lambda: backend.channels_info() == {"channels": {}})

    def test_a_client_comes_back_to_a_node_that_takes_the_place_of_another(self):
        door = self.site.door
        door.targets.reverse()
        node = type("Door", (), {"ports": {"client": door.port}})
        client = Client(self, node, auto_sub=True)
        client.enter("news", "paid")
        before = client.socket_id
        self.nodes[1].drain()
        eventually("another connection", lambda: client.socket_id != before
                   and client.pusher.connection.state == "connected")
        eventually("another subscription",
                   lambda: len(client.told("news", "pusher_internal:subscription_succeeded")) == 2)
        self.backend(0).trigger("news", "paid", {"n": 1})
        eventually("the event", lambda: client.told("news", "paid") == [{"n": 1}])

    def test_a_cached_channel_tells_the_last_event(self):
        early, late = [Client(self, node) for node in self.nodes]
        early.enter("cache-news", "paid")
        eventually("that there is none", lambda: early.told("cache-news", "pusher:cache_miss") == [{}])
        for number in range(2):
            self.backend(number).trigger("cache-news", "paid", {"n": number})
        late.enter("cache-news", "paid")
        eventually("the last one", lambda: late.told("cache-news", "paid") == [{"n": 1}])
        with self.assertRaises(pusher.errors.PusherBadRequest):
            self.backend().channel_info("cache-news", ["user_count"])


if __name__ == "__main__":
    unittest.main()

"""Laravel's own broadcaster, as Debian has it, sends events and lets pages into channels; see broadcast.php for what it stands on."""

import json
import pathlib
import subprocess
import unittest

from client_test import Client
from stage import APP, PUBLIC, SECRET, StageTest, eventually

PROGRAM = pathlib.Path(__file__).with_name("broadcast.php")


class LaravelTest(StageTest):
    def php(self, node=0, port="api", secret=SECRET, **asked):
        url = self.nodes[node].url("", port)
        done = subprocess.run(["php", PROGRAM], input=json.dumps({"app": [PUBLIC, secret, APP, url], **asked}),
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return json.loads(done.stdout)

    def auth(self, client, channel, user):
        """What /broadcasting/auth answers."""
        return self.php(auth={"channel_name": channel, "socket_id": client.socket_id}, user=user)

    def test_an_event_of_an_app_reaches_those_whom_the_app_has_let_in(self):
        event = "App\\Events\\OrderPaid"
        channels = ["news", "private-orders.7", "presence-hall"]
        ann, bob = [Client(self, node) for node in self.nodes]
        for client, user in [(ann, "ann"), (bob, "bob")]:
            client.enter("news", event)
            client.enter("presence-hall", event, auth=self.auth(client, "presence-hall", user)["answer"])
        ann.enter("private-orders.7", event, auth=self.auth(ann, "private-orders.7", "ann")["answer"])
        self.assertEqual(self.auth(bob, "private-orders.7", "bob"), {"error": "denied"})
        eventually("both of them", lambda: len(ann.members("presence-hall")) == 2)
        self.assertEqual(ann.members("presence-hall"), {"ann": {"name": "Ann"}, "bob": {"name": "Bob"}})

        paid = {"id": 7, "text": "ü😀"}
        for number, port in enumerate(["api", "client"]):
            said = self.php(number, port, event=event, channels=["news"], payload=paid | {"socket": None})
            self.assertEqual(said, {"answer": None})
            for channel in channels:
                eventually(f"the event in {channel}", lambda: len(ann.told(channel, event)) == number + 1)
                self.assertEqual(ann.told(channel, event)[-1], paid)
        eventually("the same for him", lambda: len(bob.told("presence-hall", event)) == 2)
        # Whom `toOthers()` leaves out.
        self.php(event=event, channels=["news"], payload={"id": 8, "socket": ann.socket_id})
        self.php(event=event, channels=["news"], payload={"id": 9, "socket": None})
        for client, expected in [(ann, [7, 7, 9]), (bob, [7, 7, 8, 9])]:
            eventually("the last one", lambda: client.told("news", event)[-1]["id"] == 9)
            self.assertEqual([one["id"] for one in client.told("news", event)], expected)

    def test_its_errors_are_told(self):
        said = self.php(secret="another secret", event="e", channels=["news"], payload={})
        self.assertRegex(said["error"], "^Pusher error: auth_signature")
        said = self.php(event="e", channels=["no channel"], payload={})
        self.assertRegex(said["error"], "^Pusher error: channels")


if __name__ == "__main__":
    unittest.main()

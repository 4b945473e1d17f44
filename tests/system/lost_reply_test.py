# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Replies that are cut off on their way; the client repeats its message at the node that took over, and gets the
answer that the first attempt earned."""
import random
import socket
import threading
import unittest

from cluster import Cluster, send_once
from harness import LONG, SANITIZED, event, message, parse_reply, read_to_end

MESSAGES = 5000 if LONG else 100 if SANITIZED else 500
TAKEOVERS = 50 if LONG else 3 if SANITIZED else 10


class CuttingProxy:
    """Hands each message on, waits for the whole reply, keeps it for the test, and gives the client a part of it."""

    def __init__(self):
        self.target, self.cut, self.replies = None, None, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                self._pass_on(client)

    def _pass_on(self, client):
        with socket.create_connection(self.target) as server:
            server.sendall(self._message(client))
            reply = read_to_end(server)
        self.replies.append(reply)
        client.sendall(reply[:self.cut(reply)])

    @staticmethod
    def _message(client):
        """The test's messages fit into one read of loopback, but nobody promised that."""
        document = b""
        while not document.endswith((b"</SC_CALLBACK_REG>", b'VERSION="1.0"/>')):
            document += client.recv(65536)
        return document


CUTS = {"nothing": lambda reply: 0, "one byte": lambda reply: 1, "all but one": lambda reply: len(reply) - 1}


class LostReply(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster()
        self.addCleanup(self.cluster.close)
        self.proxy = CuttingProxy()
        self.addCleanup(self.proxy.close)
        self.chance = random.Random(1)
        self.earned = {}

    def lose_reply_of(self, document):
        """Sends it through the proxy; what it earned, which the client does not see."""
        self.proxy.cut = CUTS[self.chance.choice(list(CUTS))]
        sent, code = send_once(self.proxy.address, document)
        self.assertEqual((sent, code), (True, None))
        return parse_reply(self.proxy.replies.pop()).code

    def random_message(self, port):
        """Of a client that is known, gone, or was never there."""
        verb = self.chance.choice(("ADD_CLIENT", "ADD_CLIENT", "ADD_EVENTS", "REMOVE_EVENTS", "REMOVE_CLIENT", "REMOVE_CLIENT"))
        return message(verb, port, *([] if verb == "REMOVE_CLIENT" else map(event, self.chance.sample("ABCDEF", 2))))

    def test_the_repetition_is_answered_as_the_first_was_on_another_node(self):
        counts, each = {}, MESSAGES // TAKEOVERS
        for turn in range(TAKEOVERS):
            active = self.cluster.settled()
            self.proxy.target = active.listens_on
            documents = {port: self.random_message(port) for port in self.chance.sample(range(1, 3 * each), each)}
            earned = {port: self.lose_reply_of(document) for port, document in documents.items()}
            states = {port: active.registrations(port) for port in documents}
            if turn % 2:
                self.assertEqual(active.crnpctl("step-down").returncode, 0)
            else:
                self.cluster.kill(active)
            for port, document in documents.items():
                self.assertEqual(self.cluster.code(document), earned[port], document)
            other = self.cluster.active()
            self.assertIsNot(other, active)
            self.assertEqual({port: other.registrations(port) for port in documents}, states)
            for code in earned.values():
                counts[code] = counts.get(code, 0) + 1
            self.cluster.start()
        print(f"# {each * TAKEOVERS} replies cut, {TAKEOVERS} takeovers; the first attempts earned {counts}")
        self.assertEqual(set(counts), {"OK", "FAIL"})


if __name__ == "__main__":
    unittest.main()

# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0

"""The Java client of section 2 and 3 of docs/protocol.md, first against a scripted server (does it behave as the
section says?), then against crnpd where CRNPD_TEST_SERVER=HOST:PORT names one that allows this host.

Exit status 77, which CTest takes for "skipped", where Java is missing.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import java_client  # noqa: E402

SKIPPED = 77
OK = (b'<?xml version="1.0" encoding="UTF-8"?><SC_REPLY VERSION="1.0" STATUS_CODE="OK">'
      b'<SC_STATUS_MSG>done</SC_STATUS_MSG></SC_REPLY>')


class ScriptedServer:
    """Takes one connection, reads to the end tag, lets `answer` do with it what the test wants, and closes."""

    def __init__(self, answer):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(java_client.TIME_LIMIT)
        self._answer = answer
        self.request = b""
        self.half_closed = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def port(self):
        return self._listener.getsockname()[1]

    def _serve(self):
        with self._listener:
            connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(java_client.TIME_LIMIT)
            while not self.request.endswith((b"</SC_CALLBACK_REG>", b'VERSION="1.0"/>')):
                piece = connection.recv(65536)
                if not piece:
                    self.half_closed = True
                    return
                self.request += piece
            self._answer(connection)

    def join(self):
        self._thread.join()


def setUpModule():
    global client
    client = java_client.JavaClient()
    unittest.addModuleCleanup(client.close)


class TheClientItself(unittest.TestCase):
    """Against a scripted server."""

    def exchange(self, answer, *arguments):
        server = ScriptedServer(answer)
        try:
            return client.send("127.0.0.1", server.port, *arguments), server
        finally:
            server.join()

    def test_the_reply_is_printed(self):
        result, _ = self.exchange(lambda connection: connection.sendall(OK), 2001, "ADD_CLIENT", "C")
        self.assertEqual((result.status, result.reply), (0, "OK: done"), result.error)

    def test_the_document_is_the_one_of_section_3(self):
        _, server = self.exchange(
            lambda connection: connection.sendall(OK), 2001, "ADD_CLIENT",
            "EC_Cluster/ESC_cluster_membership", "EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg")
        self.assertEqual(server.request.decode(), (
            '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
            '<SC_CALLBACK_REG PORT="2001" REG_TYPE="ADD_CLIENT" VERSION="1.0">'
            '<SC_EVENT_REG CLASS="EC_Cluster" SUBCLASS="ESC_cluster_membership"/>'
            '<SC_EVENT_REG CLASS="EC_Cluster" SUBCLASS="ESC_cluster_rg_state">'
            '<NVPAIR><NAME><![CDATA[rg_name]]></NAME><VALUE><![CDATA[web-rg]]></VALUE></NVPAIR>'
            '</SC_EVENT_REG></SC_CALLBACK_REG>'))

    def test_a_repeated_name_is_an_array(self):
        _, server = self.exchange(
            lambda connection: connection.sendall(OK), 1, "ADD_EVENTS", "C:n=1,n=2,m=3")
        self.assertIn(
            b"<NVPAIR><NAME><![CDATA[n]]></NAME><VALUE><![CDATA[1]]></VALUE><VALUE><![CDATA[2]]></VALUE></NVPAIR>"
            b"<NVPAIR><NAME><![CDATA[m]]></NAME>", server.request)

    def test_it_does_not_half_close(self):
        ends = []

        def answer(connection):
            # A client that had half-closed would let this read end; ours waits for the reply.
            connection.settimeout(0.5)
            try:
                ends.append(connection.recv(1))
            except TimeoutError:
                pass
            connection.sendall(OK)

        result, server = self.exchange(answer, 2001, "REMOVE_CLIENT")
        self.assertFalse(server.half_closed)
        self.assertEqual(ends, [])
        self.assertEqual(result.reply, "OK: done")

    def test_it_dies_of_what_section_2_names(self):
        for name, bytes_ in {"a byte before the declaration": b"\n" + OK, "a NUL behind the document": OK + b"\0",
                             "no reply": b"", "a reply that is cut off": OK[:-1]}.items():
            with self.subTest(name):
                result, _ = self.exchange(
                    lambda connection, reply=bytes_: connection.sendall(reply), 2001, "REMOVE_CLIENT")
                self.assertEqual((result.status, result.reply), (1, ""))

    def test_it_reads_to_the_end_of_file(self):
        answered = threading.Event()
        may_close = threading.Event()

        def answer(connection):
            connection.sendall(OK)
            answered.set()
            may_close.wait(java_client.TIME_LIMIT)

        server = ScriptedServer(answer)
        with client.start("127.0.0.1", server.port, 2001, "REMOVE_CLIENT") as process:
            self.assertTrue(answered.wait(java_client.TIME_LIMIT))
            # Only our close lets it end.
            with self.assertRaises(subprocess.TimeoutExpired):
                process.wait(timeout=1)
            may_close.set()
            out, _ = process.communicate(timeout=java_client.TIME_LIMIT)
        server.join()
        self.assertEqual(out, "OK: done\n")


EVENT = ('<?xml version="1.0" encoding="UTF-8"?><SC_EVENT VERSION="1.0" CLASS="C" SUBCLASS="S" VENDOR="V" PUBLISHER="P"><NVPAIR>'
         "<NAME><![CDATA[n]]></NAME><VALUE><![CDATA[\u00e4 <]]></VALUE><VALUE>2</VALUE></NVPAIR></SC_EVENT>").encode()


class TheListenerItself(unittest.TestCase):
    """Events that the test writes."""

    def deliver(self, listener, document):
        with socket.create_connection(("127.0.0.1", listener.port), java_client.TIME_LIMIT) as connection:
            connection.sendall(document)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(1)

    def test_each_event_is_parsed_and_the_connection_closed(self):
        with client.listen("127.0.0.1", 2) as listener:
            self.assertEqual([self.deliver(listener, EVENT) for _ in range(2)], [b"", b""])
            self.assertEqual(listener.events(), ["C/S by P of V:n=\u00e4 <,n=2"] * 2)

    def test_it_dies_of_what_is_no_whole_document(self):
        for document in (b"", EVENT[:-1], b"\n" + EVENT, EVENT + b"\0"):
            with self.subTest(document=document), client.listen("127.0.0.1", 1) as listener:
                self.deliver(listener, document)
                self.assertRaises(RuntimeError, listener.events)


@unittest.skipUnless("CRNPD_TEST_CONTROL" in os.environ, "CRNPD_TEST_CONTROL=PATH does not name the control socket of the server")
class EventsOfAServer(unittest.TestCase):
    """Sections 6 and 7 of docs/protocol.md."""

    def publish(self, event):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(java_client.TIME_LIMIT)
            control.connect(os.environ["CRNPD_TEST_CONTROL"])
            control.sendall(json.dumps({"request": "publish", "event": event}).encode() + b"\n")
            control.shutdown(socket.SHUT_WR)
            self.assertTrue(json.loads(control.makefile().readline())["ok"])

    def test_a_client_registers_and_gets_what_is_published(self):
        host, _, port = os.environ["CRNPD_TEST_SERVER"].rpartition(":")
        with client.listen("127.0.0.1", 3) as listener:
            reply = client.send(host, int(port), listener.port, "ADD_CLIENT", "Java/S:color=red", "Java/T").reply
            self.assertEqual(reply.partition(":")[0], "OK")
            for subclass, color in (("S", "red"), ("S", "blue"), ("T", "<&>\u00e4"), ("S", "red")):
                self.publish({"class": "Java", "subclass": subclass, "pairs": [{"name": "color", "values": [color]}, {"name": "n", "values": ["1", "2"]}]})
            self.assertEqual(listener.events(), [f"Java/{subclass} by rgm of SUNW:color={color},n=1,n=2"
                                                 for subclass, color in (("S", "red"), ("T", "<&>\u00e4"), ("S", "red"))])
            client.send(host, int(port), listener.port, "REMOVE_CLIENT")


@unittest.skipUnless("CRNPD_TEST_SERVER" in os.environ, "CRNPD_TEST_SERVER=HOST:PORT does not name a server")
class AgainstAServer(unittest.TestCase):
    """Sections 2 to 5 of docs/protocol.md. Uses the callback ports 2101 and 2102 of this host."""

    def send(self, callback_port, reg_type, *events):
        host, _, port = os.environ["CRNPD_TEST_SERVER"].rpartition(":")
        result = client.send(host.strip("[]"), int(port), callback_port, reg_type, *events)
        self.assertEqual(result.status, 0, result.error)
        return result.reply.partition(":")[0]

    def setUp(self):
        self.assertEqual(self.send(2101, "ADD_CLIENT"), "OK")

    def test_a_client_comes_changes_and_leaves(self):
        group = "EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg"
        for reg_type, *events in (("ADD_CLIENT", "EC_Cluster/ESC_cluster_membership", group), ("ADD_EVENTS", "EC_Other"),
                                  ("ADD_EVENTS", group), ("REMOVE_EVENTS", group), ("REMOVE_EVENTS", "EC_Other"),
                                  ("REMOVE_CLIENT",)):
            with self.subTest(reg_type, events=events):
                self.assertEqual(self.send(2101, reg_type, *events), "OK")

    def test_a_removal_that_is_repeated_is_ok_again(self):
        self.assertEqual(self.send(2101, "REMOVE_CLIENT"), "OK")
        self.assertEqual(self.send(2101, "REMOVE_CLIENT"), "OK")

    def test_an_unknown_client_fails(self):
        self.assertEqual(self.send(2101, "REMOVE_CLIENT"), "OK")
        self.assertEqual(self.send(2101, "ADD_EVENTS", "EC_Cluster"), "FAIL")

    def test_what_is_no_registration_is_invalid(self):
        self.assertEqual(self.send(0, "ADD_CLIENT", "EC_Cluster"), "INVALID")
        self.assertEqual(self.send(65536, "ADD_CLIENT", "EC_Cluster"), "INVALID")
        self.assertEqual(self.send(2101, "ADD_NOTHING", "EC_Cluster"), "INVALID")

    def test_a_document_of_many_writes_is_one_message(self):
        events = [f"EC_Cluster/ESC_number_{i}:name={'x' * 100}" for i in range(500)]
        self.assertEqual(self.send(2102, "ADD_CLIENT", *events), "OK")
        self.assertEqual(self.send(2102, "REMOVE_CLIENT"), "OK")

    def test_text_that_needs_escaping_survives(self):
        self.assertEqual(self.send(2101, "ADD_CLIENT", "Ä&<\"'>/S:n=]]>&"), "OK")


if __name__ == "__main__":
    try:
        java_client.require_java()
    except java_client.JavaMissing as missing:
        print(f"skipped: {missing}")
        sys.exit(SKIPPED)
    unittest.main()

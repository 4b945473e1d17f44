# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Events on their way in: by crnpctl and by documents at the control socket, and what is told of them afterwards."""
import contextlib
import json
import re
import socket
import subprocess
import unittest

from etcd_cluster import free_port
from harness import CRNPCTL, PATIENCE, Server, crnpctl, event, parse_reply, read_to_end, wait_for
from listeners import Listeners, values

PAIR = "<NVPAIR><NAME>n</NAME><VALUE>a</VALUE><VALUE>b</VALUE></NVPAIR>"


def document(subclass="S", vendor="V", body=PAIR):
    """As any program may write it."""
    return f'<SC_EVENT VERSION="1.0" CLASS="C" SUBCLASS="{subclass}" VENDOR="{vendor}" PUBLISHER="P">{body}</SC_EVENT>'.encode()


class Publishing(unittest.TestCase):
    def setUp(self):
        self.listeners = Listeners()
        self.addCleanup(self.listeners.close)
        self.server = Server()
        self.addCleanup(self.server.close)

    def add(self, listener):
        self.assertEqual(self.server.code("ADD_CLIENT", listener.port, event("C")), "OK")
        return listener

    def control(self, *arguments, stdin=b""):
        return crnpctl(*arguments, "--socket", self.server.socket, stdin=stdin)

    def ends(self, status, run, *words):
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        for word in words:
            self.assertIn(word, run.stdout.decode() + run.stderr.decode())

    def publish(self, *arguments, **more):
        """The event's number, as a person reads it."""
        run = self.control("publish", *arguments, **more)
        self.ends(0, run)
        return int(re.fullmatch(rb"event (\d+) published\n", run.stdout).group(1))

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE)
        connection.connect(str(self.server.socket))
        return connection

    def send(self, *pieces):
        """What an SC_EVENT is answered with, up to an orderly end."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return parse_reply(read_to_end(connection))

    def told_events(self):
        return [line for line in self.server.ask(request="events") if "sequence" in line]

    def show(self, listener):
        return self.server.ask(request="client-show", client=listener.client)[0]


class ByCrnpctl(Publishing):
    def test_by_flags(self):
        listener = self.add(self.listeners.open())
        first = self.publish("--class", "C", "--subclass", "S", "--pair", "n=a,b", "--pair", r"text=x\,y")
        second = self.publish("--class", "C", "--subclass", "T", "--vendor", "us", "--publisher", "me")
        self.assertLess(first, second)
        listener.wait_for(2)
        one, two = listener.documents
        self.assertEqual((one["class"], one["subclass"], one["vendor"], one["publisher"]), ("C", "S", "SUNW", "rgm"))
        self.assertEqual((values(one, "n"), values(one, "text")), (["a", "b"], ["x,y"]))
        self.assertEqual((two["subclass"], two["vendor"], two["publisher"], two["pairs"]), ("T", "us", "me", []))

    def test_by_file_and_standard_input(self):
        listener = self.add(self.listeners.open())
        file = self.server.folder / "event.xml"
        file.write_bytes(document())
        self.publish("--file", file)
        self.publish("--file", "-", stdin=document("T", vendor=""))
        listener.wait_for(2)
        one, two = listener.documents
        self.assertEqual((one["subclass"], one["vendor"], one["publisher"], values(one, "n")), ("S", "V", "P", ["a", "b"]))
        self.assertEqual((two["subclass"], two["vendor"]), ("T", "SUNW"))

    def test_a_large_file_fits_and_a_larger_one_does_not(self):
        # A backslash takes two bytes as JSON.
        body = "<NVPAIR><NAME>n</NAME><VALUE>{}</VALUE></NVPAIR>"
        room = (1 << 20) - len(document(body=body.format("")))
        self.publish("--file", "-", stdin=document(body=body.format("\\" * room)))
        self.ends(2, self.control("publish", "--file", "-", stdin=document(body=body.format("\\" * (room + 1)))), "1 MiB")

    def test_a_bad_file_is_named_with_its_line(self):
        file = self.server.folder / "event.xml"
        for bad in (b"\n\n<SC_EVENT>", b"<SC_EVENT\n\nCLASS='C'/>", b"<SC_CALLBACK_REG/>"):
            file.write_bytes(bad)
            self.ends(2, self.control("publish", "--file", file), f"{file}:")
        self.ends(2, self.control("publish", "--file", self.server.folder / "none.xml"), "none.xml: No such file")
        self.assertEqual(self.told_events(), [])

    def test_json_has_the_number(self):
        run = self.control("publish", "--class", "C", "--subclass", "S", "--json")
        self.ends(0, run)
        self.assertEqual(json.loads(run.stdout), {"sequence": self.told_events()[-1]["sequence"]})

    def test_where_no_server_is_nothing_is_published(self):
        self.server.stop()
        self.ends(1, self.control("publish", "--class", "C", "--subclass", "S"), str(self.server.socket))

    def test_a_publication_is_logged(self):
        number = self.publish("--class", "C", "--subclass", "S")
        line = self.server.wait_for_log("CRNPD-CTL-009")[0]
        self.assertIn(f"event {number} ", line["text"])


class ByDocument(Publishing):
    def test_a_document_is_published_and_answered_with_one(self):
        listener = self.add(self.listeners.open())
        reply = self.send(document())
        number = self.told_events()[-1]["sequence"]
        self.assertEqual((reply.code, reply.text), ("OK", f"event {number} published"))
        listener.wait_for(1)
        self.assertEqual(values(listener.documents[0], "n"), ["a", "b"])

    def test_byte_by_byte_and_with_white_space_around(self):
        whole = b"\n " + document()
        self.assertEqual(self.send(*(whole[i:i + 1] for i in range(len(whole)))).code, "OK")
        self.assertEqual(self.send(document() + b"\r\n<!-- the end -->\n").code, "OK")
        self.assertEqual(len(self.told_events()), 2)

    def test_what_is_wrong_is_answered_and_not_published(self):
        for code, bad in (("MALFORMED", b"<SC_EVENT></SC>"), ("MALFORMED", document() + document()), ("INVALID", b"<SC_EVENT/>"),
                          ("INVALID", b"<SC_CALLBACK_REG/>"), ("INVALID", document(body="<NVPAIR><NAME>n</NAME></NVPAIR>")),
                          ("VERSION_TOO_HIGH", document().replace(b'"1.0"', b'"1.1"')),
                          ("VERSION_TOO_LOW", document().replace(b'"1.0"', b'"0.9"')),
                          ("LOW_RESOURCE", document(body="x" * (1 << 20)))):
            with self.subTest(code=code, bad=bad[:60]):
                self.assertEqual(self.send(bad).code, code)
        self.assertIn("line 3", self.send(b"<SC_EVENT\n\nCLASS=''></SC_EVEN>").text)
        self.assertEqual(self.told_events(), [])

    def test_what_is_cut_off_is_malformed(self):
        with self.connect() as connection:
            connection.sendall(document()[:-1])
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(parse_reply(read_to_end(connection)).code, "MALFORMED")
        self.assertEqual(self.told_events(), [])

    def test_who_does_not_shut_its_side_sees_a_fin(self):
        with self.connect() as connection:
            connection.sendall(document())
            parse_reply(read_to_end(connection))  # a reset would be an error
            self.assertEqual(connection.recv(1), b"")

    def test_a_standby_says_retry_or_publishes(self):
        """Where it has no way to the active server it must not say OK."""
        with Server(folder=self.server.folder, start=False) as standby:
            standby.start()
            standby.wait_until(lambda status: status["leader"])
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(PATIENCE)
                connection.connect(str(standby.socket))
                connection.sendall(document())
                self.assertEqual(parse_reply(read_to_end(connection)).code, "RETRY")
            self.assertEqual(self.told_events(), [])


class Told(Publishing):
    def test_events_are_a_table(self):
        listener = self.add(self.listeners.open())
        numbers = [self.publish("--class", "C", "--subclass", name, "--pair", "n=a,b") for name in ("S", "T", "U")]
        other = self.publish("--class", "D", "--subclass", "S")
        listener.wait_for(3)
        wait_for(lambda: self.told_events()[2]["delivered"] == 1, "the end of the delivery")
        lines = self.control("events").stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), ["NUMBER", "DELIVERED", "EVENT", "PUBLISHER", "PAIRS"])
        self.assertEqual(lines[3].split(None, 4), [str(numbers[2]), "1/1", "C/U", "rgm", "n=[a, b]"])
        self.assertEqual(lines[4].split(), [str(other), "0/0", "D/S", "rgm"])
        self.assertRegex(lines[5], rf"^head {other}; ")
        self.ends(0, self.control("events", "--most", 1), f"{other}")
        self.assertNotIn("C/U", self.control("events", "--most", 1).stdout.decode())
        self.ends(2, self.control("events", "--most", 1001), "--most")

    def test_a_client_that_has_everything(self):
        listener = self.add(self.listeners.open())
        number = self.publish("--class", "C", "--subclass", "S")
        wait_for(lambda: self.show(listener)["progress"]["position"] >= number, lambda: f"the position in {self.show(listener)}")
        shown = self.show(listener)
        self.assertEqual((shown["via"], shown["progress"]["waiting"], shown["progress"]["attempts"]), ("127.0.0.1", 0, []))
        self.ends(0, self.control("client", "show", listener.client), f"{shown['head']} of {shown['head']}, lag 0", "events from   127.0.0.1")

    def test_a_client_in_trouble(self):
        dead = self.add(self.listeners.dead())
        number = self.publish("--class", "C", "--subclass", "S")
        wait_for(lambda: self.show(dead)["progress"]["failures"] >= 1, lambda: f"a failure in {self.show(dead)}")
        progress = self.show(dead)["progress"]
        self.assertLess(progress["position"], number)
        self.assertEqual((progress["waiting"], progress["attempts"][0]["sequence"]), (1, number))
        self.assertRegex(progress["attempts"][0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.ends(0, self.control("client", "show", dead.client), "refused", "1 event", "in a row", "next attempt")
        self.ends(0, self.control("events"), "behind: 1 client", f"{number}        0/1")


class Received(Publishing):
    def test_what_was_published_is_what_crnpctl_listen_prints(self):
        """As README.md has it."""
        host, port = self.server.address
        arguments = ["listen", "--server", f"{host}:{port}", "--port", str(free_port()), "--event", "EC_Cluster", "--count", "1"]
        with subprocess.Popen([CRNPCTL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listener:
            try:
                wait_for(self.server.clients, "a registration")
                self.publish("--class", "EC_Cluster", "--subclass", "ESC_cluster_rg_state", "--pair", "rg_name=web-rg")
                out, err = listener.communicate(timeout=PATIENCE)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    listener.kill()
        self.assertEqual(listener.returncode, 0, err)
        self.assertRegex(out.decode(), r"^\S+Z EC_Cluster/ESC_cluster_rg_state SUNW rgm rg_name=web-rg\n$")


if __name__ == "__main__":
    unittest.main()

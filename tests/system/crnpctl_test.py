# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""crnpctl against a real server: as a client, and at the control socket."""
import json
import os
import signal
import subprocess
import unittest

from harness import CRNPCTL, PATIENCE, Server, crnpctl, event, message, parse_reply, wait_for


class WithServer(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)

    def client(self, *arguments, stdin=b""):
        host, port = self.server.address
        return crnpctl(arguments[0], "--server", f"{host}:{port}", *arguments[1:], stdin=stdin)

    def control(self, *arguments):
        return crnpctl(*arguments, "--socket", self.server.socket)

    def ends(self, status, run, *words):
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        for word in words:
            self.assertIn(word, run.stdout.decode() + run.stderr.decode())


class AsAClient(WithServer):
    def test_a_client_comes_changes_and_leaves(self):
        group = "EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg"
        self.ends(0, self.client("register", "--port", 2001, "--event", "EC_Cluster/ESC_cluster_membership", "--event", group), "OK: ")
        self.assertEqual(self.server.registrations(2001), ["EC_Cluster/ESC_cluster_membership", group])
        self.ends(0, self.client("add-events", "--port", 2001, "--event", "EC_Other:n=1,n=2"), "OK")
        self.assertIn("EC_Other:n=1|2", self.server.registrations(2001))
        self.ends(0, self.client("remove-events", "--port", 2001, "--event", "EC_Cluster"), "OK")
        self.assertEqual(self.server.registrations(2001), ["EC_Other:n=1|2"])
        self.ends(0, self.client("unregister", "--port", 2001), "OK")
        self.assertIsNone(self.server.registrations(2001))

    def test_the_source_is_the_identity(self):
        self.ends(0, self.client("register", "--port", 2001, "--source", "127.0.0.7"))
        self.assertEqual(list(self.server.clients()), ["127.0.0.7:2001"])

    def test_the_exit_status_tells_the_code(self):
        self.ends(7, self.client("add-events", "--port", 5, "--event", "A"), "FAIL")
        self.ends(7, self.client("unregister", "--port", 5), "FAIL")
        for status, document in ((8, b"<a>"), (9, b"<a/>"), (10, b'<SC_CALLBACK_REG VERSION="1.1"/>'),
                                 (11, b'<SC_CALLBACK_REG VERSION="0.9"/>')):
            with self.subTest(document=document):
                self.ends(status, self.client("send", "--half-close", "-", stdin=document))

    def test_low_resource_and_retry_have_their_own(self):
        self.server.write_config(max_clients=1, limits={"message_time": "300ms"})
        self.assertTrue(self.server.reload())
        self.ends(0, self.client("register", "--port", 1))
        self.ends(5, self.client("register", "--port", 2), "LOW_RESOURCE")
        self.ends(4, self.client("send", "--attempts", 1, "-", stdin=b"<SC_CALLBACK_REG"), "RETRY")

    def test_wrong_arguments_end_with_2(self):
        for arguments in (("register",), ("register", "--port", 0), ("register", "--port", 65536), ("add-events", "--port", 1), ("nonsense",)):
            with self.subTest(arguments=arguments):
                self.ends(2, crnpctl(*arguments))

    def test_nobody_there_ends_with_1(self):
        host, port = self.server.address
        self.server.stop()
        run = crnpctl("register", "--server", f"{host}:{port}", "--port", 1, "--attempts", 1)
        self.ends(1, run, str(port))

    def test_a_file_is_sent_as_it_is_and_in_pieces(self):
        file = self.server.folder / "message.xml"
        file.write_bytes(message("ADD_CLIENT", 9, event("A")) + b"\n<!-- end -->\n")
        for arguments in ((), ("--split", 1), ("--split", 100, "--half-close")):
            with self.subTest(arguments=arguments):
                self.ends(0, self.client("send", file, *arguments), "OK")
        self.assertEqual(self.server.registrations(9), ["A"])

    def test_the_reply_is_printed_as_asked(self):
        raw = self.client("register", "--port", 1, "--raw").stdout.rstrip(b"\n")
        self.assertEqual(parse_reply(raw).code, "OK")
        self.assertEqual(json.loads(self.client("register", "--port", 1, "--json").stdout)["status"], "OK")

    def test_it_repeats_until_the_server_is_there(self):
        host, port = self.server.address
        self.server.stop()
        with subprocess.Popen([CRNPCTL, "register", "--server", f"{host}:{port}", "--port", "1", "--attempts", "1000"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
            # Its first attempt has failed before the server is there.
            self.assertIn("attempt 1 of 1000", client.stderr.readline())
            self.server.write_config(listen=[f"{host}:{port}"])
            self.server.restart()
            out, _ = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0)
        self.assertIn("OK", out)


class AtTheControlSocket(WithServer):
    def test_the_status(self):
        for port in (1, 2, 3):
            self.server.code("ADD_CLIENT", port)
        self.server.code("REMOVE_CLIENT", 3)
        self.server.code("REMOVE_CLIENT", 4)
        self.ends(0, self.control("status"), "active", str(self.server.store), "OK 4", "FAIL 1")
        status = json.loads(self.control("status", "--json").stdout)
        self.assertEqual({name: status[name] for name in ("role", "clients", "removals", "pid", "replies")},
                         {"role": "active", "clients": 2, "removals": 1, "pid": self.server.pid, "replies": {"OK": 4, "FAIL": 1}})
        self.assertEqual(status["listen"], ["127.0.0.1:%d" % self.server.address[1]])

    def test_the_clients(self):
        self.ends(0, self.control("clients"), "0 clients")
        self.server.code("ADD_CLIENT", 1, event("A"), event("B"))
        self.server.code("ADD_CLIENT", 2)
        self.ends(0, self.control("clients"), "127.0.0.1:1", "2 clients")
        lines = [json.loads(line) for line in self.control("clients", "--json").stdout.splitlines()]
        found = {line["client"]: line["registrations"] for line in lines if "client" in line}
        self.assertEqual(found, {"127.0.0.1:1": 2, "127.0.0.1:2": 0})

    def test_one_client(self):
        self.server.code("ADD_CLIENT", 1, event("C", "S", n=["1", "2"]))
        self.ends(0, self.control("client", "show", "127.0.0.1:1"), "C/S:n=1,n=2")
        events = json.loads(self.control("client", "show", "127.0.0.1:1", "--json").stdout)["events"]
        self.assertEqual(events, [{"class": "C", "subclass": "S", "pairs": [{"name": "n", "values": ["1", "2"]}]}])
        self.ends(3, self.control("client", "show", "127.0.0.1:2"))

    def test_a_client_is_removed_for_good(self):
        self.server.code("ADD_CLIENT", 1)
        self.ends(0, self.control("client", "remove", "127.0.0.1:1"))
        # As after REMOVE_CLIENT: a repetition is OK, for the operator as for the client.
        self.ends(0, self.control("client", "remove", "127.0.0.1:1"))
        self.assertEqual(self.server.code("REMOVE_CLIENT", 1), "OK")
        self.assertEqual(self.control("client", "remove", "127.0.0.1:2").returncode, 1)
        self.server.wait_for_log("CRNPD-CTL-003", count=3)
        self.server.kill()
        self.server.restart()
        self.ends(3, self.control("client", "show", "127.0.0.1:1"))

    def test_access(self):
        self.ends(0, self.control("access", "test", "127.0.0.1"), "allowed", "LOCAL")
        self.ends(0, self.control("access", "test", "203.0.113.1"), "refused")
        answer = json.loads(self.control("access", "test", "127.0.0.1", "--json").stdout)
        self.assertEqual((answer["allowed"], answer["list"], answer["entry"]), (True, "allow_hosts", "LOCAL"))

    def test_the_socket_may_stand_in_front(self):
        self.ends(0, crnpctl("--socket", self.server.socket, "status"), "active")

    def test_nobody_there_ends_with_1(self):
        self.server.stop()
        self.ends(1, self.control("status"), str(self.server.socket))

    def test_a_socket_that_a_killed_server_left_is_taken_over(self):
        self.server.kill()
        self.assertTrue(self.server.socket.exists())
        self.server.restart()
        self.ends(0, self.control("status"), "active")

    def test_its_rights_are_as_configured(self):
        self.assertEqual(self.server.socket.stat().st_mode & 0o777, 0o660)
        with Server(control={"mode": "0600"}) as server:
            self.assertEqual(server.socket.stat().st_mode & 0o777, 0o600)

    def test_nonsense_at_the_socket_is_answered_and_harms_nobody(self):
        for request in ({"request": "nonsense"}, {}, {"request": "client-show"}, {"request": "client-show", "client": 7},
                        {"request": "access-test", "address": "x" * 10_000}):
            with self.subTest(request=str(request)[:60]):
                self.assertFalse(self.server.ask(**request)[0]["ok"])
        self.assertEqual(self.server.status()["role"], "active")

    def test_a_standby_names_the_active_server(self):
        with Server(folder=self.server.folder, start=False) as standby:
            standby.start()
            standby.wait_until(lambda status: status["leader"])
            run = crnpctl("status", "--socket", standby.socket)
            self.ends(0, run, "standby", str(self.server.pid), "nothing")
            self.ends(1, crnpctl("clients", "--socket", standby.socket), "not active")


class TwoServers(WithServer):
    """A and B on one file; A is active at first."""

    def setUp(self):
        super().setUp()
        self.standby = Server(folder=self.server.folder, start=False)
        self.addCleanup(self.standby.close)
        self.standby.start()
        self.standby.wait_until(lambda status: status["leader"])

    def role(self, server):
        run = crnpctl("role", "--socket", server.socket)
        return run.returncode, run.stdout.decode().strip()

    def test_the_role_and_its_exit_status(self):
        self.assertEqual(self.role(self.server), (0, "active"))
        self.assertEqual(self.role(self.standby), (13, "standby"))
        self.standby.stop()
        self.assertEqual(self.role(self.standby), (1, ""))

    def test_stepping_down_makes_the_other_one_active(self):
        self.server.code("ADD_CLIENT", 1, event("A"))
        self.ends(0, self.control("step-down"), "standby", f"process {self.standby.pid}", "is active")
        self.assertEqual(self.role(self.server), (13, "standby"))
        self.standby.wait_until_active()
        self.assertEqual(self.standby.registrations(1), ["A"])
        self.assertIn(str(self.standby.pid), self.server.status()["why"])
        # And back.
        self.ends(0, crnpctl("step-down", "--socket", self.standby.socket), f"process {self.server.pid}")
        self.assertEqual(self.server.wait_until_active().registrations(1), ["A"])

    def test_a_standby_cannot_step_down_and_says_who_can(self):
        run = crnpctl("step-down", "--socket", self.standby.socket)
        self.ends(1, run, "nothing was changed", "not active", str(self.server.pid))
        self.assertEqual(self.role(self.server), (0, "active"))

    def test_where_nobody_takes_over_it_is_active_again(self):
        self.standby.stop()
        term = self.server.status()["term"]
        self.ends(1, self.control("step-down"), "active again", str(term + 1))
        self.assertEqual(self.server.wait_until_active().code("ADD_CLIENT", 1), "OK")


if __name__ == "__main__":
    unittest.main()

# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""crnpd as a service: what it tells systemd, reload, stop, the command line and the log."""
import os
import signal
import socket
import subprocess
import threading
import unittest
from pathlib import Path

from harness import (CRNPD, PATIENCE, Server, code_or_none, connect, event, exchange, in_namespaces, message, parse_reply,
                     read_to_end, reset, wait_for)


class Manager:
    """The other end of sd_notify."""

    def __init__(self, folder):
        self.path = str(folder / "notify")
        self.lines = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while (datagram := self._socket.recv(65536)) != b"end":
            self.lines += datagram.decode().splitlines()

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", self.path)
        self._thread.join()
        self._socket.close()

    def told(self, start, count=1):
        return wait_for(lambda: len(lines := [line for line in self.lines if line.startswith(start)]) >= count and lines,
                        f"{start} among {self.lines}")


class Notify(unittest.TestCase):
    def server(self, watchdog=None, **settings):
        server = Server(start=False, **settings)
        self.addCleanup(server.close)
        manager = Manager(server.folder)
        self.addCleanup(manager.close)
        server.env = {"NOTIFY_SOCKET": manager.path}
        if watchdog:
            server.env["WATCHDOG_USEC"] = str(watchdog)
        return server, manager

    def test_ready_is_told_when_it_serves(self):
        server, manager = self.server()
        server.start()
        manager.told("READY=1")
        self.assertEqual(server.code("ADD_CLIENT", 1), "OK")  # at once, without waiting for anything else

    def test_ready_is_never_told_by_a_server_that_cannot_start(self):
        server, manager = self.server()
        server.store.write_text("no store", encoding="utf-8")
        server.start()
        self.assertEqual(server.process.wait(PATIENCE), 1)
        self.assertNotIn("READY=1", manager.lines)

    def test_the_status_has_role_and_number_of_clients(self):
        server, manager = self.server()
        server.restart()
        self.assertIn("active", manager.told("STATUS=active: 0 clients")[0])
        for port in (1, 2, 3):
            server.code("ADD_CLIENT", port)
        manager.told("STATUS=active: 3 clients")

    def test_a_standby_is_ready_and_says_who_is_active(self):
        server, manager = self.server()
        with Server() as first:
            server.store = first.store
            server.start()
            manager.told("READY=1")
            self.assertIn(str(first.pid), manager.told("STATUS=standby: ")[-1])
            self.assertEqual(server.status()["listen"], [])
            self.assertEqual(server.stop(), 0)

    def test_a_reload_is_told_with_its_time_and_ends_with_ready(self):
        server, manager = self.server()
        server.restart()
        manager.told("READY=1")
        self.assertTrue(server.reload())
        manager.told("READY=1", count=2)
        order = [line.split("=")[0] for line in manager.lines if not line.startswith(("STATUS", "WATCHDOG"))]
        self.assertEqual(order, ["READY", "RELOADING", "MONOTONIC_USEC", "READY"])

    def test_a_refused_reload_ends_with_ready_as_well(self):
        server, manager = self.server()
        server.restart()
        manager.told("READY=1")
        server.write_config(max_clients=0)
        self.assertFalse(server.reload())
        manager.told("READY=1", count=2)

    def test_stopping_is_told(self):
        server, manager = self.server()
        server.restart()
        self.assertEqual(server.stop(), 0)
        manager.told("STOPPING=1")

    def test_a_reload_while_stopping_is_ignored(self):
        server, manager = self.server()

        def ignored():
            """Whether the signal came before the end: a peer that does not close delays that by a second."""
            manager.lines.clear()
            server.restart()
            with connect(server.address) as peer:
                peer.sendall(b"<")
                wait_for(lambda: server.status()["connections"] == 1, "the connection")
                os.kill(server.pid, signal.SIGTERM)
                manager.told("STOPPING=1")
                os.kill(server.pid, signal.SIGHUP)
                self.assertEqual(server.process.wait(PATIENCE), 0)
            after = manager.lines[manager.lines.index("STOPPING=1"):]
            self.assertNotIn("READY=1", after)
            self.assertNotIn("RELOADING=1", after)
            return server.log("CRNPD-CFG-004")

        wait_for(ignored, "a reload in the middle of a stop")

    def test_the_watchdog_is_pinged_as_long_as_everything_moves(self):
        server, manager = self.server(watchdog=2_000_000)
        server.restart()
        manager.told("WATCHDOG=1", count=3)

    def test_there_are_no_pings_unless_asked_for(self):
        server, manager = self.server()
        server.restart()
        self.assertEqual(server.stop(), 0)
        manager.told("STOPPING=1")
        self.assertNotIn("WATCHDOG=1", manager.lines)


class Reload(unittest.TestCase):
    """SIGHUP: all of the file or nothing of it."""

    def setUp(self):
        self.server = Server(allow_hosts=["127.0.0.1"], max_clients=2)
        self.addCleanup(self.server.close)

    def test_a_good_file_is_in_force_at_once(self):
        self.assertEqual(self.server.code("ADD_CLIENT", 1, source="127.0.0.2"), "FAIL")
        self.server.write_config(allow_hosts=["127.0.0.0/8"], max_clients=1, limits={"message_bytes": 4096})
        self.assertTrue(self.server.reload())
        self.assertEqual(self.server.code("ADD_CLIENT", 1, source="127.0.0.2"), "OK")
        self.assertEqual(self.server.code("ADD_CLIENT", 1, source="127.0.0.3"), "LOW_RESOURCE")
        self.assertEqual(self.server.code("ADD_CLIENT", 1, event("C", n="x" * 5000), source="127.0.0.2"), "LOW_RESOURCE")

    def test_a_lower_max_clients_removes_nobody(self):
        for port in (1, 2):
            self.server.code("ADD_CLIENT", port)
        self.server.write_config(max_clients=1)
        self.assertTrue(self.server.reload())
        self.assertEqual(len(self.server.clients()), 2)
        self.assertEqual(self.server.code("ADD_CLIENT", 2, event("A")), "OK")

    def test_a_bad_file_is_refused_as_a_whole_and_logged_with_its_line(self):
        self.server.write_config(allow_hosts=["ALL"], max_clients=0)
        self.assertFalse(self.server.reload())
        line = self.server.log("CRNPD-CFG-002")[-1]["text"]
        self.assertRegex(line, r"server\d+\.toml:3: .*max_clients")
        self.assertEqual(self.server.code("ADD_CLIENT", 1, source="127.0.0.2"), "FAIL")
        self.assertEqual(self.server.code("ADD_CLIENT", 1), "OK")

    def test_a_file_that_is_no_toml_or_gone_is_refused(self):
        self.server.config.write_text("max_clients = = 3\n", encoding="utf-8")
        self.assertFalse(self.server.reload())
        self.server.config.unlink()
        self.assertFalse(self.server.reload())
        self.assertEqual(self.server.code("ADD_CLIENT", 1), "OK")

    def test_an_address_that_cannot_be_listened_on_refuses_the_rest_too(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.server.write_config(listen=[f"127.0.0.1:{taken.getsockname()[1]}"], allow_hosts=["ALL"])
            self.assertFalse(self.server.reload())
            self.assertEqual(self.server.code("ADD_CLIENT", 1, source="127.0.0.2"), "FAIL")

    def test_listening_follows_the_file_and_established_connections_stay(self):
        old = self.server.address
        with connect(old) as waiting:
            waiting.sendall(b"<SC_CALLBACK_REG ")
            wait_for(lambda: self.server.status()["connections"] == 1, "the connection")
            self.server.write_config(listen=["127.0.0.3:0"])
            self.assertTrue(self.server.reload())
            self.assertEqual(self.server.address[0], "127.0.0.3")
            with self.assertRaises(ConnectionRefusedError):
                wait_for(lambda: connect(old).close(), "the end of the old socket")
            waiting.sendall(b'PORT="1" REG_TYPE="ADD_CLIENT"/>')
            self.assertEqual(parse_reply(read_to_end(waiting)).code, "OK")
        self.assertEqual(self.server.code("ADD_CLIENT", 2, source="127.0.0.1"), "OK")
        self.server.wait_for_log("CRNPD-NET-002")

    def test_a_setting_for_the_next_start_is_named_and_waits(self):
        self.server.write_config(workers=3)
        self.assertTrue(self.server.reload())
        self.assertEqual([entry["setting"] for entry in self.server.log("CRNPD-CFG-003")], ["workers"])

    def test_the_log_level_changes(self):
        with Server(log={"level": "warn"}) as server:
            self.assertEqual(server.code("ADD_CLIENT", 1), "OK")
            server.write_config(log={"level": "info"})
            self.assertTrue(server.reload())
            self.assertEqual(server.code("ADD_CLIENT", 2), "OK")
            self.assertEqual([line["client"] for line in server.wait_for_log("CRNPD-REG-001")], ["127.0.0.1:2"])

    def test_a_renamed_log_file_is_opened_anew(self):
        self.assertEqual(self.server.code("ADD_CLIENT", 1), "OK")
        old = self.server.log_file.with_suffix(".1")
        self.server.log_file.rename(old)
        self.assertEqual(self.server.code("ADD_CLIENT", 2), "OK")
        wait_for(lambda: old.read_text(encoding="utf-8").count("CRNPD-REG-001") == 2, "both lines in the renamed file")
        self.assertTrue(self.server.reload())
        self.assertEqual(self.server.code("ADD_CLIENT", 1), "OK")
        self.assertEqual(len(self.server.wait_for_log("CRNPD-REG-001")), 1)

    def test_reloads_under_load_cost_no_reply(self):
        address, codes, over = self.server.address, [], threading.Event()

        def load(port):
            while not over.is_set():
                codes.append(exchange(address, message("ADD_CLIENT", port)).code)

        threads = [threading.Thread(target=load, args=(port,)) for port in (1, 2)]
        for thread in threads:
            thread.start()
        for i in range(20):
            self.server.write_config(limits={"message_bytes": 4096 + i}, listen=["127.0.0.1:0", "127.0.0.4:0"][:1 + i % 2])
            self.assertTrue(self.server.reload())
        over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(set(codes), {"OK"})


class Stop(unittest.TestCase):
    def test_both_signals_end_it_in_good_order(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number), Server() as server:
                self.assertEqual(server.code("ADD_CLIENT", 1), "OK")
                address = server.address
                self.assertEqual(server.stop(number), 0)
                self.assertEqual(server.log()[-1]["id"], "CRNPD-SRV-003")
                self.assertEqual(server.log("CRNPD-SRV-003")[0]["replies"], 1)
                self.assertFalse(server.socket.exists())
                with self.assertRaises(ConnectionRefusedError):
                    connect(address)

    def test_an_incomplete_message_gets_retry(self):
        with Server() as server:
            connections = [connect(server.address) for _ in range(3)]
            for connection, start in zip(connections, (b"<", b"<SC_CALLBACK_REG ", message("ADD_CLIENT", 7)[:-1])):
                connection.sendall(start)
            wait_for(lambda: server.status()["connections"] == 3, "three connections")
            os.kill(server.pid, signal.SIGTERM)
            for connection in connections:
                self.assertEqual(parse_reply(read_to_end(connection)).code, "RETRY")
                connection.close()
            self.assertEqual(server.process.wait(PATIENCE), 0)
            server.restart()
            self.assertEqual(server.clients(), {})

    def test_what_was_received_is_answered(self):
        """Under load each client gets OK or RETRY or never got through; and what got OK is there."""
        with Server() as server:
            address, answered = server.address, []

            def load(first):
                for port in range(first, first + 1000):
                    code = code_or_none(address, message("ADD_CLIENT", port))
                    answered.append((port, code))
                    if code != "OK":
                        return

            threads = [threading.Thread(target=load, args=(1 + 1000 * i,)) for i in range(8)]
            for thread in threads:
                thread.start()
            wait_for(lambda: len(answered) > 200, "the load")
            self.assertEqual(server.stop(), 0)
            for thread in threads:
                thread.join()
            server.restart()
            self.assertLessEqual({code for _, code in answered}, {"OK", "RETRY", None})
            known = set(server.clients())
            self.assertLessEqual({f"127.0.0.1:{port}" for port, code in answered if code == "OK"}, known)
            self.assertFalse({f"127.0.0.1:{port}" for port, code in answered if code == "RETRY"} & known)

    def test_peers_that_never_read_do_not_hold_it_up(self):
        with Server() as server:
            peers = [connect(server.address) for _ in range(20)]
            for peer in peers:
                peer.sendall(b"<" * 10 + b"x" * 1000)
            os.kill(server.pid, signal.SIGTERM)
            self.assertEqual(server.process.wait(30), 0)
            for peer in peers:
                reset(peer)


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.server = Server(start=False)
        self.addCleanup(self.server.close)
        self.server.write_config()

    def run_it(self, *arguments):
        return subprocess.run([CRNPD, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)

    def test_version_and_help_end_with_0(self):
        self.assertRegex(self.run_it("--version").stdout, r"^crnpd \d+\.\d+\.\d+\n$")
        self.assertIn("--check-config", self.run_it("--help").stdout)
        self.assertEqual(self.run_it("--version").returncode, 0)
        self.assertEqual(self.run_it("--help").returncode, 0)

    def test_wrong_arguments_end_with_2(self):
        for arguments in (("--nonsense",), ("extra",), ("--config",)):
            with self.subTest(arguments=arguments):
                run = self.run_it(*arguments)
                self.assertEqual((run.returncode, run.stdout), (2, ""))
                self.assertTrue(run.stderr)

    def test_revoking_a_lease_where_there_is_none_is_no_error(self):
        run = self.run_it("--config", str(self.server.config), "--revoke-lease")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))
        self.assertFalse(self.server.store.exists())
        self.server.config.write_text("max_clients = 0\n", encoding="utf-8")
        self.assertEqual(self.run_it("--config", str(self.server.config), "--revoke-lease").returncode, 1)

    def test_check_config_is_content_with_a_good_file(self):
        run = self.run_it("--config", str(self.server.config), "--check-config")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertFalse(self.server.store.exists())

    def test_a_bad_file_is_told_with_its_line_by_the_check_and_by_the_start(self):
        for setting, words in ((b"max_client = 3", "max_clients"), (b"max_clients = 0", "1"), (b"workers = \"two\"", "workers"),
                               (b"[limits]\nmessage_time = \"30 parsecs\"", "message_time"), (b"= =", "")):
            self.server.config.write_bytes(b"\n" + setting + b"\n")
            for arguments in (("--check-config",), ()):
                with self.subTest(setting=setting, arguments=arguments):
                    run = self.run_it("--config", str(self.server.config), *arguments)
                    self.assertEqual(run.returncode, 1)
                    self.assertRegex(run.stderr, rf"(?m)^{self.server.config}:[23]: ")
                    self.assertIn(words, run.stderr)

    def test_a_missing_file_and_a_missing_folder_are_told(self):
        run = self.run_it("--config", "/nowhere/crnpd.toml")
        self.assertEqual(run.returncode, 1)
        self.assertIn("/nowhere/crnpd.toml", run.stderr)
        self.server.store = Path("/nowhere/registrations.db")
        self.server.write_config()
        run = self.run_it("--config", str(self.server.config))
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr, rf"{self.server.config}:\d+: store.path: .*/nowhere")

    def test_print_config_can_be_read_back(self):
        printed = self.run_it("--config", str(self.server.config), "--print-config")
        self.assertEqual(printed.returncode, 0)
        self.assertIn("max_clients = 1000", printed.stdout)
        self.server.config.write_text(printed.stdout, encoding="utf-8")
        again = self.run_it("--config", str(self.server.config), "--print-config")
        self.assertEqual(again.stdout, printed.stdout)

    def test_a_port_in_use_is_told_and_ends_with_1(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.server.settings["listen"] = [f"127.0.0.1:{port}"]
            self.server.start()
            self.assertEqual(self.server.process.wait(PATIENCE), 1)
            self.assertRegex(self.server.log("CRNPD-SRV-004")[0]["text"], f"127.0.0.1:{port}: another program listens there")


class Log(unittest.TestCase):
    def test_each_registration_is_one_line(self):
        with Server() as server:
            server.code("ADD_CLIENT", 2001, event("A"), event("B"))
            line = server.wait_for_log("CRNPD-REG-001")[0]
            self.assertEqual({name: line[name] for name in ("level", "client", "verb", "code", "registrations")},
                             {"level": "info", "client": "127.0.0.1:2001", "verb": "ADD_CLIENT", "code": "OK", "registrations": 2})
            self.assertIsInstance(line["milliseconds"], (int, float))

    def test_a_refusal_is_escaped_and_cut(self):
        with Server() as server:
            server.exchange(b"<SC_CALLBACK_REG REG_TYPE=\"\x1b[31m&#10;" + b"x" * 100_000 + b"\"/>")
            server.exchange("<\u202eevil\u0085/>".encode())
            lines = server.wait_for_log("CRNPD-REG-002", count=2)
            for line in lines:
                self.assertLess(len(line["text"]), 1000)
                self.assertFalse([c for c in line["text"] if ord(c) < 32 or c in "\x7f\x85\u202e"], line)

    def test_a_flood_is_summed_up(self):
        with Server() as server:
            address = server.address
            for _ in range(1500):
                exchange(address, b"x", half_close=True)

            def complete():
                written = len(server.log("CRNPD-REG-002"))
                more = sum(line["more"] for line in server.log("CRNPD-LOG-001") if line["of"] == "CRNPD-REG-002")
                return written + more == 1500 and more

            more = wait_for(complete, "all 1500 lines, written or summed up")
            print(f"# of 1500 lines {more} were summed up")
            self.assertRegex(server.log("CRNPD-LOG-001")[0]["text"], r"more")

    def test_a_reader_that_stops_reading_holds_up_nobody(self):
        reading, writing = os.pipe()
        with Server(start=False, log={"level": "debug", "target": "stderr"}) as server:
            server.stderr = writing
            server.restart()
            os.close(writing)
            address = server.address
            text = event("C", n="x" * 100)
            for port in range(1, 1001):  # far more than a pipe's 64 KiB
                self.assertEqual(exchange(address, message("ADD_CLIENT", port, text)).code, "OK")
            self.assertEqual(len(server.clients()), 1000)
            os.close(reading)  # and now nobody is there any more
            self.assertEqual(server.code("ADD_CLIENT", 1), "OK")
            self.assertEqual(server.stop(), 0)

    @unittest.skipUnless(os.path.exists("/dev/full"), "there is no /dev/full")
    def test_a_log_on_a_full_disk_holds_up_nobody(self):
        with Server(log={"target": "/dev/full"}) as server:
            for port in range(1, 20):
                self.assertEqual(server.code("ADD_CLIENT", port), "OK")
            self.assertEqual(server.stop(), 0)

    @in_namespaces("--mount")
    def test_the_journal_gets_fields(self):
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
        Path("/run/systemd/journal").mkdir(parents=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
            journal.bind("/run/systemd/journal/socket")
            journal.settimeout(PATIENCE)
            with Server(log={"target": "journal"}) as server:
                self.assertEqual(server.code("ADD_CLIENT", 2001, event("A")), "OK")
                fields = {}
                while fields.get("CRNPD_ID") != "CRNPD-REG-001":
                    lines = journal.recv(65536).decode().splitlines()
                    fields = dict(line.split("=", 1) for line in lines if "=" in line)
        self.assertEqual(fields["CRNPD_CLIENT"], "127.0.0.1:2001")
        self.assertEqual((fields["CRNPD_VERB"], fields["CRNPD_CODE"], fields["CRNPD_REGISTRATIONS"]), ("ADD_CLIENT", "OK", "1"))
        self.assertEqual((fields["PRIORITY"], fields["SYSLOG_IDENTIFIER"]), ("6", "crnpd"))
        self.assertIn("127.0.0.1:2001 ADD_CLIENT OK", fields["MESSAGE"])


if __name__ == "__main__":
    unittest.main()

# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""crnpctl dump and restore between real servers."""
import hashlib
import json
import os
import socket
import subprocess
import time
import unittest

from harness import CRNPCTL, PATIENCE, Server, crnpctl, event, wait_for

LIMITS = {"max_clients": 1_000_000}
ODD = {"quote": 'a "b" \\ c', "empty": "", "blank": "  ", "lines": "one\ntwo\tthree", "far": "smörgås 日本 𝄞 \u2028 \u0085", "json": '{"end":true}'}


def seal(rows):
    """The lines with their last line."""
    text = "".join(row + "\n" for row in rows)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return text + json.dumps({"end": True, "rows": len(rows) - 1, "sha256": digest}, separators=(",", ":")) + "\n"


def made_up(count, **header):
    """A dump of that many clients as somebody else's program would write it."""
    first = {"crnpd_dump": 1, "made": "2025-01-31T12:00:00.000Z", "server": "0", "revision": 1, "clients": count, "removals": 0, **header}
    rows = [json.dumps({"client": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}:2001", "id": number + 1, "events": [
        {"class": "EC_Cluster", "subclass": None, "pairs": [{"name": "n", "values": [str(number)]}]}]}) for number in range(count)]
    return seal([json.dumps(first), *rows])


class DumpTest(unittest.TestCase):
    def server(self, **settings):
        server = Server(**{**LIMITS, **settings})
        self.addCleanup(server.close)
        return server

    def ends(self, status, run, *words):
        self.assertEqual(run.returncode, status, run.stdout[-2000:] + run.stderr[-2000:])
        for word in words:
            self.assertIn(word, run.stdout.decode() + run.stderr.decode())

    def file(self, server, text):
        path = server.folder / "a.dump"
        path.write_text(text, encoding="utf-8", newline="")
        return path

    def dump(self, server):
        run = crnpctl("dump", "--socket", server.socket)
        self.ends(0, run)
        return run.stdout.decode()

    def restore(self, server, text):
        return crnpctl("restore", "--socket", server.socket, self.file(server, text))

    def filled(self):
        server = self.server()
        server.code("ADD_CLIENT", 1)
        server.code("ADD_CLIENT", 2, event("EC_Cluster", "ESC_cluster_rg_state", rg_name=["a", "b"]), event("X"))
        server.code("ADD_CLIENT", 3, event("Odd", **ODD))
        server.code("ADD_CLIENT", 4)
        server.code("REMOVE_CLIENT", 4)
        return server


class RoundTrip(DumpTest):
    def test_what_was_dumped_is_restored_and_durable(self):
        before = self.filled()
        text = self.dump(before)
        after = self.server()
        self.ends(0, self.restore(after, text), "restored: 3 clients, 1 removals")
        after.kill()
        after.restart()
        for port in (1, 2, 3):
            self.assertEqual(after.registrations(port), before.registrations(port))
        # The removal is remembered too.
        self.assertEqual(after.code("REMOVE_CLIENT", 4), "OK")
        # And the dump of the restored is the same but for who made it and when.
        self.assertEqual(self.dump(after).splitlines()[1:-1], text.splitlines()[1:-1])

    def test_the_checksum_can_be_checked_by_hand(self):
        server = self.filled()
        file = server.folder / "by-hand.dump"
        self.ends(0, crnpctl("dump", "--socket", server.socket, "--output", file), "dumped: 4 rows")
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        digest = subprocess.run(f"head -n -1 '{file}' | sha256sum", shell=True, capture_output=True, check=True).stdout.split()[0]
        self.assertEqual(json.loads(file.read_text(encoding="utf-8").splitlines()[-1])["sha256"], digest.decode())

    def test_through_a_pipe(self):
        before, after = self.filled(), self.server()
        run = subprocess.run(f"'{CRNPCTL}' dump --socket '{before.socket}' | '{CRNPCTL}' restore --socket '{after.socket}' -",
                             shell=True, capture_output=True, check=False)
        self.ends(0, run, "restored: 3 clients")
        self.assertEqual(after.clients(), before.clients())

    def test_clients_go_on_as_if_nothing_had_happened(self):
        before, after = self.filled(), self.server()
        self.ends(0, self.restore(after, self.dump(before)))
        self.assertEqual(after.code("ADD_EVENTS", 1, event("New")), "OK")
        self.assertEqual(after.code("ADD_CLIENT", 5), "OK")
        self.assertEqual(after.code("REMOVE_CLIENT", 2), "OK")
        after.kill()
        after.restart()
        self.assertEqual(sorted(after.clients()), [f"127.0.0.1:{port}" for port in (1, 3, 5)])
        ids = [after.ask(request="client-show", client=client)[0]["id"] for client in after.clients()]
        self.assertEqual(len(set(ids)), 3)

    def test_removals_in_the_store_are_no_obstacle(self):
        server = self.filled()
        text = self.dump(server)
        for port in (1, 2, 3):
            self.assertEqual(server.code("REMOVE_CLIENT", port), "OK")
        self.ends(0, self.restore(server, text))
        server.kill()
        server.restart()
        self.assertEqual(self.dump(server).splitlines()[1:-1], text.splitlines()[1:-1])


class Refusals(DumpTest):
    def setUp(self):
        self.target = self.server()
        self.good = made_up(20)

    def refused(self, status, text, *words):
        self.ends(status, self.restore(self.target, text), *words)
        self.assertEqual(self.target.clients(), {})
        self.assertEqual(self.target.status()["revision"], 0)

    def to_the_server(self, text):
        """The same without crnpctl, which would have refused to send it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            control.settimeout(PATIENCE)
            control.connect(str(self.target.socket))
            control.sendall(b'{"request":"restore"}\n' + text.encode())
            control.shutdown(socket.SHUT_WR)
            with control.makefile("r", encoding="utf-8") as answer:
                last = [json.loads(line) for line in answer][-1]
        self.assertFalse(last["ok"])
        self.assertTrue(last["error"].startswith("nothing was changed"), last)
        self.assertEqual(self.target.clients(), {})

    def test_a_damaged_byte(self):
        damaged = self.good.replace('"7"', '"8"', 1)
        self.refused(2, damaged, "nothing was sent", "checksum")
        self.to_the_server(damaged)

    def test_a_cut(self):
        for cut in (self.good[:len(self.good) // 2], self.good[:self.good.rindex('{"end"')], ""):
            self.refused(2, cut, "nothing was sent")
            self.to_the_server(cut)

    def test_a_newer_version(self):
        newer = made_up(1, crnpd_dump=2, server="9.0")
        self.refused(2, newer, "format 2", "9.0")
        self.to_the_server(newer)

    def test_a_wrong_count(self):
        wrong = made_up(3, clients=4)
        self.refused(2, wrong, "3 clients")
        self.to_the_server(wrong)

    def test_a_client_or_an_id_that_is_there_twice(self):
        lines = made_up(2).splitlines()
        for old, new, word in (("10.0.0.1:", "10.0.0.0:", "address"), ('"id": 2', '"id": 1', "the id 1")):
            twice = seal([lines[0], lines[1], lines[2].replace(old, new)])
            self.refused(2, twice, word, "twice")
            self.to_the_server(twice)

    def test_more_than_the_settings_allow(self):
        self.target.write_config(max_clients=19)
        self.assertTrue(self.target.reload())
        self.refused(1, self.good, "20 clients", "max_clients is 19")
        self.target.write_config(max_clients=20)
        self.assertTrue(self.target.reload())
        self.ends(0, self.restore(self.target, self.good))

    def test_a_client_with_too_many_registrations(self):
        self.target.write_config(limits={"registrations_per_client": 1})
        self.assertTrue(self.target.reload())
        events = [{"class": name, "subclass": None, "pairs": []} for name in "AB"]
        lines = made_up(1).splitlines()
        row = json.dumps({"client": "192.0.2.1:1", "id": 1, "events": events})
        self.refused(1, seal([lines[0], row]), "192.0.2.1:1 has 2", "registrations_per_client is 1")

    def test_a_store_with_clients(self):
        self.target.code("ADD_CLIENT", 7)
        self.ends(1, self.restore(self.target, self.good), "1 client is registered", "without clients")
        self.assertEqual(list(self.target.clients()), ["127.0.0.1:7"])

    def test_a_standby(self):
        standby = Server(folder=self.target.folder, start=False, **LIMITS)
        self.addCleanup(standby.close)
        standby.start()
        standby.wait_until(lambda status: status["leader"])
        self.ends(1, self.restore(standby, self.good), "not active", str(self.target.pid))
        self.ends(1, crnpctl("dump", "--socket", standby.socket), "not active")


class Large(DumpTest):
    # ThreadSanitizer takes minutes for so many, and looks for nothing that depends on their number.
    SHARE = 10 if os.environ.get("CRNPD_SANITIZE") == "thread" else 1
    CLIENTS = 100_000 // SHARE

    def test_very_many_clients_at_once(self):
        server = self.server()
        text = made_up(self.CLIENTS)
        begin = time.monotonic()
        self.ends(0, self.restore(server, text), f"{self.CLIENTS} clients")
        restored = time.monotonic()
        again = self.dump(server)
        dumped = time.monotonic()
        print(f"\n{self.CLIENTS} clients: restored in {restored - begin:.1f} s, dumped in {dumped - restored:.1f} s")
        server.kill()
        server.restart()
        self.assertEqual(self.dump(server).splitlines()[1:-1], again.splitlines()[1:-1])
        self.assertEqual(server.status()["clients"], self.CLIENTS)

    def test_a_kill_leaves_all_or_nothing(self):
        """At times from before the restore's begin to behind its end."""
        many = 30_000 // self.SHARE
        text = made_up(many)
        server = self.server()
        file = self.file(server, text)
        begin = time.monotonic()
        self.ends(0, crnpctl("restore", "--socket", server.socket, file))
        whole = time.monotonic() - begin
        seen = set()
        last = 12
        for step in range(last + 1):
            server = self.server()
            with subprocess.Popen([CRNPCTL, "restore", "--socket", server.socket, file], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as restore:
                # The last one in any case behind the end: how long a restore takes differs.
                end = time.monotonic() + (whole * step / 10 if step < last else PATIENCE)
                wait_for(lambda: time.monotonic() >= end or restore.poll() is not None, "the time to kill", pause=0.001)
                server.kill()
                told = restore.wait(PATIENCE)
            server.restart()
            clients = server.status()["clients"]
            seen.add(clients)
            self.assertIn(clients, (0, many))
            if told == 0:
                self.assertEqual(clients, many)
            if clients == 0:
                self.ends(0, crnpctl("restore", "--socket", server.socket, file))
            server.close()
        self.assertEqual(seen, {0, many})


if __name__ == "__main__":
    unittest.main()

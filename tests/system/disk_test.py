# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Trouble with the disk: full, failing once, broken for a while, or holding something else than registrations."""
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import unittest
from pathlib import Path

from checker import violations
from harness import LONG, PATIENCE, Server, code_or_none, crnpctl, event, in_namespaces, message, wait_for

CALLS = "pwrite64,fsync,fdatasync,ftruncate"
# How many times at most one kind of failure is moved one call further before the test says that it never ends.
MOST_CALLS = 200


def history_of(server, history, steps):
    """Sends the steps one after another and writes down what was answered."""
    address = server.address
    for port, verb, events in steps:
        code = code_or_none(address, message(verb, port, *map(event, events)))
        history.append({"client": str(port), "verb": verb, "events": events, "code": code})


def look(server, history, ports):
    for port in ports:
        history.append({"client": str(port), "seen": server.registrations(port)})


class Full(unittest.TestCase):
    """A file system of two MiB, made in a mount namespace."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="crnpd-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def mounted(self):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", self.folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=False)
        server = Server(start=False, max_clients=100_000)
        self.addCleanup(server.close)
        server.store = Path(self.folder) / "registrations.db"
        return server.restart()

    def fill(self, server, first):
        """Registers clients of 20 kB until one is refused; which were answered OK."""
        accepted = []
        for port in range(first, first + 1000):
            code = server.code("ADD_CLIENT", port, event("C", "S", n="x" * 20_000))
            if code != "OK":
                self.assertEqual(code, "LOW_RESOURCE")
                return accepted
            accepted.append(port)
        raise AssertionError("the disk never filled up")

    def check(self, server, accepted):
        self.assertEqual(sorted(server.clients()), sorted(f"127.0.0.1:{port}" for port in accepted))

    @in_namespaces("--mount")
    def test_it_is_low_resource_and_goes_on_when_there_is_room(self):
        server = self.mounted()
        accepted = self.fill(server, 1)
        self.assertGreater(len(accepted), 5)
        self.check(server, accepted)
        for port in range(900, 910):
            self.assertEqual(server.code("ADD_CLIENT", port, event("C", "S", n="x" * 20_000)), "LOW_RESOURCE")
        self.check(server, accepted)

        subprocess.run(["mount", "-o", "remount,size=8m", self.folder], check=True)
        self.assertEqual(server.code("ADD_CLIENT", 950, event("C", "S", n="x" * 20_000)), "OK")
        server.kill()
        server.restart()
        self.check(server, accepted + [950])

    @in_namespaces("--mount")
    def test_a_restore_that_does_not_fit_may_be_repeated_when_there_is_room(self):
        dump = f"{self.folder}.dump"
        self.addCleanup(Path(dump).unlink, missing_ok=True)
        with Server() as other:
            ports = range(1, 301)
            for port in ports:
                self.assertEqual(other.code("ADD_CLIENT", port, event("C", "S", n="x" * 20_000)), "OK")
            self.assertEqual(crnpctl("dump", "--socket", other.socket, "--output", dump).returncode, 0)
        server = self.mounted()
        for _ in range(2):
            refused = crnpctl("restore", "--socket", server.socket, dump)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("nothing was changed", refused.stderr.decode())
            self.assertIn("full", refused.stderr.decode())
        self.check(server, [])

        subprocess.run(["mount", "-o", "remount,size=64m", self.folder], check=True)
        restored = crnpctl("restore", "--socket", server.socket, dump)
        self.assertEqual((restored.returncode, restored.stderr), (0, b""))
        self.check(server, ports)
        server.kill()
        server.restart()
        self.check(server, ports)

    @in_namespaces("--mount")
    def test_a_kill_while_it_is_full_loses_nothing(self):
        server = self.mounted()
        accepted = self.fill(server, 1)
        server.kill()
        # A full disk may keep it from starting; it must not cost a registration.
        server.start()
        wait_for(lambda: server.process.poll() is not None or server.status(), "a start or its refusal")
        if server.process.poll() is None:
            server.kill()
        subprocess.run(["mount", "-o", "remount,size=8m", self.folder], check=True)
        server.restart()
        self.check(server, accepted)
        self.assertEqual(server.code("ADD_CLIENT", 950), "OK")


def may_trace():
    try:
        run = subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False, timeout=PATIENCE)
        return run.returncode == 0
    except FileNotFoundError:
        return False


@unittest.skipUnless(may_trace(), "strace is missing or not permitted here")
class FailingOnce(unittest.TestCase):
    """The n-th call of each thread fails, for n = 1, 2, … until a run comes through without any failure."""

    STEPS = [(1, "ADD_CLIENT", ["A"]), (2, "ADD_CLIENT", ["A", "B"]), (1, "ADD_EVENTS", ["C"]), (2, "REMOVE_EVENTS", ["A"]),
             (3, "ADD_CLIENT", []), (1, "REMOVE_CLIENT", []), (3, "ADD_EVENTS", ["D"]), (1, "ADD_CLIENT", ["E"])]

    def every_call(self, calls, error):
        started = refused = 0
        for n in range(1, MOST_CALLS):
            with Server(start=False, workers=1) as server:
                trace = server.folder / "trace"
                server.prefix = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}",
                                 "-e", f"inject={calls}:error={error}:when={n}"]
                try:
                    came_up = self.one_run(server)
                except Exception as failure:
                    raise AssertionError(f"with {error} at call {n} of {calls}") from failure
                started, refused = started + came_up, refused + (not came_up)
                if "(INJECTED)" not in trace.read_text(encoding="utf-8"):
                    self.assertGreater(started, 0)
                    print(f"# {calls} {error}: {n - 1} places, {refused} of them at the start")
                    return
        raise AssertionError(f"still failing at call {MOST_CALLS}")

    def one_run(self, server):
        """With the failure, then without; true when it started in spite of it."""
        history = []
        server.start()
        wait_for(lambda: server.process.poll() is not None or (status := server.status()) and status["listen"], "a start or its end")
        started = server.process.poll() is None
        if started:
            history_of(server, history, self.STEPS)
            # Once failed is not for ever broken.
            wait_for(lambda: self.accepted(server, history, 4), "that it goes on")
            look(server, history, (1, 2, 3, 4))
            server.kill()
        else:
            self.assertEqual(server.process.returncode, 1)
            self.assertTrue(server.said())
        server.prefix = []
        server.restart()
        look(server, history, (1, 2, 3, 4))
        history_of(server, history, [(5, "ADD_CLIENT", ["Z"])])
        self.assertEqual(history[-1]["code"], "OK")
        self.assertEqual(violations(history), [], server.said())
        return started

    def accepted(self, server, history, port):
        history_of(server, history, [(port, "ADD_CLIENT", ["F"])])
        return history[-1]["code"] == "OK"

    def test_a_failed_write(self):
        self.every_call("pwrite64", "EIO")

    def test_a_failed_sync(self):
        self.every_call("fsync,fdatasync", "EIO")

    @unittest.skipUnless(LONG, "in the long run only")
    def test_the_other_calls_and_errors(self):
        for calls, error in (("pwrite64", "ENOSPC"), ("fsync,fdatasync", "ENOSPC"), ("ftruncate", "EIO"), ("openat", "EMFILE")):
            self.every_call(calls, error)


@unittest.skipUnless(may_trace(), "strace is missing or not permitted here")
class Broken(unittest.TestCase):
    """The disk breaks while the server runs, and works again later."""

    def break_disk(self, server):
        trace = server.folder / "trace"
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-p", str(server.pid), "-o", str(trace), "-e", f"trace={CALLS}",
                                   "-e", f"inject={CALLS}:error=EIO"], stderr=subprocess.PIPE)
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.kill)
        self.addCleanup(tracer.stderr.close)
        tasks = Path(f"/proc/{server.pid}/task")

        def attached():
            if tracer.poll() is not None:
                self.skipTest(f"strace may not attach: {tracer.stderr.read().decode()}")
            return all("TracerPid:\t0\n" not in (task / "status").read_text() for task in tasks.iterdir())

        wait_for(attached, "strace at every thread")
        return tracer

    def test_it_is_system_error_and_nothing_is_lost(self):
        history = []
        with Server() as server:
            history_of(server, history, [(1, "ADD_CLIENT", ["A"])])
            tracer = self.break_disk(server)
            history_of(server, history, [(2, "ADD_CLIENT", ["B"])] + [(1, "ADD_EVENTS", [name]) for name in "CDEFG"])
            broken = [entry["code"] for entry in history[1:]]
            print(f"# answers while the disk is broken: {broken}")
            self.assertLessEqual(set(broken), {"SYSTEM_ERROR", None})
            self.assertEqual(broken[-1], "SYSTEM_ERROR")
            server.wait_for_log("CRNPD-CMT-002", "CRNPD-CMT-003", "CRNPD-CMT-005")

            # One that was not answered may have been carried out: no dump may be taken for whole then.
            if None in broken:
                for command in ("dump", "clients"):
                    refused = crnpctl(command, "--socket", server.socket)
                    self.assertNotEqual(refused.returncode, 0, command)
                    self.assertIn("not known", refused.stderr.decode())
                self.assertIn(b"clients       1", crnpctl("status", "--socket", server.socket).stdout)

            tracer.send_signal(signal.SIGTERM)
            tracer.wait(PATIENCE)
            wait_for(lambda: history_of(server, history, [(3, "ADD_CLIENT", ["H"])]) or history[-1]["code"] == "OK", "the way back")
            look(server, history, (1, 2, 3))
            self.assertEqual(crnpctl("dump", "--socket", server.socket).returncode, 0)
            server.kill()
            server.restart()
            look(server, history, (1, 2, 3))
            self.assertEqual(violations(history), [])

    def test_a_kill_while_it_is_broken_loses_nothing(self):
        history = []
        with Server() as server:
            history_of(server, history, [(1, "ADD_CLIENT", ["A"]), (2, "ADD_CLIENT", ["B"])])
            tracer = self.break_disk(server)
            history_of(server, history, [(1, "ADD_EVENTS", ["C"]), (2, "REMOVE_CLIENT", [])])
            server.kill()
            tracer.wait(PATIENCE)
            server.restart()
            look(server, history, (1, 2))
            history_of(server, history, [(1, "ADD_EVENTS", ["C"]), (2, "REMOVE_CLIENT", [])])
            look(server, history, (1, 2))
            self.assertEqual(violations(history), [])


class NotAStore(unittest.TestCase):
    """What is no store of this version is neither used nor touched."""

    def setUp(self):
        self.server = Server(start=False)
        self.addCleanup(self.server.close)

    def real_store(self):
        self.server.restart()
        for port in range(1, 50):
            self.assertEqual(self.server.code("ADD_CLIENT", port, event("C", "S", n="x" * 500)), "OK")
        self.assertEqual(self.server.stop(), 0)
        self.server.log_file.unlink()

    def refuses(self, *words):
        before = {file: file.read_bytes() for file in self.server.folder.iterdir() if file.name == self.server.store.name}
        self.server.start()
        self.assertEqual(self.server.process.wait(PATIENCE), 1)
        said = self.server.said()
        for word in words:
            self.assertIn(word, said)
        self.assertIn(str(self.server.store), said)
        self.assertEqual({file: file.read_bytes() for file in before}, before, "the file was touched")
        self.assertFalse(list(self.server.folder.glob("registrations.db-*")))
        self.assertEqual(self.server.log("CRNPD-NET-001"), [])

    def test_a_text_file(self):
        self.server.store.write_text("my notes, all I have\n" * 100, encoding="utf-8")
        self.refuses()

    def test_another_programs_database(self):
        with sqlite3.connect(self.server.store) as database:
            database.execute("CREATE TABLE addresses (name)")
        database.close()
        self.refuses("another program")

    def test_a_newer_version(self):
        self.real_store()
        with sqlite3.connect(self.server.store) as database:
            database.execute("PRAGMA user_version = 99")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        self.refuses("99")

    def test_a_damaged_page(self):
        self.real_store()
        content = bytearray(self.server.store.read_bytes())
        self.assertGreater(len(content), 16384)
        for page in range(1, len(content) // 4096):
            content[page * 4096:page * 4096 + 64] = b"\xee" * 64
        self.server.store.write_bytes(content)
        self.refuses()

    def test_a_file_that_is_cut_off(self):
        self.real_store()
        os.truncate(self.server.store, 8192)
        self.refuses()

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_a_file_without_permission(self):
        self.real_store()
        self.server.store.chmod(0o000)
        self.server.start()
        self.assertEqual(self.server.process.wait(PATIENCE), 1)

    def test_a_folder(self):
        self.server.store.mkdir()
        self.server.start()
        self.assertEqual(self.server.process.wait(PATIENCE), 1)
        self.assertRegex(self.server.errors.read_text(encoding="utf-8"), r"server\d+\.toml:\d+: ")


if __name__ == "__main__":
    unittest.main()

# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""What an administrator gets: `cmake --install` is complete, and systemd is content with the unit.

    installation_test.py BUILD_FOLDER [unittest's arguments]
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else ROOT / "build/release"
HIGHEST_EXPOSURE = 1.5

FILES = (
    "usr/bin/crnpd",
    "usr/bin/crnpctl",
    "usr/lib/systemd/system/crnpd.service",
    "usr/lib/sysusers.d/crnpd.conf",
    "usr/lib/tmpfiles.d/crnpd.conf",
    "usr/share/crnpd/crnpd.toml",
    "usr/share/doc/crnpd/LICENSE",
    "usr/share/doc/crnpd/README.md",
    "usr/share/doc/crnpd/examples/etcd.conf",
    "usr/share/doc/crnpd/examples/keepalived.conf",
    "usr/share/doc/crnpd/examples/nftables.conf",
    "usr/share/doc/crnpd/examples/pacemaker.crm",
    "etc/crnpd/crnpd.toml",
)


def install(destination, prefix="/usr"):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": str(destination)})


def complaints(unit):
    """What `systemd-analyze verify` says; nothing if it is content."""
    run = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def exposure(unit):
    """The number of `systemd-analyze security`: 0 is a perfect sandbox, 10 none."""
    run = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
                         capture_output=True, text=True, check=False)
    return float(re.search(r"exposure level for \S+: ([0-9.]+)", run.stdout + run.stderr).group(1))


def allowed_calls(unit):
    """The system calls that the unit's SystemCallFilter= lines let through, groups resolved."""
    calls = set()
    for line in re.findall(r"^SystemCallFilter=(.+)$", Path(unit).read_text(encoding="utf-8"), re.M):
        named = set().union(*(calls_of(word) for word in line.lstrip("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def calls_of(word):
    if not word.startswith("@"):
        return {word}
    run = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True)
    return set().union(*(calls_of(name) for name in re.findall(r"^    ([@\w-]+)$", run.stdout, re.M)))


def used_calls(folder):
    """The system calls of a run of crnpd: start, a registration, a reload, a stop."""
    config = folder / "crnpd.toml"
    config.write_text(f'''listen = ["127.0.0.1:0"]
[store]
path = "{folder}/registrations.db"
[control]
socket = "{folder}/control.sock"
[log]
target = "{folder}/crnpd.log"
''', encoding="utf-8")
    trace = folder / "trace"
    log = folder / "crnpd.log"
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", trace, BUILD / "bin/crnpd", "--config", config])
    try:
        listening = wait_for(log, r"listening on (\S+)")
        server = int(wait_for(log, r"as process (\d+)").group(1))
        subprocess.run([BUILD / "bin/crnpctl", "register", "--server", listening.group(1), "--port", "2001"],
                       check=True, capture_output=True)
        os.kill(server, signal.SIGHUP)
        wait_for(log, r"CRNPD-CFG-001")
        os.kill(server, signal.SIGTERM)
        tracer.wait(20)
    finally:
        tracer.kill()
        tracer.wait()
    calls = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(encoding="utf-8", errors="replace"), re.M))
    return calls - {"execve", "fchown"}  # before the filter is set; by SQLite, only as root


def wait_for(file, pattern, limit=20.0):
    until = time.monotonic() + limit
    while time.monotonic() < until:
        found = re.search(pattern, file.read_text(encoding="utf-8")) if file.exists() else None
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{file.name} never said {pattern}")


class Installed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def unit(self, prefix="usr"):
        return self.root / prefix / "lib/systemd/system/crnpd.service"

    def runnable_unit(self):
        """The unit with the path of a crnpd that exists on this machine."""
        text = self.unit().read_text(encoding="utf-8")
        changed = text.replace("ExecStart=/usr/bin/crnpd ", f"ExecStart={BUILD}/bin/crnpd ")
        self.assertNotEqual(changed, text)
        unit = self.root / "crnpd.service"
        unit.write_text(changed, encoding="utf-8")
        return unit

    def test_all_files_are_there(self):
        install(self.root)
        documents = [f"usr/share/doc/crnpd/{path.name}" for path in (ROOT / "docs").glob("*.md")]
        schemas = [f"usr/share/crnpd/{path.name}" for path in (ROOT / "config/schemas").glob("*.[dx]*d")]
        self.assertTrue(schemas)
        missing = [name for name in (*FILES, *documents, *schemas) if not (self.root / name).is_file()]
        self.assertEqual(missing, [])

    def test_programs_run(self):
        install(self.root)
        for name in ("crnpd", "crnpctl"):
            run = subprocess.run([self.root / "usr/bin" / name, "--version"], capture_output=True, text=True, check=True)
            self.assertRegex(run.stdout, r"\d+\.\d+")

    def test_an_edited_configuration_is_kept(self):
        install(self.root)
        (self.root / "etc/crnpd/crnpd.toml").write_text("# edited\n", encoding="utf-8")
        install(self.root)
        self.assertEqual((self.root / "etc/crnpd/crnpd.toml").read_text(encoding="utf-8"), "# edited\n")

    def test_unit_names_the_programs_of_its_prefix(self):
        install(self.root, "/opt/crnp")
        text = self.unit("opt/crnp").read_text(encoding="utf-8")
        self.assertIn("\nExecStart=/opt/crnp/bin/crnpd --config /etc/crnpd/crnpd.toml\n", text)
        self.assertNotIn("@", re.sub(r"SystemCallFilter=.*", "", text))

    def test_systemd_is_content_with_the_unit(self):
        install(self.root)
        self.assertEqual(complaints(self.runnable_unit()), "")

    def test_unit_is_sandboxed(self):
        install(self.root)
        self.assertLessEqual(exposure(self.runnable_unit()), HIGHEST_EXPOSURE)

    @unittest.skipIf(os.geteuid() != 0, "only root gives folders away")
    def test_the_user_of_the_unit_and_its_folders_are_created(self):
        install(self.root)
        user = re.search(r"^User=(.+)$", self.unit().read_text(encoding="utf-8"), re.M).group(1)
        (self.root / "etc/passwd").touch()
        (self.root / "etc/group").touch()
        subprocess.run(["systemd-sysusers", f"--root={self.root}"], check=True, capture_output=True)
        self.assertIn(f"\n{user}:", "\n" + (self.root / "etc/passwd").read_text(encoding="utf-8"))
        subprocess.run(["systemd-tmpfiles", f"--root={self.root}", "--create", "crnpd.conf"], check=True)
        self.assertEqual((self.root / "var/lib/crnpd").stat().st_mode & 0o777, 0o700)
        self.assertEqual((self.root / "run/crnpd").stat().st_mode & 0o777, 0o750)


    @unittest.skipIf(re.search(b"__[alt]san_init", (BUILD / "bin/crnpd").read_bytes())
                     if (BUILD / "bin/crnpd").exists() else False, "a sanitizer makes calls of its own")
    def test_the_sandbox_allows_every_system_call_that_is_made(self):
        install(self.root)
        allowed = allowed_calls(self.unit())
        self.assertNotIn("mount", allowed)
        used = used_calls(self.root)
        self.assertIn("accept4", used)
        self.assertEqual(used - allowed, set())


@unittest.skipUnless(all(map(shutil.which, ("cpack", "dpkg-shlibdeps", "file"))), "./dev package would install dpkg-dev and file")
class Packaged(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        subprocess.run(["cpack", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder.name], check=True, capture_output=True)
        cls.package = next(Path(cls.folder.name).glob("*.deb"))

    def dpkg(self, *arguments):
        return subprocess.run(["dpkg-deb", arguments[0], self.package, *arguments[1:]], capture_output=True, text=True, check=True).stdout

    def test_everything_is_in_the_package(self):
        unpacked = Path(self.folder.name) / "root"
        self.dpkg("--extract", unpacked)
        self.assertEqual([name for name in FILES if not (unpacked / name).is_file()], [])
        self.assertIn("\nExecStart=/usr/bin/crnpd ", (unpacked / "usr/lib/systemd/system/crnpd.service").read_text(encoding="utf-8"))

    def test_an_upgrade_keeps_an_edited_configuration(self):
        self.assertEqual(self.dpkg("--info", "conffiles"), "/etc/crnpd/crnpd.toml\n")

    def test_the_libraries_come_with_it(self):
        depends = self.dpkg("--field", "Depends")
        for library in ("libgrpc++", "libxerces-c", "libsqlite3", "libevent", "libsystemd"):
            self.assertIn(library, depends)


class Examples(unittest.TestCase):
    @unittest.skipUnless(shutil.which("nft") and os.geteuid() == 0, "nft as root looks through it")
    def test_nftables_is_content_with_the_firewall(self):
        rules = ROOT / "config/examples/nftables.conf"
        run = subprocess.run(["unshare", "--net", "nft", "--check", "--file", rules], capture_output=True, text=True, check=False)
        self.assertEqual(run.stdout + run.stderr, "")


class TheseChecks(unittest.TestCase):
    """They can fail."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.broken = Path(folder.name) / "crnpd.service"

    def test_find_a_misspelt_setting(self):
        self.broken.write_text("[Service]\nExecStart=/bin/true\nWachdogSec=30\n", encoding="utf-8")
        self.assertIn("WachdogSec", complaints(self.broken))

    def test_find_a_missing_program(self):
        self.broken.write_text("[Service]\nExecStart=/nowhere/crnpd\n", encoding="utf-8")
        self.assertIn("/nowhere/crnpd", complaints(self.broken))

    def test_find_a_missing_sandbox(self):
        self.broken.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")
        self.assertGreater(exposure(self.broken), HIGHEST_EXPOSURE)


if __name__ == "__main__":
    unittest.main()

# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""Real servers and hand-made clients for the tests of this folder.

    with Server(max_clients=2) as server:
        self.assertEqual(server.exchange(message("ADD_CLIENT", 2001)).code, "OK")

Everything a server writes is in a temporary folder that goes with it; it listens on port 0 of 127.0.0.1 and its
control socket tells which port it got. Nothing here waits for a time: wait_for() asks for a condition until a
deadline. CRNPD_BIN_DIR names the folder with the programs, CRNPD_SANITIZE what they were built with.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("CRNPD_BIN_DIR", ROOT / "build/release/bin"))
CRNPD = BIN / "crnpd"
CRNPCTL = BIN / "crnpctl"
SANITIZED = bool(os.environ.get("CRNPD_SANITIZE"))
LONG = os.environ.get("CRNPD_TEST_LONG") == "1"

# For what takes milliseconds on a quiet machine; long, because the machine may be busy and the build a slow one.
PATIENCE = 90


def wait_for(condition, what, patience=PATIENCE, pause=0.01):
    """The first true value of condition()."""
    end = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s in vain for: {what() if callable(what) else what}")
        time.sleep(pause)
    return value


# --- messages and replies --------------------------------------------------------------------------------------


def event(event_class, subclass=None, **pairs):
    """One SC_EVENT_REG; a pair's value is a text or a list of them."""
    xml = f'<SC_EVENT_REG CLASS="{event_class}"' + (f' SUBCLASS="{subclass}"' if subclass else "")
    if not pairs:
        return xml + "/>"
    for name, values in pairs.items():
        values = [values] if isinstance(values, str) else values
        xml += f"{'>' if xml.endswith(chr(34)) else ''}<NVPAIR><NAME><![CDATA[{name}]]></NAME>"
        xml += "".join(f"<VALUE><![CDATA[{value}]]></VALUE>" for value in values) + "</NVPAIR>"
    return xml + "</SC_EVENT_REG>"


def message(reg_type, port, *events, version="1.0"):
    """What the sample client of section 3 sends: one line, no newline at its end."""
    head = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'
    start = f'<SC_CALLBACK_REG PORT="{port}" REG_TYPE="{reg_type}" VERSION="{version}"'
    body = f">{''.join(events)}</SC_CALLBACK_REG>" if events else "/>"
    return (head + start + body).encode()


class Reply(NamedTuple):
    code: str
    text: str
    raw: bytes


REPLY = re.compile(rb'<\?xml version="1\.0" encoding="UTF-8"\?><SC_REPLY VERSION="1\.0" STATUS_CODE="([A-Z_]+)">'
                   rb'<SC_STATUS_MSG>([^<\r\n\0]*)</SC_STATUS_MSG></SC_REPLY>')


def parse_reply(raw):
    """Exactly the one line of section 5, or an error."""
    found = REPLY.fullmatch(raw)
    if not found:
        raise AssertionError(f"not a reply as section 5 has it: {raw!r}")
    return Reply(found.group(1).decode(), found.group(2).decode(), raw)


def read_to_end(connection):
    """To the end of file; a reset is an error."""
    raw = b""
    while piece := connection.recv(65536):
        raw += piece
    return raw


def connect(address, source=None, patience=PATIENCE):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(patience)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            connection.bind((source, 0))
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def exchange(address, pieces, source=None, half_close=False):
    """Sends the pieces in a packet each, reads to the end of file, and does not half-close unless told to."""
    with connect(address, source) as connection:
        for piece in [pieces] if isinstance(pieces, bytes) else pieces:
            connection.sendall(piece)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return parse_reply(read_to_end(connection))


def code_or_none(address, document, source=None, patience=PATIENCE):
    """The code of the reply; None when there was none, for whatever reason, or only a part of one."""
    try:
        with connect(address, source, patience) as connection:
            connection.sendall(document)
            found = REPLY.fullmatch(read_to_end(connection))
            return found.group(1).decode() if found else None
    except OSError:
        return None


def reset(connection):
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# --- servers ---------------------------------------------------------------------------------------------------


def toml(value):
    return json.dumps(value)  # texts, numbers and lists look the same


class Server:
    """One crnpd. Settings are keyword arguments; those of a section are a dict: limits={"message_time": "1s"},
    and a section within it is one more: store={"kind": "etcd", "etcd": {"lease": "1s"}}.

    folder     shared by servers of one store; otherwise each has its own, removed at its end
    prefix     a command in front, such as strace; then `pid` is still crnpd's
    program    what is started in the place of crnpd
    """

    _count = 0

    def __init__(self, folder=None, prefix=(), env=None, stderr=None, start=True, program=CRNPD, **settings):
        Server._count += 1
        self._own = tempfile.TemporaryDirectory(prefix="crnpd-test-") if folder is None else None
        self.folder = Path(self._own.name if self._own else folder)
        self.name = f"server{Server._count}"
        self.config = self.folder / f"{self.name}.toml"
        self.log_file = self.folder / f"{self.name}.log"
        self.errors = self.folder / f"{self.name}.stderr"
        self.store = self.folder / "registrations.db"
        self.socket = self.folder / f"{self.name}.sock"
        self.prefix, self.env, self.stderr, self.program = list(prefix), env or {}, stderr, program
        self.settings = {"listen": ["127.0.0.1:0"]}
        self.settings.update(settings)
        self.process = None
        if start:
            try:
                self.start()
                self.wait_until_active()
            except BaseException:
                self.close()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- life

    def write_config(self, **changes):
        """Sets or, with None, takes back settings in the file; reload() brings them into force."""
        self.settings.update(changes)
        own_file = {} if "kind" in self.settings.get("store", {}) else {"path": str(self.store)}
        sections = {"store": own_file, "control": {"socket": str(self.socket)},
                    "log": {"level": "debug", "target": str(self.log_file), "format": "json"}}
        lines = []
        for name, value in self.settings.items():
            if isinstance(value, dict):
                sections[name] = {**sections.get(name, {}), **value}
            elif value is not None:
                lines.append(f"{name} = {toml(value)}")
        for name, values in sections.items():
            inner = {f"{name}.{key}": value for key, value in values.items() if isinstance(value, dict)}
            for title, pairs in {name: values, **inner}.items():
                lines += [f"[{title}]"] + [f"{key} = {toml(value)}" for key, value in pairs.items() if not isinstance(value, dict)]
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self):
        """Starts the process and does not wait for it."""
        self.write_config()
        environment = {**os.environ, **self.env}
        if self.prefix and SANITIZED:
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(self.prefix + [str(self.program), "--config", str(self.config)], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=errors, stderr=self.stderr or errors)

    @property
    def pid(self):
        """crnpd's own, also behind a prefix."""
        if not self.prefix:
            return self.process.pid
        return self.status()["pid"]

    def wait_until_active(self):
        self.wait_until(lambda status: status["role"] == "active" and status["listen"])
        return self

    def wait_until(self, condition):
        def seen():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.said()}")
            status = self.status()
            return status and condition(status)

        wait_for(seen, lambda: f"a state of the server; it said:\n{self.said()}")

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def stop(self, number=signal.SIGTERM):
        """Orderly; the exit code."""
        if self.process.poll() is None:
            os.kill(self.pid, number)
        return self.process.wait(PATIENCE)

    def restart(self):
        self.start()
        return self.wait_until_active()

    def close(self):
        if self.process and self.process.poll() is None:
            with contextlib.suppress(Exception):
                os.kill(self.pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()
        if self._own:
            self._own.cleanup()

    def reload(self):
        """SIGHUP, and waits until the log says what became of it; true when the file was taken over."""
        before = self.log("CRNPD-CFG-001", "CRNPD-CFG-002")
        os.kill(self.pid, signal.SIGHUP)
        wait_for(lambda: len(self.log("CRNPD-CFG-001", "CRNPD-CFG-002")) > len(before), "the end of a reload")
        return self.log("CRNPD-CFG-001", "CRNPD-CFG-002")[-1]["id"] == "CRNPD-CFG-001"

    # --- what it says

    def log(self, *ids):
        """The lines of its log as dicts, of these ids or all."""
        if not self.log_file.exists():
            return []
        lines = []
        for line in self.log_file.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n") and (entry := json.loads(line)) and (not ids or entry["id"] in ids):
                lines.append(entry)
        return lines

    def wait_for_log(self, *ids, count=1):
        return wait_for(lambda: len(lines := self.log(*ids)) >= count and lines, lambda: f"{ids} in the log:\n{self.said()}")

    def said(self):
        """For the messages of failed tests."""
        files = [file for file in (self.log_file, self.errors) if file.exists()]
        return "".join(file.read_text(encoding="utf-8", errors="replace")[-4000:] for file in files)

    def ask(self, **request):
        """Lines of the control socket's answer, or None where nobody answers."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
                control.settimeout(PATIENCE)
                control.connect(str(self.socket))
                control.sendall(json.dumps(request).encode() + b"\n")
                control.shutdown(socket.SHUT_WR)
                return [json.loads(line) for line in read_to_end(control).splitlines()] or None
        except (FileNotFoundError, ConnectionError):
            return None

    def status(self):
        answer = self.ask(request="status")
        return answer[0] if answer else None

    @property
    def address(self):
        """Where its first socket listens."""
        return self.addresses()[0]

    def addresses(self):
        parts = (text.rpartition(":") for text in self.status()["listen"])
        return [(host.strip("[]"), int(port)) for host, _, port in parts]

    # --- what it knows

    def clients(self):
        """{"address:port": number of registrations}"""
        answer = self.ask(request="clients")
        return {line["client"]: line["registrations"] for line in answer if "client" in line}

    def registrations(self, port, host="127.0.0.1"):
        """The client's, as sorted texts CLASS/SUBCLASS:name=value…, or None when it is unknown."""
        answer = self.ask(request="client-show", client=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")[0]
        if not answer["ok"]:
            assert answer["code"] == "NOT_FOUND", answer
            return None
        return sorted(text_of(registration) for registration in answer["events"])

    def memory(self):
        """Resident bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def exchange(self, pieces, source=None, half_close=False):
        return exchange(self.address, pieces, source, half_close)

    def code(self, reg_type, port, *events, source=None):
        return exchange(self.address, message(reg_type, port, *events), source).code


def text_of(registration):
    text = registration["class"] + ("/" + registration["subclass"] if registration["subclass"] is not None else "")
    pairs = [pair["name"] + "=" + "|".join(pair["values"]) for pair in registration["pairs"]]
    return text + (":" + ",".join(sorted(pairs)) if pairs else "")


# --- namespaces and tools --------------------------------------------------------------------------------------


def crnpctl(*arguments, stdin=b""):
    return subprocess.run([CRNPCTL, *map(str, arguments)], input=stdin, capture_output=True, timeout=PATIENCE, check=False)


def namespace_command(*kinds):
    """The unshare command that works for this user, or None."""
    for user in ((), ("--user", "--map-root-user")):
        command = ["unshare", *user, *kinds]
        if shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return None


def in_namespaces(*kinds):
    """The test method runs in a process with namespaces of its own: in_namespaces("--net", "--mount")."""

    def decorate(method):
        def test(self):
            if os.environ.get("CRNPD_TEST_INSIDE") == self.id():
                return method(self)
            command = namespace_command(*kinds)
            if command is None:
                self.skipTest(f"this user may not make namespaces: unshare {' '.join(kinds)}")
            name = self.id().removeprefix("__main__.")
            run = subprocess.run([*command, sys.executable, "-B", sys.argv[0], name], capture_output=True, text=True,
                                 env={**os.environ, "CRNPD_TEST_INSIDE": self.id()}, timeout=4 * PATIENCE, check=False)
            self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
            print(*(line for line in run.stdout.splitlines() if line.startswith("#")), sep="\n", flush=True)
            if skipped := re.search(r"skipped=\d+", run.stderr):
                self.skipTest(f"inside the namespaces: {skipped.group()}")
            return None

        test.__name__, test.__doc__ = method.__name__, method.__doc__
        return test

    return decorate


def allow_descriptors(count):
    """Raises this process' limit; true when that many are allowed. Servers started later inherit it."""
    import resource  # pylint: disable=import-outside-toplevel
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(hard, count)))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= count

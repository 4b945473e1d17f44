# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0

"""Runs CrnpClient.java and CrnpListener.java for tests.

    client = JavaClient()                       # raises JavaMissing with the reason
    result = client.send("127.0.0.1", 9444, 2001, "ADD_CLIENT", "EC_Cluster/ESC_cluster_membership")
    result.status, result.reply                 # 0, "OK: ..."
    with client.listen("127.0.0.1", 1) as listener:
        listener.port, listener.events()        # the texts of so many events, once all have come
    client.close()                              # removes the compiled classes
"""

import pathlib
import shutil
import subprocess
import tempfile
from typing import NamedTuple

SOURCES = [pathlib.Path(__file__).with_name(name) for name in ("CrnpClient.java", "CrnpListener.java")]
JAVA = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dstdout.encoding=UTF-8", "-Dfile.encoding=UTF-8", "-cp"]
PACKAGE = "default-jdk-headless"
TIME_LIMIT = 120  # seconds for one run: a Java machine starts slowly on a busy computer


class JavaMissing(Exception):
    """Says which package to install."""


class Result(NamedTuple):
    status: int  # 0 a reply, 1 none, 2 wrong arguments
    reply: str  # "STATUS_CODE: message", or ""
    error: str


def require_java():
    if shutil.which("java") is None or shutil.which("javac") is None:
        raise JavaMissing(f"java or javac is missing: apt-get install {PACKAGE}")


class JavaListener:
    """A running CrnpListener; it ends by itself after `count` events or at what is none."""

    def __init__(self, folder, address, count):
        self._process = subprocess.Popen([*JAVA, folder, "CrnpListener", address, str(count)],
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
        self.port = int(self._process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def events(self):
        out, err = self._process.communicate(timeout=TIME_LIMIT)
        if self._process.returncode != 0:
            raise RuntimeError(f"the listener ended with {self._process.returncode}: {err}")
        return out.splitlines()


class JavaClient:
    """Compiles the programs once; each send() is a process of its own."""

    def __init__(self):
        require_java()
        self._folder = tempfile.TemporaryDirectory(prefix="crnpd-java-")
        compiled = subprocess.run(
            ["javac", "-Xlint:all", "-Werror", "-d", self._folder.name, *map(str, SOURCES)],
            capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
        if compiled.returncode != 0:
            self.close()
            raise RuntimeError(f"the sources do not compile:\n{compiled.stderr}")

    def close(self):
        self._folder.cleanup()

    def start(self, host, port, callback_port, reg_type, *events):
        """The running process, for whoever wants to kill it or to run many."""
        return subprocess.Popen(
            [*JAVA, self._folder.name, "CrnpClient", host, str(port), str(callback_port), reg_type, *events],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def listen(self, address, count):
        return JavaListener(self._folder.name, address, count)

    def send(self, host, port, callback_port, reg_type, *events):
        with self.start(host, port, callback_port, reg_type, *events) as process:
            try:
                out, err = process.communicate(timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                raise
            return Result(process.returncode, out.rstrip("\n"), err)

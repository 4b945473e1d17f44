# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""A Java program of the usual make as a client of a real server; java/ has the program and its tests.

Ends with 77, which CTest takes for "skipped", where Java is missing.
"""
import os
import subprocess
import sys
from pathlib import Path

from harness import Server

TESTS = Path(__file__).with_name("java") / "java_client_test.py"

with Server() as server:
    host, port = server.address
    run = subprocess.run([sys.executable, "-B", TESTS, *sys.argv[1:]], check=False,
                         env={**os.environ, "CRNPD_TEST_SERVER": f"{host}:{port}", "CRNPD_TEST_CONTROL": str(server.socket)})
sys.exit(run.returncode)

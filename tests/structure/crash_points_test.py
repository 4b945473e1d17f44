# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The table of crash points in tests/system/crash_points.py and the calls in the sources name the same places.

    crash_points_test.py [unittest's arguments]
"""
import re
import sys
import unittest
from pathlib import Path

import architecture

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/system"))
import crash_points  # noqa: E402  pylint: disable=wrong-import-position

CALL = re.compile(r"\bcrashPoint(?:Half)?\(\s*([^),]*)")


def calls(path):
    """What stands for the name in each call of this file."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return CALL.findall(text) if 'include "common/crash_point.h"' in text and path.as_posix() != "common/crash_point.cc" else []


class CrashPoints(unittest.TestCase):
    def setUp(self):
        self.called = [(name, path.as_posix()) for path in architecture.sources(ROOT) for name in calls(path)]

    def test_are_those_of_the_table_each_in_one_place(self):
        listed = [(f'"{point.name}"', point.file) for point in crash_points.POINTS]
        self.assertEqual(sorted(self.called), sorted(listed))
        self.assertEqual(len({name for name, _ in listed}), len(listed))

    def test_are_many(self):
        self.assertGreaterEqual(len(self.called), 30)


if __name__ == "__main__":
    unittest.main()

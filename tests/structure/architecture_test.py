# Copyright the crnpd authors
# SPDX-License-Identifier: Apache-2.0
"""The sources keep to the table in docs/architecture.md, and a tree that does not is found out.

    architecture_test.py [unittest's arguments]
"""
import tempfile
import unittest
from pathlib import Path

import architecture

ROOT = Path(__file__).resolve().parents[2]

TABLE = """# Architecture
## Where things live
| folder or file | what lives there | may include |
| --- | --- | --- |
| `common/` | values | std, spdlog |
| `common/xml/` | documents | common |
| `server/registry/` | rules | common |
| `server/store/` | the store | common, registry (its values) |
| `server/server.{h,cc}` | the owner | all above |
| `tests/unit/` | tests | what it tests |
## What comes next
| `server/bogus/` | not part of the table | common |
"""
TOP = "// Copyright the crnpd authors\n// SPDX-License-Identifier: Apache-2.0\n"


class OurTree(unittest.TestCase):
    def test_keeps_to_the_table_of_includes(self):
        self.assertEqual(architecture.check_includes(ROOT), [])

    def test_has_no_folders_that_include_each_other(self):
        self.assertEqual(architecture.check_cycles(ROOT), [])

    def test_has_the_licence_lines_everywhere(self):
        self.assertEqual(architecture.check_licences(ROOT), [])

    def test_is_there(self):
        self.assertGreater(len(list(architecture.sources(ROOT))), 20)


class ATree(unittest.TestCase):
    """A small tree that is in order, until a test breaks it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("docs/architecture.md", TABLE)
        self.write("common/result.h", TOP + "#include <string>\n")
        self.write("common/xml/reader.cc", TOP + '#include <xercesc/sax2/SAX2XMLReader.hpp>\n#include "common/result.h"\n')
        self.write("server/store/store.h", TOP + '#include "server/registry/registry.h"\n#include <sqlite3.h>\n')
        self.write("server/registry/registry.h", TOP + '#include "common/result.h"\n')
        self.write("server/server.cc", TOP + '#include "server/store/store.h"\n#include "common/xml/reader.h"\n')

    def write(self, path, text):
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def found(self):
        return [line for check in architecture.CHECKS for line in check(self.root)]

    def expect(self, *parts):
        found = self.found()
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_in_order_passes(self):
        self.assertEqual(self.found(), [])

    def test_with_a_forbidden_include_is_found_out(self):
        self.write("server/registry/rules.cc", TOP + '\n#include "common/xml/reader.h"\n')
        self.expect("server/registry/rules.cc:4", "may not include common/xml")

    def test_with_a_library_outside_of_its_folder_is_found_out(self):
        self.write("server/registry/rules.cc", TOP + "#include <event2/event.h>\n")
        self.expect("server/registry/rules.cc:3", "<event2/event.h> is for server/net only")

    def test_with_the_journal_outside_of_the_logging_folder_is_found_out(self):
        self.write("server/server.h", TOP + "#  include <systemd/sd-journal.h>\n")
        self.expect("server/server.h:3", "server/logging")

    def test_with_a_path_that_does_not_start_at_the_root_is_found_out(self):
        self.write("common/xml/writer.cc", TOP + '#include "reader.h"\n')
        self.expect("common/xml/writer.cc:3", "root")

    def test_may_include_what_the_build_writes_from_a_template_of_the_folder(self):
        self.write("common/xml/schema.h.in", "")
        self.write("common/xml/grammar.cc", TOP + '#include "crnpd_schema.h"\n')
        self.assertEqual(self.found(), [])

    def test_with_a_folder_that_nobody_wrote_down_is_found_out(self):
        self.write("server/bogus/bogus.h", TOP)
        self.expect("server/bogus/bogus.h", "not in the table")

    def test_with_folders_that_include_each_other_is_found_out(self):
        self.write("docs/architecture.md", TABLE.replace("rules | common |", "rules | common, store |"))
        self.write("server/registry/rules.cc", TOP + '#include "server/store/store.h"\n')
        self.expect("server/store -> server/registry -> server/store")

    def test_with_a_table_that_names_no_folder_is_found_out(self):
        self.write("docs/architecture.md", TABLE.replace("documents | common |", "documents | comon |"))
        self.assertIn("the table's row for common/xml says 'comon', which is no folder of it", self.found())

    def test_without_a_table_is_found_out(self):
        self.write("docs/architecture.md", "# Architecture\n")
        self.expect("no table")

    def test_without_a_document_is_found_out(self):
        (self.root / "docs/architecture.md").unlink()
        self.expect("there is no docs/architecture.md")

    def test_with_a_file_that_lacks_the_licence_is_found_out(self):
        self.write("tests/unit/story_test.cc", "// Copyright somebody else\n")
        self.expect("tests/unit/story_test.cc", "licence")

    def test_takes_the_licence_below_the_line_of_a_script(self):
        self.write("tests/system/story.py", "#!/usr/bin/env python3\n" + TOP.replace("//", "#"))
        self.assertEqual(self.found(), [])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules of layering.py bite: each planted violation is found, at its line, and nothing else."""
import unittest

from layering import check

SOUND = {
    "cache/a.h": "#pragma once\n#include <vector>\n#include <sys/mman.h>\n",
    "cache/a.cc": '#include "cache/a.h"\n#include <boost/intrusive/list.hpp>\n',
    "cache/CMakeLists.txt": "skimfs_library(c SOURCES a.cc HEADERS a.h)",
    "fetch/b.h": "#include <tl/expected.hpp>\n",
    "fetch/url.cc": "#include <curl/curl.h>\n",
    "fetch/CMakeLists.txt": "HEADERS b.h",
    "fs/c.h": '#include "cache/a.h"\n#include "fetch/b.h"\n#include "fs/manifest/d.h"\n',
    "fs/log.cc": "#include <spdlog/logger.h>\n#include <fmt/format.h>\n",
    "fs/CMakeLists.txt": "HEADERS c.h",
    "fs/manifest/d.h": "#include <string>\n",
    "fs/manifest/CMakeLists.txt": "HEADERS d.h",
    "fs/shell/e.cc": '#include <fuse_lowlevel.h>\n#include "fs/c.h"\n',
    "tools/main.cc": '#include "fs/c.h"\n#include <CLI/CLI.hpp>\n',
    "tests/t.cc": '#include <gtest/gtest.h>\n#include "cache/a.h"\n#include <curl/curl.h>\n',
}


class Layering(unittest.TestCase):
    def finds(self, path, text, where, *words):
        found = check({**SOUND, path: text})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(where + ": "), found)
        for word in words:
            self.assertIn(word, found[0])

    def test_a_sound_tree_has_no_violation(self):
        self.assertEqual(check(SOUND), [])

    def test_arrows_point_one_way(self):
        for path, name in [("cache/x.cc", "fetch/b.h"), ("fetch/x.cc", "cache/a.h"),
                           ("cache/x.cc", "fs/c.h"), ("fs/manifest/x.cc", "fs/c.h"),
                           ("fs/manifest/x.cc", "cache/a.h"), ("fs/manifest/x.cc", "fetch/b.h")]:
            self.finds(path, f'\n\n#include "{name}"\n', f"{path}:3", "must not include")

    def test_the_core_knows_no_shell_and_no_tool(self):
        SHELL = {"fs/shell/s.h": "", "fs/shell/CMakeLists.txt": "s.h",
                 "tools/t.h": "", "tools/CMakeLists.txt": "t.h"}
        for path, name in [("fs/x.cc", "fs/shell/s.h"), ("fs/x.cc", "tools/t.h"),
                           ("fs/shell/x.cc", "tools/t.h")]:
            found = check({**SOUND, **SHELL, path: f'#include "{name}"\n'})
            self.assertEqual(len(found), 1, found)
            self.assertIn("must not include", found[0])

    def test_nothing_includes_tests(self):
        found = check({**SOUND, "tests/support/f.h": "", "fs/x.cc": '#include "tests/support/f.h"'})
        self.assertEqual(len(found), 1, found)

    def test_foreign_headers_stay_at_home(self):
        for path, name in [("fetch/fetcher.cc", "curl/curl.h"), ("fs/x.cc", "curl/curl.h"),
                           ("fs/x.cc", "fuse_lowlevel.h"), ("fs/x.cc", "fuse3/fuse.h"),
                           ("tools/x.cc", "linux/fuse.h"), ("fs/x.cc", "boost/any.hpp"),
                           ("fs/status.cc", "spdlog/spdlog.h"), ("cache/x.cc", "fmt/format.h"),
                           ("fs/x.cc", "nlohmann/json.hpp"), ("fs/x.cc", "CLI/CLI.hpp")]:
            self.finds(path, f"#include <{name}>\n", f"{path}:1", "belongs in")

    def test_a_library_without_a_home_is_refused(self):
        self.finds("fs/x.cc", "#include <zlib.h>\n", "fs/x.cc:1", "no home")
        self.finds("fs/x.cc", "#include <sqlite3.h>\n", "fs/x.cc:1", "no home")

    def test_paths_start_at_the_root(self):
        self.finds("fs/x.cc", '#include "c.h"\n', "fs/x.cc:1", "no file of the tree")

    def test_sources_are_not_included(self):
        self.finds("cache/x.cc", '#include "cache/a.cc"\n', "cache/x.cc:1", "not a header")

    def test_a_source_includes_its_own_header_first(self):
        self.finds("cache/a.cc", '\n#include <vector>\n#include "cache/a.h"\n', "cache/a.cc:2", "not first")
        self.finds("cache/a.cc", "int a;\n", "cache/a.cc:1", "not first")

    def test_headers_of_one_folder_do_not_go_in_circles(self):
        found = check({**SOUND, "cache/CMakeLists.txt": "a.h x.h y.h z.h",
                       "cache/x.h": '#include "cache/y.h"\n', "cache/y.h": '#include "cache/z.h"\n',
                       "cache/z.h": '\n#include "cache/x.h"\n'})
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith("cache/z.h:2: includes in a circle"), found)

    def test_every_header_is_in_a_header_set(self):
        self.finds("fs/lonely.h", "", "fs/lonely.h:1", "HEADERS")


if __name__ == "__main__":
    unittest.main()

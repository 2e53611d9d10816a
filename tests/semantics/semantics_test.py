#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules of semantics.py bite."""
import unittest

from semantics import check

DOCUMENT = "# Semantics\n\n- **S-READ-1** A read\n  goes on (see S-READ-2).\n- **S-READ-2** Another.\n"
SOUND = {
    "tests/a.cc": "// S-READ-1\nTEST(A, B) {\n  f();\n}\n\n"
                  "TEST_F(C, D) {\n  f();\n  // S-READ-2: why\n  g();\n}\n",
}


class Semantics(unittest.TestCase):
    def finds(self, document, tests, where, *words):
        found = check(document, tests)[0]
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(where + ": "), found)
        for word in words:
            self.assertIn(word, found[0])

    def test_a_sound_tree_has_no_violation(self):
        found, sentences, quoted = check(DOCUMENT, SOUND)
        self.assertEqual(found, [])
        self.assertEqual(list(sentences), ["S-READ-1", "S-READ-2"])
        self.assertEqual(quoted, {"S-READ-1": ["A.B"], "S-READ-2": ["C.D"]})

    def test_a_sentence_needs_a_test(self):
        self.finds(DOCUMENT + "- **S-NEW-1** New.\n", SOUND, "SEMANTICS.md:6", "S-NEW-1")

    def test_a_test_quotes_what_exists(self):
        self.finds(DOCUMENT, {**SOUND, "tests/b.cc": "\n// S-GONE-7\nTEST(A, B) {\n}\n"},
                   "tests/b.cc:2", "no sentence")

    def test_a_file_without_tests_quotes_nothing(self):
        tests = {**SOUND, "tests/b.cc": "// S-NEW-1\nint f() {\n}\n"}
        self.finds(DOCUMENT + "- **S-NEW-1** New.\n", tests, "SEMANTICS.md:6", "S-NEW-1")

    def test_only_comments_quote(self):
        tests = {**SOUND, "tests/b.cc": 'TEST(A, B) {\n  f("S-NEW-1");\n}\n'}
        self.finds(DOCUMENT + "- **S-NEW-1** New.\n", tests, "SEMANTICS.md:6", "S-NEW-1")

    def test_a_quote_above_a_fixture_is_of_the_next_test(self):
        quoted = check(DOCUMENT, {**SOUND, "tests/b.cc": "// S-READ-1\nclass A {\n};\n\nTEST(E, F) {\n}\n"})[2]
        self.assertEqual(quoted["S-READ-1"], ["A.B", "E.F"])

    def test_an_id_stands_once(self):
        self.finds(DOCUMENT + "- **S-READ-2** Again.\n", SOUND, "SEMANTICS.md:6", "twice")

    def test_several_ids_may_share_a_test(self):
        one = "// S-READ-1, S-READ-2:\n// and a reason.\nTEST_P(A, B) {\n}\n"
        self.assertEqual(check(DOCUMENT, {"tests/a.cc": one})[0], [])

    def test_python_and_ctest_may_quote(self):
        both = {"tests/a.py": "class A:\n    # S-READ-1\n    def test_a(self):\n        pass\n",
                "tests/CMakeLists.txt": "# S-READ-2\nadd_test(NAME A.B COMMAND x)\n"}
        self.assertEqual(check(DOCUMENT, both)[0], [])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every sentence of SEMANTICS.md has a test, and every sentence that a test quotes exists.

    semantics.py ROOT [--list]     one line per violation, exit 1 if any

A sentence begins "- **S-WORD-1** ...".  A test quotes it by naming "S-WORD-1" in a comment above
itself or within, in a file that has tests.  --list: which tests quote which sentence.
"""
import os
import re
import sys

ID = re.compile(r"\bS-[A-Z]+-[0-9]+\b")
SENTENCE = re.compile(r"^- \*\*(S-[A-Z]+-[0-9]+)\*\*", re.MULTILINE)
# Where a test begins, by kind of file.
BEGINS = {
    ".cc": re.compile(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST)\(\s*(\w+),\s*(\w+)\)"),
    ".py": re.compile(r"^\s*def (test_\w+)\("),
    ".txt": re.compile(r"^\s*add_test\(NAME ([\w.]+)"),
}
COMMENT = {".cc": "//", ".py": "#", ".txt": "#"}


def kind_of(path):
    return os.path.splitext(path)[1]


def quotes_of(path, text):
    """(line number, id, test) of each id in a comment; none in a file without tests."""
    begins, mark = BEGINS[kind_of(path)], COMMENT[kind_of(path)]
    lines = text.splitlines()
    tests = {number: ".".join(filter(None, found.groups()))
             for number, line in enumerate(lines, 1) if (found := begins.match(line))}
    current = None
    for number, line in enumerate(lines, 1):
        current = tests.get(number, current)
        if mark not in line or not tests:
            continue
        own_line = line.strip().startswith(mark)
        outside = not line.startswith(" ") and own_line
        test = next((tests[at] for at in tests if at > number), current) if outside else current
        for name in ID.findall(line.partition(mark)[2]):
            yield number, name, test or next(iter(tests.values()))


def check(document, tests):
    """Violations as lines; `document`: SEMANTICS.md, `tests`: path from the root -> text."""
    sentences, found, quoted = {}, [], {}
    for at in SENTENCE.finditer(document):
        line = document.count("\n", 0, at.start()) + 1
        if at.group(1) in sentences:
            found.append(f"SEMANTICS.md:{line}: {at.group(1)} is there twice")
        sentences[at.group(1)] = line
    for path, text in sorted(tests.items()):
        for line, name, test in quotes_of(path, text):
            if name not in sentences:
                found.append(f"{path}:{line}: {name} is no sentence of SEMANTICS.md")
            elif test not in quoted.setdefault(name, []):
                quoted[name].append(test)
    for name, line in sentences.items():
        if name not in quoted:
            found.append(f"SEMANTICS.md:{line}: no test quotes {name}")
    return found, sentences, quoted


def read_tests(root):
    tests = {}
    for folder, folders, names in os.walk(os.path.join(root, "tests")):
        folders[:] = [name for name in folders if name not in ("semantics", "corpus")]
        for name in names:
            if kind_of(name) in BEGINS:
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as source:
                    tests[os.path.relpath(path, root)] = source.read()
    return tests


def main():
    root = sys.argv[1]
    with open(os.path.join(root, "SEMANTICS.md"), encoding="utf-8") as file:
        found, sentences, quoted = check(file.read(), read_tests(root))
    for line in found:
        print(line)
    if "--list" in sys.argv:
        for name in sentences:
            print(f"{name}: {', '.join(quoted.get(name, []))}")
    print(f"semantics: {len(sentences)} sentences, {len(found)} violations")
    return 1 if found or not sentences else 0


if __name__ == "__main__":
    sys.exit(main())

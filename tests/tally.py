#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Adds up the JUnit files of several CTest runs; the last line is "N passed, M failed, K skipped".

    tally.py [--broken WHAT]... FILE...

Failed tests are shown with their output, skipped ones by name.  --broken counts as a failed test.
With CI=true a skipped test counts as a failed one.  Exit 1 if anything failed or nothing ran.
"""
import argparse
import os
import sys
import xml.etree.ElementTree as ElementTree

# What CTest says of a test that chose to skip; anything else that did not run was meant to.
CHOSEN = ("SKIP_REGULAR_EXPRESSION", "SKIP_RETURN_CODE")


def shown(case):
    lines = (case.findtext("system-out") or "").rstrip().splitlines()
    return "".join(f"    {line}\n" for line in lines[-60:])


def reason(case):
    """The line a skipping test printed last before CTest's or GoogleTest's own words."""
    lines = [line.strip() for line in (case.findtext("system-out") or "").splitlines()]
    lines = [line for line in lines if line and not line.startswith("[") and "Skipped" not in line]
    return lines[-1] if lines else "no reason given"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--broken", action="append", default=[])
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    passed, failed, skipped = 0, list(arguments.broken), []
    for path in arguments.files:
        run = os.path.basename(path).removesuffix(".xml")
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name, skip = f"{run}: {case.get('name')}", case.find("skipped")
            if case.get("status") == "run":
                passed += 1
            elif skip is not None and skip.get("message", "").startswith(CHOSEN):
                skipped.append(f"{name}: {reason(case)}")
            else:
                failed.append(name)
                print(f"FAILED  {name}\n{shown(case)}", end="")
    for name in skipped:
        print(f"SKIPPED {name}")
    if os.environ.get("CI") == "true" and skipped:
        print("CI=true: skipped tests count as failed")
        failed, skipped = failed + skipped, []
    for name in failed:
        print(f"FAILED  {name}")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may include whom: tools -> fs -> {cache, fetch}, and where each foreign library lives.

    layering.py ROOT      reads every #include below ROOT; one line per violation, exit 1 if any

An arrow allows everything below it; `cache` and `fetch` do not know each other.  A foreign header
that stands in no table below is a violation too: a new library needs a home before its first use.
a.cc includes a.h before anything else, which proves that a.h compiles alone.
"""
import fnmatch
import os
import re
import sys

# Room -> rooms it may include besides itself.  A file belongs to the longest room that fits.
BELOW_FS = ["fs/auth", "fs/manifest", "cache", "fetch"]
ROOMS = {
    "cache": [],
    "fetch": [],
    "fs/auth": ["fetch"],
    "fs/manifest": [],
    "fs": BELOW_FS,
    "fs/shell": ["fs", *BELOW_FS],
    "tools": ["fs", "fs/shell", *BELOW_FS],
    "tests": ["tools", "fs", "fs/shell", *BELOW_FS],
}

# Header pattern -> files that may include it.  Tests may include all of them.
HOMES = [
    ("curl/*", ["fetch/curl_*", "fetch/url.cc"]),
    ("fuse*.h", ["fs/shell/*"]),
    ("fuse3/*", ["fs/shell/*"]),
    ("linux/fuse.h", ["fs/shell/*"]),
    ("seccomp.h", ["fs/shell/confinement.cc"]),
    ("boost/*", ["cache/*"]),
    ("spdlog/*", ["fs/log.cc"]),
    ("fmt/*", ["fs/*", "tools/*"]),
    ("openssl/*", ["fetch/aws_signature.cc", "fs/auth/client_certificate.cc", "fs/auth/profiles.cc", "fs/digest.cc",
                   "fs/manifest/text_digest.cc"]),
    ("nlohmann/*", ["fs/status.cc", "tools/*"]),
    ("CLI/*", ["tools/*"]),
    ("tl/expected.hpp", ["*"]),
]

# What the system itself brings: the standard library has neither dot nor slash in its names.
STANDARD = re.compile(r"[a-z0-9_]+")
SYSTEM = ["arpa/*", "linux/*", "net/*", "netinet/*", "sanitizer/*", "sys/*",
          "dirent.h", "endian.h", "fcntl.h", "getopt.h", "grp.h", "ifaddrs.h", "malloc.h",
          "mntent.h", "netdb.h", "poll.h", "pthread.h", "pwd.h", "sched.h", "signal.h", "spawn.h",
          "syslog.h", "termios.h", "unistd.h"]

INCLUDE = re.compile(r'\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")')


def room_of(path):
    fits = [room for room in ROOMS if path.startswith(room + "/")]
    return max(fits, key=len, default=None)


def includes_of(text):
    """(line number, name, quoted) of each #include."""
    for number, line in enumerate(text.splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1) or found.group(2), found.group(2) is not None


def check_own(path, name, files):
    here, there = room_of(path), room_of(name)
    if name not in files:
        return f'"{name}" is no file of the tree; write the path from its root'
    if not name.endswith(".h"):
        return f'"{name}" is not a header'
    if there != here and there not in ROOMS[here]:
        return f'{here} must not include {there} ("{name}")'
    return None


def check_foreign(path, name):
    if room_of(path) == "tests":
        return None
    for pattern, homes in HOMES:
        if fnmatch.fnmatchcase(name, pattern):
            if any(fnmatch.fnmatchcase(path, home) for home in homes):
                return None
            return f"<{name}> belongs in {', '.join(homes)} only"
    if STANDARD.fullmatch(name) or any(fnmatch.fnmatchcase(name, pattern) for pattern in SYSTEM):
        return None
    return f"<{name}> has no home in tests/layering/layering.py"


def check_first(path, text, files):
    """Where and why `path` is not the proof that its own header compiles alone, or None."""
    header = path.removesuffix(".cc") + ".h"
    if not path.endswith(".cc") or room_of(path) == "tests" or header not in files:
        return None
    line, name, _ = next(includes_of(text), (1, None, False))
    return None if name == header else f'{path}:{line}: includes "{header}" not first'


def circles(graph):
    """One violation per circle of headers; `graph`: path -> [(line, path)]."""
    done, found = set(), []

    def walk(path, trail):
        if path in trail:
            ring = trail[trail.index(path):] + [path]
            line = next(line for line, name in graph[ring[-2]] if name == path)
            found.append(f"{ring[-2]}:{line}: includes in a circle: {' -> '.join(ring)}")
            return
        if path in done:
            return
        for _, name in graph.get(path, []):
            walk(name, trail + [path])
        done.add(path)

    for path in sorted(graph):
        walk(path, [])
    return found


def unlisted_headers(files):
    """Headers in no HEADERS list: CMake would not know which of them to compile alone."""
    for path in sorted(files):
        folder, name = os.path.split(path)
        if path.endswith(".h") and room_of(path) not in (None, "tests"):
            lists = files.get(folder + "/CMakeLists.txt", "")
            if not re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w.])", lists):
                yield f"{path}:1: not among the HEADERS of {folder}/CMakeLists.txt"


def check(files):
    """Violations as "file:line: reason"; `files`: path from the root -> text."""
    found, graph = [], {}
    for path, text in sorted(files.items()):
        if room_of(path) is None or not path.endswith((".h", ".cc")):
            continue
        if late := check_first(path, text, files):
            found.append(late)
        for line, name, quoted in includes_of(text):
            why = check_own(path, name, files) if quoted else check_foreign(path, name)
            if why:
                found.append(f"{path}:{line}: {why}")
            elif quoted:
                graph.setdefault(path, []).append((line, name))
    return found + circles(graph) + list(unlisted_headers(files))


def read_tree(root):
    files = {}
    for room in {room.split("/")[0] for room in ROOMS}:
        for folder, _, names in os.walk(os.path.join(root, room)):
            for name in names:
                if name.endswith((".h", ".cc")) or name == "CMakeLists.txt":
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as source:
                        files[os.path.relpath(path, root)] = source.read()
    return files


def main():
    files = read_tree(sys.argv[1])
    if not any(path.endswith(".cc") for path in files):
        sys.exit(f"layering: no source below {sys.argv[1]}")
    found = check(files)
    for line in found:
        print(line)
    print(f"layering: {len(files)} files read, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

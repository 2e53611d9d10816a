# SPDX-License-Identifier: MIT
"""What is done, as a list: a workload is a tree, a reader and the targets it makes sense for.

`read` does the timed part and returns its seconds.  `check` compares what came with the truth
and raises Wrong; a reader that compares while it reads needs none.
"""

import dataclasses
import hashlib
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable

from origin import MIB, TREES, Origin, Path
from processes import memory
from targets import Failed, Mount, Target

PATIENCE = 30  # seconds for one run; who needs more is told so instead of timed


class Wrong(Failed):
    """Bytes, names or sizes that are not those of the origin."""


@dataclasses.dataclass
class Run:
    """One run under way: what a workload needs to know."""
    origin: Origin
    mount: Mount
    target: Target
    reader: pathlib.Path   # the bench_reader program
    scratch: pathlib.Path  # an empty directory on a tmpfs
    facts: dict = dataclasses.field(default_factory=dict)  # further figures, for the JSON


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    about: str
    tree: str
    targets: tuple[str, ...]         # the first is the anchor the others are divided by
    read: Callable[[Run], float]
    useful: int                      # bytes the reader asks for
    check: Callable[[Run], None] = lambda run: None
    check_reads_mount: bool = True   # else it needs only what `read` left behind
    prepare: Callable[[Run], None] = lambda run: None  # not timed, not counted
    options: str = ""                # of skimfs
    long: bool = False               # whether memory grows during it is of interest
    most_requests: int | None = None  # that skimfs may make
    memory: int = 128 * MIB          # skimfs may take this and its allowance
    path: Path = Path()              # how far the server is


def _timed(*commands: list) -> float:
    """Runs commands side by side; the seconds until the last ended."""
    return _side_by_side(commands, subprocess.DEVNULL)[0]


def _side_by_side(commands, stdout: int, given: str = "") -> tuple[float, list[str]]:
    """The seconds and, if stdout is a pipe, what each printed."""
    begin = time.perf_counter()
    running = [subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                                stdout=stdout, stderr=subprocess.PIPE, text=True)
               for command in commands]
    try:
        said = [each.communicate(given, timeout=PATIENCE) for each in running]
    finally:
        for each in running:
            if each.poll() is None:
                each.kill()  # and no wait: in a mount that hangs it ends with the daemon
    seconds = time.perf_counter() - begin
    for each, (_, complaint) in zip(running, said):
        if each.returncode != 0:
            raise Failed(f"{each.args[0]}: exit {each.returncode}: {complaint.strip()[-300:]}")
    return seconds, [output for output, _ in said]


def _dd(path: pathlib.Path) -> list:
    return ["dd", f"if={path}", "of=/dev/null", "bs=1M", "status=none"]


def _curl(run: Run, transfers: list[str], parallel: int = 1) -> float:
    """One curl for all transfers, each the lines of a configuration file."""
    config = run.scratch / "curl.config"
    config.write_text("\nnext\n".join(transfers) + "\n")
    many = ["-Z", "--parallel-max", str(parallel)] if parallel > 1 else []
    return _timed(["curl", "-sSf", *many, "-K", config])


def _transfer(run: Run, tree: str, name: str, to: str = "/dev/null", more: str = "") -> str:
    trusted = f'cacert = "{run.origin.certificate}"\n' if run.origin.certificate else ""
    return (f'url = "{run.origin.url(tree, name)}"\noutput = "{to}"\nsilent\nfail\n'
            f"{trusted}{more}")


def _digest(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_truths: dict[pathlib.Path, str] = {}


def _same_bytes(run: Run, tree: str) -> None:
    """Every file of the mount has the origin's bytes; cached pages are those just delivered."""
    if run.target.name in ("curl", "engine"):
        return
    for name, _ in TREES[tree]:
        truth = run.origin.tree(tree) / name
        if truth not in _truths:
            _truths[truth] = _digest(truth)
        if _digest(run.mount.path / name) != _truths[truth]:
            raise Wrong(f"{name}: wrong bytes")


def _whole_files(tree: str) -> dict:
    """dd, one a file, side by side."""
    names = [name for name, _ in TREES[tree]]

    def read(run: Run) -> float:
        if run.target.name == "curl":
            return _curl(run, [_transfer(run, tree, name) for name in names], len(names))
        if run.target.name == "engine":
            given = [run.target.program, run.origin.url(tree, names[0]), TREES[tree][0][1]]
            return float(_side_by_side([given], subprocess.PIPE)[1][0])
        return _timed(*(_dd(run.mount.path / name) for name in names))

    return {"tree": tree, "read": read, "useful": _size(tree),
            "check": lambda run: _same_bytes(run, tree)}


def _copy_out(tree: str) -> dict:
    """cp -r to a tmpfs; curl writes the same files."""

    def read(run: Run) -> float:
        copy = run.scratch / "copy"
        if run.target.name == "curl":
            return _curl(run, [_transfer(run, tree, name, copy / name, "create-dirs")
                               for name, _ in TREES[tree]], 16)
        return _timed(["cp", "-r", run.mount.path, copy])

    def check(run: Run) -> None:
        different = subprocess.run(["diff", "-r", run.origin.tree(tree), run.scratch / "copy"],
                                   capture_output=True, text=True)
        if different.returncode != 0:
            raise Wrong((different.stdout + different.stderr).splitlines()[0])

    return {"tree": tree, "read": read, "useful": _size(tree), "check": check,
            "check_reads_mount": False}


def _random(reads: int, threads: int, size: int = 4096, tree: str = "one") -> dict:
    """`threads` readers, `reads` each, of aligned pieces of one large file."""
    name, whole = TREES[tree][0]

    def read(run: Run) -> float:
        if run.target.name == "curl":
            at = [random.randrange(whole // size) * size for _ in range(reads * threads)]
            return _curl(run, [_transfer(run, tree, name, more=f'range = "{i}-{i + size - 1}"')
                               for i in at], threads)
        return _helper(run, ["random", run.mount.path / name, run.origin.tree(tree) / name,
                             reads, size, threads, random.randrange(1 << 32)])

    return {"tree": tree, "read": read, "useful": reads * threads * size,
            "check_reads_mount": False}


def _backward(tree: str, reads: int, size: int) -> dict:
    """One reader, from the end of a file towards its begin."""
    name, whole = TREES[tree][0]

    def read(run: Run) -> float:
        if run.target.name == "curl":
            at = [whole - i * size for i in range(1, reads + 1)]
            return _curl(run, [_transfer(run, tree, name, more=f'range = "{i}-{i + size - 1}"')
                               for i in at])
        return _helper(run, ["backward", run.mount.path / name, run.origin.tree(tree) / name,
                             reads * size, size])

    return {"tree": tree, "read": read, "useful": reads * size, "check_reads_mount": False}


def _walk(tree: str, threads: int, block: int) -> dict:
    """`threads` readers take file after file, each read from its begin to its end."""

    def read(run: Run) -> float:
        names = [name for name, _ in TREES[tree]]
        if run.target.name == "curl":
            return _curl(run, [_transfer(run, tree, name) for name in names], threads)
        return _helper(run, ["walk", run.mount.path, run.origin.tree(tree), threads, block],
                       "".join(f"{name}\n" for name in names))

    return {"tree": tree, "read": read, "useful": _size(tree), "check_reads_mount": False}


def _helper(run: Run, arguments: list, names: str = "") -> float:
    """bench_reader takes the time itself and compares every byte."""
    try:
        return float(_side_by_side([[run.reader, *arguments]], subprocess.PIPE, names)[1][0])
    except Failed as failure:
        if any(sign in str(failure) for sign in ("wrong", "ends early")):
            raise Wrong(failure) from failure
        raise


def _listing(tree: str, command: list[str], more: tuple[str, ...] = ()) -> dict:
    """`command DIR more`, and once more: from what the kernel knows by then."""

    def listed(path: pathlib.Path) -> list[str]:
        found = subprocess.run(["find", path, "-type", "f", "-printf", "%P %s\n"], check=True,
                               capture_output=True, text=True).stdout
        return sorted(found.splitlines())

    def check(run: Run) -> None:
        if listed(run.mount.path) != listed(run.origin.tree(tree)):
            raise Wrong("names or sizes are not those of the origin")

    def read(run: Run) -> float:
        first, run.facts["again"] = (_timed([*command, run.mount.path, *more]) for _ in range(2))
        return first

    return {"tree": tree, "read": read, "useful": 0, "check": check, "most_requests": 0}


def _first_bytes(tree: str, files: int = 50, size: int = 4096) -> dict:
    """Opens and reads the first bytes of one file after the other, in an order nobody can guess:
    the median of them."""
    names = [name for name, _ in TREES[tree][::len(TREES[tree]) // files]][:files]
    random.Random(1).shuffle(names)

    def one(run: Run, name: str) -> float:
        begin = time.perf_counter()
        came = _first(run.mount.path / name, size)
        seconds = time.perf_counter() - begin
        if came != _first(run.origin.tree(tree) / name, size):
            raise Wrong(f"{name}: wrong bytes")
        return seconds

    def read(run: Run) -> float:
        if run.target.name == "curl":
            told = run.scratch / "curl.config"
            told.write_text("\nnext\n".join(_transfer(run, tree, name, more=(
                f'range = "0-{size - 1}"\nwrite-out = "%{{time_total}}\\n"')) for name in names))
            said = _side_by_side([["curl", "-K", told]], subprocess.PIPE)[1][0]
            each = [float(line) for line in said.split()]
        else:
            each = [one(run, name) for name in names]
        run.facts["first_of_all"] = each[0]  # with the connection still to be made
        return statistics.median(each)

    return {"tree": tree, "read": read, "useful": len(names) * size}


def _begins(tree: str, size: int = 4096) -> dict:
    """Opens and reads the first bytes of every file, in their order: all of it."""
    names = [name for name, _ in TREES[tree]]

    def read(run: Run) -> float:
        if run.target.name == "curl":
            return _curl(run, [_transfer(run, tree, name, more=f'range = "0-{size - 1}"')
                               for name in names])
        begin = time.perf_counter()
        came = [_first(run.mount.path / name, size) for name in names]
        seconds = time.perf_counter() - begin
        for name, bytes_ in zip(names, came):
            if bytes_ != _first(run.origin.tree(tree) / name, size):
                raise Wrong(f"{name}: wrong bytes")
        return seconds

    return {"tree": tree, "read": read, "useful": len(names) * size, "check_reads_mount": False}


def _first(path: pathlib.Path, size: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        return file.read(size)


def _again(tree: str, drop_pages: bool) -> dict:
    """The second reading of a file: from the page cache, or without it."""
    name = TREES[tree][0][0]

    def prepare(run: Run) -> None:
        _timed(_dd(run.mount.path / name))
        if drop_pages and run.target.name != "local":
            with (run.mount.path / name).open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    # The kernel may let go of single pages of its cache; of ours nothing.
    return {"tree": tree, "prepare": prepare, "useful": _size(tree),
            "most_requests": 0 if drop_pages else None,
            "read": lambda run: _timed(_dd(run.mount.path / name)),
            "check": lambda run: _same_bytes(run, tree)}


def _entries(count: int, compiled: bool = False) -> dict:
    """From the command to the mount, and memory, for a manifest of so many files.

    The regular mount of the one-file tree is what an entry's memory is measured against.
    """
    directory = 1000  # files in each

    def write(run: Run, path: pathlib.Path) -> None:
        with path.open("w") as out:
            out.write(f"#skimfs 1\n@base {run.origin.url('none')}\n@sorted\n@count {count}\n")
            out.writelines(f"/set-{i // directory:05}/sample-{i:08}.bin\t{i}\t"
                           f"2026-01-02T03:04:05Z\t-\t=\n" for i in range(count))
            out.write(f"@end {count}\n")

    def prepare(run: Run) -> None:
        path = run.scratch / "entries.skimfs"
        write(run, path)
        if compiled:
            text = path.rename(run.scratch / "entries.text")
            program = run.target.program
            subprocess.run([program, "manifest", "build", text, path], check=True,
                           capture_output=True)
            text.unlink()

    def read(run: Run) -> float:
        path, at, index = (run.scratch / name for name in ("entries.skimfs", "entries", "index"))
        at.mkdir()
        index.mkdir(mode=0o700)
        mount = run.target.mount_manifest(path, at, f"index={index}")
        try:
            alone = memory(run.mount.pids, "VmRSS")
            run.facts["bytes_per_entry"] = (memory(mount.pids, "VmRSS") - alone) / count
            run.facts["rss_peak"] = memory(mount.pids, "VmHWM")
            last = at / f"set-{(count - 1) // directory:05}"
            names = sorted(os.listdir(last))
            if len(names) != directory or (last / names[-1]).stat().st_size != count - 1:
                raise Wrong("the last directory is not the manifest's")
        finally:
            complaint = mount.close()
        if complaint:
            raise Failed(complaint)
        return mount.ready

    return {"tree": "tier", "prepare": prepare, "read": read, "useful": 0, "most_requests": 0,
            "check_reads_mount": False}


def _size(tree: str) -> int:
    return sum(size for _, size in TREES[tree])


PEERS = ("rclone", "httpdirfs")
BLOCK_PEERS = (*PEERS, "nbdkit")
FIRST_WINDOW = 10 * 1448  # bytes, of TCP connections over Ethernet (RFC 6928)

WORKLOADS = [
    Workload("sequential", "dd bs=1M, cold, 1 GiB", most_requests=80,
             targets=("curl", "skimfs", "skimfs direct_io", "engine", "stub", "stub direct_io",
                      *BLOCK_PEERS), **_whole_files("one")),
    Workload("tls", "dd bs=1M, cold, 1 GiB, over TLS", path=Path(tls=True),
             targets=("curl", "skimfs", "rclone"), **_whole_files("one")),
    Workload("parallel", "4 × dd bs=1M at once, cold, 1 GiB in all",
             targets=("curl", "skimfs", *PEERS), **_whole_files("four")),
    Workload("copy-small", "cp -r, 2000 × 16 KiB", most_requests=2100,
             targets=("curl", "skimfs", "skimfs open=skip", *PEERS), **_copy_out("small")),
    Workload("copy-unstated", "cp -r, 2000 × 16 KiB of unstated size", most_requests=2010,
             targets=("curl", "skimfs"), **_copy_out("unstated")),
    Workload("copy-medium", "cp -r, 300 × 2 MiB",
             targets=("curl", "skimfs", *PEERS), **_copy_out("medium")),
    Workload("random", "1000 random reads of 4 KiB, 1 GiB file",
             targets=("curl", "skimfs", "stub", *BLOCK_PEERS), **_random(1000, 1)),
    Workload("random-8", "8 readers × 200 random reads of 4 KiB",
             targets=("curl", "skimfs", "stub", *BLOCK_PEERS), **_random(200, 8)),
    Workload("list", "ls -lR, 2000 files",
             targets=("local", "skimfs", *PEERS), **_listing("small", ["ls", "-lR"])),
    Workload("list-many", "ls -lR, 100 × 1000 files",
             targets=("local", "skimfs"), **_listing("many", ["ls", "-lR"])),
    Workload("find-many", "find -type f, 100 × 1000 files: names alone",
             targets=("local", "skimfs"), **_listing("many", ["find"], ["-type", "f"])),
    Workload("find-sizes", "find -type f -printf %s, 100 × 1000 files",
             targets=("local", "skimfs"),
             **_listing("many", ["find"], ["-type", "f", "-printf", "%P %s\n"])),
    Workload("entries", "mount ready, manifest of 1,000,000 entries",
             targets=("skimfs",), memory=500 * MIB, **_entries(1_000_000)),
    Workload("entries-compiled", "mount ready, compiled manifest of 10,000,000 entries",
             targets=("skimfs",), memory=40 * MIB, **_entries(10_000_000, compiled=True)),
    Workload("first-bytes", "open and read 4 KiB, median of 50 files",
             targets=("curl", "skimfs", *PEERS), **_first_bytes("medium")),
    Workload("again", "dd bs=1M once more, from the page cache, 1 GiB",
             targets=("local", "skimfs", "stub", *BLOCK_PEERS), **_again("one", drop_pages=False)),
    Workload("again-memory", "dd bs=1M once more, page cache dropped, 64 MiB",
             targets=("local", "skimfs", "skimfs direct_io", "stub", "passthrough"),
             **_again("tier", drop_pages=True)),
    Workload("squeeze", "16 sequential readers, skimfs with memory=16M, 1 GiB in all",
             options="memory=16M", memory=16 * MIB,
             targets=("curl", "skimfs", *PEERS), **_walk("wide", 16, MIB)),
    Workload("soak", "8 readers over 10,000 files of 1 to 256 KiB", long=True,
             targets=("curl", "skimfs", *PEERS), **_walk("soak", 8, 128 << 10)),
    Workload("far-sequential", "dd bs=1M, cold, 128 MiB", path=Path(50),
             targets=("curl", "skimfs", *BLOCK_PEERS), **_whole_files("far")),
    Workload("far-slow-start", "dd bs=1M, cold, 128 MiB", path=Path(50, first_window=FIRST_WINDOW),
             targets=("curl", "skimfs", "rclone"), **_whole_files("far")),
    Workload("far-capped", "dd bs=1M, cold, 128 MiB", path=Path(50, 200),
             targets=("curl", "skimfs", "rclone"), **_whole_files("far")),
    Workload("far-shared", "dd bs=1M, cold, 128 MiB",
             path=Path(50, total_mbit=1000, first_window=FIRST_WINDOW),
             targets=("curl", "skimfs", "rclone"), **_whole_files("far")),
    Workload("far-copy", "cp -r, 200 × 16 KiB", path=Path(50, first_window=FIRST_WINDOW),
             targets=("curl", "skimfs", *PEERS), **_copy_out("few")),
    Workload("far-copy-unstated", "cp -r, 60 × 16 KiB of unstated size", most_requests=65,
             path=Path(50, first_window=FIRST_WINDOW),
             targets=("curl", "skimfs"), **_copy_out("unstated-few")),
    Workload("far-copy-unstated-medium", "cp -r, 60 × 200 KiB of unstated size", most_requests=125,
             path=Path(50, first_window=FIRST_WINDOW),
             targets=("curl", "skimfs"), **_copy_out("unstated-medium")),
    Workload("far-list-unstated", "ls -lR, 60 files of unstated size", path=Path(50),
             targets=("local", "skimfs"),
             **{**_listing("unstated-few", ["ls", "-lR"]), "most_requests": 60}),
    Workload("far-random", "8 readers × 200 random reads of 4 KiB, 128 MiB file", path=Path(20),
             targets=("curl", "skimfs", *BLOCK_PEERS), **_random(200, 8, tree="far")),
    Workload("far-backward", "100 reads of 256 KiB, from the end backwards", path=Path(50),
             targets=("curl", "skimfs", "rclone"), **_backward("far", 100, 256 << 10)),
    Workload("far-first-bytes", "open and read 4 KiB, median of 20 files", path=Path(50),
             targets=("curl", "skimfs", *PEERS), **_first_bytes("first", 20)),
    Workload("far-hosts", "open and read 4 KiB of 24 × 16 KiB", path=Path(50, hosts=8),
             targets=("curl", "skimfs"), **_begins("hosts")),
]

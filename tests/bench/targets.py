# SPDX-License-Identifier: MIT
"""Who is measured: skimfs, its peers as mounts, and the anchors that need no mount.

A target turns a tree of the origin into a directory.  Daemons run in the foreground as our
children where they can, so that each is ended by unmounting and, at the worst, by its own pid.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import processes
from origin import TREES, Origin

START_LIMIT = 120  # seconds until a mount must answer
STOP_LIMIT = 15    # seconds until a daemon must be gone after its unmount


class Failed(Exception):
    """A target could not do what it was asked; the text says what it said."""


class Mount:
    """One mounted tree.  `ready` is the seconds from the command to the first answer."""

    def __init__(self, path: pathlib.Path, pids: list[int], ready: float, daemon=None):
        self.path, self.pids, self.ready = path, pids, ready
        self._daemon = daemon

    def sockets_peak(self) -> int:
        """Most connections at one moment as the daemon itself counted; 0 where it does not say."""
        return 0

    def close(self) -> str | None:
        """Unmounts and sees the daemons end; what to complain about, if anything."""
        subprocess.run(["fusermount3", "-u", self.path], check=False, stderr=subprocess.DEVNULL)
        if self.path in _mounted():  # a reader is still in it
            subprocess.run(["fusermount3", "-uz", self.path], check=False)
        return _see_end(self.path, self.pids, self._daemon)


class _NoMount(Mount):
    def close(self):
        return None


class Target:
    name: str
    program: str  # the command that must be installed

    def missing(self) -> str | None:
        return None if shutil.which(self.program) else f"{self.program} is not installed"

    def can(self, tree: str) -> bool:
        return True

    def mount(self, origin: Origin, tree: str, at: pathlib.Path, options: str) -> Mount:
        raise NotImplementedError


class Direct(Target):
    """No mount: a command that asks the server, or the tmpfs itself."""

    def __init__(self, name: str, program: str):
        self.name, self.program = name, program

    def mount(self, origin, tree, at, options):
        return _NoMount(origin.tree(tree), [], 0.0)


@dataclasses.dataclass
class Skimfs(Target):
    name: str
    program: str
    options: str = ""

    def mount(self, origin, tree, at, options):
        origin.tree(tree)
        if origin.certificate:
            options = ",".join(filter(None, (options, f"cacert={origin.certificate}")))
        return self.mount_manifest(origin.manifest(tree), at, options)

    def mount_manifest(self, manifest: pathlib.Path, at: pathlib.Path, options: str = "") -> Mount:
        given = ",".join(filter(None, (self.options, options)))
        begin = time.perf_counter()
        done = subprocess.run([self.program, manifest, at, *(["-o", given] if given else [])],
                              capture_output=True, text=True, timeout=START_LIMIT)
        ready = time.perf_counter() - begin
        if done.returncode != 0:
            raise Failed(f"exit {done.returncode}: {done.stderr.strip()}")
        return _SkimfsMount(self.program, at, processes.naming(at), ready)


class _SkimfsMount(Mount):
    def __init__(self, program, path, pids, ready):
        super().__init__(path, pids, ready)
        self._program = program

    def sockets_peak(self):
        text = subprocess.run([self._program, "status", self.path, "--json"], check=True,
                              capture_output=True, text=True).stdout
        return json.loads(text)["fetch"]["connections_peak"]


@dataclasses.dataclass
class Peer(Target):
    """A foreground daemon: `command` of (origin, tree, directory)."""
    name: str
    program: str
    command: callable
    only_one_file: bool = False

    def can(self, tree):
        return not self.only_one_file or len(TREES[tree]) == 1

    def mount(self, origin, tree, at, options):
        origin.tree(tree)
        log = at.with_suffix(".log")
        begin = time.perf_counter()
        with log.open("wb") as said:
            daemon = subprocess.Popen(self.command(origin, tree, at), stdout=said, stderr=said,
                                      stdin=subprocess.DEVNULL)
        while at not in _mounted():
            if daemon.poll() is not None or time.perf_counter() - begin > START_LIMIT:
                daemon.kill()
                daemon.wait()
                raise Failed(f"did not mount: {log.read_text(errors='replace')[-300:].strip()}")
            time.sleep(0.005)
        os.stat(at)
        ready = time.perf_counter() - begin
        return Mount(at, [daemon.pid, *processes.children(daemon.pid)], ready, daemon)


def _stub(program: pathlib.Path, *more: str):
    return lambda origin, tree, at: [
        program, origin.tree(tree) / TREES[tree][0][0], at, *more]


def all_targets(skimfs: pathlib.Path, helpers: pathlib.Path) -> dict[str, Target]:
    """Every target by name, defaults of their own unless the name says otherwise."""
    program = str(skimfs)
    targets = [
        Direct("curl", "curl"),
        Direct("local", "cat"),
        Direct("engine", str(helpers / "bench_engine")),
        Peer("stub", str(helpers / "bench_stub"), _stub(helpers / "bench_stub"), True),
        Peer("stub direct_io", str(helpers / "bench_stub"),
             _stub(helpers / "bench_stub", "direct_io"), True),
        Peer("passthrough", str(helpers / "passthrough_ll"), lambda origin, tree, at: [
            helpers / "passthrough_ll", "-f", "-o", f"source={origin.tree(tree)}", at]),
        Skimfs("skimfs", program),
        Skimfs("skimfs direct_io", program, "direct_io"),
        Skimfs("skimfs open=skip", program, "open=skip,revalidate=immutable"),
        Peer("rclone", "rclone", lambda origin, tree, at: [
            "rclone", "mount", ":http:", at, "--http-url", origin.url(tree), "--read-only",
            "--config", "/dev/null",
            *(["--ca-cert", origin.certificate] if origin.certificate else [])]),
        Peer("httpdirfs", "httpdirfs", lambda origin, tree, at: [
            "httpdirfs", "-f", "--no-range-check", origin.url(tree), at]),
        Peer("nbdkit", "nbdkit", lambda origin, tree, at: [
            "nbdfuse", "-r", at / TREES[tree][0][0],
            "[", "nbdkit", "curl", "url=" + origin.url(tree, TREES[tree][0][0]), "]"],
             only_one_file=True),
    ]
    return {target.name: target for target in targets}


def _mounted() -> set[pathlib.Path]:
    with open("/proc/self/mountinfo") as table:
        return {pathlib.Path(line.split()[4]) for line in table}


def _see_end(path: pathlib.Path, pids: list[int], daemon: subprocess.Popen | None) -> str | None:
    until = time.monotonic() + STOP_LIMIT
    left = pids
    while left and time.monotonic() < until:
        if daemon is not None:
            daemon.poll()  # reaps it
        left = [pid for pid in left if not processes.ended(pid)]
        time.sleep(0.005)
    if not left:
        return None
    complaint = f"its daemon was still there {STOP_LIMIT} s after the unmount"
    if holders := processes.with_mount(path):
        complaint += ", which left the mount in the namespaces of " + ", ".join(holders)
    for pid in left:
        print(processes.report(pid), file=sys.stderr)
        os.kill(pid, signal.SIGKILL)
    return complaint

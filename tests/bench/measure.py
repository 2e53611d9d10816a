# SPDX-License-Identifier: MIT
"""One run of one target: mounted fresh, read, checked, unmounted, and what it took."""

import dataclasses
import mmap
import pathlib
import shutil
import threading

from origin import Origin
from processes import cpu, memory
from targets import Failed, Target
from workloads import Run, Workload

SAMPLE = 0.05  # seconds between two looks at memory and sockets
SPARE = 256 << 20  # bytes that daemon, server and kernel may want beside what is read and copied


@dataclasses.dataclass
class Figures:
    seconds: float
    ready: float         # seconds from the mount command to the mount
    rss_peak: int        # bytes, of all daemons of the target
    cpu: float           # seconds of the daemons during the timed part
    sockets: int         # most at one moment
    connections: int     # used in all
    requests: int
    bytes_sent: int
    facts: dict          # further figures of the workload


class _Sampler(threading.Thread):
    """Sockets and memory now and then: what a peak alone does not show."""

    def __init__(self, pids: list[int], ports: list[int]):
        super().__init__(daemon=True)
        self._pids, self._ports = pids, tuple(f":{port:04X}" for port in ports)
        self._over = threading.Event()
        self.rss: list[int] = []
        self.sockets: list[int] = []

    def run(self):
        while not self._over.wait(SAMPLE):
            self.rss.append(memory(self._pids, "VmRSS"))
            self.sockets.append(self._connected())

    def stop(self):
        self._over.set()
        self.join()

    def _connected(self) -> int:
        with open("/proc/net/tcp") as table:
            rows = [row.split() for row in table]
        established = "01"
        return sum(row[3] == established and row[2].endswith(self._ports) for row in rows)


def once(origin: Origin, workload: Workload, target: Target, reader: pathlib.Path,
         work: pathlib.Path) -> Figures:
    """Cold: a new mount has no pages, no names and no connections.  Raises Failed."""
    origin = origin.at(workload.path)
    at, scratch = work / "mount", work / "scratch"
    for place in (at, scratch):
        place.mkdir()
    try:
        mount = target.mount(origin, workload.tree, at, workload.options)
        try:
            run = Run(origin, mount, target, reader, scratch)
            figures = _read(run, workload)
            asked = None
            if workload.check_reads_mount:
                asked = origin.asked()
                workload.check(run)
        finally:
            complaint = mount.close()
        if complaint:
            raise Failed(complaint)
        if not workload.check_reads_mount:
            asked = origin.asked()  # after the end of the daemon: cut-off answers are logged too
            workload.check(run)
    finally:
        shutil.rmtree(scratch)
        at.rmdir()
    return Figures(ready=mount.ready, **figures, **vars(asked), facts=run.facts)


def _back_memory(size: int) -> None:
    """The host of a virtual machine takes freed memory back (the kernel's free page reporting) and
    gives it again a page fault at a time, which made reads through the page cache up to four times
    slower, or not.  What was touched a moment ago is still there."""
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE):
        pass


def _read(run: Run, workload: Workload) -> dict:
    """The timed part and what it cost here."""
    pids = run.mount.pids
    _back_memory(2 * workload.useful + SPARE)  # first: it may cost pages that prepare() wants kept
    workload.prepare(run)
    run.origin.forget()
    cpu_before = cpu(pids)
    sampler = _Sampler(pids, run.origin.ports)
    sampler.start()
    try:
        seconds = workload.read(run)
    finally:
        sampler.stop()
    if workload.long:
        run.facts["rss_growth"] = _growth(sampler.rss)
    peak = run.facts.pop("rss_peak", None) or memory(pids, "VmHWM")
    return {"seconds": seconds, "rss_peak": peak, "cpu": cpu(pids) - cpu_before,
            "sockets": max([*sampler.sockets, run.mount.sockets_peak()])}


def _growth(samples: list[int]) -> int:
    """Bytes from the middle third of a run to its last: a leak shows here, a cache that is full
    does not."""
    third = len(samples) // 3
    if third == 0:
        return 0
    return (sum(samples[-third:]) - sum(samples[third:2 * third])) // third

# SPDX-License-Identifier: MIT
"""What proc(5) tells of daemons.  What is gone, or may not be looked at, counts as nothing."""

import os
import pathlib

_TICKS = os.sysconf("SC_CLK_TCK")


def memory(pids: list[int], field: str) -> int:
    """Bytes; VmRSS is now, VmHWM the most so far."""
    total = 0
    for pid in pids:
        for line in _lines(pid, "status"):
            if line.startswith(field + ":"):
                total += int(line.split()[1]) << 10
    return total


def cpu(pids: list[int]) -> float:
    """Seconds, of all threads, user and system."""
    total = 0
    for pid in pids:
        for line in _lines(pid, "stat"):
            fields = line.rpartition(")")[2].split()  # the name before it may hold anything
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def ended(pid: int) -> bool:
    """Also when its parent has not noticed yet: an init that is kept from running may need long."""
    return all("zombie" in line for line in _lines(pid, "status") if line.startswith("State:"))


def naming(path: pathlib.Path) -> list[int]:
    """Those that have the path as an argument: the daemons of a mount."""
    return [pid for pid in _all() if str(path) in "".join(_lines(pid, "cmdline")).split("\0")]


def with_mount(path: pathlib.Path) -> list[str]:
    """Who still has something mounted there, one of each mount namespace: a namespace made while
    there was a mount has that mount until it goes itself."""
    found = {}
    for pid in _all():
        if any(line.split()[4] == str(path) for line in _lines(pid, "mountinfo")):
            found.setdefault(_link(f"{pid}/ns/mnt"), f"{pid} ({''.join(_lines(pid, 'comm'))})")
    return list(found.values())


def report(pid: int) -> str:
    """What keeps it, for who must find that out: its threads and where in the kernel they are, its
    descriptors and TCP sockets, these with state and queues as /proc/net/tcp has them."""
    said = [f"process {pid}"]
    for thread in _names(pid, "task"):
        at = f"{pid}/task/{thread}"
        facts = [*_lines(at, "comm"), *_lines(at, "wchan"), *_lines(at, "syscall"),
                 *(line for line in _lines(at, "status") if line.startswith(("State", "Sig")))]
        said += [f" thread {thread}: " + ", ".join(facts),
                 *(f"  {frame}" for frame in _lines(at, "stack"))]
    links = {number: _link(f"{pid}/fd/{number}") for number in _names(pid, "fd")}
    said += [f" descriptor {number}: {link}" for number, link in links.items()]
    said += [f" socket {row}" for row in _lines("net", "tcp")
             if f"socket:[{row.split()[9]}]" in links.values()]
    return "\n".join(said)


def children(pid: int) -> list[int]:
    """Those it started, and those they started.  Threads may end meanwhile."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        for child in map(int, "".join(_lines(pid, f"task/{task}/children")).split()):
            found += [child, *children(child)]
    return found


def _all() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _lines(at: int | str, file: str) -> list[str]:
    try:
        return pathlib.Path(f"/proc/{at}/{file}").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []


def _names(pid: int, directory: str) -> list[str]:
    try:
        return sorted(os.listdir(f"/proc/{pid}/{directory}"), key=int)
    except OSError:
        return []


def _link(at: str) -> str:
    try:
        return os.readlink(f"/proc/{at}")
    except OSError:
        return ""

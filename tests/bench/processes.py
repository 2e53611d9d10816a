# SPDX-License-Identifier: MIT
"""What proc(5) tells of daemons.  A process that is gone counts as nothing."""

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
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if os.fsencode(path) in words:
                found.append(int(entry.name))
    return found


def children(pid: int) -> list[int]:
    """Those it started, and those they started."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *children(child)]
    return found


def _lines(pid: int, file: str) -> list[str]:
    try:
        return pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return []

# SPDX-License-Identifier: MIT
"""From runs to a table, a JSON file and a verdict."""

import statistics

from measure import Figures
from origin import MIB, Path
from workloads import Workload

ALLOWANCE = 24 * MIB   # what skimfs may take beside its memory= budget
SOCKETS, SOCKETS_PER_HOST = 64, 16  # its default caps


class Row:
    """All runs of one target on one workload."""

    def __init__(self, workload: Workload, target: str):
        self.workload, self.target = workload, target
        self.runs: list[Figures] = []
        self.failure: str | None = None

    @property
    def seconds(self) -> float:
        return statistics.median(run.seconds for run in self.runs)

    def median(self, field: str) -> float:
        return statistics.median(getattr(run, field) for run in self.runs)

    def most(self, field: str):
        return max(getattr(run, field) for run in self.runs)

    def fact(self, name: str) -> float | None:
        known = [run.facts[name] for run in self.runs if name in run.facts]
        return statistics.median(known) if known else None

    def broken_promises(self) -> list[str]:
        """What skimfs promises of itself and did not keep."""
        if not self.target.startswith("skimfs") or not self.runs:
            return []
        memory = self.workload.memory + ALLOWANCE
        checks = [
            ("RSS in MiB", self.most("rss_peak") / MIB, memory / MIB),
            ("sockets", self.most("sockets"),
             min(SOCKETS, SOCKETS_PER_HOST * self.workload.path.hosts)),
            ("requests", self.most("requests"), self.workload.most_requests),
        ]
        return [f"{what} {got:.0f}, promised {limit:.0f}" for what, got, limit in checks
                if limit is not None and got > limit]

    def as_json(self, anchor: "Row | None") -> dict:
        out = {"workload": self.workload.name, "target": self.target}
        if self.failure:
            return out | {"failure": self.failure}
        return out | {
            "seconds": self.seconds, "runs": [vars(run) for run in self.runs],
            "ratio": _ratio(self, anchor), "anchor": anchor and anchor.target,
            "rss_peak": self.most("rss_peak"), "sent_per_read": _sent_per_read(self),
            "broken_promises": self.broken_promises(),
        }


def _ratio(row: Row, anchor: Row | None) -> float | None:
    return row.seconds / anchor.seconds if anchor and anchor.runs and row.runs else None


def _sent_per_read(row: Row) -> float | None:
    useful = row.workload.useful
    return row.median("bytes_sent") / useful if useful else None


def table(rows: list[Row]) -> str:
    """The rows of one workload, the anchor first."""
    anchor = rows[0]
    workload = anchor.workload
    distance = "" if workload.path == Path() else f", {workload.path}"
    lines = [f"\n{workload.name}: {workload.about}{distance}",
             f"  {'':17}{'time':>10}{'from … to':>21}{'× ' + anchor.target:>9}{'MiB/s':>8}"
             f"{'RSS MiB':>9}{'CPU s':>7}{'sockets':>9}{'conns':>7}{'requests':>10}"
             f"{'sent/read':>11}"]
    for row in rows:
        if row.failure:
            lines.append(f"  {row.target:17}FAILED: {row.failure}")
            continue
        spread = f"{_time(min(r.seconds for r in row.runs))} … {_time(row.most('seconds'))}"
        lines.append(
            f"  {row.target:17}{_time(row.seconds):>10}{spread:>21}"
            f"{_number(_ratio(row, anchor), 2):>9}{_rate(row):>8}"
            f"{_number(row.most('rss_peak') / MIB or None, 0):>9}"
            f"{_number(row.median('cpu') or None, 2):>7}{row.most('sockets'):>9}"
            f"{row.median('connections'):>7.0f}{row.median('requests'):>10.0f}"
            f"{_number(_sent_per_read(row), 2):>11}")
        if extra := _extra(row):
            lines.append(f"  {'':17}{extra}")
    return "\n".join(lines)


def _extra(row: Row) -> str:
    names = {name for run in row.runs for name in run.facts}
    return ", ".join(f"{name} {_number(row.fact(name), 6)}" for name in sorted(names))


def _time(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 0.1 else f"{seconds * 1000:.2f} ms"


def _rate(row: Row) -> str:
    mib = row.workload.useful / MIB
    return f"{mib / row.seconds:.0f}" if mib > 16 else "–"  # below it time is not throughput


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits > 2 else text

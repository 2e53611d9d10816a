# SPDX-License-Identifier: MIT
"""A picture of one run: each target's time over the anchor's, a bar each, on a logarithmic scale."""

import math
from xml.sax.saxutils import escape

WIDTH, LABELS, ROOM = 720, 190, 90  # pixels: all, of the names on the left, of the figures on the right
BAR, GAP, HEAD = 13, 14, 26         # of one bar, between workloads, above the first
COLOURS = {"skimfs": "#1668b8", "skimfs direct_io": "#6ba5dd", "curl": "#555555",
           "local": "#555555", "rclone": "#c9913b", "nbdkit": "#8a9a5b", "httpdirfs": "#b06060"}
OTHER = "#999999"
MOST = 100.0  # times the anchor; longer bars are cut there and end in an arrow


def plot(results: list[dict], about: str) -> str:
    """SVG 1.1; `results` as in the JSON file."""
    rows = [row for row in results if row.get("ratio") and row["target"] != row["anchor"]]
    least = min([0.1, *(row["ratio"] for row in rows)])
    scale = _Scale(least)
    parts, at, last = [], HEAD, None
    for row in rows:
        if row["workload"] != last:
            at += GAP if last is not None else 0
            parts.append(_text(4, at + BAR - 3, f"{row['workload']} (× {row['anchor']})", bold=True))
            last = row["workload"]
            at += BAR + 2
        parts += _bar(row, at, scale)
        at += BAR + 2
    height = at + GAP
    grid = []
    for ratio in (0.1, 0.3, 1, 3, 10, 30, 100):
        if ratio < least:
            continue
        x = scale.place(ratio)
        grid.append(f'<line x1="{x:.1f}" y1="{HEAD - 6}" x2="{x:.1f}" y2="{height - 8}" '
                    f'stroke="{"#333" if ratio == 1 else "#ccc"}"/>')
        grid.append(_text(x - 8, HEAD - 10, f"{ratio:g}×"))
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
                      f'font-family="sans-serif" font-size="11">',
                      f"<title>{escape(about)}</title>",
                      f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
                      *grid, *parts, "</svg>", ""])


class _Scale:
    def __init__(self, least: float):
        self._least = math.log(least)
        self._per = (WIDTH - LABELS - ROOM) / (math.log(MOST) - self._least)

    def place(self, ratio: float) -> float:
        return LABELS + (math.log(min(ratio, MOST)) - self._least) * self._per


def _bar(row: dict, at: int, scale: _Scale) -> list[str]:
    begin, end = sorted((scale.place(1), scale.place(row["ratio"])))
    colour = COLOURS.get(row["target"], OTHER)
    more = " →" if row["ratio"] > MOST else ""
    return [_text(14, at + BAR - 3, row["target"]),
            f'<rect x="{begin:.1f}" y="{at}" width="{max(end - begin, 1):.1f}" height="{BAR}" '
            f'fill="{colour}"/>',
            _text(end + 4, at + BAR - 3, f"{row['ratio']:.2f}{more}")]


def _text(x: float, y: float, text: str, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y}"{weight}>{escape(text)}</text>'

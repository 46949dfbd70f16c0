"""The ratios as a picture for a page in light and in dark: a bar a server, the first server's length being 1."""

import statistics
from html import escape
from pathlib import Path

WIDTH, LABEL, BAR, GAP, HEAD = 760, 210, 14, 6, 26
SCALE = 280  # pixels of the ratio 1

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .note { fill: #59636e }
.other { fill: #8c959f } .drover { fill: #0969da } line { stroke: #59636e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .note { fill: #9198a1 } .other { fill: #656c76 } .drover { fill: #4493f8 } line { stroke: #9198a1 } }
"""


def write(path, results):
    y, parts = HEAD, []
    for scenario in results.rounds:
        ratios = {name: statistics.median(of) for name, of in results.ratios(scenario, results.first).items()}
        parts.append(f'<text class="title" x="8" y="{y}">{escape(scenario)}</text>')
        y += 8
        for name, ratio in ratios.items():
            parts.append(bar(y, name, ratio))
            y += BAR + GAP
        y += HEAD
    note = f"CPU time a request, {results.first} = 1 · {results.environment['date']} · {results.environment['cpu']}"
    parts.append(f'<text class="note" x="8" y="{y}">{escape(note)}</text>')
    parts.append(f'<line x1="{LABEL + SCALE}" x2="{LABEL + SCALE}" y1="{HEAD}" y2="{y - HEAD}"/>')
    Path(path).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 12}" role="img" '
        f'aria-label="{escape(note)}">\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n")


def bar(y, name, ratio):
    length = min(ratio * SCALE, WIDTH - LABEL - 60)
    kind = "drover" if name == "drover" else "other"
    middle = y + BAR - 3
    return (
        f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.0f}" height="{BAR}" rx="2"/>'
        f'<text x="{LABEL + length + 6:.0f}" y="{middle}">{ratio:.2f}</text>')

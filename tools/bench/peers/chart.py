"""The ratios as two pictures, for pages in light and in dark: a panel for each load, a bar for each server."""

from html import escape

COLUMNS, PANEL, LABEL, BAR, GAP, HEAD, PAD = 3, 290, 104, 12, 5, 20, 14

LIGHT = {"text": "#1f2328", "note": "#59636e", "other": "#afb8c1", "drover": "#0969da", "floor": "#d1d9e0"}
DARK = {"text": "#f0f6fc", "note": "#9198a1", "other": "#656c76", "drover": "#4493f8", "floor": "#3d444d"}


def picture(panels, note, colours):
    """`panels`: pairs of a title and a list of (server, kind, ratio); the longest bar fills its panel."""
    parts, y = [], PAD
    for first in range(0, len(panels), COLUMNS):
        row = panels[first:first + COLUMNS]
        for place, (title, bars) in enumerate(row):
            parts += panel(place * PANEL + PAD, y, title, bars)
        y += HEAD + max(len(bars) for _, bars in row) * (BAR + GAP) + PAD
    style = "".join(f".{name} {{ fill: {colour} }} " for name, colour in colours.items())
    width = COLUMNS * PANEL + PAD
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 20}" role="img" '
        f'aria-label="{escape(note)}">\n'
        f'<style>text {{ font: 11px system-ui, sans-serif }} .title {{ font-weight: 600 }} {style}</style>\n'
        + "\n".join(parts) + f'\n<text class="note" x="{PAD}" y="{y + 8}">{escape(note)}</text>\n</svg>\n')


def panel(x, y, title, bars):
    room = PANEL - LABEL - 2 * PAD - 34
    longest = max(ratio for _, _, ratio in bars)
    yield f'<text class="text title" x="{x}" y="{y + 10}">{escape(title)}</text>'
    y += HEAD
    for name, kind, ratio in bars:
        length = max(ratio / longest * room, 1)
        middle = y + BAR - 2
        yield (
            f'<text class="note" x="{x + LABEL - 6}" y="{middle}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="{kind}" x="{x + LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
            f'<text class="note" x="{x + LABEL + length + 5:.1f}" y="{middle}">{ratio:.2f}</text>')
        y += BAR + GAP

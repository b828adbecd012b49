"""Block diagram of a circuit as SVG, drawn from its netlist."""

from collections import defaultdict
from html import escape

from hwgen.config import HardwareConfig
from hwgen.netlist import Netlist, netlist

WIDTH, HEIGHT, GAP, COLUMN = 170, 52, 26, 300
"""Of a box, between boxes, and from one column to the next, in pixels."""

HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}"
 font-family="sans-serif" font-size="13">
<rect width="100%" height="100%" fill="white"/>
<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>
<text x="20" y="26" font-size="16">{2}</text>
"""


def diagram(modules: dict[str, str], config: HardwareConfig) -> str:
    """Return SVG: the instances of the outermost module and what they contain, and their nets.

    Lines are as wide as the logarithm of their bits; dashed ones lead back.
    """
    found = netlist(modules, config.top)
    places = _places(found)
    wide = 40 + COLUMN * max(x for x, _ in places.values()) + WIDTH
    high = 90 + (HEIGHT + GAP) * (1 + max(y for _, y in places.values()))
    title = f"{config.top}: {config.kind}, {config.pe} PEs of {config.lanes} lanes"
    lines = [HEAD.format(wide, high, escape(title))]
    lines += [_edge(places[a], places[b], bits) for (a, b), bits in sorted(found.bits.items())]
    lines += [_box(found, name, place) for name, place in places.items()]
    return "".join(lines) + "</svg>\n"


def _places(found: Netlist) -> dict[str, tuple[int, int]]:
    """Return the column and the row of each node: right of where its widest input comes from."""
    sources: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for (source, sink), bits in found.bits.items():
        sources[sink].append((bits, source))
    columns: dict[str, int] = {}

    def column(name: str, above: frozenset[str]) -> int:
        if name not in columns:
            known = [(bits, source) for bits, source in sources[name] if source not in above]
            here = 1 + column(max(known)[1], above | {name}) if known else 0
            if above & {source for _, source in sources[name]}:
                return here  # part of a loop that was entered elsewhere
            columns[name] = here
        return columns[name]

    rows: dict[int, int] = defaultdict(int)
    places = {}
    for name in found.nodes:
        x = column(name, frozenset({name}))
        columns.setdefault(name, x)
        places[name] = (x, rows[x])
        rows[x] += 1
    return places


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return 20 + COLUMN * place[0], 50 + (HEIGHT + GAP) * place[1]


def _box(found: Netlist, name: str, place: tuple[int, int]) -> str:
    (x, y), node = _corner(place), found.nodes[name]
    inside = ", ".join(f"{n} x {part}" if n > 1 else part for part, n in node.parts.items())
    fill, rounded = ("#e8f0fa", 4) if node.module else ("#f4f4f4", HEIGHT // 2)
    text = f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="{rounded}" '
    text += f'fill="{fill}" stroke="#333"/>\n'
    middle = y + HEIGHT // 2 + (-3 if inside or node.module not in ("", name) else 5)
    text += f'<text x="{x + WIDTH // 2}" y="{middle}" text-anchor="middle">{escape(name)}</text>\n'
    below = inside or (node.module if node.module != name else "")
    if below:
        text += f'<text x="{x + WIDTH // 2}" y="{y + HEIGHT - 10}" text-anchor="middle" '
        text += f'font-size="10" fill="#555">{escape(below)}</text>\n'
    return text


def _edge(a: tuple[int, int], b: tuple[int, int], bits: int) -> str:
    (x0, y0), (x1, y1) = _corner(a), _corner(b)
    back = x1 <= x0
    x0, y0, y1 = x0 + WIDTH, y0 + HEIGHT // 2, y1 + HEIGHT // 2
    if back:
        y0, y1 = y0 + 14, y1 + 14
    bend = 60
    stroke = 0.6 + 0.3 * bits.bit_length()
    style = ' stroke-dasharray="4 3"' if back else ""
    path = f"M{x0} {y0}C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}"
    text = f'<path d="{path}" fill="none" stroke="#555" stroke-opacity="0.6" '
    text += f'stroke-width="{stroke:.1f}" marker-end="url(#end)"{style}/>\n'
    if bits < 8 or back:
        return text
    place = f'x="{(x0 + x1) // 2}" y="{(y0 + y1) // 2 - 4}"'
    return text + f'<text {place} text-anchor="middle" font-size="10">{bits}</text>\n'

"""A terminal's output as an animated picture: an SVG in which each piece appears when it came."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from models.files import whole_file

COLUMNS = 92
CHARACTER, LINE, MARGIN, SIZE = 8.4, 19, 14, 14
"""Pixels of a character and a line, around the text, and of the font."""

Piece = tuple[float, str]
"""Seconds from the beginning, and text."""


def record(pieces: Sequence[Piece], path: Path) -> None:
    """Write pieces that came one after the other; without animation, all of them are seen.

    Lines end at line feeds, and after 92 characters.
    """
    placed = list(_placed(pieces))
    lines = 1 + max((row for _, row, _, _ in placed), default=0)
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, lines * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}">',
        '<rect width="100%" height="100%" rx="6" fill="#1e1e2e"/>',
        f'<g font-family="monospace" font-size="{SIZE}" fill="#cdd6f4" xml:space="preserve">',
    ]
    for seconds, row, column, text in placed:
        x, y = MARGIN + column * CHARACTER, MARGIN + (row + 0.75) * LINE
        hidden = f'<set attributeName="opacity" to="0" begin="0s" end="{seconds:.2f}s"/>'
        span = f'textLength="{len(text) * CHARACTER:.1f}"'
        body = escape(text) + (hidden if seconds > 0 else "")
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}" {span}>{body}</text>')
    with whole_file(path) as part:
        part.write_text("\n".join([*parts, "</g>", "</svg>"]) + "\n", "utf-8")


def _placed(pieces: Sequence[Piece]) -> Iterator[tuple[float, int, int, str]]:
    """Give the parts of pieces that lie in one line: seconds, line, column, text."""
    row = column = 0
    for seconds, text in pieces:
        for number, line in enumerate(text.split("\n")):
            if number:
                row, column = row + 1, 0
            while line:
                if column == COLUMNS:
                    row, column = row + 1, 0
                part, line = line[: COLUMNS - column], line[COLUMNS - column :]
                if part.strip():
                    yield seconds, row, column, part
                column += len(part)

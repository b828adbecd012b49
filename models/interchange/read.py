"""Import the linear layers of a checkpoint: GGUF, BitNet or GPTQ."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tqdm import tqdm

from models.bitplane import BitplaneLayer
from models.cli import nearest
from models.codes import Activation
from models.fetch import smollm2
from models.interchange.gguf_source import open_gguf
from models.interchange.grid import lower
from models.interchange.packed import open_packed
from models.interchange.source import Source
from models.pretrained import from_hub
from models.store import save


@dataclass
class Summary:
    """What an import did.

    Attributes
    ----------
    groups, exact : int
        Groups of all layers, and those that have the very weights of the source.
    rounding : float
        The largest of the layers': see :class:`models.interchange.grid.Lowered`.
    left_out : dict of str
        Layers that stay what they are, each with what it is.
    """

    groups: int = 0
    exact: int = 0
    rounding: float = 0.0
    left_out: dict[str, str] = field(default_factory=dict)

    def report(self) -> str:
        """Return a line on rounding, and one for each kind of layer left out."""
        lines = [f"{self.exact} of {self.groups} groups are exact"]
        if self.rounding:
            lines[0] += (
                f"; of the others, no weight changes by more than {self.rounding:.2g} of the "
                "largest that its row can hold"
            )
        for kind in sorted(set(self.left_out.values())):
            names = [name for name, have in self.left_out.items() if have == kind]
            lines.append(f"left out: {len(names)} {kind}, such as {names[0]}")
        return "\n".join(lines)


def import_layers(
    source: str, activation: Activation, file: Path, pattern: str = "*", wide: bool = False
) -> Summary:
    """Import the layers of a checkpoint into a file, one by one.

    Parameters
    ----------
    source : str
        A GGUF file, a folder in Transformers format or a Hub name, or ``smollm2``.
    pattern : str
        Shell pattern of the layers' names.
    wide : bool
        Whether coefficients may exceed the 16 bits of circuits: see
        :func:`models.interchange.grid.lower`.

    Raises
    ------
    ValueError
        The source is damaged or of another kind, no layer fits the pattern, or a layer has numbers
        that are not finite; the text names it.
    OSError
        There is no such source, or the file cannot be written.
    """
    with open_source(source) as opened:
        chosen = {name: read for name, read in opened.grids.items() if fnmatch(name, pattern)}
        if not chosen:
            raise ValueError(
                f"layers must be some of the {len(opened.grids)} of {source} in a known format, "
                f"got '{pattern}'; {nearest(pattern, opened.grids)}"
            )
        left_out = {name: kind for name, kind in opened.left_out.items() if fnmatch(name, pattern)}
        summary = Summary(left_out=left_out)

        def layers() -> Iterator[BitplaneLayer]:
            for name, read in tqdm(chosen.items(), desc="importing", unit="layer", leave=False):
                try:
                    done = lower(name, read(), activation, wide)
                except ValueError as error:
                    raise ValueError(f"layer {name}: {error}") from error
                summary.groups += done.groups
                summary.exact += done.exact
                summary.rounding = max(summary.rounding, done.rounding)
                yield done.layer

        info = {"model": source, "format": f"import of {opened.kind}", "layers": pattern}
        info |= activation.info
        save(file, layers(), info)
    return summary


@contextmanager
def open_source(source: str) -> Iterator[Source]:
    """Open a checkpoint of any kind."""
    path = smollm2() if source == "smollm2" else Path(source)
    if path.is_file():
        yield open_gguf(path)
        return
    with open_packed(path if path.is_dir() else from_hub(source)) as (_, packed):
        yield packed

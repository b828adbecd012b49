"""Description of a built board: what a host must know to talk to it; ``board.json``."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fpga.gateware.parameters import BoardConfig
from hwgen.config import HardwareConfig

FILE = "board.json"


@dataclass(frozen=True)
class Description:
    """A circuit on a board.

    Attributes
    ----------
    board : str
        Name of the board.
    config : HardwareConfig
    system : BoardConfig
    design : int
        64 bits that the board says too.
    clock : float
        MHz.
    """

    board: str
    config: HardwareConfig
    system: BoardConfig
    design: int
    clock: float

    @property
    def baud(self) -> int:
        """Bits a second on the serial line."""
        return round(self.clock * 1e6 / self.system.divisor)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        values = asdict(self) | {"design": f"{self.design:016x}"}
        path.write_text(json.dumps(values, indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Description":
        """Return the description in the folder of a build.

        Raises
        ------
        FileNotFoundError
            There is none.
        ValueError
            It is not one of ours.
        """
        path = folder / FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"folder of a build must have a {FILE}, got {folder}; "
                "make one with: python -m fpga build"
            )
        try:
            values: dict[str, Any] = json.loads(path.read_text())
            return cls(
                board=values["board"],
                config=HardwareConfig(**values["config"]),
                system=BoardConfig(**values["system"]),
                design=int(values["design"], 16),
                clock=values["clock"],
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} must describe a build, got {error!r}") from error

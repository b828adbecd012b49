"""All that a pass of a whole model takes: layers on the circuit, the rest on the host."""

from collections.abc import Iterable

from hwgen.config import HardwareConfig
from models.bitplane import BitplaneLayer
from models.llm import LLM, linear_layers
from sim.host import Host, Shape
from sim.memory import Memory
from sim.system import Duty, layer_duties


def pass_duties(
    shape: Shape,
    layers: Iterable[BitplaneLayer],
    config: HardwareConfig,
    memory: Memory,
    host: Host,
    tokens: int = 1,
    context: int = 0,
) -> list[Duty]:
    """Predict a pass, in the order in which the model runs.

    Parameters
    ----------
    layers : layers
        Those on the circuit; the model's other linear layers are the host's.
    tokens : int
        Read at once. The head reads the last one only.
    context : int
        Tokens before them, whose keys and values are in the cache.
    """
    on_circuit = {layer.name: layer for layer in layers}
    duties = []
    for name, block in shape.order():
        if block is not None:
            duties.append(shape.attention(host, memory, tokens, context))
        read = 1 if name == shape.head else tokens
        out, columns = shape.layers[name]
        operations = read * (columns * host.input_operations + out * host.output_operations)
        if name in on_circuit:
            codes = read * columns * -(-config.act_bits // 8)
            results = 2 * read * out * -(-config.acc_bits // 8)  # written, then read
            duties.append(host.duty(name, operations, codes + results, memory))
            duties += layer_duties(on_circuit[name], config, memory, read)
        else:
            weights = out * columns * host.weight_bits // 8
            operations += 2 * read * out * columns
            duties.append(host.duty(name, operations, weights, memory))
    return duties


def shape_of(llm: LLM) -> Shape:
    """Return the sizes of a model whose linear layers are still its own."""
    config = llm.model.config.get_text_config()
    layers = linear_layers(llm, head=True)
    head = llm.model.get_output_embeddings()
    heads = getattr(config, "num_attention_heads", None) or 0
    size = config.hidden_size // heads if heads else 0
    return Shape(
        layers={name: (layer.out_features, layer.in_features) for name, layer in layers.items()},
        head=next((name for name, layer in layers.items() if layer is head), ""),
        heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_size=getattr(config, "head_dim", None) or size,
    )

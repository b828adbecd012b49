"""The linear layers that a model would have, without its weights."""

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PretrainedConfig


def linear_names(config: PretrainedConfig) -> list[str]:
    """Return the names of a causal model's linear layers, in its order, without its head."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    head = model.get_output_embeddings()
    modules = model.named_modules()
    return [name for name, part in modules if isinstance(part, nn.Linear) and part is not head]

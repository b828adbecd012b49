"""The module that replaces linear layers, and its operator, opaque to PyTorch's compiler."""

from collections.abc import Sequence
from functools import cache, cached_property
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.gpu.build import ARCHITECTURES, gpu_library
from models.gpu.kernels import Kernels
from models.gpu.layer import LayerOnKernels, MixedExecution, uncovered
from models.gpu.plain import REALS
from models.notes import say_once
from models.reference import Reference
from models.stand_in import StandIn


@cache
def gpu_kernels(index: int) -> Kernels:
    """Return the kernels for a GPU, compiled on first use.

    Raises
    ------
    ValueError
        The GPU is too old, or there is no compiler.
    """
    major, minor = torch.cuda.get_device_capability(index)
    if 10 * major + minor < ARCHITECTURES[0]:
        name = torch.cuda.get_device_name(index)
        raise ValueError(
            f"GPU must have compute capability {ARCHITECTURES[0] / 10} or later, "
            f"got {name} with {major}.{minor}"
        )
    return Kernels(gpu_library())


class _Ready:
    """A layer and whatever runs it; pickled as the layer."""

    def __init__(self, layer: BitplaneLayer) -> None:
        self.on_kernels = LayerOnKernels(layer)
        self.names = tuple(self.on_kernels.tensors)
        self.missing = uncovered(layer)
        self._mixed: dict[torch.device, MixedExecution] = {}

    def __deepcopy__(self, memo: dict) -> "_Ready":
        return self  # nothing in it changes, and the operator finds it by its key

    def __reduce__(self) -> tuple[type["_Ready"], tuple[BitplaneLayer]]:
        return _Ready, (self.on_kernels.layer,)

    @cached_property
    def reference(self) -> Reference:
        return Reference(self.on_kernels.layer)

    def mixed(self, x: Tensor, kernels: Kernels) -> Tensor:
        layer, device = self.on_kernels.layer, x.device
        say_once(f"{self.missing}: codes are made on the CPU, only integers run on the GPU")
        if device not in self._mixed:
            self._mixed[device] = MixedExecution(layer, kernels, device)
        return self._mixed[device](x.cpu().float()).to(x)


_READY: WeakValueDictionary[int, _Ready] = WeakValueDictionary()
_KEYS = count()


@torch.library.custom_op("planesmith::bitplane_linear", mutates_args=(), device_types="cpu")
def bitplane_linear(x: Tensor, packed: Sequence[Tensor], key: int) -> Tensor:
    """Run a layer by the reference: what the kernels must equal, and where there is no GPU.

    Parameters
    ----------
    x : float32, float16 or bfloat16, (tokens, inputs)
    packed : the layer's tensors, which the kernels read
    key : int
        Of the layer among those ready in this process.

    Returns
    -------
    (tokens, out), of the type of ``x``
    """
    say_once("no GPU: bitplane layers run by the reference on the CPU")
    return _READY[key].reference(x.float()).to(x.dtype)


@bitplane_linear.register_kernel("cuda")
def _on_gpu(x: Tensor, packed: Sequence[Tensor], key: int) -> Tensor:
    ready, index = _READY[key], x.device.index or 0
    name = f"layer {ready.on_kernels.layer.name}"
    for part in packed:
        require(part.device == x.device, name, f"be where its inputs are, {x.device}", part.device)
    if len(x) == 0:
        return x.new_empty(0, ready.on_kernels.layer.out)
    try:
        kernels = gpu_kernels(index)
    except (ValueError, OSError) as error:
        say_once(f"{error}; bitplane layers run by the reference on the CPU")
        return ready.reference(x.cpu().float()).to(x)
    with torch.cuda.device(index):
        if ready.missing:
            return ready.mixed(x, kernels)
        tensors = dict(zip(ready.names, packed, strict=True))
        stream = torch.cuda.current_stream(index).cuda_stream
        return ready.on_kernels.run(kernels, tensors, x, stream)


@bitplane_linear.register_fake
def _(x: Tensor, packed: Sequence[Tensor], key: int) -> Tensor:
    return x.new_empty(x.shape[0], _READY[key].on_kernels.layer.out)


class GpuLinear(StandIn):
    """A bitplane layer, on the kernels where its buffers are on a GPU.

    Codes, accumulators and outputs equal the reference's. Works under ``torch.compile`` and in
    CUDA graphs; a layer that the kernels do not cover (:func:`models.gpu.layer.uncovered`) does
    not run in a graph. Inputs that are not finite give NaNs on a GPU, an error on the CPU.
    """

    def __init__(self, layer: BitplaneLayer) -> None:
        super().__init__(layer.name)
        self.in_features, self.out_features = layer.inputs, layer.out
        self._ready = _Ready(layer)
        self._register()
        for name, value in self._ready.on_kernels.tensors.items():
            real = value.is_floating_point()
            bits = value.view(torch.int32).clone() if real else value  # `.half()` must leave them
            self.register_buffer(name.replace(".", "_"), bits, persistent=False)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._register()

    def _register(self) -> None:
        """Take a key of this process."""
        self._key = next(_KEYS)
        _READY[self._key] = self._ready

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; (..., inputs) to (..., out), of the type of the inputs."""
        rule = f"have {self.in_features} inputs"
        require(x.shape[-1] == self.in_features, f"layer {self.name}", rule, x.shape[-1])
        flat = x.reshape(-1, self.in_features).contiguous()
        if flat.dtype not in REALS:
            flat = flat.float()
        y = torch.ops.planesmith.bitplane_linear(flat, list(self.buffers()), self._key)
        return y.to(x.dtype).reshape(*x.shape[:-1], self.out_features)

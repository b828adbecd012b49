"""A module placed by reference: emitted once, on its own, and instantiated where it is needed."""

from typing import Any

from amaranth import ClockSignal, Elaboratable, Instance, ResetSignal, Signal
from amaranth.lib.wiring import In, Out, Signature


class Placed(Elaboratable):
    """Stand for an instance of a component that is emitted as a module of its own.

    Has the component's ports as attributes. Nested directly, Amaranth would write a module for
    each instance and rename its ports: long Verilog that is slow to generate and hard to read.

    Parameters
    ----------
    ports : Signature
        The component's ports.
    module : str
        Name of its Verilog module.
    name : str
        Name of the instance; the nets of its outputs and streams begin with it. Other inputs need
        no net of their own.
    reset : Signal or None
        Resets the instance, as the reset of its clock domain does.
    """

    def __init__(
        self, ports: Signature, module: str, name: str, reset: Signal | None = None
    ) -> None:
        self.module = module
        self.reset = reset
        self.signature = ports
        self.__dict__.update(ports.members.create(path=(name,)))
        for port, member in ports.members.items():
            if member.is_port and member.flow == In:
                setattr(self, port, Signal(member.shape, name=""))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self.module} has no port {name}")

    def elaborate(self, platform: object) -> Instance:
        reset = ResetSignal() if self.reset is None else ResetSignal() | self.reset
        ports: dict[str, Any] = {"i_clk": ClockSignal(), "i_rst": reset}
        for path, member, value in self.signature.flatten(self):
            way = "o" if member.flow == Out else "i"
            ports[f"{way}_{'__'.join(map(str, path))}"] = value
        return Instance(self.module, **ports)

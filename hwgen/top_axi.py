"""The accelerator on AXI: data on AXI4-Stream, control on AXI4-Lite, an interrupt."""

from typing import Any

from amaranth import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature, connect

from hwgen.activation_frames import ActivationFrames
from hwgen.axi_lite import CHANNELS, AxiLite
from hwgen.axi_stream import INPUTS, BeatsFromWords, WordsFromBeats, port_bits, word_bits
from hwgen.config import HardwareConfig
from hwgen.layer_queue import LayerQueue
from hwgen.placed import Placed
from hwgen.register_block import RegisterBlock
from hwgen.run_control import RunControl
from hwgen.top import Top

IN_MODULES = {
    "weights": "weights_in",
    "activations": "activations_in",
    "coefficients": "parameters_in",
    "offsets": "parameters_in",
    "scales": "parameters_in",
}
"""Module of each input stream's port."""


class TopAxi(wiring.Component):
    """Run layers that a host describes in registers, on words that come over streams.

    The engine inside is :class:`hwgen.top.Top`, untouched: no stage is added to what it takes and
    gives but the register of the result port. ``docs/bus.md`` says how a host uses it.

    Members
    -------
    aclk : In(1), aresetn : In(1)
        Clock, and its synchronous reset, active low.
    s_axil_* : AXI4-Lite slave, 32 bits
    s_axis_* : AXI4-Stream slaves
        ``weights``, ``activations``, ``coefficients``, ``offsets`` and ``scales``; only
        activations have TLAST.
    m_axis_results_* : AXI4-Stream master
        TLAST with the last result of each input vector.
    irq : Out(1)
    """

    aclk: Signal
    aresetn: Signal
    irq: Signal
    s_axis_activations_tlast: Signal
    m_axis_results_tdata: Signal
    m_axis_results_tvalid: Signal
    m_axis_results_tready: Signal
    m_axis_results_tlast: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        members: dict[str, Any] = {"aclk": In(1), "aresetn": In(1), "irq": Out(1)}
        members |= {f"s_axil_{name}": member for name, member in CHANNELS.items()}
        bits = word_bits(config)
        for name in INPUTS:
            members[f"s_axis_{name}_tdata"] = In(port_bits(bits[name], config))
            members[f"s_axis_{name}_tvalid"] = In(1)
            members[f"s_axis_{name}_tready"] = Out(1)
        members["s_axis_activations_tlast"] = In(1)
        members["m_axis_results_tdata"] = Out(port_bits(bits["results"], config))
        members["m_axis_results_tvalid"] = Out(1)
        members["m_axis_results_tready"] = In(1)
        members["m_axis_results_tlast"] = Out(1)
        return Signature(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, bits = self.config, word_bits(self.config)
        m.domains.sync = sync = ClockDomain(local=True)
        forget = Signal()

        control = Placed(AxiLite.ports(), "axi_lite", "control")
        registers = Placed(RegisterBlock.ports(config), "register_block", "registers")
        run = Placed(RunControl.ports(), "run_control", "run", forget)
        queue = Placed(LayerQueue.ports(config), "layer_queue", "queue", forget)
        frames = Placed(ActivationFrames.ports(config), "activation_frames", "frames", forget)
        engine = Placed(Top.ports(config), "top", "engine", forget)
        words = {
            name: Placed(WordsFromBeats.ports(bits[name], config), IN_MODULES[name], name, forget)
            for name in INPUTS
        }
        results = Placed(BeatsFromWords.ports(bits["results"], config), "results_out", "results")
        m.submodules.control = control
        m.submodules.registers = registers
        m.submodules.run = run
        m.submodules.queue = queue
        m.submodules.frames = frames
        m.submodules.engine = engine
        m.submodules.results = results

        connect(m, queue.o, engine.i_layers)
        connect(m, queue.shapes, frames.shapes)
        connect(m, words["activations"].o, frames.i)
        connect(m, frames.o, engine.i_activations)
        m.d.comb += [sync.clk.eq(self.aclk), sync.rst.eq(~self.aresetn)]
        for name, member in CHANNELS.items():
            inner, outer = getattr(control, name), getattr(self, f"s_axil_{name}")
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        m.d.comb += [
            registers.write.eq(control.write),
            registers.write_address.eq(control.write_address),
            registers.write_data.eq(control.write_data),
            registers.write_strobe.eq(control.write_strobe),
            control.write_refused.eq(registers.write_refused),
            registers.read.eq(control.read),
            registers.read_address.eq(control.read_address),
            control.read_data.eq(registers.read_data),
            control.read_refused.eq(registers.read_refused),
            self.irq.eq(registers.irq),
        ]
        m.d.comb += [
            forget.eq(registers.commands.reset),
            queue.descriptor.eq(registers.descriptor),
            queue.push.eq(registers.commands.push),
            queue.run.eq(run.running),
            registers.fits.eq(queue.fits),
            registers.full.eq(queue.full),
            registers.level.eq(queue.level),
            run.start.eq(registers.commands.start),
            run.queued.eq(queue.level != 0),
            run.limit.eq(registers.limit),
            registers.running.eq(run.running),
            registers.done.eq(run.done),
            registers.stuck.eq(run.stuck),
            registers.counters.eq(run.counters),
        ]

        moves, early = [], words["activations"].early
        for name, port in words.items():
            m.submodules[name] = port
            ready = getattr(self, f"s_axis_{name}_tready")
            m.d.comb += [
                port.tdata.eq(getattr(self, f"s_axis_{name}_tdata")),
                port.tvalid.eq(getattr(self, f"s_axis_{name}_tvalid")),
                ready.eq(port.tready),
                run.words[name].eq(port.o.valid & port.o.ready),
            ]
            moves.append(port.tvalid & port.tready)
            if name != "activations":
                into = getattr(engine, f"i_{name}")
                m.d.comb += [
                    into.payload.eq(port.o.p.bits),
                    into.valid.eq(port.o.valid),
                    port.o.ready.eq(into.ready),
                ]
        m.d.comb += [
            words["activations"].tlast.eq(self.s_axis_activations_tlast),
            registers.misplaced.eq(frames.misplaced | early),
            results.i.p["bits"].eq(engine.o.p["values"]),
            results.i.p["last"].eq(engine.o.p["last"]),
            results.i.valid.eq(engine.o.valid),
            engine.o.ready.eq(results.i.ready),
            self.m_axis_results_tdata.eq(results.tdata),
            self.m_axis_results_tvalid.eq(results.tvalid),
            self.m_axis_results_tlast.eq(results.tlast),
            results.tready.eq(self.m_axis_results_tready),
            run.words["results"].eq(results.i.valid & results.i.ready),
            run.begins.eq(queue.o.valid & queue.o.ready),
            run.ends.eq(run.words["results"] & results.i.p["last"]),
            run.offered.eq(results.tvalid),
            run.works.eq(engine.works),
            run.waits.eq(engine.waits),
            run.moves.eq(Cat(moves).any() | (results.tvalid & results.tready)),
            registers.vector.eq(run.ends),
        ]
        return m

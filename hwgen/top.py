"""The accelerator: layers, weights and activations in; accumulators or requantized integers out."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature, connect, flipped

from hwgen.activations import ActivationBuffer
from hwgen.array import PEArray
from hwgen.buffer import ParameterBuffer
from hwgen.config import HardwareConfig
from hwgen.layouts import (
    activation_layout,
    layer_layout,
    output_layout,
    parameter_layout,
    weight_layout,
    width_of,
)
from hwgen.link import Link
from hwgen.output import OutputBuffer
from hwgen.placed import Placed
from hwgen.scaling import Scaling
from hwgen.sequencer import WAITS, Sequencer


class Top(wiring.Component):
    """Multiply bitplane layers by activation vectors.

    Each stream has its own pace; :mod:`hwgen.image` gives the words of each in order. With all
    inputs valid and the output ready, a layer takes ``Tiling.steps`` cycles, and layers follow
    each other without a gap; ``config.latency`` more pass before the last output of the last one.

    Members
    -------
    i_layers : In(stream of ``layer_layout(config)``)
    i_weights : In(stream of ``weight_layout(config)``)
    i_activations : In(stream of ``activation_layout(config)``)
    i_coefficients, i_offsets, i_scales : In(stream of ``parameter_layout(config)``)
        Offsets and row scales only of layers that have them; scales for each view of the results.
    o : Out(stream of ``output_layout(config)``)
    works : Out(1)
        The array works in this cycle.
    waits : Out(``WAITS``)
        A layer runs, and its next step needs these.
    """

    i_layers: stream.Interface
    i_weights: stream.Interface
    i_activations: stream.Interface
    i_coefficients: stream.Interface
    i_offsets: stream.Interface
    i_scales: stream.Interface
    o: stream.Interface
    works: Signal
    waits: data.View

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        parameters = stream.Signature(parameter_layout(config))
        return Signature({
            "i_layers": In(stream.Signature(layer_layout(config))),
            "i_weights": In(stream.Signature(weight_layout(config))),
            "i_activations": In(stream.Signature(activation_layout(config))),
            "i_coefficients": In(parameters),
            "i_offsets": In(parameters),
            "i_scales": In(parameters),
            "o": Out(stream.Signature(output_layout(config))),
            "works": Out(1),
            "waits": Out(WAITS),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        parameter_ports = ParameterBuffer.ports(parameter_layout(config))
        weight_ports = ParameterBuffer.ports(weight_layout(config))
        sequencer = Placed(Sequencer.ports(config), "sequencer", "sequencer")
        weights = Placed(weight_ports, "weight_buffer", "weights")
        activations = Placed(ActivationBuffer.ports(config), "activation_buffer", "activations")
        coefficients = Placed(parameter_ports, "parameter_buffer", "coefficients")
        offsets = Placed(parameter_ports, "parameter_buffer", "offsets")
        scales = Placed(parameter_ports, "parameter_buffer", "scales")
        array = Placed(PEArray.ports(config), "pe_array", "array")
        scaling = Placed(Scaling.ports(config), "scaling", "scaling")
        outputs = Placed(OutputBuffer.ports(config), "output_buffer", "outputs")
        m.submodules.sequencer = sequencer
        m.submodules.weights = weights
        m.submodules.activations = activations
        m.submodules.coefficients = coefficients
        m.submodules.offsets = offsets
        m.submodules.scales = scales
        m.submodules.array = array
        m.submodules.scaling = scaling
        m.submodules.outputs = outputs

        connect(m, flipped(self.i_layers), sequencer.i)
        connect(m, flipped(self.i_weights), weights.i)
        connect(m, flipped(self.i_coefficients), coefficients.i)
        connect(m, flipped(self.i_offsets), offsets.i)
        connect(m, flipped(self.i_scales), scales.i)
        if config.link:
            self._link(m, sequencer, activations, outputs)
        else:
            connect(m, flipped(self.i_activations), activations.i)
            connect(m, outputs.o, flipped(self.o))

        m.d.comb += [
            sequencer.word_available.eq(weights.available),
            weights.claim.eq(sequencer.word_claim),
            activations.address.eq(sequencer.address),
            sequencer.x_available.eq(activations.available),
            activations.claim.eq(sequencer.x_claim),
            activations.read.eq(sequencer.x_read),
            activations.done.eq(sequencer.x_done),
            sequencer.coefficients_available.eq(coefficients.available),
            coefficients.claim.eq(sequencer.coefficients_claim),
            sequencer.offsets_available.eq(offsets.available),
            offsets.claim.eq(sequencer.offsets_claim),
            sequencer.scales_available.eq(scales.available),
            scales.claim.eq(sequencer.scales_claim),
            sequencer.room_available.eq(outputs.available),
            outputs.claim.eq(sequencer.room_claim),
        ]
        m.d.sync += [
            weights.read.eq(sequencer.word_claim),
            self.works.eq(sequencer.valid),
            self.waits.eq(sequencer.waits),
        ]
        m.d.comb += [
            array.valid.eq(sequencer.valid),
            array.step.eq(sequencer.step),
            array.weights.eq(weights.word),
            array.digits.eq(activations.digits),
            scaling.ends.eq(array.ends),
            scaling.ended.eq(array.ended),
            scaling.sums.eq(array.sums),
            scaling.x_sum.eq(array.x_sum),
            scaling.coefficients.eq(coefficients.word),
            scaling.offsets.eq(offsets.word),
            scaling.scales.eq(scales.word),
            coefficients.read.eq(scaling.coefficients_read),
            offsets.read.eq(scaling.offsets_read),
            scales.read.eq(scaling.scales_read),
            outputs.valid.eq(scaling.valid),
            outputs.results.eq(scaling.results),
        ]
        if config.exponents:
            m.d.comb += array.exponent.eq(activations.exponent)

        return m

    def _link(self, m: Module, sequencer: Placed, activations: Placed, outputs: Placed) -> None:
        """Give results that are linked to the activation buffer, in turn with the input's vectors.

        The last word of a vector says which kind of vector follows it.
        """
        config = self.config
        link = Placed(Link.ports(config), "link", "link")
        m.submodules.link = link
        inside = outputs.o.p["link"]
        follows = Signal()
        views, words = Signal(width_of(config.views)), Signal(width_of(config.buffer_words))
        source = self.i_activations
        m.d.comb += [
            link.i.payload.eq(outputs.o.payload),
            link.i.valid.eq(outputs.o.valid & inside),
            self.o.payload.eq(outputs.o.payload),
            self.o.valid.eq(outputs.o.valid & ~inside),
            outputs.o.ready.eq(Mux(inside, link.i.ready, self.o.ready)),
            activations.i.payload.eq(Mux(follows, link.o.payload, source.payload)),
            activations.i.valid.eq(Mux(follows, link.o.valid, source.valid)),
            source.ready.eq(~follows & activations.i.ready),
            link.o.ready.eq(follows & activations.i.ready),
            link.views.eq(views),
            link.words.eq(words),
        ]
        with m.If(activations.i.valid & activations.i.ready & activations.i.p["last"]):
            m.d.sync += follows.eq(activations.i.p["link"])
        with m.If(sequencer.begins):
            m.d.sync += [words.eq(sequencer.link_words), views.eq(sequencer.views)]

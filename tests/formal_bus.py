"""Specifications of the streams, the bus and the sequencer as Verilog with assertions."""

from amaranth.lib import data, wiring

from hwgen.activation_frames import ActivationFrames
from hwgen.axi_lite import CHANNELS, AxiLite
from hwgen.axi_stream import BeatsFromWords, WordsFromBeats, word_layout
from hwgen.buffer import ParameterBuffer
from hwgen.config import HardwareConfig
from hwgen.emit import emit_parts
from hwgen.layer_queue import LayerQueue, descriptor_layout, shape_layout
from hwgen.layouts import layer_layout, output_layout, width_of
from hwgen.output import OutputBuffer
from hwgen.run_control import COUNTERS_LAYOUT, PORTS, PORTS_LAYOUT, RunControl
from hwgen.sequencer import WAITS, Sequencer, step_layout

TINY = HardwareConfig(
    k=2, pe=1, lanes=1, act_bits=2, columns=3, rows=2, coef_bits=2, acc_bits=8, weight_words=2,
    requantize_bits=2, bus="axi", stream_bits=8,
)  # fmt: skip

BITS = 20
"""Of a word that takes three beats of TINY's ports."""


def modules(parts: dict[str, wiring.Component]) -> dict[str, str]:
    """Return the Verilog of components, each with the modules inside it."""
    text = emit_parts(parts, TINY)
    return {
        name: "".join(text[part] for part in text if part == name or part.startswith(f"{name}_"))
        for name in parts
    }


HEAD = """\
reg started = 0;
always @(posedge clk) started <= 1;
always @* assume (rst == !started);
"""
"""One cycle of reset, then none."""


def rule(name: str, valid: str, ready: str, payload: str, bits: int, what: str) -> str:
    """Return the rule of streams: what is valid stays, with its payload, until it is ready."""
    return f"""\
reg waits_{name} = 0;
reg [{bits - 1}:0] held_{name};
always @(posedge clk) begin
  waits_{name} <= started && {valid} && !{ready};
  held_{name} <= {payload};
end
always @* if (waits_{name}) {what} ({valid} && {payload} == held_{name});
"""


def order(put: str, given: str, get: str, got: str, bits: int, most: int) -> str:
    """Return the rule of queues: what was put in comes out, once, in order, and nothing else.

    A word that is chosen freely is followed on its way, at most ``most`` words long.
    """
    return f"""\
reg [7:0] inside = 0, ahead = 0;
reg followed = 0;
reg [{bits - 1}:0] word;
always @(posedge clk) if (started) begin
  inside <= inside + ({put}) - ({get});
  if (!followed && ({put}) && follow) begin
    followed <= 1; word <= {given}; ahead <= inside - ({get});
  end else if (followed && ({get})) begin
    if (ahead == 0) followed <= 0; else ahead <= ahead - 1;
  end
end
always @* if (started) begin
  assert (inside <= {most});
  if ({get}) assert (inside != 0);
  if (followed && ({get}) && ahead == 0) assert ({got} == word);
end
"""


def soon(waits: str, comes: str, cycles: int) -> str:
    """Return that something comes within so many cycles of a wait."""
    return f"""\
reg [7:0] patience = 0;
always @(posedge clk) patience <= started && ({waits}) && !({comes}) ? patience + 1 : 0;
always @* assert (patience <= {cycles});
"""


def ports_check(text: dict[str, str]) -> str:
    """Check the ports of results and of weights in a row: words cut, and gathered again."""
    word = word_layout(BITS).size
    return f"""{text["out"]}{text["in"]}
module check(input clk, rst, i_valid, o_ready, follow, input [{word - 1}:0] i_word);
wire i_ready, o_valid, tvalid, tready, tlast, early;
wire [7:0] tdata;
wire [{word - 1}:0] o_word;
out cut(.clk(clk), .rst(rst), .i__valid(i_valid), .i__ready(i_ready), .i__payload(i_word),
  .tdata(tdata), .tvalid(tvalid), .tready(tready), .tlast(tlast));
in gather(.clk(clk), .rst(rst), .tdata(tdata), .tvalid(tvalid), .tready(tready), .tlast(tlast),
  .o__valid(o_valid), .o__ready(o_ready), .o__payload(o_word), .early(early));
{HEAD}
{rule("i", "i_valid", "i_ready", "i_word", word, "assume")}
{rule("t", "tvalid", "tready", "{tlast, tdata}", 9, "assert")}
{rule("o", "o_valid", "o_ready", "o_word", word, "assert")}
{order("i_valid && i_ready", "i_word", "o_valid && o_ready", "o_word", word, 2)}
{soon("inside != 0", "o_valid", 4)}
always @* if (started) assert (!early);
endmodule
"""


def output_check(text: dict[str, str]) -> str:
    """Check the output buffer, to which results come only where room was claimed."""
    bits, slots = output_layout(TINY).size, TINY.slots
    return f"""{text["output_buffer"]}
module check(input clk, rst, claim, valid, o_ready, follow, input [{bits - 1}:0] results);
wire available, o_valid;
wire [{bits - 1}:0] o_word;
output_buffer dut(.clk(clk), .rst(rst), .available(available), .claim(claim), .valid(valid),
  .results(results), .o__valid(o_valid), .o__ready(o_ready), .o__payload(o_word));
{HEAD}
reg [7:0] due = 0;
always @(posedge clk) if (started) due <= due + (claim ? {slots} : 0) - valid;
always @* begin
  assume (!claim || (available && started));
  assume (!valid || due != 0);
end
{rule("o", "o_valid", "o_ready", "o_word", bits, "assert")}
{order("valid", "results", "o_valid && o_ready", "o_word", bits, slots * TINY.output_bundles)}
{soon("inside != 0", "o_valid", 3)}
endmodule
"""


def parameter_check(text: dict[str, str]) -> str:
    """Check a parameter buffer of bundles of two, claimed while available, read once claimed."""
    return f"""{text["parameter_buffer"]}
module check(input clk, rst, i_valid, claim, read, follow, input [3:0] i_word);
wire available, i_ready;
wire [3:0] word_out;
parameter_buffer dut(.clk(clk), .rst(rst), .i__valid(i_valid), .i__ready(i_ready),
  .i__payload(i_word), .available(available), .claim(claim), .read(read), .word(word_out));
{HEAD}
reg [7:0] claimed = 0;
reg came = 0;
always @(posedge clk) if (started) begin
  claimed <= claimed + (claim ? 2 : 0) - read;
  came <= read;
end
always @* begin
  assume (!claim || (available && started));
  assume (!read || claim || claimed != 0);
  assume (started || !read);
end
reg [7:0] whole = 0;
reg half = 0;
wire put = i_valid && i_ready && started;
always @(posedge clk) if (started) begin
  half <= half ^ put;
  whole <= whole + (put && half) - claim;
end
always @* if (started) assert (available == (whole != 0));
{order("put", "i_word", "came", "word_out", 4, 5)}
reg [7:0] held = 0;
always @(posedge clk) if (started) held <= held + put - read;
always @* if (started) assert (i_ready == (held != 4));
endmodule
"""


def lite_check(text: dict[str, str]) -> str:
    """Check the AXI4-Lite slave: a response for each request, its own, that stays until taken."""
    drives = [name for name, member in CHANNELS.items() if member.flow == wiring.In]
    inputs = ", ".join(f"input [{CHANNELS[name].shape - 1}:0] {name}" for name in drives)
    wires = " ".join(
        f"wire [{member.shape - 1}:0] {name};"
        for name, member in CHANNELS.items()
        if name not in drives
    )
    links = ", ".join(f".{name}({name})" for name in CHANNELS)
    return f"""{text["axi_lite"]}
module check(input clk, rst, write_refused, read_refused, input [31:0] read_data, {inputs});
{wires}
wire write, read;
wire [11:0] write_address, read_address;
wire [31:0] write_data;
wire [3:0] write_strobe;
axi_lite dut(.clk(clk), .rst(rst), {links}, .write(write), .write_address(write_address),
  .write_data(write_data), .write_strobe(write_strobe), .write_refused(write_refused),
  .read(read), .read_address(read_address), .read_data(read_data), .read_refused(read_refused));
{HEAD}
{rule("aw", "awvalid", "awready", "awaddr", 12, "assume")}
{rule("w", "wvalid", "wready", "{wstrb, wdata}", 36, "assume")}
{rule("ar", "arvalid", "arready", "araddr", 12, "assume")}
{rule("b", "bvalid", "bready", "bresp", 2, "assert")}
{rule("r", "rvalid", "rready", "{rresp, rdata}", 34, "assert")}
reg [7:0] aw = 0, w = 0, b = 0, ar = 0, r = 0, writes = 0, reads = 0;
reg [11:0] last_aw, last_ar;
reg [35:0] last_w;
reg wrong_w, wrong_r;
reg [31:0] seen;
always @(posedge clk) if (started) begin
  aw <= aw + (awvalid && awready); w <= w + (wvalid && wready); b <= b + (bvalid && bready);
  ar <= ar + (arvalid && arready); r <= r + (rvalid && rready);
  writes <= writes + write; reads <= reads + read;
  if (awvalid && awready) last_aw <= awaddr;
  if (wvalid && wready) last_w <= {{wstrb, wdata}};
  if (arvalid && arready) last_ar <= araddr;
  if (write) wrong_w <= write_refused;
  if (read) begin wrong_r <= read_refused; seen <= read_data; end
end
always @* if (started) begin
  assert (writes == b + bvalid && reads == r + rvalid);
  assert (aw - writes <= 1 && w - writes <= 1 && ar - reads <= 1);
  if (write) assert (aw != writes && w != writes && write_address == last_aw
    && {{write_strobe, write_data}} == last_w);
  if (read) assert (ar != reads && read_address == last_ar);
  if (bvalid) assert (bresp == {{wrong_w, 1'b0}});
  if (rvalid) assert (rresp == {{wrong_r, 1'b0}} && rdata == seen);
  if (aw != writes && w != writes && (!bvalid || bready)) assert (write);
  if (ar != reads && (!rvalid || rready)) assert (read);
  if (aw == writes) assert (awready);
  if (w == writes) assert (wready);
  if (ar == reads) assert (arready);
end
endmodule
"""


def fields_of(signal: str, layout: data.StructLayout) -> str:
    """Return a wire for each field of a packed signal that is a number."""
    return "\n".join(
        f"wire [{field.width - 1}:0] {signal}_{name} = "
        f"{signal}[{field.offset + field.width - 1}:{field.offset}];"
        for name, field in layout
    )


def frames_check(text: dict[str, str]) -> str:
    """Check the marks of vectors: word n of a shape is a last one if n + 1 divides by its words."""
    shape = shape_layout(TINY)
    words = TINY.buffer_words
    return f"""{text["activation_frames"]}
module check(input clk, rst, shapes_valid, i_valid, i_last, o_ready, input [1:0] i_bits,
  input [{shape.size - 1}:0] shape);
wire shapes_ready, i_ready, o_valid, misplaced;
wire [2:0] o;
{fields_of("shape", shape)}
activation_frames dut(.clk(clk), .rst(rst), .shapes__valid(shapes_valid),
  .shapes__ready(shapes_ready), .shapes__payload(shape), .i__valid(i_valid), .i__ready(i_ready),
  .i__payload({{i_last, i_bits}}), .o__valid(o_valid), .o__ready(o_ready), .o__payload(o),
  .misplaced(misplaced));
{HEAD}
wire [7:0] due = (shape_groups - 1) * shape_group_words + shape_tail_words;
always @* assume (shape_groups != 0 && shape_group_words != 0 && shape_tail_words != 0
  && shape_group_words <= {words} && due <= {words} && shape_groups <= {words}
  && shape_vectors != 0 && shape_vectors < 4);
{rule("s", "shapes_valid", "shapes_ready", "shape", shape.size, "assume")}
{rule("i", "i_valid", "i_ready", "{i_last, i_bits}", 3, "assume")}
{rule("o", "o_valid", "o_ready", "o", 3, "assert")}
reg [7:0] n = 0, row = 1, vectors = 0;
wire passes = i_valid && i_ready && started;
wire last = n % row == row - 1;
always @(posedge clk) if (started) begin
  n <= n + passes;
  if (shapes_valid && shapes_ready) begin n <= 0; row <= due; vectors <= shape_vectors; end
end
always @* if (started) begin
  assert (passes == (o_valid && o_ready));
  if (passes) assert (n < row * vectors && o == {{last, i_bits}});
  assert (misplaced == (passes && i_last != last));
  assert (shapes_ready == (n + passes == row * vectors));
  if (n < row * vectors) assert (i_ready == o_ready);
end
endmodule
"""


def queue_check(text: dict[str, str]) -> str:
    """Check the queue of layers: each is offered once a vector, its shape once, in order."""
    descriptor, shape = descriptor_layout(TINY), shape_layout(TINY)
    bits = layer_layout(TINY).size
    parts = ", ".join(
        f"layer_{name}" if name != "vectors" else "descriptor_vectors"
        for name in reversed([name for name, _ in shape])
    )
    return f"""{text["layer_queue"]}
module check(input clk, rst, push, run, o_ready, shapes_ready, follow,
  input [{descriptor.size - 1}:0] descriptor);
wire fits, full, o_valid, shapes_valid;
wire [{width_of(TINY.layer_queue) - 1}:0] level;
wire [{bits - 1}:0] o;
wire [{shape.size - 1}:0] shapes;
{fields_of("descriptor", descriptor)}
wire [{bits - 1}:0] layer = descriptor_layer;
{fields_of("layer", layer_layout(TINY))}
layer_queue dut(.clk(clk), .rst(rst), .push(push), .run(run), .o__ready(o_ready),
  .shapes__ready(shapes_ready), .fits(fits), .full(full), .level(level), .o__payload(o),
  .o__valid(o_valid), .shapes__payload(shapes), .shapes__valid(shapes_valid),
  .descriptor(descriptor));
{HEAD}
reg [{descriptor.size - 1}:0] before;
reg ran = 0;
always @(posedge clk) begin before <= descriptor; ran <= started && run; end
always @* begin
  assume (!push || (started && fits && !full && descriptor == before));
  assume (!ran || run || level == 0);
  assume (descriptor_vectors < 3);
end
{rule("o", "o_valid", "o_ready", "o", bits, "assert")}
{rule("s", "shapes_valid", "shapes_ready", "shapes", shape.size, "assert")}
{order("push", f"{{{parts}}}", "shapes_valid && shapes_ready", "shapes", shape.size, 4)}
wire issue = o_valid && o_ready && started;
reg [3:0] due = 0, due_before = 0, due_then = 0;
reg [{bits - 1}:0] layer_then;
reg follows = 0;
always @(posedge clk) if (started) begin
  due <= due + (push ? descriptor_vectors : 0) - issue;
  if (!follows && push && follow) begin
    follows <= 1; layer_then <= layer; due_before <= due - issue; due_then <= descriptor_vectors;
  end else if (follows && issue) begin
    if (due_before != 0) due_before <= due_before - 1; else due_then <= due_then - 1;
    if (due_before == 0 && due_then == 1) follows <= 0;
  end
end
always @* if (started) begin
  if (issue) assert (due != 0);
  if (follows && issue && due_before == 0) assert (o == layer_then);
  if (level == 0 && !push) assert (due == 0 && inside == 0);
end
endmodule
"""


def sequencer_check(text: dict[str, str]) -> str:
    """Check the steps of a layer: step n by division, not by counting; its waits and claims."""
    layer, step = layer_layout(TINY), step_layout(TINY)
    words, digits = TINY.buffer_words, TINY.digits
    needs = {
        "word": "first_digit && term == 0",
        "x": "first_digit && term == 0 && row_tile == 0",
        "coefficients": "ends_sums",
        "offsets": "ends_group && layer_offset",
        "scales": "ends_row && layer_requantize",
        "room": "ends_row",
    }
    claims = {name: f"{name}_claim" for name in needs}
    outputs = ", ".join([*claims.values(), "x_read"])
    links = ", ".join(
        f".{name}_available(available[{n}]), .{claims[name]}({claims[name]})"
        for n, name in enumerate(needs)
    )
    waits = ", ".join(
        f"is_due && {need} && !available[{n}]" for n, need in enumerate(needs.values())
    )
    held = "\n".join(
        f"  assert ({claims[name]} == (valid && {need}));" for name, need in needs.items()
    )
    assert [name for name, _ in WAITS][2:5] == list(needs)[2:5]
    return f"""{text["sequencer"]}
module check(input clk, rst, i_valid, input [{layer.size - 1}:0] i_layer, input [5:0] available);
wire i_ready, valid, x_done, {outputs};
wire [5:0] waits;
wire [{width_of(words - 1) - 1}:0] address;
wire [{step.size - 1}:0] step;
reg [{layer.size - 1}:0] layer, walked_layer, next_layer;
reg is_due = 0, walking = 0, waiting = 0;
{fields_of("step", step)}
{fields_of("layer", layer)}
{fields_of("walked_layer", layer)}
{fields_of("i_layer", layer)}
sequencer dut(.clk(clk), .rst(rst), .i__valid(i_valid), .i__ready(i_ready), .i__payload(i_layer),
  .valid(valid), .step(step), .waits(waits), .address(address), .x_read(x_read),
  .x_done(x_done), {links});
{HEAD}
wire [7:0] due = (i_layer_groups - 1) * i_layer_group_words + i_layer_tail_words;
always @* assume (i_layer_groups != 0 && i_layer_group_words != 0 && i_layer_tail_words != 0
  && i_layer_group_words <= {words} && due <= {words} && i_layer_groups <= {words}
  && i_layer_terms == 1 && i_layer_row_tiles != 0 && i_layer_row_tiles <= {TINY.most_row_tiles});
reg [7:0] n = 0, walked = 0;
wire [7:0] steps = {digits} * walked_layer_row_tiles
  * ((walked_layer_groups - 1) * walked_layer_group_words + walked_layer_tail_words);
wire advance = walking && (!is_due || valid);
wire take = waiting && (!walking || (advance && walked + 1 == steps));
wire [7:0] before = (layer_groups - 1) * layer_group_words;
wire [7:0] row_words = before + layer_tail_words;
wire [7:0] digit = {digits - 1} - n % {digits}, term = 0;
wire [7:0] at = n / {digits} % row_words, row_tile = n / ({digits} * row_words);
wire [7:0] group = at >= before ? layer_groups - 1 : at / layer_group_words;
wire [7:0] word = at - group * layer_group_words;
wire first_digit = digit == {digits - 1};
wire last_group = group == layer_groups - 1;
wire last_word = word + 1 == (last_group ? layer_tail_words : layer_group_words);
wire last_tile = row_tile + 1 == layer_row_tiles;
wire ends_sums = digit == 0 && last_word, ends_group = ends_sums;
wire ends_row = ends_group && last_group;
wire [5:0] lacks = {{{", ".join(reversed(waits.split(", ")))}}};
always @(posedge clk) if (started) begin
  if (!is_due || valid) is_due <= walking;
  if (advance) begin n <= walked; walked <= walked + 1; layer <= walked_layer; end
  if (advance && walked + 1 == steps) walking <= 0;
  if (take) begin walking <= 1; walked_layer <= next_layer; walked <= 0; end
  if (i_ready) begin waiting <= i_valid; next_layer <= i_layer; end
end
always @* if (started) begin
  assert (waits == lacks);
  assert (valid == (is_due && !lacks));
{held}
  assert (x_read == (valid && first_digit));
  assert (x_done == (valid && ends_row && last_tile));
  assert (i_ready == (!waiting || take));
  if (is_due) assert (address == at);
  if (valid) begin
    assert (step_digit == digit && step_first == first_digit && step_last == (digit == 0));
    assert (step_mask == layer_monomials[{TINY.weights - 1}:0] && step_last_term);
    assert (step_first_word == (word == 0) && step_last_word == last_word);
    assert (step_first_group == (group == 0) && step_last_group == last_group);
    assert (step_last_tile == last_tile && step_offset == layer_offset);
    assert (step_requantize == layer_requantize && step_shift == layer_shift);
  end
end
endmodule
"""


def run_check(text: dict[str, str]) -> str:
    """Check counters and the end of a run, with a circuit that takes and gives as it likes."""
    most, layout = TINY.output_bundles + 1, COUNTERS_LAYOUT
    counted = {
        "cycles": "running",
        "steps": "works",
        **{f"waits_{name}": f"waits[{n}]" for n, name in enumerate(PORTS)},
        **{f"words_{name}": f"words[{n}]" for n, name in enumerate(PORTS)},
        "vectors": "ends",
    }
    spec = "\n".join(
        f"reg [31:0] n_{name} = 0; always @(posedge clk) if (started) n_{name} <= "
        f"n_{name} + ({event});\nalways @* if (started) assert (counters_{name} == n_{name});"
        for name, event in counted.items()
    )
    assert list(counted) == [name for name, _ in layout]
    return f"""{text["run_control"]}
module check(input clk, rst, start, queued, begins, ends, offered, works, moves,
  input [5:0] waits, input [{PORTS_LAYOUT.size - 1}:0] words, input [31:0] limit);
wire running, done, stuck;
wire [{layout.size - 1}:0] counters;
{fields_of("counters", layout)}
run_control dut(.clk(clk), .rst(rst), .start(start), .queued(queued), .begins(begins), .ends(ends),
  .offered(offered), .works(works), .waits(waits), .words(words), .moves(moves), .limit(limit),
  .running(running), .done(done), .stuck(stuck), .counters(counters));
{HEAD}
reg [7:0] flight = 0;
reg active = 0;
reg [31:0] still = 0;
wire quiet = active && !works && !moves;
always @(posedge clk) if (started) begin
  flight <= flight + begins - ends;
  active <= start || (active && (queued || flight != 0 || offered));
  still <= quiet && !stuck ? still + 1 : 0;
end
always @* begin
  assume (!start || (started && !running));
  assume (!begins || (started && running && queued && flight < {most}));
  assume (!ends || flight != 0);
end
always @* if (started) begin
  assert (running == active);
  assert (done == (active && !queued && flight == 0 && !offered));
  assert (stuck == (active && limit != 0 && still >= limit));
end
{spec}
endmodule
"""


def components() -> dict[str, wiring.Component]:
    """Return what is proven, small enough for the solver."""
    return {
        "out": BeatsFromWords(BITS, TINY),
        "in": WordsFromBeats(BITS, TINY),
        "output_buffer": OutputBuffer(TINY),
        "parameter_buffer": ParameterBuffer(data.ArrayLayout(4, 1), 2, 2),
        "axi_lite": AxiLite(),
        "activation_frames": ActivationFrames(TINY),
        "layer_queue": LayerQueue(TINY),
        "sequencer": Sequencer(TINY),
        "run_control": RunControl(TINY),
    }


CHECKS = {
    "ports": ports_check,
    "output_buffer": output_check,
    "parameter_buffer": parameter_check,
    "axi_lite": lite_check,
    "activation_frames": frames_check,
    "layer_queue": queue_check,
    "sequencer": sequencer_check,
    "run_control": run_check,
}
"""Of each class of component, the check that its Verilog is put into."""

"""Specifications of what puts the engine on a bus as Verilog with assertions."""

from amaranth.lib import wiring
from formal_rules import HEAD, TINY, fields_of, order, rule, soon

from hwgen.activation_frames import ActivationFrames
from hwgen.axi_lite import CHANNELS, AxiLite
from hwgen.axi_stream import BeatsFromWords, WordsFromBeats, word_layout
from hwgen.layer_queue import LayerQueue, descriptor_layout, shape_layout
from hwgen.layouts import layer_layout, width_of
from hwgen.run_control import COUNTERS_LAYOUT, PORTS, PORTS_LAYOUT, RunControl

BITS = 20
"""Of a word that takes three beats of TINY's ports."""


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
        "axi_lite": AxiLite(),
        "activation_frames": ActivationFrames(TINY),
        "layer_queue": LayerQueue(TINY),
        "run_control": RunControl(TINY),
    }


CHECKS = {
    "ports": ports_check,
    "axi_lite": lite_check,
    "activation_frames": frames_check,
    "layer_queue": queue_check,
    "run_control": run_check,
}
"""Of each class of component, the check that its Verilog is put into."""

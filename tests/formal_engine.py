"""Specifications of the engine's buffers and sequencer as Verilog with assertions."""

from amaranth.lib import data, wiring
from formal_rules import HEAD, TINY, fields_of, order, rule, soon

from hwgen.buffer import ParameterBuffer
from hwgen.layouts import layer_layout, output_layout, width_of
from hwgen.output import OutputBuffer
from hwgen.sequencer import WAITS, Sequencer, step_layout


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


def components() -> dict[str, wiring.Component]:
    """Return what is proven, small enough for the solver."""
    return {
        "output_buffer": OutputBuffer(TINY),
        "parameter_buffer": ParameterBuffer(data.ArrayLayout(4, 1), 2, 2),
        "sequencer": Sequencer(TINY),
    }


CHECKS = {
    "output_buffer": output_check,
    "parameter_buffer": parameter_check,
    "sequencer": sequencer_check,
}
"""Of each class of component, the check that its Verilog is put into."""

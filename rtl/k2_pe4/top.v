module activation_buffer(i__valid, address, read, done, clk, rst, i__ready, available, digits, i__payload);
  wire _00_;
  wire [4:0] _01_;
  wire _02_;
  wire _03_;
  wire _04_;
  wire [3:0] _05_;
  wire _06_;
  wire _07_;
  wire _08_;
  wire _09_;
  wire _10_;
  wire _11_;
  wire [3:0] _12_;
  wire _13_;
  wire _14_;
  wire _15_;
  wire _16_;
  wire _17_;
  wire _18_;
  input [2:0] address;
  wire [2:0] address;
  output available;
  wire available;
  input clk;
  wire clk;
  reg [3:0] count_0;
  reg [3:0] count_1;
  output [63:0] digits;
  wire [63:0] digits;
  input done;
  wire done;
  reg full_0;
  reg full_1;
  input [64:0] i__payload;
  wire [64:0] i__payload;
  output i__ready;
  wire i__ready;
  input i__valid;
  wire i__valid;
  input read;
  wire read;
  reg read_bank;
  input rst;
  wire rst;
  wire take;
  wire [3:0] write__addr;
  reg write_bank;
  reg [63:0] words [15:0];
  always @(posedge clk) begin
    if (take)
      words[{ write_bank, write__addr[2:0] }] <= { i__payload[63], i__payload[55], i__payload[47], i__payload[39], i__payload[31], i__payload[23], i__payload[15], i__payload[7], i__payload[62], i__payload[54], i__payload[46], i__payload[38], i__payload[30], i__payload[22], i__payload[14], i__payload[6], i__payload[61], i__payload[53], i__payload[45], i__payload[37], i__payload[29], i__payload[21], i__payload[13], i__payload[5], i__payload[60], i__payload[52], i__payload[44], i__payload[36], i__payload[28], i__payload[20], i__payload[12], i__payload[4], i__payload[59], i__payload[51], i__payload[43], i__payload[35], i__payload[27], i__payload[19], i__payload[11], i__payload[3], i__payload[58], i__payload[50], i__payload[42], i__payload[34], i__payload[26], i__payload[18], i__payload[10], i__payload[2], i__payload[57], i__payload[49], i__payload[41], i__payload[33], i__payload[25], i__payload[17], i__payload[9], i__payload[1], i__payload[56], i__payload[48], i__payload[40], i__payload[32], i__payload[24], i__payload[16], i__payload[8], i__payload[0] };
  end
  reg [63:0] _47_;
  always @(posedge clk) begin
    if (read) begin
      _47_ <= words[{ read_bank, address }];
    end
  end
  assign digits = _47_;
  assign _00_ = write_bank ? full_1 : full_0;
  assign _08_ = ~ _00_;
  assign _11_ = { _05_[3], write__addr[2:0] } != 4'h8;
  assign i__ready = _08_ & _11_;
  assign take = i__valid & i__ready;
  assign _12_ = read_bank ? count_1 : count_0;
  assign available = _12_ > address;
  assign _13_ = ! write_bank;
  assign _14_ = take & _13_;
  assign _02_ = ! read_bank;
  assign _03_ = done & _02_;
  assign _04_ = take & write_bank;
  assign { _05_[3], write__addr[2:0] } = write_bank ? count_1 : count_0;
  assign _01_ = { _05_[3], write__addr[2:0] } + 1'h1;
  assign _06_ = done & read_bank;
  assign _07_ = take & i__payload[64];
  assign _09_ = write_bank ^ _07_;
  assign _10_ = read_bank ^ done;
  always @(posedge clk)
    if (rst) read_bank <= 1'h0;
    else read_bank <= _10_;
  always @(posedge clk)
    if (rst) write_bank <= 1'h0;
    else write_bank <= _09_;
  always @(posedge clk)
    if (_15_) full_1 <= 1'h0;
    else if (_04_) full_1 <= i__payload[64];
  always @(posedge clk)
    if (_16_) count_1 <= 4'h0;
    else if (_04_) count_1 <= _01_[3:0];
  always @(posedge clk)
    if (_17_) full_0 <= 1'h0;
    else if (_14_) full_0 <= i__payload[64];
  always @(posedge clk)
    if (_18_) count_0 <= 4'h0;
    else if (_14_) count_0 <= _01_[3:0];
  assign _15_ = | { _06_, rst };
  assign _16_ = | { _06_, rst };
  assign _17_ = | { _03_, rst };
  assign _18_ = | { _03_, rst };
  assign _05_[2:0] = write__addr[2:0];
  assign write__addr[3] = write_bank;
endmodule

module output_buffer(valid, results, o__ready, clk, rst, available, o__payload, o__valid, claim);
  wire _00_;
  wire [3:0] _01_;
  wire [4:0] _02_;
  wire [2:0] _03_;
  wire [2:0] _04_;
  output available;
  wire available;
  input claim;
  wire claim;
  input clk;
  wire clk;
  wire freed;
  wire give;
  output [48:0] o__payload;
  wire [48:0] o__payload;
  input o__ready;
  wire o__ready;
  output o__valid;
  wire o__valid;
  input [48:0] results;
  wire [48:0] results;
  reg [2:0] room;
  input rst;
  wire rst;
  reg [1:0] slot;
  input valid;
  wire valid;
  assign give = o__valid & o__ready;
  assign freed = give & _00_;
  assign _01_ = room + freed;
  assign _02_ = _01_ - claim;
  assign _00_ = slot == 2'h3;
  assign _03_ = slot + 1'h1;
  assign _04_ = _00_ ? 3'h0 : _03_;
  assign available = | room;
  always @(posedge clk)
    if (rst) slot <= 2'h0;
    else if (give) slot <= _04_[1:0];
  always @(posedge clk)
    if (rst) room <= 3'h5;
    else room <= _02_[2:0];
  output_buffer_words words (
    .clk(clk),
    .r_data(o__payload),
    .r_en(o__ready),
    .r_rdy(o__valid),
    .rst(rst),
    .w_en(valid),
    .w_port__data(results)
  );
endmodule

module output_buffer_words(w_port__data, r_en, clk, rst, r_data, r_rdy, w_en);
  wire _00_;
  wire _01_;
  wire [5:0] _02_;
  wire [5:0] _03_;
  wire _04_;
  wire _05_;
  wire _06_;
  wire [5:0] _07_;
  wire _08_;
  wire _09_;
  wire [5:0] _10_;
  wire _11_;
  wire [5:0] _12_;
  wire [5:0] _13_;
  wire _14_;
  wire _15_;
  wire _16_;
  wire [4:0] _17_;
  input clk;
  wire clk;
  reg [4:0] inner_level;
  wire inner_r_rdy;
  output [48:0] r_data;
  wire [48:0] r_data;
  input r_en;
  wire r_en;
  reg [4:0] r_port__addr;
  wire r_port__en;
  output r_rdy;
  reg r_rdy;
  input rst;
  wire rst;
  input w_en;
  wire w_en;
  reg [4:0] w_port__addr;
  input [48:0] w_port__data;
  wire [48:0] w_port__data;
  wire w_port__en;
  wire w_rdy;
  reg [48:0] storage [18:0];
  always @(posedge clk) begin
    if (w_port__en)
      storage[w_port__addr] <= w_port__data;
  end
  reg [48:0] _44_;
  always @(posedge clk) begin
    if (r_port__en) begin
      _44_ <= storage[r_port__addr];
    end
  end
  assign r_data = _44_;
  assign w_rdy = inner_level != 5'h13;
  assign inner_r_rdy = | inner_level;
  assign _11_ = w_port__addr == 5'h12;
  assign _12_ = w_port__addr + 1'h1;
  assign _13_ = _11_ ? 6'h00 : _12_;
  assign _01_ = r_port__addr == 5'h12;
  assign _02_ = r_port__addr + 1'h1;
  assign _03_ = _01_ ? 6'h00 : _02_;
  assign _05_ = ~ r_port__en;
  assign _06_ = w_port__en & _05_;
  assign _07_ = inner_level + 1'h1;
  assign w_port__en = w_rdy & w_en;
  assign _08_ = ~ w_port__en;
  assign _09_ = r_port__en & _08_;
  assign _10_ = inner_level - 1'h1;
  assign _00_ = ~ r_rdy;
  assign _04_ = _00_ | r_en;
  assign r_port__en = inner_r_rdy & _04_;
  always @(posedge clk)
    if (rst) r_rdy <= 1'h0;
    else if (_14_) r_rdy <= _16_;
  always @(posedge clk)
    if (rst) inner_level <= 5'h00;
    else if (_15_) inner_level <= _17_;
  always @(posedge clk)
    if (rst) r_port__addr <= 5'h00;
    else if (r_port__en) r_port__addr <= _03_[4:0];
  always @(posedge clk)
    if (rst) w_port__addr <= 5'h00;
    else if (w_port__en) w_port__addr <= _13_[4:0];
  assign _14_ = | { r_port__en, r_en };
  assign _15_ = | { _09_, _06_ };
  assign _16_ = r_port__en ? 1'h1 : 1'h0;
  assign _17_ = _09_ ? _10_[4:0] : _07_[4:0];
endmodule

module parameter_buffer(i__valid, claim, read, clk, rst, i__ready, available, word, i__payload);
  wire _00_;
  wire [2:0] _01_;
  wire [2:0] _02_;
  wire _03_;
  wire [5:0] _04_;
  wire [5:0] _05_;
  wire [5:0] _06_;
  wire [6:0] _07_;
  wire [3:0] _08_;
  wire [4:0] _09_;
  wire _10_;
  wire [5:0] _11_;
  wire [5:0] _12_;
  output available;
  wire available;
  input claim;
  wire claim;
  input clk;
  wire clk;
  reg [4:0] held;
  input [15:0] i__payload;
  wire [15:0] i__payload;
  output i__ready;
  wire i__ready;
  input i__valid;
  wire i__valid;
  reg [1:0] in_bundle;
  input read;
  wire read;
  reg [4:0] read__addr;
  input rst;
  wire rst;
  wire take;
  reg [2:0] unclaimed;
  wire whole;
  output [15:0] word;
  wire [15:0] word;
  reg [4:0] write__addr;
  reg [15:0] words [19:0];
  always @(posedge clk) begin
    if (take)
      words[write__addr] <= i__payload;
  end
  reg [15:0] _35_;
  always @(posedge clk) begin
    if (read) begin
      _35_ <= words[read__addr];
    end
  end
  assign word = _35_;
  assign i__ready = held != 5'h14;
  assign take = i__valid & i__ready;
  assign whole = take & _00_;
  assign available = | unclaimed;
  assign _06_ = held + take;
  assign _07_ = _06_ - read;
  assign _08_ = unclaimed + whole;
  assign _09_ = _08_ - claim;
  assign _10_ = write__addr == 5'h13;
  assign _11_ = write__addr + 1'h1;
  assign _12_ = _10_ ? 6'h00 : _11_;
  assign _00_ = in_bundle == 2'h3;
  assign _01_ = in_bundle + 1'h1;
  assign _02_ = _00_ ? 3'h0 : _01_;
  assign _03_ = read__addr == 5'h13;
  assign _04_ = read__addr + 1'h1;
  assign _05_ = _03_ ? 6'h00 : _04_;
  always @(posedge clk)
    if (rst) read__addr <= 5'h00;
    else if (read) read__addr <= _05_[4:0];
  always @(posedge clk)
    if (rst) in_bundle <= 2'h0;
    else if (take) in_bundle <= _02_[1:0];
  always @(posedge clk)
    if (rst) write__addr <= 5'h00;
    else if (take) write__addr <= _12_[4:0];
  always @(posedge clk)
    if (rst) unclaimed <= 3'h0;
    else unclaimed <= _09_[2:0];
  always @(posedge clk)
    if (rst) held <= 5'h00;
    else held <= _07_[4:0];
endmodule

module pe(mask, term_load, digit, valid, first, last, clk, rst, sum, weights);
  wire [7:0] _00_;
  wire [1:0] _01_;
  wire [2:0] _02_;
  wire [3:0] _03_;
  wire [4:0] _04_;
  wire [12:0] _05_;
  wire [12:0] _06_;
  wire [7:0] _07_;
  wire [7:0] _08_;
  wire [7:0] _09_;
  wire [7:0] _10_;
  wire [1:0] _11_;
  wire [1:0] _12_;
  wire [2:0] _13_;
  wire [1:0] _14_;
  wire _15_;
  wire [7:0] chosen;
  input clk;
  wire clk;
  input [7:0] digit;
  wire [7:0] digit;
  reg [10:0] dot;
  wire [10:0] dot_next;
  input first;
  wire first;
  input last;
  wire last;
  input [1:0] mask;
  wire [1:0] mask;
  reg [3:0] partial;
  input rst;
  wire rst;
  output [10:0] sum;
  reg [10:0] sum;
  reg [7:0] term;
  input term_load;
  wire term_load;
  input valid;
  wire valid;
  input [15:0] weights;
  wire [15:0] weights;
  assign _00_ = ~ { mask[0], mask[0], mask[0], mask[0], mask[0], mask[0], mask[0], mask[0] };
  assign _07_ = weights[7:0] | _00_;
  assign _08_ = ~ { mask[1], mask[1], mask[1], mask[1], mask[1], mask[1], mask[1], mask[1] };
  assign _09_ = weights[15:8] | _08_;
  assign _10_ = _07_ & _09_;
  assign _11_ = chosen[0] + chosen[1];
  assign _12_ = chosen[2] + chosen[3];
  assign _13_ = _11_ + _12_;
  assign _14_ = chosen[4] + chosen[5];
  assign _01_ = chosen[6] + chosen[7];
  assign _02_ = _14_ + _01_;
  assign _03_ = _13_ + _02_;
  assign chosen = term & digit;
  assign _04_ = - partial;
  assign _05_ = $signed({ dot, 1'h0 }) + $signed({ 1'h0, partial });
  assign { _06_[12:11], dot_next } = first ? { _04_[4], _04_[4], _04_[4], _04_[4], _04_[4], _04_[4], _04_[4], _04_[4], _04_ } : _05_;
  always @(posedge clk)
    partial <= _03_;
  always @(posedge clk)
    if (_15_) sum <= dot_next;
  always @(posedge clk)
    if (valid) dot <= dot_next;
  always @(posedge clk)
    if (term_load) term <= _10_;
  assign _15_ = & { last, valid };
  assign _06_[10:0] = dot_next;
endmodule

module pe_array(step, weights, digits, clk, rst, ends, ended, sums, x_sum, valid);
  wire [7:0] _00_;
  wire [7:0] _01_;
  wire [7:0] _02_;
  wire [7:0] _03_;
  wire [7:0] _04_;
  wire [7:0] _05_;
  reg added_valid;
  wire [7:0] chosen;
  input clk;
  wire clk;
  reg [7:0] digit;
  input [63:0] digits;
  wire [63:0] digits;
  output [21:0] ended;
  reg [21:0] ended;
  output ends;
  wire ends;
  reg [21:0] fetched;
  reg fetched_valid;
  wire [10:0] pe_0__sum;
  wire [10:0] pe_1__sum;
  wire [10:0] pe_2__sum;
  wire [10:0] pe_3__sum;
  input rst;
  wire rst;
  reg [21:0] selected;
  reg selected_valid;
  input [21:0] step;
  wire [21:0] step;
  output [43:0] sums;
  wire [43:0] sums;
  wire term_load;
  input valid;
  wire valid;
  input [63:0] weights;
  wire [63:0] weights;
  output [10:0] x_sum;
  wire [10:0] x_sum;
  assign term_load = fetched_valid & fetched[3];
  assign ends = added_valid & ended[4];
  assign _00_ = fetched[0] ? digits[63:56] : digits[55:48];
  assign _01_ = fetched[0] ? digits[47:40] : digits[39:32];
  assign _02_ = fetched[1] ? _00_ : _01_;
  assign _03_ = fetched[0] ? digits[31:24] : digits[23:16];
  assign _04_ = fetched[0] ? digits[15:8] : digits[7:0];
  assign _05_ = fetched[1] ? _03_ : _04_;
  assign chosen = fetched[2] ? _02_ : _05_;
  always @(posedge clk)
    selected <= fetched;
  always @(posedge clk)
    ended <= selected;
  always @(posedge clk)
    fetched <= step;
  always @(posedge clk)
    if (fetched_valid) digit <= chosen;
  always @(posedge clk)
    if (rst) fetched_valid <= 1'h0;
    else fetched_valid <= valid;
  always @(posedge clk)
    if (rst) added_valid <= 1'h0;
    else added_valid <= selected_valid;
  always @(posedge clk)
    if (rst) selected_valid <= 1'h0;
    else selected_valid <= fetched_valid;
  pe pe_0 (
    .clk(clk),
    .digit(digit),
    .first(ended[3]),
    .last(ended[4]),
    .mask(fetched[6:5]),
    .rst(rst),
    .sum(pe_0__sum),
    .term_load(term_load),
    .valid(added_valid),
    .weights(weights[15:0])
  );
  pe pe_1 (
    .clk(clk),
    .digit(digit),
    .first(ended[3]),
    .last(ended[4]),
    .mask(fetched[6:5]),
    .rst(rst),
    .sum(pe_1__sum),
    .term_load(term_load),
    .valid(added_valid),
    .weights(weights[31:16])
  );
  pe pe_2 (
    .clk(clk),
    .digit(digit),
    .first(ended[3]),
    .last(ended[4]),
    .mask(fetched[6:5]),
    .rst(rst),
    .sum(pe_2__sum),
    .term_load(term_load),
    .valid(added_valid),
    .weights(weights[47:32])
  );
  pe pe_3 (
    .clk(clk),
    .digit(digit),
    .first(ended[3]),
    .last(ended[4]),
    .mask(fetched[6:5]),
    .rst(rst),
    .sum(pe_3__sum),
    .term_load(term_load),
    .valid(added_valid),
    .weights(weights[63:48])
  );
  pe pe_all_lanes (
    .clk(clk),
    .digit(digit),
    .first(ended[3]),
    .last(ended[4]),
    .mask(fetched[6:5]),
    .rst(rst),
    .sum(x_sum),
    .term_load(term_load),
    .valid(added_valid),
    .weights(16'hffff)
  );
  assign sums = { pe_3__sum, pe_2__sum, pe_1__sum, pe_0__sum };
endmodule

module requantizer(scale, shift, enable, clk, rst, result, total);
  wire [65:0] _00_;
  wire _01_;
  wire _02_;
  wire [64:0] _03_;
  wire [64:0] _04_;
  wire [63:0] _05_;
  wire [47:0] _06_;
  input clk;
  wire clk;
  input enable;
  wire enable;
  wire [64:0] halves;
  reg [63:0] product;
  output [47:0] result;
  reg [47:0] result;
  wire [64:0] rounded;
  input rst;
  wire rst;
  wire [47:0] saturated;
  input [15:0] scale;
  wire [15:0] scale;
  input [5:0] shift;
  wire [5:0] shift;
  input [47:0] total;
  wire [47:0] total;
  reg [47:0] total_held;
  assign halves = $signed({ product, 1'h0 }) >>> shift;
  assign { rounded, _00_[0] } = $signed(halves) + $signed(2'h1);
  assign _01_ = $signed(rounded) < $signed(8'h80);
  assign _02_ = $signed(rounded) > $signed(8'h7f);
  assign _03_ = _02_ ? 65'h0000000000000007f : rounded;
  assign { _04_[64:48], saturated } = _01_ ? 65'h1ffffffffffffff80 : _03_;
  assign _05_ = $signed(total) * $signed(scale);
  always @(posedge clk)
    total_held <= total;
  always @(posedge clk)
    result <= _06_;
  always @(posedge clk)
    product <= _05_;
  assign _06_ = enable ? saturated : total_held;
  assign _04_[47:0] = saturated;
  assign _00_[65:1] = rounded;
endmodule

module scaler(sum_slot, sum_term, sum_first, sum_valid, coefficient, offset, use_offset, x_sum, total_slot, total_first, total_valid, clk, rst, total, value);
  wire [13:0] _00_;
  wire [14:0] _01_;
  wire [47:0] _02_;
  wire [30:0] _03_;
  wire [48:0] _04_;
  wire [29:0] _05_;
  wire [29:0] _06_;
  input clk;
  wire clk;
  input [15:0] coefficient;
  wire [15:0] coefficient;
  wire [13:0] group_sum;
  reg [13:0] group_sum_held;
  wire [47:0] new_total__data;
  input [15:0] offset;
  wire [15:0] offset;
  wire [13:0] old_sum__data;
  wire [47:0] old_total__data;
  reg [29:0] product;
  input rst;
  wire rst;
  input sum_first;
  wire sum_first;
  input [1:0] sum_slot;
  wire [1:0] sum_slot;
  input sum_term;
  wire sum_term;
  input sum_valid;
  wire sum_valid;
  output [47:0] total;
  reg [47:0] total;
  input total_first;
  wire total_first;
  input [1:0] total_slot;
  wire [1:0] total_slot;
  input total_valid;
  wire total_valid;
  input use_offset;
  wire use_offset;
  input [10:0] value;
  wire [10:0] value;
  reg [29:0] x_product;
  input [13:0] x_sum;
  wire [13:0] x_sum;
  reg [13:0] group_sums [7:0];
  always @(posedge clk) begin
    if (sum_valid)
      group_sums[{ sum_term, sum_slot }] <= group_sum;
  end
  assign old_sum__data = group_sums[{ sum_term, sum_slot }];
  reg [47:0] totals [3:0];
  always @(posedge clk) begin
    if (total_valid)
      totals[total_slot] <= new_total__data;
  end
  assign old_total__data = totals[total_slot];
  assign { _01_[14], group_sum } = $signed(_00_) + $signed(value);
  assign _02_ = total_first ? 48'h000000000000 : old_total__data;
  assign _03_ = $signed(product) + $signed(x_product);
  assign { _04_[48], new_total__data } = $signed(_02_) + $signed(_03_);
  assign _05_ = $signed(coefficient) * $signed(group_sum_held);
  assign _06_ = $signed(offset) * $signed(x_sum);
  always @(posedge clk)
    group_sum_held <= group_sum;
  always @(posedge clk)
    product <= _05_;
  always @(posedge clk)
    total <= new_total__data;
  assign _00_ = sum_first ? 14'h0000 : old_sum__data;
  always @(posedge clk)
    if (!use_offset) x_product <= 30'h00000000;
    else x_product <= _06_;
  assign _04_[47:0] = new_total__data;
  assign _01_[13:0] = group_sum;
endmodule

module scaling(ended, sums, x_sum, coefficients, offsets, scales, clk, rst, coefficients_read, offsets_read, scales_read, valid, results, ends);
  wire _00_;
  wire _01_;
  wire _02_;
  wire [2:0] _03_;
  wire _04_;
  wire _05_;
  wire _06_;
  wire [13:0] _07_;
  wire [14:0] _08_;
  wire [10:0] _09_;
  wire [10:0] _10_;
  wire [10:0] _11_;
  wire _12_;
  wire _13_;
  wire _14_;
  wire _15_;
  wire _16_;
  wire _17_;
  input clk;
  wire clk;
  input [15:0] coefficients;
  wire [15:0] coefficients;
  output coefficients_read;
  wire coefficients_read;
  wire [10:0] done;
  reg done_valid;
  reg [1:0] \drain.slot ;
  reg [21:0] \drain.step ;
  reg drain_valid;
  input [21:0] ended;
  wire [21:0] ended;
  wire \ended$21.last ;
  input ends;
  wire ends;
  wire ends_row;
  reg [23:0] factor;
  reg factor_valid;
  wire last_slot;
  input [15:0] offsets;
  wire [15:0] offsets;
  output offsets_read;
  wire offsets_read;
  wire [47:0] requantizer_0__result;
  output [48:0] results;
  wire [48:0] results;
  reg \results.last ;
  reg round_valid;
  reg [10:0] rounding;
  input rst;
  wire rst;
  wire [47:0] scaler_0__total;
  input [15:0] scales;
  wire [15:0] scales;
  output scales_read;
  wire scales_read;
  input [43:0] sums;
  wire [43:0] sums;
  reg [23:0] total;
  reg total_valid;
  output valid;
  reg valid;
  reg [23:0] value;
  reg [10:0] value_0;
  reg value_valid;
  reg [13:0] x_group_sum_0;
  input [10:0] x_sum;
  wire [10:0] x_sum;
  reg [10:0] x_value;
  assign last_slot = \drain.slot  == 2'h3;
  assign _00_ = total_valid & total[12];
  assign ends_row = _00_ & total[8];
  assign _12_ = coefficients_read & value[8];
  assign offsets_read = _12_ & value[14];
  assign _13_ = total[23:22] == 2'h3;
  assign \ended$21.last  = total[13] & _13_;
  assign scales_read = ends_row & total[15];
  assign _14_ = factor[8] & factor[14];
  assign _15_ = ! total[7];
  assign _01_ = total[11] & _15_;
  assign _02_ = ~ last_slot;
  assign _03_ = \drain.slot  + 1'h1;
  assign coefficients_read = value_valid & value[10];
  assign _04_ = ! value[23:22];
  assign _05_ = value_valid & _04_;
  assign _06_ = _05_ & value[8];
  assign _07_ = value[9] ? 14'h0000 : x_group_sum_0;
  assign _08_ = $signed(_07_) + $signed(x_value);
  assign _09_ = \drain.slot [0] ? sums[43:33] : sums[32:22];
  assign _10_ = \drain.slot [0] ? sums[21:11] : sums[10:0];
  assign _11_ = \drain.slot [1] ? _09_ : _10_;
  always @(posedge clk)
    value <= { \drain.slot , \drain.step  };
  always @(posedge clk)
    factor <= value;
  always @(posedge clk)
    total <= factor;
  always @(posedge clk)
    x_value <= x_sum;
  always @(posedge clk)
    rounding <= { done[10:3], 1'h0, done[1:0] };
  always @(posedge clk)
    value_0 <= _11_;
  always @(posedge clk)
    if (rst) valid <= 1'h0;
    else valid <= round_valid;
  always @(posedge clk)
    if (rst) round_valid <= 1'h0;
    else round_valid <= done_valid;
  always @(posedge clk)
    if (rst) done_valid <= 1'h0;
    else done_valid <= ends_row;
  always @(posedge clk)
    if (_06_) x_group_sum_0 <= _08_[13:0];
  always @(posedge clk)
    if (rst) total_valid <= 1'h0;
    else total_valid <= factor_valid;
  always @(posedge clk)
    if (rst) factor_valid <= 1'h0;
    else factor_valid <= coefficients_read;
  always @(posedge clk)
    if (rst) value_valid <= 1'h0;
    else value_valid <= drain_valid;
  always @(posedge clk)
    if (ends) \drain.step  <= ended;
  always @(posedge clk)
    if (ends) \drain.slot  <= 2'h0;
    else if (drain_valid) \drain.slot  <= _03_[1:0];
  always @(posedge clk)
    if (rst) drain_valid <= 1'h0;
    else if (_16_) drain_valid <= _17_;
  always @(posedge clk)
    if (rst) \results.last  <= 1'h0;
    else \results.last  <= rounding[3];
  reg [9:0] _57_;
  always @(posedge clk)
    _57_ <= { total[21:15], \ended$21.last , total[23:22] };
  assign { done[10:3], done[1:0] } = _57_;
  assign _16_ = | { drain_valid, ends };
  assign _17_ = ends ? 1'h1 : _02_;
  requantizer requantizer_0 (
    .clk(clk),
    .enable(rounding[4]),
    .result(requantizer_0__result),
    .rst(rst),
    .scale(scales),
    .shift(rounding[10:5]),
    .total(scaler_0__total)
  );
  scaler scaler_0 (
    .clk(clk),
    .coefficient(coefficients),
    .offset(offsets),
    .rst(rst),
    .sum_first(value[9]),
    .sum_slot(value[23:22]),
    .sum_term(value[7]),
    .sum_valid(value_valid),
    .total(scaler_0__total),
    .total_first(_01_),
    .total_slot(total[23:22]),
    .total_valid(total_valid),
    .use_offset(_14_),
    .value(value_0),
    .x_sum(x_group_sum_0)
  );
  assign done[2] = 1'h0;
  assign results = { \results.last , requantizer_0__result };
endmodule

module sequencer(i__valid, word_available, x_available, coefficients_available, offsets_available, scales_available, room_available, clk, rst, i__ready, valid, step, waits, word_claim, address, x_read, x_done, coefficients_claim, offsets_claim, scales_claim, room_claim
, i__payload);
  wire [3:0] _000_;
  wire [4:0] _001_;
  wire [17:0] _002_;
  wire _003_;
  wire _004_;
  wire _005_;
  wire _006_;
  wire _007_;
  wire _008_;
  wire _009_;
  wire _010_;
  wire _011_;
  wire _012_;
  wire _013_;
  wire _014_;
  wire _015_;
  wire _016_;
  wire _017_;
  wire _018_;
  wire _019_;
  wire _020_;
  wire [3:0] _021_;
  wire [2:0] _022_;
  wire [3:0] _023_;
  wire _024_;
  wire [1:0] _025_;
  wire [1:0] _026_;
  wire _027_;
  wire [4:0] _028_;
  wire [4:0] _029_;
  wire _030_;
  wire [4:0] _031_;
  wire [4:0] _032_;
  wire _033_;
  wire [17:0] _034_;
  wire [17:0] _035_;
  wire [3:0] _036_;
  wire [3:0] _037_;
  wire [3:0] _038_;
  wire [4:0] _039_;
  output [2:0] address;
  reg [2:0] address;
  reg busy;
  input clk;
  wire clk;
  input coefficients_available;
  wire coefficients_available;
  output coefficients_claim;
  wire coefficients_claim;
  reg [2:0] digit;
  wire ends_group;
  wire ends_row;
  wire ends_sums;
  reg [3:0] group;
  input [42:0] i__payload;
  wire [42:0] i__payload;
  output i__ready;
  wire i__ready;
  input i__valid;
  wire i__valid;
  reg [42:0] layer;
  wire needs_word;
  input offsets_available;
  wire offsets_available;
  output offsets_claim;
  wire offsets_claim;
  input room_available;
  wire room_available;
  output room_claim;
  wire room_claim;
  reg [16:0] row_tile;
  input rst;
  wire rst;
  input scales_available;
  wire scales_available;
  output scales_claim;
  wire scales_claim;
  output [21:0] step;
  wire [21:0] step;
  wire \step.first ;
  wire \step.first_group ;
  wire \step.first_word ;
  wire \step.last ;
  wire \step.last_group ;
  wire \step.last_term ;
  wire \step.last_tile ;
  wire \step.last_word ;
  wire [1:0] \step.mask ;
  reg term;
  output valid;
  wire valid;
  output [5:0] waits;
  wire [5:0] waits;
  wire \waits.activations ;
  wire \waits.coefficients ;
  wire \waits.offsets ;
  wire \waits.results ;
  wire \waits.scales ;
  wire \waits.weights ;
  reg [3:0] word;
  input word_available;
  wire word_available;
  output word_claim;
  wire word_claim;
  input x_available;
  wire x_available;
  output x_done;
  wire x_done;
  output x_read;
  wire x_read;
  assign \step.last_word  = word == _039_;
  assign \step.first_group  = ! group;
  assign _001_ = layer[20:17] - 1'h1;
  assign \step.last_group  = group == _001_;
  assign _002_ = layer[16:0] - 1'h1;
  assign \step.last_tile  = row_tile == _002_;
  assign _003_ = ! term;
  assign needs_word = \step.first  & _003_;
  assign ends_sums = \step.last  & \step.last_word ;
  assign ends_group = ends_sums & \step.last_term ;
  assign ends_row = ends_group & \step.last_group ;
  assign _004_ = ~ word_available;
  assign _005_ = needs_word & _004_;
  assign \waits.weights  = busy & _005_;
  assign _006_ = ~ x_available;
  assign _007_ = needs_word & _006_;
  assign \waits.activations  = busy & _007_;
  assign _008_ = ~ coefficients_available;
  assign _009_ = ends_sums & _008_;
  assign \waits.coefficients  = busy & _009_;
  assign _011_ = ~ offsets_available;
  assign _012_ = _010_ & _011_;
  assign \waits.offsets  = busy & _012_;
  assign _014_ = ~ scales_available;
  assign _015_ = _013_ & _014_;
  assign \waits.scales  = busy & _015_;
  assign _016_ = ~ room_available;
  assign _017_ = ends_row & _016_;
  assign \waits.results  = busy & _017_;
  assign _018_ = | { \waits.results , \waits.scales , \waits.offsets , \waits.coefficients , \waits.activations , \waits.weights  };
  assign _019_ = ~ _018_;
  assign valid = busy & _019_;
  assign word_claim = valid & needs_word;
  assign coefficients_claim = valid & ends_sums;
  assign _010_ = ends_group & layer[35];
  assign offsets_claim = valid & _010_;
  assign _013_ = ends_row & layer[36];
  assign scales_claim = valid & _013_;
  assign room_claim = valid & ends_row;
  assign x_done = room_claim & \step.last_tile ;
  assign _020_ = ~ busy;
  assign i__ready = _020_ | x_done;
  assign _021_ = digit + 1'h1;
  assign _023_ = \step.last  ? 4'h0 : _021_;
  assign _025_ = term + 1'h1;
  assign _026_ = \step.last_term  ? 2'h0 : _025_;
  assign _028_ = word + 1'h1;
  assign _029_ = \step.last_word  ? 5'h00 : _028_;
  assign _031_ = group + 1'h1;
  assign _032_ = \step.last_group  ? 5'h00 : _031_;
  assign _030_ = _027_ & \step.last_word ;
  assign _033_ = _030_ & \step.last_group ;
  assign _034_ = row_tile + 1'h1;
  assign _035_ = \step.last_tile  ? 18'h00000 : _034_;
  assign _024_ = valid & \step.last ;
  assign _027_ = _024_ & \step.last_term ;
  assign _036_ = address + 1'h1;
  assign _038_ = ends_row ? 4'h0 : _036_;
  assign { _000_[3], step[2:0] } = 3'h7 - digit;
  assign \step.first  = ! digit;
  assign \step.last  = digit == 3'h7;
  assign \step.mask  = layer[34:31] >> { 1'h0, term, 1'h0 };
  assign _022_ = layer[30:29] - 1'h1;
  assign \step.last_term  = term == _022_;
  assign \step.first_word  = ! word;
  assign _037_ = \step.last_group  ? layer[28:25] : layer[24:21];
  assign _039_ = _037_ - 1'h1;
  always @(posedge clk)
    if (rst) address <= 3'h0;
    else if (_027_) address <= _038_[2:0];
  always @(posedge clk)
    if (rst) row_tile <= 17'h00000;
    else if (_033_) row_tile <= _035_[16:0];
  always @(posedge clk)
    if (rst) group <= 4'h0;
    else if (_030_) group <= _032_[3:0];
  always @(posedge clk)
    if (rst) word <= 4'h0;
    else if (_027_) word <= _029_[3:0];
  always @(posedge clk)
    if (rst) term <= 1'h0;
    else if (_024_) term <= _026_[0];
  always @(posedge clk)
    if (rst) digit <= 3'h0;
    else if (valid) digit <= _023_[2:0];
  always @(posedge clk)
    if (i__ready) layer <= i__payload;
  always @(posedge clk)
    if (rst) busy <= 1'h0;
    else if (i__ready) busy <= i__valid;
  assign step[21:3] = { layer[42:35], \step.last_tile , \step.last_group , \step.first_group , \step.last_word , \step.first_word , \step.last_term , term, \step.mask , \step.last , \step.first  };
  assign _000_[2:0] = step[2:0];
  assign waits = { \waits.results , \waits.scales , \waits.offsets , \waits.coefficients , \waits.activations , \waits.weights  };
  assign x_read = word_claim;
endmodule

module top(i_layers__valid, i_weights__payload, i_weights__valid, i_activations__payload, i_activations__valid, i_coefficients__payload, i_coefficients__valid, i_offsets__payload, i_offsets__valid, i_scales__payload, i_scales__valid, o__ready, clk, rst, i_layers__ready, i_weights__ready, i_activations__ready, i_coefficients__ready, i_offsets__ready, i_scales__ready, o__payload
, o__valid, works, waits, i_layers__payload);
  wire activations__available;
  wire [63:0] activations__digits;
  wire [21:0] array__ended;
  wire array__ends;
  wire [43:0] array__sums;
  wire [10:0] array__x_sum;
  input clk;
  wire clk;
  wire coefficients__available;
  wire [15:0] coefficients__word;
  input [64:0] i_activations__payload;
  wire [64:0] i_activations__payload;
  output i_activations__ready;
  wire i_activations__ready;
  input i_activations__valid;
  wire i_activations__valid;
  input [15:0] i_coefficients__payload;
  wire [15:0] i_coefficients__payload;
  output i_coefficients__ready;
  wire i_coefficients__ready;
  input i_coefficients__valid;
  wire i_coefficients__valid;
  input [42:0] i_layers__payload;
  wire [42:0] i_layers__payload;
  output i_layers__ready;
  wire i_layers__ready;
  input i_layers__valid;
  wire i_layers__valid;
  input [15:0] i_offsets__payload;
  wire [15:0] i_offsets__payload;
  output i_offsets__ready;
  wire i_offsets__ready;
  input i_offsets__valid;
  wire i_offsets__valid;
  input [15:0] i_scales__payload;
  wire [15:0] i_scales__payload;
  output i_scales__ready;
  wire i_scales__ready;
  input i_scales__valid;
  wire i_scales__valid;
  input [63:0] i_weights__payload;
  wire [63:0] i_weights__payload;
  output i_weights__ready;
  wire i_weights__ready;
  input i_weights__valid;
  wire i_weights__valid;
  output [48:0] o__payload;
  wire [48:0] o__payload;
  input o__ready;
  wire o__ready;
  output o__valid;
  wire o__valid;
  wire offsets__available;
  wire [15:0] offsets__word;
  wire outputs__available;
  input rst;
  wire rst;
  wire scales__available;
  wire [15:0] scales__word;
  wire scaling__coefficients_read;
  wire scaling__offsets_read;
  wire [48:0] scaling__results;
  wire scaling__scales_read;
  wire scaling__valid;
  wire [2:0] sequencer__address;
  wire sequencer__coefficients_claim;
  wire sequencer__offsets_claim;
  wire sequencer__room_claim;
  wire sequencer__scales_claim;
  wire [21:0] sequencer__step;
  wire sequencer__word_claim;
  wire sequencer__x_done;
  wire sequencer__x_read;
  output [5:0] waits;
  wire [5:0] waits;
  wire weights__available;
  wire [63:0] weights__word;
  output works;
  wire works;
  activation_buffer activations (
    .address(sequencer__address),
    .available(activations__available),
    .clk(clk),
    .digits(activations__digits),
    .done(sequencer__x_done),
    .i__payload(i_activations__payload),
    .i__ready(i_activations__ready),
    .i__valid(i_activations__valid),
    .read(sequencer__x_read),
    .rst(rst)
  );
  pe_array array (
    .clk(clk),
    .digits(activations__digits),
    .ended(array__ended),
    .ends(array__ends),
    .rst(rst),
    .step(sequencer__step),
    .sums(array__sums),
    .valid(works),
    .weights(weights__word),
    .x_sum(array__x_sum)
  );
  parameter_buffer coefficients (
    .available(coefficients__available),
    .claim(sequencer__coefficients_claim),
    .clk(clk),
    .i__payload(i_coefficients__payload),
    .i__ready(i_coefficients__ready),
    .i__valid(i_coefficients__valid),
    .read(scaling__coefficients_read),
    .rst(rst),
    .word(coefficients__word)
  );
  parameter_buffer offsets (
    .available(offsets__available),
    .claim(sequencer__offsets_claim),
    .clk(clk),
    .i__payload(i_offsets__payload),
    .i__ready(i_offsets__ready),
    .i__valid(i_offsets__valid),
    .read(scaling__offsets_read),
    .rst(rst),
    .word(offsets__word)
  );
  output_buffer outputs (
    .available(outputs__available),
    .claim(sequencer__room_claim),
    .clk(clk),
    .o__payload(o__payload),
    .o__ready(o__ready),
    .o__valid(o__valid),
    .results(scaling__results),
    .rst(rst),
    .valid(scaling__valid)
  );
  parameter_buffer scales (
    .available(scales__available),
    .claim(sequencer__scales_claim),
    .clk(clk),
    .i__payload(i_scales__payload),
    .i__ready(i_scales__ready),
    .i__valid(i_scales__valid),
    .read(scaling__scales_read),
    .rst(rst),
    .word(scales__word)
  );
  scaling scaling (
    .clk(clk),
    .coefficients(coefficients__word),
    .coefficients_read(scaling__coefficients_read),
    .ended(array__ended),
    .ends(array__ends),
    .offsets(offsets__word),
    .offsets_read(scaling__offsets_read),
    .results(scaling__results),
    .rst(rst),
    .scales(scales__word),
    .scales_read(scaling__scales_read),
    .sums(array__sums),
    .valid(scaling__valid),
    .x_sum(array__x_sum)
  );
  sequencer sequencer (
    .address(sequencer__address),
    .clk(clk),
    .coefficients_available(coefficients__available),
    .coefficients_claim(sequencer__coefficients_claim),
    .i__payload(i_layers__payload),
    .i__ready(i_layers__ready),
    .i__valid(i_layers__valid),
    .offsets_available(offsets__available),
    .offsets_claim(sequencer__offsets_claim),
    .room_available(outputs__available),
    .room_claim(sequencer__room_claim),
    .rst(rst),
    .scales_available(scales__available),
    .scales_claim(sequencer__scales_claim),
    .step(sequencer__step),
    .valid(works),
    .waits(waits),
    .word_available(weights__available),
    .word_claim(sequencer__word_claim),
    .x_available(activations__available),
    .x_done(sequencer__x_done),
    .x_read(sequencer__x_read)
  );
  weight_buffer weights (
    .available(weights__available),
    .claim(sequencer__word_claim),
    .clk(clk),
    .i__payload(i_weights__payload),
    .i__ready(i_weights__ready),
    .i__valid(i_weights__valid),
    .read(sequencer__word_claim),
    .rst(rst),
    .word(weights__word)
  );
endmodule

module weight_buffer(i__valid, claim, read, clk, rst, i__ready, available, word, i__payload);
  wire [4:0] _00_;
  wire [4:0] _01_;
  wire [5:0] _02_;
  wire [6:0] _03_;
  wire [5:0] _04_;
  wire [6:0] _05_;
  wire _06_;
  wire [4:0] _07_;
  wire [4:0] _08_;
  wire _09_;
  output available;
  wire available;
  input claim;
  wire claim;
  input clk;
  wire clk;
  reg [4:0] held;
  input [63:0] i__payload;
  wire [63:0] i__payload;
  output i__ready;
  wire i__ready;
  input i__valid;
  wire i__valid;
  input read;
  wire read;
  reg [3:0] read__addr;
  input rst;
  wire rst;
  wire take;
  reg [4:0] unclaimed;
  output [63:0] word;
  wire [63:0] word;
  reg [3:0] write__addr;
  reg [63:0] words [15:0];
  always @(posedge clk) begin
    if (take)
      words[write__addr] <= i__payload;
  end
  reg [63:0] _27_;
  always @(posedge clk) begin
    if (read) begin
      _27_ <= words[read__addr];
    end
  end
  assign word = _27_;
  assign i__ready = held != 5'h10;
  assign take = i__valid & i__ready;
  assign available = | unclaimed;
  assign _02_ = held + take;
  assign _03_ = _02_ - read;
  assign _04_ = unclaimed + take;
  assign _05_ = _04_ - claim;
  assign _06_ = write__addr == 4'hf;
  assign _07_ = write__addr + 1'h1;
  assign _08_ = _06_ ? 5'h00 : _07_;
  assign _09_ = read__addr == 4'hf;
  assign _00_ = read__addr + 1'h1;
  assign _01_ = _09_ ? 5'h00 : _00_;
  always @(posedge clk)
    if (rst) read__addr <= 4'h0;
    else if (read) read__addr <= _01_[3:0];
  always @(posedge clk)
    if (rst) write__addr <= 4'h0;
    else if (take) write__addr <= _08_[3:0];
  always @(posedge clk)
    if (rst) unclaimed <= 5'h00;
    else unclaimed <= _05_[4:0];
  always @(posedge clk)
    if (rst) held <= 5'h00;
    else held <= _03_[4:0];
endmodule

module activation_buffer(i__valid, claim, address, read, done, clk, rst, i__ready, available, digits, i__payload);
  wire [3:0] _00_;
  wire _01_;
  wire _02_;
  wire _03_;
  wire _04_;
  wire _05_;
  wire _06_;
  wire _07_;
  wire _08_;
  wire _09_;
  wire _10_;
  wire [4:0] _11_;
  wire _12_;
  wire _13_;
  wire _14_;
  wire _15_;
  wire [4:0] _16_;
  wire _17_;
  wire [5:0] _18_;
  wire _19_;
  wire _20_;
  wire [4:0] _21_;
  wire _22_;
  wire _23_;
  wire _24_;
  wire _25_;
  wire _26_;
  wire _27_;
  wire _28_;
  wire _29_;
  wire _30_;
  wire [5:0] _31_;
  wire _32_;
  wire _33_;
  wire _34_;
  wire _35_;
  wire _36_;
  wire _37_;
  wire _38_;
  wire _39_;
  input [2:0] address;
  wire [2:0] address;
  output available;
  wire available;
  input claim;
  wire claim;
  input clk;
  wire clk;
  reg [3:0] count_0;
  reg [3:0] count_1;
  output [63:0] digits;
  wire [63:0] digits;
  input done;
  wire done;
  input [64:0] i__payload;
  wire [64:0] i__payload;
  output i__ready;
  wire i__ready;
  input i__valid;
  wire i__valid;
  input read;
  wire read;
  reg read_bank;
  reg room_0;
  reg room_1;
  input rst;
  wire rst;
  wire take;
  reg [3:0] unclaimed_0;
  reg unclaimed_0_some;
  reg [3:0] unclaimed_1;
  reg unclaimed_1_some;
  wire [3:0] write__addr;
  reg write_bank;
  (* no_rw_check = 32'd1 *)
  (* ram_style = "block" *)
  reg [63:0] words [15:0];
  always @(posedge clk) begin
    if (take)
      words[{ write_bank, write__addr[2:0] }] <= { i__payload[63], i__payload[55], i__payload[47], i__payload[39], i__payload[31], i__payload[23], i__payload[15], i__payload[7], i__payload[62], i__payload[54], i__payload[46], i__payload[38], i__payload[30], i__payload[22], i__payload[14], i__payload[6], i__payload[61], i__payload[53], i__payload[45], i__payload[37], i__payload[29], i__payload[21], i__payload[13], i__payload[5], i__payload[60], i__payload[52], i__payload[44], i__payload[36], i__payload[28], i__payload[20], i__payload[12], i__payload[4], i__payload[59], i__payload[51], i__payload[43], i__payload[35], i__payload[27], i__payload[19], i__payload[11], i__payload[3], i__payload[58], i__payload[50], i__payload[42], i__payload[34], i__payload[26], i__payload[18], i__payload[10], i__payload[2], i__payload[57], i__payload[49], i__payload[41], i__payload[33], i__payload[25], i__payload[17], i__payload[9], i__payload[1], i__payload[56], i__payload[48], i__payload[40], i__payload[32], i__payload[24], i__payload[16], i__payload[8], i__payload[0] };
  end
  reg [63:0] _93_;
  always @(posedge clk) begin
    if (read) begin
      _93_ <= words[{ read_bank, address }];
    end
  end
  assign digits = _93_;
  assign _18_ = _16_ - _17_;
  assign _19_ = unclaimed_1 > 1'h1;
  assign _20_ = _15_ | _19_;
  assign _17_ = claim & read_bank;
  assign _22_ = ~ _17_;
  assign _23_ = unclaimed_1_some & _22_;
  assign _24_ = _20_ | _23_;
  assign _15_ = take & write_bank;
  assign { _00_[3], write__addr[2:0] } = write_bank ? count_1 : count_0;
  assign _11_ = { _00_[3], write__addr[2:0] } + 1'h1;
  assign _12_ = ~ i__payload[64];
  assign _26_ = count_1 != 3'h7;
  assign _27_ = _12_ & _26_;
  assign _25_ = done & read_bank;
  assign _28_ = take & i__payload[64];
  assign _29_ = write_bank ^ _28_;
  assign _30_ = read_bank ^ done;
  assign i__ready = write_bank ? room_1 : room_0;
  assign take = i__valid & i__ready;
  assign available = read_bank ? unclaimed_1_some : unclaimed_0_some;
  assign _21_ = unclaimed_0 + _10_;
  assign _31_ = _21_ - _04_;
  assign _01_ = unclaimed_0 > 1'h1;
  assign _02_ = _10_ | _01_;
  assign _04_ = claim & _03_;
  assign _05_ = ~ _04_;
  assign _06_ = unclaimed_0_some & _05_;
  assign _07_ = _02_ | _06_;
  assign _09_ = ! write_bank;
  assign _10_ = take & _09_;
  assign _13_ = count_0 != 3'h7;
  assign _14_ = _12_ & _13_;
  assign _03_ = ! read_bank;
  assign _08_ = done & _03_;
  assign _16_ = unclaimed_1 + _15_;
  always @(posedge clk)
    if (rst) read_bank <= 1'h0;
    else read_bank <= _30_;
  always @(posedge clk)
    if (rst) write_bank <= 1'h0;
    else write_bank <= _29_;
  always @(posedge clk)
    if (_32_) room_1 <= 1'h1;
    else if (_15_) room_1 <= _27_;
  always @(posedge clk)
    if (_33_) count_1 <= 4'h0;
    else if (_15_) count_1 <= _11_[3:0];
  always @(posedge clk)
    if (_34_) unclaimed_1_some <= 1'h0;
    else unclaimed_1_some <= _24_;
  always @(posedge clk)
    if (_35_) unclaimed_1 <= 4'h0;
    else unclaimed_1 <= _18_[3:0];
  always @(posedge clk)
    if (_36_) room_0 <= 1'h1;
    else if (_10_) room_0 <= _14_;
  always @(posedge clk)
    if (_37_) count_0 <= 4'h0;
    else if (_10_) count_0 <= _11_[3:0];
  always @(posedge clk)
    if (_38_) unclaimed_0_some <= 1'h0;
    else unclaimed_0_some <= _07_;
  always @(posedge clk)
    if (_39_) unclaimed_0 <= 4'h0;
    else unclaimed_0 <= _31_[3:0];
  assign _32_ = | { _25_, rst };
  assign _33_ = | { _25_, rst };
  assign _34_ = | { _25_, rst };
  assign _35_ = | { _25_, rst };
  assign _36_ = | { _08_, rst };
  assign _37_ = | { _08_, rst };
  assign _38_ = | { _08_, rst };
  assign _39_ = | { _08_, rst };
  assign _00_[2:0] = write__addr[2:0];
  assign write__addr[3] = write_bank;
endmodule

module output_buffer(valid, results, o__ready, clk, rst, available, o__payload, o__valid, claim);
  wire [5:0] _00_;
  wire _01_;
  wire _02_;
  wire _03_;
  wire _04_;
  wire _05_;
  wire _06_;
  wire _07_;
  wire _08_;
  wire _09_;
  wire _10_;
  wire [6:0] _11_;
  wire _12_;
  wire _13_;
  wire [5:0] _14_;
  wire [5:0] _15_;
  wire _16_;
  wire [5:0] _17_;
  wire [5:0] _18_;
  wire _19_;
  wire [2:0] _20_;
  wire [2:0] _21_;
  wire _22_;
  wire _23_;
  wire _24_;
  wire _25_;
  wire _26_;
  wire _27_;
  wire _28_;
  wire _29_;
  wire _30_;
  wire [3:0] _31_;
  wire [4:0] _32_;
  output available;
  reg available;
  input claim;
  wire claim;
  input clk;
  wire clk;
  wire fetch;
  wire freed;
  wire give;
  wire moves;
  output [48:0] o__payload;
  reg [48:0] o__payload;
  input o__ready;
  wire o__ready;
  output o__valid;
  reg o__valid;
  wire [48:0] read__data;
  reg [4:0] read_at;
  reg read_out;
  input [48:0] results;
  wire [48:0] results;
  reg [2:0] room;
  input rst;
  wire rst;
  reg [1:0] slot;
  input valid;
  wire valid;
  reg [4:0] waiting;
  reg waiting_some;
  reg [4:0] write_at;
  (* no_rw_check = 32'd1 *)
  (* ram_style = "block" *)
  reg [48:0] words [23:0];
  always @(posedge clk) begin
    if (valid)
      words[write_at] <= results;
  end
  reg [48:0] _80_;
  always @(posedge clk) begin
    if (fetch) begin
      _80_ <= words[read_at];
    end
  end
  assign read__data = _80_;
  assign _00_ = waiting + valid;
  assign _11_ = _00_ - fetch;
  assign _22_ = waiting > 1'h1;
  assign _27_ = valid | _22_;
  assign _28_ = ~ fetch;
  assign _29_ = waiting_some & _28_;
  assign _30_ = _27_ | _29_;
  assign _31_ = room + freed;
  assign _32_ = _31_ - claim;
  assign _01_ = room > 1'h1;
  assign _02_ = freed | _01_;
  assign _03_ = ~ claim;
  assign _04_ = available & _03_;
  assign _05_ = _02_ | _04_;
  assign _06_ = ~ moves;
  assign _07_ = read_out & _06_;
  assign _08_ = fetch | _07_;
  assign _09_ = ~ give;
  assign _10_ = o__valid & _09_;
  assign _12_ = moves | _10_;
  assign _13_ = write_at == 5'h17;
  assign _14_ = write_at + 1'h1;
  assign _15_ = _13_ ? 6'h00 : _14_;
  assign _16_ = read_at == 5'h17;
  assign _17_ = read_at + 1'h1;
  assign _18_ = _16_ ? 6'h00 : _17_;
  assign _20_ = slot + 1'h1;
  assign _21_ = _19_ ? 3'h0 : _20_;
  assign _23_ = ~ o__valid;
  assign _24_ = _23_ | give;
  assign moves = read_out & _24_;
  assign _25_ = ~ read_out;
  assign _26_ = _25_ | moves;
  assign fetch = waiting_some & _26_;
  assign give = o__valid & o__ready;
  assign _19_ = slot == 2'h3;
  assign freed = give & _19_;
  always @(posedge clk)
    if (moves) o__payload <= read__data;
  always @(posedge clk)
    if (rst) o__valid <= 1'h0;
    else o__valid <= _12_;
  always @(posedge clk)
    if (rst) read_out <= 1'h0;
    else read_out <= _08_;
  always @(posedge clk)
    if (rst) available <= 1'h1;
    else available <= _05_;
  always @(posedge clk)
    if (rst) room <= 3'h6;
    else room <= _32_[2:0];
  always @(posedge clk)
    if (rst) waiting_some <= 1'h0;
    else waiting_some <= _30_;
  always @(posedge clk)
    if (rst) waiting <= 5'h00;
    else waiting <= _11_[4:0];
  always @(posedge clk)
    if (rst) slot <= 2'h0;
    else if (give) slot <= _21_[1:0];
  always @(posedge clk)
    if (rst) read_at <= 5'h00;
    else if (fetch) read_at <= _18_[4:0];
  always @(posedge clk)
    if (rst) write_at <= 5'h00;
    else if (valid) write_at <= _15_[4:0];
endmodule

module parameter_buffer(i__valid, claim, read, clk, rst, i__ready, available, word, i__payload);
  wire [5:0] _00_;
  wire _01_;
  wire _02_;
  wire _03_;
  wire _04_;
  wire _05_;
  wire _06_;
  wire [5:0] _07_;
  wire [5:0] _08_;
  wire _09_;
  wire [2:0] _10_;
  wire [6:0] _11_;
  wire [2:0] _12_;
  wire _13_;
  wire [5:0] _14_;
  wire [5:0] _15_;
  wire _16_;
  wire _17_;
  wire _18_;
  wire _19_;
  wire _20_;
  wire [3:0] _21_;
  wire [4:0] _22_;
  output available;
  reg available;
  input claim;
  wire claim;
  input clk;
  wire clk;
  input [15:0] i__payload;
  wire [15:0] i__payload;
  output i__ready;
  reg i__ready;
  input i__valid;
  wire i__valid;
  reg [1:0] in_bundle;
  input read;
  wire read;
  reg [4:0] read_at;
  reg [4:0] room;
  input rst;
  wire rst;
  wire take;
  reg [2:0] unclaimed;
  wire whole;
  output [15:0] word;
  wire [15:0] word;
  reg [4:0] write_at;
  (* no_rw_check = 32'd1 *)
  (* ram_style = "block" *)
  reg [15:0] words [23:0];
  always @(posedge clk) begin
    if (take)
      words[write_at] <= i__payload;
  end
  reg [15:0] _55_;
  always @(posedge clk) begin
    if (read) begin
      _55_ <= words[read_at];
    end
  end
  assign word = _55_;
  assign _00_ = room + read;
  assign _11_ = _00_ - take;
  assign _16_ = room > 1'h1;
  assign _17_ = read | _16_;
  assign _18_ = ~ take;
  assign _19_ = i__ready & _18_;
  assign _20_ = _17_ | _19_;
  assign _21_ = unclaimed + whole;
  assign _22_ = _21_ - claim;
  assign _01_ = unclaimed > 1'h1;
  assign _02_ = whole | _01_;
  assign _03_ = ~ claim;
  assign _04_ = available & _03_;
  assign _05_ = _02_ | _04_;
  assign _06_ = write_at == 5'h17;
  assign _07_ = write_at + 1'h1;
  assign _08_ = _06_ ? 6'h00 : _07_;
  assign _10_ = in_bundle + 1'h1;
  assign _12_ = _09_ ? 3'h0 : _10_;
  assign _13_ = read_at == 5'h17;
  assign _14_ = read_at + 1'h1;
  assign _15_ = _13_ ? 6'h00 : _14_;
  assign take = i__valid & i__ready;
  assign _09_ = in_bundle == 2'h3;
  assign whole = take & _09_;
  always @(posedge clk)
    if (rst) read_at <= 5'h00;
    else if (read) read_at <= _15_[4:0];
  always @(posedge clk)
    if (rst) in_bundle <= 2'h0;
    else if (take) in_bundle <= _12_[1:0];
  always @(posedge clk)
    if (rst) write_at <= 5'h00;
    else if (take) write_at <= _08_[4:0];
  always @(posedge clk)
    if (rst) available <= 1'h0;
    else available <= _05_;
  always @(posedge clk)
    if (rst) unclaimed <= 3'h0;
    else unclaimed <= _22_[2:0];
  always @(posedge clk)
    if (rst) i__ready <= 1'h1;
    else i__ready <= _20_;
  always @(posedge clk)
    if (rst) room <= 5'h18;
    else room <= _11_[4:0];
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
  wire [7:0] _06_;
  reg added_valid;
  reg [7:0] chosen;
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
  reg [63:0] fetched_weights;
  reg [63:0] held;
  reg [21:0] issued;
  reg issued_valid;
  wire [10:0] pe_0__sum;
  wire [10:0] pe_1__sum;
  wire [10:0] pe_2__sum;
  wire [10:0] pe_3__sum;
  reg [21:0] read;
  reg read_valid;
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
  assign _00_ = read[0] ? held[63:56] : held[55:48];
  assign _01_ = read[0] ? held[47:40] : held[39:32];
  assign _02_ = read[1] ? _00_ : _01_;
  assign _03_ = read[0] ? held[31:24] : held[23:16];
  assign _04_ = read[0] ? held[15:8] : held[7:0];
  assign _05_ = read[1] ? _03_ : _04_;
  assign _06_ = read[2] ? _02_ : _05_;
  always @(posedge clk)
    selected <= fetched;
  always @(posedge clk)
    ended <= selected;
  always @(posedge clk)
    issued <= step;
  always @(posedge clk)
    read <= issued;
  always @(posedge clk)
    fetched_weights <= weights;
  always @(posedge clk)
    fetched <= read;
  always @(posedge clk)
    if (fetched_valid) digit <= chosen;
  always @(posedge clk)
    if (read_valid) chosen <= _06_;
  always @(posedge clk)
    if (issued_valid) held <= digits;
  always @(posedge clk)
    if (rst) fetched_valid <= 1'h0;
    else fetched_valid <= read_valid;
  always @(posedge clk)
    if (rst) read_valid <= 1'h0;
    else read_valid <= issued_valid;
  always @(posedge clk)
    if (rst) issued_valid <= 1'h0;
    else issued_valid <= valid;
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
    .weights(fetched_weights[15:0])
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
    .weights(fetched_weights[31:16])
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
    .weights(fetched_weights[47:32])
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
    .weights(fetched_weights[63:48])
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
  wire [64:0] _00_;
  wire [39:0] _01_;
  wire [23:0] _02_;
  wire _03_;
  wire [31:0] _04_;
  wire _05_;
  wire _06_;
  wire [31:0] _07_;
  wire _08_;
  wire _09_;
  wire [15:0] _10_;
  wire [11:0] _11_;
  wire [9:0] _12_;
  wire [31:0] _13_;
  wire _14_;
  wire _15_;
  wire _16_;
  wire _17_;
  wire _18_;
  wire _19_;
  wire [9:0] _20_;
  wire _21_;
  wire [63:0] _22_;
  wire _23_;
  wire [7:0] _24_;
  wire [9:0] _25_;
  wire [47:0] _26_;
  wire [95:0] _27_;
  input clk;
  wire clk;
  input enable;
  wire enable;
  reg enable_0;
  reg enable_1;
  reg enable_2;
  reg enable_3;
  reg enable_4;
  reg enable_5;
  reg [15:0] factor;
  reg fits_0;
  reg fits_1;
  reg [63:0] pair_0;
  reg [31:0] pair_2;
  reg [31:0] part_0;
  reg [31:0] part_1;
  reg [31:0] part_2;
  reg [63:0] product;
  reg [47:0] raw_0;
  reg [47:0] raw_1;
  output [47:0] result;
  reg [47:0] result;
  input rst;
  wire rst;
  input [15:0] scale;
  wire [15:0] scale;
  input [5:0] shift;
  wire [5:0] shift;
  reg [5:0] shift_0;
  reg [5:0] shift_1;
  reg [5:0] shift_2;
  reg [5:0] shift_3;
  reg [5:0] shift_later_0;
  reg sign_0;
  reg sign_1;
  input [47:0] total;
  wire [47:0] total;
  reg [47:0] total_held;
  reg [15:0] word_0;
  reg [8:0] word_1;
  assign _14_ = $signed(_10_[15:11]) == $signed(sign_0);
  assign _15_ = fits_0 & _14_;
  assign _16_ = $signed(_11_[11:9]) == $signed(sign_0);
  assign _17_ = _15_ & _16_;
  assign _10_ = shift_later_0[2] ? { sign_0, sign_0, sign_0, sign_0, word_0[15:4] } : word_0;
  assign _11_ = shift_later_0[1] ? { sign_0, sign_0, _10_[11:2] } : _10_[11:0];
  assign _12_ = shift_later_0[0] ? { sign_0, _11_[9:1] } : _11_[9:0];
  assign _18_ = $signed(_12_[9:8]) == $signed(sign_0);
  assign _19_ = _17_ & _18_;
  assign _21_ = { _20_[9], _20_[9:1] } != 8'h80;
  assign _23_ = fits_1 & _21_;
  assign _20_ = $signed(word_1) + $signed(2'h1);
  assign _24_ = sign_1 ? 8'h80 : 8'h7f;
  assign _25_ = _23_ ? { _20_[9], _20_[9:1] } : { _24_[7], _24_[7], _24_ };
  assign _26_ = enable_5 ? { _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_[9], _25_ } : raw_1;
  always @(posedge clk)
    total_held <= total;
  always @(posedge clk)
    part_0 <= _04_;
  always @(posedge clk)
    part_1 <= _07_;
  always @(posedge clk)
    part_2 <= _13_;
  always @(posedge clk)
    pair_0 <= _22_;
  always @(posedge clk)
    pair_2 <= part_2;
  always @(posedge clk)
    product <= _27_[63:0];
  always @(posedge clk)
    raw_0 <= product[47:0];
  always @(posedge clk)
    raw_1 <= raw_0;
  always @(posedge clk)
    shift_0 <= shift;
  always @(posedge clk)
    shift_1 <= shift_0;
  always @(posedge clk)
    shift_2 <= shift_1;
  always @(posedge clk)
    shift_3 <= shift_2;
  always @(posedge clk)
    enable_0 <= enable;
  always @(posedge clk)
    enable_1 <= enable_0;
  always @(posedge clk)
    enable_2 <= enable_1;
  always @(posedge clk)
    enable_3 <= enable_2;
  always @(posedge clk)
    enable_4 <= enable_3;
  always @(posedge clk)
    enable_5 <= enable_4;
  always @(posedge clk)
    word_0 <= _02_[15:0];
  always @(posedge clk)
    sign_0 <= product[63];
  always @(posedge clk)
    fits_0 <= _09_;
  always @(posedge clk)
    shift_later_0 <= shift_3;
  always @(posedge clk)
    word_1 <= _12_[8:0];
  always @(posedge clk)
    sign_1 <= sign_0;
  always @(posedge clk)
    fits_1 <= _19_;
  always @(posedge clk)
    result <= _26_;
  assign _04_ = $signed({ 1'h0, total_held[15:0] }) * $signed(factor);
  assign _07_ = $signed({ 1'h0, total_held[31:16] }) * $signed(factor);
  assign _13_ = $signed(total_held[47:32]) * $signed(factor);
  assign _22_ = $signed(part_0) + $signed({ part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1[31], part_1, 16'h0000 });
  assign _27_ = $signed(pair_0) + $signed({ pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2[31], pair_2, 32'h00000000 });
  assign _03_ = $signed(_00_[64:39]) == $signed(product[63]);
  assign _05_ = $signed(_01_[39:23]) == $signed(product[63]);
  assign _06_ = _03_ & _05_;
  assign _00_ = shift_3[5] ? { product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63:31] } : { product, 1'h0 };
  assign _01_ = shift_3[4] ? { product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], _00_[39:16] } : _00_[39:0];
  assign _02_ = shift_3[3] ? { product[63], product[63], product[63], product[63], product[63], product[63], product[63], product[63], _01_[23:8] } : _01_[23:0];
  assign _08_ = $signed(_02_[23:15]) == $signed(product[63]);
  assign _09_ = _06_ & _08_;
  always @(posedge clk)
    if (!enable) factor <= 16'h0001;
    else factor <= scale;
endmodule

module scaler(coefficient, offset, use_offset, x_sum, total_slot, total_first, total_valid, sum_slot, sum_term, sum_first, sum_valid, clk, rst, total, value);
  wire [29:0] _00_;
  wire [29:0] _01_;
  wire [31:0] _02_;
  wire [14:0] _03_;
  wire [48:0] _04_;
  reg [31:0] both_0;
  input clk;
  wire clk;
  input [15:0] coefficient;
  wire [15:0] coefficient;
  reg [15:0] coefficient_held_0;
  reg [15:0] coefficient_held_1;
  reg [13:0] group_sum_0;
  reg [13:0] group_sum_1;
  reg [13:0] group_sums_before;
  wire [13:0] group_sums_next;
  reg [2:0] group_sums_place;
  wire [13:0] group_sums_read__data;
  reg group_sums_valid;
  input [15:0] offset;
  wire [15:0] offset;
  reg [15:0] offset_held_0;
  reg [15:0] offset_held_1;
  reg [29:0] product_0;
  reg [31:0] products;
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
  reg [47:0] totals_before;
  wire [47:0] totals_next;
  reg [1:0] totals_place;
  wire [47:0] totals_read__data;
  reg totals_valid;
  input use_offset;
  wire use_offset;
  input [10:0] value;
  wire [10:0] value;
  reg [29:0] x_product_0;
  input [13:0] x_sum;
  wire [13:0] x_sum;
  reg [13:0] group_sums [7:0];
  always @(posedge clk) begin
    if (group_sums_valid)
      group_sums[group_sums_place] <= group_sums_next;
  end
  assign group_sums_read__data = group_sums[{ sum_term, sum_slot }];
  reg [47:0] totals [3:0];
  always @(posedge clk) begin
    if (totals_valid)
      totals[totals_place] <= totals_next;
  end
  assign totals_read__data = totals[total_slot];
  assign _00_ = $signed(group_sum_1) * $signed(coefficient_held_1);
  assign _01_ = $signed(x_sum) * $signed(offset_held_1);
  assign _02_ = $signed({ product_0[29], product_0 }) + $signed(x_product_0);
  assign { _03_[14], group_sums_next } = $signed(group_sums_before) + $signed(value);
  assign { _04_[48], totals_next } = $signed(totals_before) + $signed(products);
  always @(posedge clk)
    group_sums_place <= { sum_term, sum_slot };
  always @(posedge clk)
    group_sum_0 <= group_sums_next;
  always @(posedge clk)
    group_sum_1 <= group_sum_0;
  always @(posedge clk)
    coefficient_held_0 <= coefficient;
  always @(posedge clk)
    coefficient_held_1 <= coefficient_held_0;
  always @(posedge clk)
    offset_held_1 <= offset_held_0;
  always @(posedge clk)
    product_0 <= _00_;
  always @(posedge clk)
    x_product_0 <= _01_;
  always @(posedge clk)
    both_0 <= _02_;
  always @(posedge clk)
    products <= both_0;
  always @(posedge clk)
    totals_place <= total_slot;
  always @(posedge clk)
    total <= totals_next;
  always @(posedge clk)
    if (rst) totals_valid <= 1'h0;
    else totals_valid <= total_valid;
  always @(posedge clk)
    if (total_first) totals_before <= 48'h000000000000;
    else totals_before <= totals_read__data;
  always @(posedge clk)
    if (!use_offset) offset_held_0 <= 16'h0000;
    else offset_held_0 <= offset;
  always @(posedge clk)
    if (rst) group_sums_valid <= 1'h0;
    else group_sums_valid <= sum_valid;
  always @(posedge clk)
    if (sum_first) group_sums_before <= 14'h0000;
    else group_sums_before <= group_sums_read__data;
  assign _03_[13:0] = group_sums_next;
  assign _04_[47:0] = totals_next;
endmodule

module scaling(ended, sums, x_sum, coefficients, offsets, scales, clk, rst, coefficients_read, offsets_read, scales_read, valid, results, ends);
  wire _00_;
  wire _01_;
  wire _02_;
  wire [2:0] _03_;
  wire _04_;
  wire _05_;
  wire _06_;
  wire _07_;
  wire [13:0] _08_;
  wire [14:0] _09_;
  wire [10:0] _10_;
  wire [10:0] _11_;
  wire [10:0] _12_;
  wire _13_;
  wire _14_;
  wire _15_;
  wire _16_;
  wire _17_;
  wire _18_;
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
  wire \ended$20.last ;
  input ends;
  wire ends;
  wire ends_row;
  reg [23:0] factor;
  reg factor_valid;
  reg [23:0] held;
  reg held_valid;
  wire last_slot;
  reg [10:0] leaving_0;
  reg [10:0] leaving_1;
  reg [10:0] leaving_2;
  reg [10:0] leaving_3;
  reg [10:0] leaving_4;
  reg [10:0] leaving_5;
  reg [10:0] leaving_6;
  reg leaving_valid_0;
  reg leaving_valid_1;
  reg leaving_valid_2;
  reg leaving_valid_3;
  reg leaving_valid_4;
  reg leaving_valid_5;
  input [15:0] offsets;
  wire [15:0] offsets;
  output offsets_read;
  wire offsets_read;
  reg [23:0] product;
  reg product_valid;
  wire [47:0] requantizer_0__result;
  output [48:0] results;
  wire [48:0] results;
  input rst;
  wire rst;
  wire [47:0] scaler_0__total;
  input [15:0] scales;
  wire [15:0] scales;
  output scales_read;
  wire scales_read;
  reg [23:0] summed;
  reg summed_valid;
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
  reg [13:0] x_sum_held_0;
  reg [13:0] x_sum_held_1;
  always @(posedge clk)
    leaving_0 <= { done[10:3], 1'h0, done[1:0] };
  always @(posedge clk)
    leaving_1 <= leaving_0;
  always @(posedge clk)
    leaving_2 <= leaving_1;
  always @(posedge clk)
    leaving_3 <= leaving_2;
  always @(posedge clk)
    leaving_4 <= leaving_3;
  always @(posedge clk)
    leaving_5 <= leaving_4;
  always @(posedge clk)
    leaving_6 <= leaving_5;
  always @(posedge clk)
    value_0 <= _12_;
  assign last_slot = \drain.slot  == 2'h3;
  assign _00_ = total_valid & total[12];
  assign ends_row = _00_ & total[8];
  assign coefficients_read = drain_valid & \drain.step [10];
  assign _13_ = coefficients_read & \drain.step [8];
  assign offsets_read = _13_ & \drain.step [14];
  assign _14_ = total[23:22] == 2'h3;
  assign \ended$20.last  = total[13] & _14_;
  assign scales_read = ends_row & total[15];
  assign _15_ = value[8] & value[14];
  assign _16_ = ! summed[7];
  assign _01_ = summed[11] & _16_;
  assign _02_ = ~ last_slot;
  assign _03_ = \drain.slot  + 1'h1;
  assign _04_ = value_valid & value[10];
  assign _05_ = ! \drain.slot ;
  assign _06_ = drain_valid & _05_;
  assign _07_ = _06_ & \drain.step [8];
  assign _08_ = \drain.step [9] ? 14'h0000 : x_group_sum_0;
  assign _09_ = $signed(_08_) + $signed(x_sum);
  assign _10_ = \drain.slot [0] ? sums[43:33] : sums[32:22];
  assign _11_ = \drain.slot [0] ? sums[21:11] : sums[10:0];
  assign _12_ = \drain.slot [1] ? _10_ : _11_;
  always @(posedge clk)
    value <= { \drain.slot , \drain.step  };
  always @(posedge clk)
    held <= value;
  always @(posedge clk)
    factor <= held;
  always @(posedge clk)
    product <= factor;
  always @(posedge clk)
    summed <= product;
  always @(posedge clk)
    total <= summed;
  always @(posedge clk)
    x_sum_held_0 <= x_group_sum_0;
  always @(posedge clk)
    x_sum_held_1 <= x_sum_held_0;
  always @(posedge clk)
    if (rst) done_valid <= 1'h0;
    else done_valid <= ends_row;
  always @(posedge clk)
    if (_07_) x_group_sum_0 <= _09_[13:0];
  always @(posedge clk)
    if (rst) total_valid <= 1'h0;
    else total_valid <= summed_valid;
  always @(posedge clk)
    if (rst) summed_valid <= 1'h0;
    else summed_valid <= product_valid;
  always @(posedge clk)
    if (rst) product_valid <= 1'h0;
    else product_valid <= factor_valid;
  always @(posedge clk)
    if (rst) factor_valid <= 1'h0;
    else factor_valid <= held_valid;
  always @(posedge clk)
    if (rst) held_valid <= 1'h0;
    else held_valid <= _04_;
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
    else if (_17_) drain_valid <= _18_;
  always @(posedge clk)
    if (rst) valid <= 1'h0;
    else valid <= leaving_valid_5;
  always @(posedge clk)
    if (rst) leaving_valid_5 <= 1'h0;
    else leaving_valid_5 <= leaving_valid_4;
  always @(posedge clk)
    if (rst) leaving_valid_4 <= 1'h0;
    else leaving_valid_4 <= leaving_valid_3;
  always @(posedge clk)
    if (rst) leaving_valid_3 <= 1'h0;
    else leaving_valid_3 <= leaving_valid_2;
  always @(posedge clk)
    if (rst) leaving_valid_2 <= 1'h0;
    else leaving_valid_2 <= leaving_valid_1;
  always @(posedge clk)
    if (rst) leaving_valid_1 <= 1'h0;
    else leaving_valid_1 <= leaving_valid_0;
  always @(posedge clk)
    if (rst) leaving_valid_0 <= 1'h0;
    else leaving_valid_0 <= done_valid;
  reg [9:0] _76_;
  always @(posedge clk)
    _76_ <= { total[21:15], \ended$20.last , total[23:22] };
  assign { done[10:3], done[1:0] } = _76_;
  assign _17_ = | { drain_valid, ends };
  assign _18_ = ends ? 1'h1 : _02_;
  requantizer requantizer_0 (
    .clk(clk),
    .enable(done[4]),
    .result(requantizer_0__result),
    .rst(rst),
    .scale(scales),
    .shift(done[10:5]),
    .total(scaler_0__total)
  );
  scaler scaler_0 (
    .clk(clk),
    .coefficient(coefficients),
    .offset(offsets),
    .rst(rst),
    .sum_first(\drain.step [9]),
    .sum_slot(\drain.slot ),
    .sum_term(\drain.step [7]),
    .sum_valid(drain_valid),
    .total(scaler_0__total),
    .total_first(_01_),
    .total_slot(summed[23:22]),
    .total_valid(summed_valid),
    .use_offset(_15_),
    .value(value_0),
    .x_sum(x_sum_held_1)
  );
  assign done[2] = 1'h0;
  assign results = { leaving_6[3], requantizer_0__result };
endmodule

module sequencer(i__valid, word_available, x_available, coefficients_available, offsets_available, scales_available, room_available, clk, rst, i__ready, valid, step, waits, word_claim, address, x_claim, x_read, x_done, coefficients_claim, offsets_claim, scales_claim
, room_claim, i__payload);
  wire [2:0] _000_;
  wire [4:0] _001_;
  wire _002_;
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
  wire _021_;
  wire _022_;
  wire _023_;
  wire _024_;
  wire _025_;
  wire _026_;
  wire _027_;
  wire _028_;
  wire _029_;
  wire _030_;
  wire _031_;
  wire _032_;
  wire _033_;
  wire _034_;
  wire [1:0] _035_;
  wire _036_;
  wire _037_;
  wire [3:0] _038_;
  wire [2:0] _039_;
  wire _040_;
  wire _041_;
  wire [3:0] _042_;
  wire _043_;
  wire _044_;
  wire [16:0] _045_;
  wire _046_;
  wire _047_;
  wire [2:0] _048_;
  wire _049_;
  wire _050_;
  wire _051_;
  wire _052_;
  wire _053_;
  wire [4:0] _054_;
  wire [3:0] _055_;
  wire _056_;
  wire _057_;
  wire _058_;
  wire _059_;
  wire _060_;
  wire [3:0] _061_;
  wire [4:0] _062_;
  wire [4:0] _063_;
  wire [4:0] _064_;
  wire _065_;
  wire _066_;
  wire _067_;
  wire _068_;
  wire _069_;
  wire _070_;
  wire _071_;
  wire [4:0] _072_;
  wire [4:0] _073_;
  wire _074_;
  wire _075_;
  wire _076_;
  wire [17:0] _077_;
  wire _078_;
  wire _079_;
  wire [17:0] _080_;
  wire [17:0] _081_;
  wire _082_;
  wire _083_;
  wire _084_;
  wire [3:0] _085_;
  wire [3:0] _086_;
  wire [1:0] _087_;
  wire [1:0] _088_;
  wire _089_;
  wire [3:0] _090_;
  wire [3:0] _091_;
  wire _092_;
  wire _093_;
  wire _094_;
  wire _095_;
  wire _096_;
  wire _097_;
  wire _098_;
  wire _099_;
  wire _100_;
  wire _101_;
  wire _102_;
  wire _103_;
  wire _104_;
  wire _105_;
  wire _106_;
  wire _107_;
  wire _108_;
  wire _109_;
  output [2:0] address;
  reg [2:0] address;
  wire advance;
  input clk;
  wire clk;
  input coefficients_available;
  wire coefficients_available;
  output coefficients_claim;
  wire coefficients_claim;
  reg [2:0] digit;
  reg due;
  reg due_coefficients;
  reg due_offsets;
  reg due_room;
  reg due_scales;
  reg due_word;
  reg due_x;
  reg due_x_done;
  reg due_x_read;
  wire ends_layer;
  reg group_first;
  reg group_last;
  reg [3:0] group_left;
  reg group_near;
  reg group_words_once;
  reg [3:0] group_words_rest;
  reg group_words_twice;
  reg groups_once;
  reg [3:0] groups_rest;
  reg groups_twice;
  input [42:0] i__payload;
  wire [42:0] i__payload;
  output i__ready;
  wire i__ready;
  input i__valid;
  wire i__valid;
  reg [42:0] layer;
  reg [42:0] next_layer;
  input offsets_available;
  wire offsets_available;
  output offsets_claim;
  wire offsets_claim;
  input room_available;
  wire room_available;
  output room_claim;
  wire room_claim;
  reg row_tile_first;
  reg row_tile_last;
  reg [16:0] row_tile_left;
  reg row_tile_near;
  input rst;
  wire rst;
  input scales_available;
  wire scales_available;
  output scales_claim;
  wire scales_claim;
  output [21:0] step;
  reg [21:0] step;
  wire \step$63.first ;
  wire \step$63.last ;
  wire [1:0] \step$63.mask ;
  reg tail_words_once;
  reg [3:0] tail_words_rest;
  reg tail_words_twice;
  wire take;
  reg term;
  reg term_first;
  reg term_last;
  reg [1:0] term_left;
  reg term_near;
  reg terms_once;
  reg [1:0] terms_rest;
  reg terms_twice;
  output valid;
  wire valid;
  reg waiting;
  output [5:0] waits;
  wire [5:0] waits;
  wire \waits.activations ;
  wire \waits.coefficients ;
  wire \waits.offsets ;
  wire \waits.results ;
  wire \waits.scales ;
  wire \waits.weights ;
  reg walking;
  reg [2:0] word_address;
  input word_available;
  wire word_available;
  output word_claim;
  wire word_claim;
  reg word_first;
  reg word_last;
  reg [3:0] word_left;
  reg word_near;
  input x_available;
  wire x_available;
  output x_claim;
  wire x_claim;
  output x_done;
  wire x_done;
  output x_read;
  wire x_read;
  assign _025_ = advance & \step$63.last ;
  assign _000_ = next_layer[30:29] - 1'h1;
  assign _031_ = next_layer[30:29] == 1'h1;
  assign _034_ = next_layer[30:29] == 2'h2;
  assign _039_ = term_left - 1'h1;
  assign _048_ = term_last ? { 1'h0, terms_rest } : _039_;
  assign _049_ = term_last ? terms_once : term_near;
  assign _050_ = term_left == 2'h2;
  assign _051_ = term_last ? terms_twice : _050_;
  assign _052_ = advance & _008_;
  assign _001_ = next_layer[28:25] - 1'h1;
  assign _054_ = next_layer[24:21] - 1'h1;
  assign _055_ = _053_ ? _001_[3:0] : _054_[3:0];
  assign _006_ = next_layer[28:25] == 1'h1;
  assign _056_ = next_layer[24:21] == 1'h1;
  assign _057_ = _053_ ? _006_ : _056_;
  assign _010_ = next_layer[28:25] == 2'h2;
  assign _058_ = next_layer[24:21] == 2'h2;
  assign _059_ = _053_ ? _010_ : _058_;
  assign _061_ = _060_ ? tail_words_rest : group_words_rest;
  assign _063_ = word_left - 1'h1;
  assign _064_ = word_last ? { 1'h0, _061_ } : _063_;
  assign _065_ = _060_ ? tail_words_once : group_words_once;
  assign _066_ = word_last ? _065_ : word_near;
  assign _067_ = _060_ ? tail_words_twice : group_words_twice;
  assign _068_ = word_left == 2'h2;
  assign _069_ = word_last ? _067_ : _068_;
  assign _070_ = advance & _009_;
  assign _062_ = next_layer[20:17] - 1'h1;
  assign _053_ = next_layer[20:17] == 1'h1;
  assign _071_ = next_layer[20:17] == 2'h2;
  assign _072_ = group_left - 1'h1;
  assign _073_ = group_last ? { 1'h0, groups_rest } : _072_;
  assign _060_ = group_last ? groups_once : group_near;
  assign _074_ = group_left == 2'h2;
  assign _075_ = group_last ? groups_twice : _074_;
  assign _076_ = advance & _011_;
  assign _077_ = next_layer[16:0] - 1'h1;
  assign _080_ = row_tile_left - 1'h1;
  assign _081_ = row_tile_last ? { 1'h0, _077_[16:0] } : _080_;
  assign _078_ = next_layer[16:0] == 1'h1;
  assign _082_ = row_tile_last ? _078_ : row_tile_near;
  assign _079_ = next_layer[16:0] == 2'h2;
  assign _083_ = row_tile_left == 2'h2;
  assign _084_ = row_tile_last ? _079_ : _083_;
  assign _085_ = digit - 1'h1;
  assign _086_ = \step$63.last  ? 4'h7 : _085_;
  assign _087_ = term + 1'h1;
  assign _088_ = term_last ? 2'h0 : _087_;
  assign _089_ = word_last & group_last;
  assign _090_ = word_address + 1'h1;
  assign _091_ = _089_ ? 4'h0 : _090_;
  assign _092_ = _007_ & row_tile_first;
  assign _093_ = _003_ & layer[35];
  assign _005_ = _004_ & layer[36];
  assign _007_ = \step$63.first  & term_first;
  assign _002_ = \step$63.last  & word_last;
  assign _003_ = _002_ & term_last;
  assign _004_ = _003_ & group_last;
  assign _008_ = \step$63.last  & term_last;
  assign _009_ = _008_ & word_last;
  assign _011_ = _009_ & group_last;
  assign ends_layer = _011_ & row_tile_last;
  assign _012_ = ~ due;
  assign _013_ = _012_ | valid;
  assign advance = walking & _013_;
  assign _014_ = ~ walking;
  assign _015_ = advance & ends_layer;
  assign _016_ = _014_ | _015_;
  assign take = waiting & _016_;
  assign _017_ = ~ waiting;
  assign i__ready = _017_ | take;
  assign \step$63.first  = digit == 3'h7;
  assign \step$63.last  = ! digit;
  assign \step$63.mask  = layer[34:31] >> { 1'h0, term, 1'h0 };
  assign \waits.weights  = due & _019_;
  assign \waits.activations  = due & _021_;
  assign \waits.coefficients  = due & _023_;
  assign \waits.offsets  = due & _026_;
  assign \waits.scales  = due & _028_;
  assign \waits.results  = due & _030_;
  assign _018_ = ~ word_available;
  assign _019_ = due_word & _018_;
  assign _020_ = ~ x_available;
  assign _021_ = due_x & _020_;
  assign _022_ = ~ coefficients_available;
  assign _023_ = due_coefficients & _022_;
  assign _024_ = ~ offsets_available;
  assign _026_ = due_offsets & _024_;
  assign _027_ = ~ scales_available;
  assign _028_ = due_scales & _027_;
  assign _029_ = ~ room_available;
  assign _030_ = due_room & _029_;
  assign _032_ = | { _030_, _028_, _026_, _023_, _021_, _019_ };
  assign _033_ = ~ _032_;
  assign valid = due & _033_;
  assign x_read = valid & due_x_read;
  assign x_done = valid & due_x_done;
  assign word_claim = valid & due_word;
  assign x_claim = valid & due_x;
  assign coefficients_claim = valid & due_coefficients;
  assign offsets_claim = valid & due_offsets;
  assign scales_claim = valid & due_scales;
  assign room_claim = valid & due_room;
  always @(posedge clk)
    if (rst) address <= 3'h0;
    else if (advance) address <= word_address;
  always @(posedge clk)
    if (rst) step <= 22'h000000;
    else if (advance) step <= { layer[42:35], row_tile_last, group_last, group_first, word_last, word_first, term_last, term, \step$63.mask , \step$63.last , \step$63.first , digit };
  always @(posedge clk)
    if (advance) due_x_done <= ends_layer;
  always @(posedge clk)
    if (advance) due_x_read <= _007_;
  always @(posedge clk)
    if (advance) due_room <= _004_;
  always @(posedge clk)
    if (advance) due_scales <= _005_;
  always @(posedge clk)
    if (advance) due_offsets <= _093_;
  always @(posedge clk)
    if (advance) due_coefficients <= _002_;
  always @(posedge clk)
    if (advance) due_x <= _092_;
  always @(posedge clk)
    if (advance) due_word <= _007_;
  always @(posedge clk)
    if (rst) due <= 1'h0;
    else if (_013_) due <= walking;
  always @(posedge clk)
    if (take) layer <= next_layer;
  always @(posedge clk)
    if (rst) walking <= 1'h0;
    else if (_094_) walking <= _109_;
  always @(posedge clk)
    if (i__ready) next_layer <= i__payload;
  always @(posedge clk)
    if (rst) waiting <= 1'h0;
    else if (i__ready) waiting <= i__valid;
  always @(posedge clk)
    if (rst) word_address <= 3'h0;
    else if (_107_) word_address <= _091_[2:0];
  always @(posedge clk)
    if (rst) term <= 1'h0;
    else if (_108_) term <= _088_[0];
  always @(posedge clk)
    if (rst) digit <= 3'h7;
    else if (advance) digit <= _086_[2:0];
  always @(posedge clk)
    if (_095_) row_tile_near <= _047_;
  always @(posedge clk)
    if (_096_) row_tile_last <= _046_;
  always @(posedge clk)
    if (_097_) row_tile_left <= _045_;
  always @(posedge clk)
    if (take) row_tile_first <= 1'h1;
    else if (_076_) row_tile_first <= row_tile_last;
  always @(posedge clk)
    if (_098_) group_near <= _044_;
  always @(posedge clk)
    if (_099_) group_last <= _043_;
  always @(posedge clk)
    if (_100_) group_left <= _042_;
  always @(posedge clk)
    if (take) group_first <= 1'h1;
    else if (_070_) group_first <= group_last;
  always @(posedge clk)
    if (_101_) word_near <= _041_;
  always @(posedge clk)
    if (_102_) word_last <= _040_;
  always @(posedge clk)
    if (_103_) word_left <= _038_;
  always @(posedge clk)
    if (take) word_first <= 1'h1;
    else if (_052_) word_first <= word_last;
  always @(posedge clk)
    if (_104_) term_near <= _037_;
  always @(posedge clk)
    if (_105_) term_last <= _036_;
  always @(posedge clk)
    if (_106_) term_left <= _035_;
  always @(posedge clk)
    if (take) term_first <= 1'h1;
    else if (_025_) term_first <= term_last;
  always @(posedge clk)
    if (take) tail_words_twice <= _010_;
  always @(posedge clk)
    if (take) tail_words_once <= _006_;
  always @(posedge clk)
    if (take) tail_words_rest <= _001_[3:0];
  always @(posedge clk)
    if (take) group_words_twice <= _058_;
  always @(posedge clk)
    if (take) group_words_once <= _056_;
  always @(posedge clk)
    if (take) group_words_rest <= _054_[3:0];
  always @(posedge clk)
    if (take) groups_twice <= _071_;
  always @(posedge clk)
    if (take) groups_once <= _053_;
  always @(posedge clk)
    if (take) groups_rest <= _062_[3:0];
  always @(posedge clk)
    if (take) terms_twice <= _034_;
  always @(posedge clk)
    if (take) terms_once <= _031_;
  always @(posedge clk)
    if (take) terms_rest <= _000_[1:0];
  assign _094_ = | { take, _015_ };
  assign _095_ = | { take, _076_ };
  assign _096_ = | { take, _076_ };
  assign _097_ = | { take, _076_ };
  assign _098_ = | { take, _070_ };
  assign _099_ = | { take, _070_ };
  assign _100_ = | { take, _070_ };
  assign _101_ = | { take, _052_ };
  assign _102_ = | { take, _052_ };
  assign _103_ = | { take, _052_ };
  assign _104_ = | { take, _025_ };
  assign _105_ = | { take, _025_ };
  assign _106_ = | { take, _025_ };
  assign _107_ = & { \step$63.last , term_last, advance };
  assign _108_ = & { \step$63.last , advance };
  assign _109_ = take ? 1'h1 : 1'h0;
  assign _047_ = take ? _079_ : _084_;
  assign _046_ = take ? _078_ : _082_;
  assign _045_ = take ? _077_[16:0] : _081_[16:0];
  assign _044_ = take ? _071_ : _075_;
  assign _043_ = take ? _053_ : _060_;
  assign _042_ = take ? _062_[3:0] : _073_[3:0];
  assign _041_ = take ? _059_ : _069_;
  assign _040_ = take ? _057_ : _066_;
  assign _038_ = take ? _055_ : _064_[3:0];
  assign _037_ = take ? _034_ : _051_;
  assign _036_ = take ? _031_ : _049_;
  assign _035_ = take ? _000_[1:0] : _048_[1:0];
  assign waits = { \waits.results , \waits.scales , \waits.offsets , \waits.coefficients , \waits.activations , \waits.weights  };
endmodule

module top(i_layers__valid, i_weights__payload, i_weights__valid, i_activations__payload, i_activations__valid, i_coefficients__payload, i_coefficients__valid, i_offsets__payload, i_offsets__valid, i_scales__payload, i_scales__valid, o__ready, clk, rst, i_layers__ready, i_weights__ready, i_activations__ready, i_coefficients__ready, i_offsets__ready, i_scales__ready, o__payload
, o__valid, works, waits, i_layers__payload);
  reg _0_;
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
  wire sequencer__valid;
  wire [5:0] sequencer__waits;
  wire sequencer__word_claim;
  wire sequencer__x_claim;
  wire sequencer__x_done;
  wire sequencer__x_read;
  output [5:0] waits;
  reg [5:0] waits;
  wire weights__available;
  wire [63:0] weights__word;
  output works;
  reg works;
  always @(posedge clk)
    if (rst) works <= 1'h0;
    else works <= sequencer__valid;
  always @(posedge clk)
    if (rst) _0_ <= 1'h0;
    else _0_ <= sequencer__word_claim;
  always @(posedge clk)
    if (rst) waits <= 6'h00;
    else waits <= sequencer__waits;
  activation_buffer activations (
    .address(sequencer__address),
    .available(activations__available),
    .claim(sequencer__x_claim),
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
    .valid(sequencer__valid),
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
    .valid(sequencer__valid),
    .waits(sequencer__waits),
    .word_available(weights__available),
    .word_claim(sequencer__word_claim),
    .x_available(activations__available),
    .x_claim(sequencer__x_claim),
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
    .read(_0_),
    .rst(rst),
    .word(weights__word)
  );
endmodule

module weight_buffer(i__valid, claim, read, clk, rst, i__ready, available, word, i__payload);
  wire [5:0] _00_;
  wire _01_;
  wire _02_;
  wire _03_;
  wire _04_;
  wire _05_;
  wire _06_;
  wire [4:0] _07_;
  wire [4:0] _08_;
  wire _09_;
  wire [4:0] _10_;
  wire [6:0] _11_;
  wire [4:0] _12_;
  wire _13_;
  wire _14_;
  wire _15_;
  wire _16_;
  wire _17_;
  wire [5:0] _18_;
  wire [6:0] _19_;
  output available;
  reg available;
  input claim;
  wire claim;
  input clk;
  wire clk;
  input [63:0] i__payload;
  wire [63:0] i__payload;
  output i__ready;
  reg i__ready;
  input i__valid;
  wire i__valid;
  input read;
  wire read;
  reg [3:0] read_at;
  reg [4:0] room;
  input rst;
  wire rst;
  wire take;
  reg [4:0] unclaimed;
  output [63:0] word;
  wire [63:0] word;
  reg [3:0] write_at;
  (* no_rw_check = 32'd1 *)
  (* ram_style = "block" *)
  reg [63:0] words [15:0];
  always @(posedge clk) begin
    if (take)
      words[write_at] <= i__payload;
  end
  reg [63:0] _47_;
  always @(posedge clk) begin
    if (read) begin
      _47_ <= words[read_at];
    end
  end
  assign word = _47_;
  assign _00_ = room + read;
  assign _11_ = _00_ - take;
  assign _13_ = room > 1'h1;
  assign _14_ = read | _13_;
  assign _15_ = ~ take;
  assign _16_ = i__ready & _15_;
  assign _17_ = _14_ | _16_;
  assign _18_ = unclaimed + take;
  assign _19_ = _18_ - claim;
  assign _01_ = unclaimed > 1'h1;
  assign _02_ = take | _01_;
  assign _03_ = ~ claim;
  assign _04_ = available & _03_;
  assign _05_ = _02_ | _04_;
  assign _06_ = write_at == 4'hf;
  assign _07_ = write_at + 1'h1;
  assign _08_ = _06_ ? 5'h00 : _07_;
  assign _09_ = read_at == 4'hf;
  assign _10_ = read_at + 1'h1;
  assign _12_ = _09_ ? 5'h00 : _10_;
  assign take = i__valid & i__ready;
  always @(posedge clk)
    if (rst) read_at <= 4'h0;
    else if (read) read_at <= _12_[3:0];
  always @(posedge clk)
    if (rst) write_at <= 4'h0;
    else if (take) write_at <= _08_[3:0];
  always @(posedge clk)
    if (rst) available <= 1'h0;
    else available <= _05_;
  always @(posedge clk)
    if (rst) unclaimed <= 5'h00;
    else unclaimed <= _19_[4:0];
  always @(posedge clk)
    if (rst) i__ready <= 1'h1;
    else i__ready <= _17_;
  always @(posedge clk)
    if (rst) room <= 5'h10;
    else room <= _11_[4:0];
endmodule

// Plain layers for up to 16 tokens, from real inputs, or from codes that another kernel made, to real outputs.
//
// There is a block for each multiprocessor, and its tiles of 16 rows lie in one piece of memory, of which each warp takes an
// equal part. A call this small is made of waiting: so each warp asks for the weights of its first steps at once, into
// shared memory, where the GPU can before the kernel that makes the inputs has ended; a block takes less than half of a
// multiprocessor, so that the next kernel's fits beside it, and lets it begin once its own inputs are read, as they would
// wait behind the next one's weights; and codes are made once a block. Integers and the float formula are those of linear.h.
#pragma once
#include "products.h"

constexpr int kTeam = 16;          // warps of a block
constexpr int kTeamThreads = 32 * kTeam;
constexpr int kMostTiles = 12;     // row tiles of a block, at most
constexpr int kKept = 3;           // chunks of 8 inputs that a thread keeps while the largest is sought
enum Real { kFloat, kHalf, kBfloat };

// Steps of a warp whose weights are under way or in use: 100 KiB for a block at most.
__host__ __device__ constexpr int ring_depth(int planes) { return planes == 1 ? 8 : planes == 2 ? 5 : planes == 3 ? 3 : 2; }

// A layer of one stage: one view, planes that are terms of their own, groups of whole parts of a half of a step, or one for the
// row. A half, 128 columns, is one part or two.
struct Plain {
  const uint4* planes;             // as of a stage
  const uint4* coefficients;       // as of a stage, 16 bits
  const void* x;                   // [tokens][inputs]; 16 bytes or more between tokens' ends
  void* y;                         // [tokens][rows], of the same type
  const float* column_scale;       // [columns] in the order of bits, or null
  const float* out_scale;          // [rows]
  const float* real_bias;          // [rows] or null
  uint4* codes;                    // [tokens][columns] bytes, made before; null: made here from x
  int32_t* code_sums;              // [tokens][parts of the columns], with the codes
  float* token_scale;              // [tokens], with the codes
  float static_scale;              // 0: by token
  int32_t tokens, rows, inputs, columns;  // inputs: a multiple of 8; columns: as packed
  int32_t groups, parts, magic, has_offset;  // parts: of a half; magic: ceil(2^32 / parts in a group), 0 for 1
  int32_t low, high, real;
};

__device__ inline void read_eight(float (&v)[8], const Plain& p, int64_t at) {
  if (p.real == kFloat) {
    const uint4* from = reinterpret_cast<const uint4*>(static_cast<const float*>(p.x) + at);
    const uint4 a = __ldcg(from), b = __ldcg(from + 1);
    const uint32_t words[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
#pragma unroll
    for (int n = 0; n < 8; ++n) v[n] = float_of_bits(words[n]);
    return;
  }
  const uint4 a = __ldcg(reinterpret_cast<const uint4*>(static_cast<const uint16_t*>(p.x) + at));
  const uint32_t words[4] = {a.x, a.y, a.z, a.w};
  if (p.real == kHalf) {
#pragma unroll
    for (int n = 0; n < 8; ++n) v[n] = float_of_half(uint16_t(words[n / 2] >> (16 * (n % 2))));
    return;
  }
#pragma unroll
  for (int n = 0; n < 8; ++n) v[n] = float_of_bits(n % 2 ? words[n / 2] & 0xffff0000u : words[n / 2] << 16);
}

// The 8 inputs at chunk `chunk` of 8 columns, in the order that makes four threads' codes four times 8 words: chunk
// 16 n + 4 t + i is the columns 128 n + 32 i + 8 t and on.
__device__ inline void read_chunk(float (&v)[8], const Plain& p, int token, int chunk) {
  const int i = chunk % 4, word = chunk / 4, column = 128 * (word / 4) + 32 * i + 8 * (word % 4);
  if (column >= p.inputs) {
#pragma unroll
    for (int n = 0; n < 8; ++n) v[n] = 0.0f;
    return;
  }
  read_eight(v, p, int64_t(token) * p.inputs + column);
  if (!p.column_scale) return;
#pragma unroll
  for (int n = 0; n < 8; ++n)
    v[n] = __fmul_rn(v[n], __ldg(p.column_scale + 32 * word + i + 4 * (n / 4) + 8 * (n % 4)));
}

// The bits of the largest of 8 sizes, or of 8 values if there are any above 0: bits of numbers from 0 on are in the order of
// the numbers, with those of infinity and what is not a number at the end.
__device__ inline uint32_t peak_of(const float (&v)[8], bool sizes) {
  uint32_t size = 0;
  int above = 0;
#pragma unroll
  for (int n = 0; n < 8; ++n) {
    const uint32_t bits = bits_of_float(v[n]);
    size = max(size, bits & 0x7fffffffu);
    above = max(above, int(bits));
  }
  return sizes || size > kLargestBits ? size : uint32_t(above);
}

// The codes of 4 inputs as bytes; scaled by their largest size none is beyond the highest, so that none clamps. Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves its two's complement in
// the low bits.
__device__ inline uint32_t four_codes(const float* v, float inverse, bool clamps, float low, float high) {
  uint32_t word = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    float near = __fmul_rn(v[j], inverse);
    if (clamps) near = fminf(fmaxf(near, low), high);
    word |= (bits_of_float(__fadd_rn(near, 12582912.0f)) & 255) << (8 * j);
  }
  return word;
}

// One of two steps that swap the bits of a nibble with those of four threads: bits and threads whose numbers differ in
// `distance` change places. `upper`: the thread's number has that bit.
__device__ inline uint32_t swap_bits(uint32_t word, uint32_t lower_bits, int distance, bool upper) {
  const uint32_t other = __shfl_xor_sync(kOnes, word, distance), keeps = upper ? ~lower_bits : lower_bits;
  const int turn = upper ? 32 - distance : distance;
  return (word & keeps) | ((other << turn | other >> (32 - turn)) & ~keeps);
}

// The codes of four threads, each with bytes of bits i and i + 4 of a word's bytes, to eight words of a bit-plane each: bit
// m + 8 j of word b is bit b of byte j of word m. Each thread keeps words i and i + 4: low and high halves of its bytes meet,
// and what is left is to swap 4 bits with 4 threads.
__device__ inline void to_bit_planes(uint32_t (&w)[2], int i) {
  const uint32_t halves[2] = {(w[0] & 0x0f0f0f0fu) | (w[1] << 4 & 0xf0f0f0f0u), (w[0] >> 4 & 0x0f0f0f0fu) | (w[1] & 0xf0f0f0f0u)};
#pragma unroll
  for (int n = 0; n < 2; ++n) w[n] = swap_bits(swap_bits(halves[n], 0x55555555u, 1, i & 1), 0x33333333u, 2, i & 2);
}

// A block makes the codes of `tokens` of kTokens tokens at once, each by an equal part of its warps: 32 bytes for each 32
// columns, tokens `stride` words apart; adds their sums over each part to code_sums [parts][kTokens]; and says what a code of 1
// is worth. Codes of tokens beyond are 0. Lets the next kernel begin where all inputs are in registers before codes are made.
template <bool kBits, int kTokens, int kParts>
__device__ inline void encode_tokens(const Plain& p, int first, int tokens, uint32_t* to, int stride, int* code_sums, float* worths) {
  __shared__ uint32_t peaks[kTeam];
  constexpr int kThreadsEach = kTeamThreads / kTokens, kWarpsEach = kTeam / kTokens;
  const int n = threadIdx.x / kThreadsEach, thread = threadIdx.x % kThreadsEach, lane = threadIdx.x % 32;
  const int chunks = p.columns / 8, token = first + n;  // chunks: a multiple of 32, warps stay whole
  const bool sizes = p.low < 0;
  float v[kKept][8];
  uint32_t bits = 0;
  if (n < tokens) {
#pragma unroll
    for (int k = 0; k < kKept; ++k)
      if (const int chunk = thread + k * kThreadsEach; chunk < chunks) read_chunk(v[k], p, token, chunk);
#pragma unroll
    for (int k = 0; k < kKept; ++k)
      if (thread + k * kThreadsEach < chunks) bits = max(bits, peak_of(v[k], sizes));
#pragma unroll 2
    for (int chunk = thread + kKept * kThreadsEach; chunk < chunks; chunk += kThreadsEach) {
      float more[8];
      read_chunk(more, p, token, chunk);
      bits = max(bits, peak_of(more, sizes));
    }
  }
  bits = __reduce_max_sync(kOnes, bits);
  if (lane == 0) peaks[threadIdx.x / 32] = bits;
  __syncthreads();
  if (chunks <= kKept * kThreadsEach) let_next_begin();
  bits = __reduce_max_sync(kOnes, peaks[n * kWarpsEach + lane % kWarpsEach]);

  const float high = float(p.high), low = float(p.low), found = float_of_bits(bits), peak = found >= kSmallestPeak ? found : high;
  const bool wrong = bits > kLargestBits, fixed = p.static_scale != 0.0f, clamps = fixed || !sizes;
  const float inverse = fixed ? __fdiv_rn(1.0f, p.static_scale) : __fdiv_rn(high, peak);
  const bool zero = wrong || n >= tokens;
  const auto put = [&](const float* eight, int chunk) {
    uint32_t w[2] = {four_codes(eight, inverse, clamps, low, high), four_codes(eight + 4, inverse, clamps, low, high)};
    if (zero) w[0] = w[1] = 0;
    const int part = chunk / 16 * kParts + chunk % 4 * kParts / 4;
    if (p.has_offset) atomicAdd(code_sums + part * kTokens + n, dot4(0x01010101u, w[0], dot4(0x01010101u, w[1], 0)));
    if (kBits) to_bit_planes(w, chunk % 4);
    uint32_t* at = to + n * stride + 8 * (chunk / 4) + chunk % 4;
    at[0] = w[0], at[4] = w[1];
  };
#pragma unroll
  for (int k = 0; k < kKept; ++k)
    if (const int chunk = thread + k * kThreadsEach; chunk < chunks) put(v[k], chunk);
  for (int chunk = thread + kKept * kThreadsEach; chunk < chunks; chunk += kThreadsEach) {
    float more[8] = {};
    if (n < tokens) read_chunk(more, p, token, chunk);
    put(more, chunk);
  }
  if (thread == 0) worths[n] = wrong ? not_a_number() : fixed ? p.static_scale : __fdiv_rn(peak, high);
}

template <bool kBits, int kParts>
__global__ void __launch_bounds__(kTeamThreads) encode_plain(Plain p) {
  DYNAMIC_SHARED(shared);          // sums of the codes of each part
  const int token = blockIdx.x, parts = p.columns / 128 * kParts;
  int* code_sums = reinterpret_cast<int*>(shared);
  for (int at = threadIdx.x; at < parts; at += kTeamThreads) code_sums[at] = 0;
  wait_for_last();
  uint32_t* to = reinterpret_cast<uint32_t*>(p.codes) + int64_t(token) * (p.columns / 4);
  encode_tokens<kBits, 1, kParts>(p, token, 1, to, 0, code_sums, p.token_scale + token);
  let_next_begin();
  __syncthreads();
  for (int at = threadIdx.x; at < parts; at += kTeamThreads) p.code_sums[int64_t(token) * parts + at] = code_sums[at];
}

// Binary tensor cores: the 8 columns of a product are the bit-planes of one token's codes.
template <int kTokens>
struct ByBits {
  static constexpr int kOwned = kTokens, kSpan = kTokens;
  static constexpr bool kBits = true;

  uint32_t codes[kTokens];

  __device__ void load(const uint32_t* from, int stride, int half, int lane) {
#pragma unroll
    for (int n = 0; n < kTokens; ++n) codes[n] = from[n * stride + (4 * half + lane % 4) * 8 + lane / 4];
  }
  // Sets `first` to `last` - 1. Lane t counts bits 2 t and 2 t + 1 of codes; the last of all counts for less than nothing. 4^t is
  // for `join`.
  __device__ void add(long long (&acc)[2][kOwned], uint32_t low, uint32_t high, const int (&c)[2], int first, int last, int lane) const {
    if (last - first < 4) low &= set_bits(first, last), high &= set_bits(first, last);
    const int two = lane % 4 == 3 ? -2 : 2;
#pragma unroll
    for (int n = 0; n < kTokens; ++n) {
      int counts[4] = {};
      mma_bits_half(counts, low, high, codes[n]);
      acc[0][n] += (long long)c[0] * (counts[0] + counts[1] * two);
      acc[1][n] += (long long)c[1] * (counts[2] + counts[3] * two);
    }
  }
  __device__ static void add_offset(long long (&acc)[2][kOwned], const int* sums, const int (&c)[2], int lane) {
#pragma unroll
    for (int n = 0; n < kTokens; ++n) {
      const int sum = lane % 4 ? 0 : sums[n];
      acc[0][n] += (long long)c[0] * sum;
      acc[1][n] += (long long)c[1] * sum;
    }
  }
  // The four lanes of a row hold parts of a sum; afterwards the first has it all.
  __device__ static void join(long long (&acc)[2][kOwned], int lane) {
#pragma unroll
    for (int row = 0; row < 2; ++row)
#pragma unroll
      for (int n = 0; n < kOwned; ++n) {
        acc[row][n] *= 1 << (2 * (lane % 4));
        acc[row][n] += __shfl_xor_sync(kOnes, acc[row][n], 1);
        acc[row][n] += __shfl_xor_sync(kOnes, acc[row][n], 2);
      }
  }
  __device__ static bool owns(int lane) { return lane % 4 == 0; }
  __device__ static int token(int n, int) { return n; }
};

// Tensor cores on weight bits spread to bytes; 8 tokens in each of kTiles.
template <int kTiles>
struct ByBytes {
  static constexpr int kOwned = 2 * kTiles, kSpan = 8 * kTiles;
  static constexpr bool kBits = false;

  uint4 codes[kTiles][2];

  __device__ void load(const uint32_t* from, int stride, int half, int lane) {
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
      const uint32_t* at = from + (8 * n + lane / 4) * stride + (4 * half + lane % 4) * 8;
      codes[n][0] = *reinterpret_cast<const uint4*>(at);
      codes[n][1] = *reinterpret_cast<const uint4*>(at + 4);
    }
  }
  __device__ void add(long long (&acc)[2][kOwned], uint32_t low, uint32_t high, const int (&c)[2], int first_set, int last, int) const {
    int sums[kTiles][4] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i < first_set || i >= last) continue;
      const uint32_t a[4] = {bytes_of(low, i), bytes_of(high, i), bytes_of(low, i + 4), bytes_of(high, i + 4)};
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        const uint4 &first = codes[n][0], &last = codes[n][1];
        const uint32_t b[2] = {i == 0 ? first.x : i == 1 ? first.y : i == 2 ? first.z : first.w,
                               i == 0 ? last.x : i == 1 ? last.y : i == 2 ? last.z : last.w};
        mma_bytes(sums[n], a, b);
      }
    }
#pragma unroll
    for (int n = 0; n < kOwned; ++n) {
      acc[0][n] += (long long)c[0] * sums[n / 2][n % 2];
      acc[1][n] += (long long)c[1] * sums[n / 2][2 + n % 2];
    }
  }
  __device__ static void add_offset(long long (&acc)[2][kOwned], const int* sums, const int (&c)[2], int lane) {
#pragma unroll
    for (int n = 0; n < kOwned; ++n) {
      const int sum = sums[token(n, lane)];
      acc[0][n] += (long long)c[0] * sum;
      acc[1][n] += (long long)c[1] * sum;
    }
  }
  __device__ static void join(long long (&)[2][kOwned], int) {}
  __device__ static bool owns(int) { return true; }
  __device__ static int token(int n, int lane) { return 8 * (n / 2) + 2 * (lane % 4) + n % 2; }
};

// How a layer's row tiles lie on blocks, and a block's work on its warps; all in parts of almost equal size.
__host__ __device__ inline int part_begin(int whole, int parts, int part) {
  return int(unsigned(whole) * unsigned(part) / unsigned(parts));  // below 2^32: tiles times blocks, or a block's steps
}
__host__ __device__ inline int blocks(int rows, int multiprocessors) {
  const int row_tiles = tiles(rows, kRows), most = tiles(row_tiles, kMostTiles);
  const int even = row_tiles < multiprocessors ? row_tiles : multiprocessors;
  return even > most ? even : most;
}

// A block's shared memory in 16 bytes: rings of its warps, codes (staggered against bank conflicts), their sums for each
// part, and sums of products.
struct Room {
  int slot, depth, codes, code_sums, sums;

  __host__ __device__ Room(const Plain& p, int planes, int tokens, int blocks) {
    const int most_tiles = tiles(tiles(p.rows, kRows), blocks);
    const int most_steps = tiles(most_tiles * (p.columns / kStep), kTeam), deep = ring_depth(planes);
    slot = planes * 32 + 4 * p.parts * (planes + p.has_offset);
    depth = most_steps < deep ? most_steps : deep;
    codes = p.columns / 16 + 1;
    code_sums = tiles(p.columns / 128 * p.parts * tokens, 4);
    sums = most_tiles * tokens * kRows * 2 / 4;
  }
  __host__ __device__ int bytes(int tokens) const { return 16 * (kTeam * depth * slot + tokens * codes + code_sums + sums); }
};

__device__ inline void put_out(const Plain& p, int token, int row, long long acc, float worth) {
  const float value = __fmul_rn(__fmul_rn(__ll2float_rn(acc), p.out_scale[row]), worth);
  const float sum = p.real_bias ? __fadd_rn(value, p.real_bias[row]) : value;
  const int64_t at = int64_t(token) * p.rows + row;
  if (p.real == kFloat) static_cast<float*>(p.y)[at] = sum;
  else static_cast<uint16_t*>(p.y)[at] = p.real == kHalf ? half_of_float(sum) : bfloat_of_float(sum);
}

template <class Product, int kPlanes, int kParts>
__global__ void __launch_bounds__(kTeamThreads, Product::kSpan == 16 ? 1 : 2) decode(Plain p) {
  DYNAMIC_SHARED(shared);
  __shared__ float worths[Product::kSpan];
  constexpr int kDepth = ring_depth(kPlanes);
  const Room room(p, kPlanes, Product::kSpan, gridDim.x);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, terms = kPlanes + p.has_offset, steps = p.columns / kStep;
  const int row_tiles = tiles(p.rows, kRows), first_tile = part_begin(row_tiles, gridDim.x, blockIdx.x);
  const int own_tiles = part_begin(row_tiles, gridDim.x, blockIdx.x + 1) - first_tile;
  const int begin = part_begin(own_tiles * steps, kTeam, warp), end = part_begin(own_tiles * steps, kTeam, warp + 1);
  const int first_token = blockIdx.y * Product::kSpan, tokens = min(p.tokens - first_token, Product::kSpan);
  uint4* ring = shared + warp * room.depth * room.slot;
  uint32_t* codes = reinterpret_cast<uint32_t*>(shared + kTeam * room.depth * room.slot);
  const int stride = 4 * room.codes;
  int* code_sums = reinterpret_cast<int*>(codes + Product::kSpan * stride);  // [parts][tokens]
  // [own tiles][tokens][16 rows], the low 24 bits and the rest: atomic additions of 32 bits suffice.
  unsigned* sums = reinterpret_cast<unsigned*>(code_sums + 4 * room.code_sums);
  const int all_sums = own_tiles * Product::kSpan * kRows;

  // Weights of a step: planes are in one piece for all of a block; a lane copies 16 bytes of coefficients of a part, too.
  constexpr int kStepParts = 2 * kParts;
  const int pieces = 2 * terms, part_of_lane = lane / pieces, piece = lane % pieces;
  const uint4* from = p.planes + (int64_t(first_tile) * steps + begin) * kPlanes * 32 + lane;
  int next = begin, next_part = kStepParts * (begin % steps) + part_of_lane;
  const uint4* pairs_from = p.coefficients + int64_t(first_tile + begin / steps) * p.groups * pieces + piece;
  const auto fetch = [&](uint4* slot) {
    if (next < end) {
#pragma unroll
      for (int plane = 0; plane < kPlanes; ++plane) copy_16(slot + plane * 32, from + plane * 32);
      if (part_of_lane < kStepParts) {
        const int group = p.magic ? int(__umulhi(uint32_t(next_part), uint32_t(p.magic))) : next_part;
        copy_16(slot + kPlanes * 32, pairs_from + min(group, p.groups - 1) * pieces);
      }
      ++next, next_part += kStepParts, from += kPlanes * 32;
      if (next_part >= kStepParts * steps) next_part -= kStepParts * steps, pairs_from += p.groups * pieces;
    }
    commit_copies();
  };
#pragma unroll 1
  for (int n = 0; n < kDepth; ++n) fetch(ring + n * room.slot + lane);
  for (int at = threadIdx.x; at < 2 * all_sums; at += kTeamThreads) sums[at] = 0;

  for (int at = threadIdx.x; at < kStepParts * steps * Product::kSpan; at += kTeamThreads) code_sums[at] = 0;
  __syncthreads();

  wait_for_last();
  if (!p.codes) {
    encode_tokens<Product::kBits, Product::kSpan, kParts>(p, first_token, tokens, codes, stride, code_sums, worths);
  } else {
    // All tokens in one loop, so that their loads are under way together.
    const int each = p.columns / 16, there = tokens * each, sums_there = tokens * kStepParts * steps;
    const uint4* from = p.codes + int64_t(first_token) * each;
#pragma unroll 4
    for (int at = threadIdx.x; at < Product::kSpan * each; at += kTeamThreads)
      reinterpret_cast<uint4*>(codes)[at / each * room.codes + at % each] = at < there ? __ldcg(from + at) : uint4{0, 0, 0, 0};
    const int32_t* sums_from = p.code_sums + int64_t(first_token) * kStepParts * steps;
    for (int at = threadIdx.x; at < sums_there; at += kTeamThreads)
      code_sums[at % (kStepParts * steps) * Product::kSpan + at / (kStepParts * steps)] = __ldcg(sums_from + at);
    if (threadIdx.x < tokens) worths[threadIdx.x] = __ldcg(p.token_scale + first_token + threadIdx.x);
  }
  let_next_begin();
  __syncthreads();

  long long acc[2][Product::kOwned] = {};
  int step = begin % steps, tile = begin / steps, place = 0;
  for (int now = begin; now < end; ++now) {
    wait_copies<kDepth - 1>();
    __syncwarp();
    uint4* slot = ring + place * room.slot;
    uint4 words[kPlanes];
#pragma unroll
    for (int plane = 0; plane < kPlanes; ++plane) words[plane] = slot[plane * 32 + lane];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Product product;
      product.load(codes, stride, 2 * step + half, lane);
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
        const int first = part * 4 / kParts, last = first + 4 / kParts, of_step = half * kParts + part;
        const uint32_t* pairs = reinterpret_cast<const uint32_t*>(slot + kPlanes * 32) + (of_step * 8 + lane / 4) * terms;
#pragma unroll
        for (int term = 0; term < kPlanes; ++term) {
          const int pair = int(pairs[term]), c[2] = {pair << 16 >> 16, pair >> 16};
          product.add(acc, half ? words[term].z : words[term].x, half ? words[term].w : words[term].y, c, first, last, lane);
        }
        if (p.has_offset) {
          const int pair = int(pairs[kPlanes]), c[2] = {pair << 16 >> 16, pair >> 16};
          Product::add_offset(acc, code_sums + (kStepParts * step + of_step) * Product::kSpan, c, lane);
        }
      }
    }
    __syncwarp();
    fetch(slot + lane);
    place = place + 1 == kDepth ? 0 : place + 1;
    if (++step < steps && now + 1 < end) continue;
    Product::join(acc, lane);
#pragma unroll
    for (int row = 0; row < 2; ++row)
#pragma unroll
      for (int n = 0; n < Product::kOwned; ++n) {
        unsigned* to = sums + (tile * Product::kSpan + Product::token(n, lane)) * kRows + lane / 4 + 8 * row;
        if (Product::owns(lane)) {
          atomicAdd(to, unsigned(acc[row][n] & 0xffffff));
          atomicAdd(to + all_sums, unsigned(acc[row][n] >> 24));
        }
        acc[row][n] = 0;
      }
    step = 0, ++tile;
  }
  __syncthreads();
  for (int at = threadIdx.x; at < own_tiles * tokens * kRows; at += kTeamThreads) {
    const int place = at % kRows, n = at / (own_tiles * kRows), own = at / kRows % own_tiles;
    const int row = (first_tile + own) * kRows + place, from = (own * Product::kSpan + n) * kRows + place;
    const long long sum = (long long)(sums[from]) + ((long long)(int(sums[from + all_sums])) << 24);
    if (row < p.rows) put_out(p, first_token + n, row, sum, worths[n]);
  }
}

// A stage: planes times codes, group coefficients, and what becomes of the accumulators.
//
// A warp takes 16 rows and every `split`-th step of 256 columns; the `split` warps of a row tile then add up. Sums of a
// group are int32 (at most 131071 columns times 128), accumulators int64.
#pragma once
#include "products.h"

// Put out the accumulator of a row and token.
__device__ inline void finish(const Stage& s, int token, int row, long long acc) {
  if (s.bias) acc += s.bias[row];
  const int64_t at = int64_t(token) * s.rows + row;
  if (s.output == kAccumulators) {
    s.accumulators[at] = acc;
  } else if (s.output == kReals) {
    const float value = __fmul_rn(__fmul_rn(__ll2float_rn(acc), s.out_scale[row]), s.token_scale[token]);
    const float sum = __fadd_rn(s.adds ? s.reals[at] : 0.0f, value);
    s.reals[at] = s.real_bias ? __fadd_rn(sum, s.real_bias[row]) : sum;
  } else {
    const long long half = s.shift ? 1ll << (s.shift - 1) : 0, most = (1ll << (s.bits - 1)) - 1;
    for (int view = 0; view < s.next_views; ++view) {
      const long long code = (acc * s.row_scale[view * s.rows + row] + half) >> s.shift;
      const long long kept = code > most ? most : code < -most - 1 ? -most - 1 : code;
      s.next_codes[(int64_t(token) * s.next_views + view) * s.next_columns + s.place[row]] = int8_t(kept);
    }
  }
}

// The sums of a group so far, and what they count: c for each term, the offset last.
template <class Product, int kTerms>
struct Group {
  typename Product::Sums sums[kTerms + 1];
  int coefficients[kTerms + 1][2];
  int index = -1;

  __device__ void begin(const Stage& s, int group, int64_t tile, int lane) {
    index = group;
#pragma unroll
    for (int term = 0; term <= kTerms; ++term) {
      sums[term] = {};
#pragma unroll
      for (int row = 0; row < 2; ++row) {
        coefficients[term][row] = 0;
        if (term == kTerms && !s.has_offset) continue;
        const int64_t at = (((tile * s.groups + group) * 8 + lane / 4) * (kTerms + s.has_offset) + term) * 2 + row;
        coefficients[term][row] = s.wide ? __ldg(reinterpret_cast<const int32_t*>(s.coefficients) + at)
                                         : __ldg(s.coefficients + at);
      }
    }
  }
  __device__ void end(long long (&acc)[2 * Product::kOwned], int lane) const {
    if (index < 0) return;
#pragma unroll
    for (int term = 0; term <= kTerms; ++term)
#pragma unroll
      for (int n = 0; n < Product::kOwned; ++n)
#pragma unroll
        for (int row = 0; row < 2; ++row)
          acc[row * Product::kOwned + n] +=
              (long long)coefficients[term][row] * Product::value(sums[term], row, n, lane);
  }
};

template <int kTerms>
__device__ inline void load_planes(uint4 (&words)[kTerms], const Stage& s, int64_t tile_step, uint32_t mask, int lane) {
  const uint4* from = s.planes + tile_step * s.planes_count * 32 + lane;
  if (kTerms > 1 || mask == 0) {
#pragma unroll
    for (int plane = 0; plane < kTerms; ++plane) words[plane] = __ldg(from + plane * 32);
    return;
  }
  words[0] = {kOnes, kOnes, kOnes, kOnes};
  for (int plane = 0; plane < s.planes_count; ++plane) {
    if (!(mask >> plane & 1)) continue;
    const uint4 word = __ldg(from + plane * 32);
    words[0] = {words[0].x & word.x, words[0].y & word.y, words[0].z & word.z, words[0].w & word.w};
  }
}

// Add up what the warps of a row tile have, and put it out.
template <class Product>
__device__ inline void put_sums(const Stage& s, int split, const long long (&acc)[2 * Product::kOwned]) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first_token = blockIdx.y * Product::kSpan;
  __shared__ long long parts[kWarps][kRows][Product::kSpan];
#pragma unroll
  for (int row = 0; row < 2; ++row)
#pragma unroll
    for (int n = 0; n < Product::kOwned; ++n) {
      long long sum = acc[row * Product::kOwned + n];
      if (Product::kPartial) {
        sum += __shfl_xor_sync(kOnes, sum, 1);
        sum += __shfl_xor_sync(kOnes, sum, 2);
      }
      if (!Product::kPartial || lane % 4 == 0) parts[warp][lane / 4 + 8 * row][Product::token(n, lane)] = sum;
    }
  __syncthreads();
  for (int at = threadIdx.x; at < kWarps / split * kRows * Product::kSpan; at += kThreads) {
    const int n = at / kRows % Product::kSpan, place = at % kRows, of = at / (kRows * Product::kSpan);
    const int row = (blockIdx.x * (kWarps / split) + of) * kRows + place, token = first_token + n;
    if (row >= s.rows || token >= s.tokens) continue;
    long long sum = 0;
    for (int part = 0; part < split; ++part) sum += parts[of * split + part][place][n];
    finish(s, token, row, sum);
  }
}

// kAligned: groups are whole halves of a step, 128 columns.
template <class Product, int kTerms, bool kAligned>
__global__ void __launch_bounds__(kThreads) linear(Stage s, int split) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, slice = warp % split;
  const int row_tiles = tiles(s.rows, kRows), steps = s.columns / kStep, first_token = blockIdx.y * Product::kSpan;
  const int row_tile = blockIdx.x * (kWarps / split) + warp / split;
  long long acc[2 * Product::kOwned] = {};

  for (int pass = 0; pass < s.passes && row_tile < row_tiles; ++pass) {
    const uint32_t mask = s.masks ? s.masks[pass] : 0;
    const int view = pass / s.passes_per_view;
    const int64_t tile = int64_t(pass) * row_tiles + row_tile;
    Group<Product, kTerms> group;
    uint4 next[kTerms];
    if (slice < steps) load_planes<kTerms>(next, s, int64_t(row_tile) * steps + slice, mask, lane);
    for (int step = slice; step < steps; step += split) {
      uint4 words[kTerms];
#pragma unroll
      for (int plane = 0; plane < kTerms; ++plane) words[plane] = next[plane];
      if (step + split < steps) load_planes<kTerms>(next, s, int64_t(row_tile) * steps + step + split, mask, lane);
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        Product product;
        product.load(s, first_token, view, 2 * step + half, lane);
#pragma unroll
        for (int first = 0; first < 4; first += kAligned ? 4 : 1) {
          const int now = group_of(s, (2 * step + half) * 4 + first);
          if (now >= s.groups) continue;  // padding
          if (now != group.index) {
            group.end(acc, lane);
            group.begin(s, now, tile, lane);
          }
          const int last = kAligned ? 4 : first + 1;
#pragma unroll
          for (int plane = 0; plane < kTerms; ++plane)
            product.add(group.sums[plane], half ? words[plane].z : words[plane].x,
                        half ? words[plane].w : words[plane].y, first, last);
          if (s.has_offset) product.add(group.sums[kTerms], kOnes, kOnes, first, last);
        }
      }
    }
    group.end(acc, lane);
  }
  put_sums<Product>(s, split, acc);
}

// Binary times binary: packed bits of rows and tokens on the binary tensor cores, or by popcount.
#pragma once
#include "products.h"

__device__ inline void finish(const Bits& b, int token, int row, int ones) {
  if (row >= b.rows || token >= b.tokens) return;
  // Of signs, sum = 4 popcount(x AND w) - 2 popcount(x) - 2 popcount(w) + columns.
  if (b.row_ones) ones = 4 * ones - 2 * (b.row_ones[row] + b.token_ones[token]) + b.columns;
  b.products[int64_t(token) * b.rows + row] = ones;
}

// A warp takes 16 rows and 8 * kTiles tokens; a block 128 rows.
template <int kTiles>
__global__ void __launch_bounds__(kThreads) bits_tensor(Bits b) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row_tile = blockIdx.x * kWarps + warp;
  const int first_tile = blockIdx.y * kTiles, token_tiles = tiles(b.tokens, 8);
  if (row_tile >= tiles(b.rows, kRows)) return;
  int sums[kTiles][4] = {};
  const uint4* planes = b.planes + int64_t(row_tile) * b.steps * 32 + lane;
  for (int step = 0; step < b.steps; ++step) {
    const uint4 word = __ldg(planes + step * 32);
    const uint32_t a[4] = {word.x, word.y, word.z, word.w};
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
      uint2 code = {0, 0};
      if (first_tile + n < token_tiles) code = __ldg(b.inputs + (int64_t(first_tile + n) * b.steps + step) * 32 + lane);
      const uint32_t bits[2] = {code.x, code.y};
      mma_bits(sums[n], a, bits);
    }
  }
#pragma unroll
  for (int n = 0; n < kTiles; ++n)
#pragma unroll
    for (int part = 0; part < 4; ++part)
      finish(b, 8 * (first_tile + n) + 2 * (lane % 4) + part % 2, row_tile * kRows + lane / 4 + part / 2 * 8, sums[n][part]);
}

// The same by AND and popcount, where there are no binary tensor cores: a warp takes 16 rows and one token.
__global__ void __launch_bounds__(kThreads) bits_counts(Bits b) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row_tile = blockIdx.x * kWarps + warp, token = blockIdx.y;
  if (row_tile >= tiles(b.rows, kRows)) return;
  int low = 0, high = 0;
  for (int step = 0; step < b.steps; ++step) {
    const uint4 word = __ldg(b.planes + (int64_t(row_tile) * b.steps + step) * 32 + lane);
    const uint2 code = __ldg(b.inputs + (int64_t(token / 8) * b.steps + step) * 32 + token % 8 * 4 + lane % 4);
    low += __popc(word.x & code.x) + __popc(word.z & code.y);
    high += __popc(word.y & code.x) + __popc(word.w & code.y);
  }
  for (int step = 1; step < 4; step *= 2) {
    low += __shfl_xor_sync(kOnes, low, step);
    high += __shfl_xor_sync(kOnes, high, step);
  }
  if (lane % 4) return;
  finish(b, token, row_tile * kRows + lane / 4, low);
  finish(b, token, row_tile * kRows + lane / 4 + 8, high);
}

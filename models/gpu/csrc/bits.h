// Binary times binary: packed bits of rows and tokens on the binary tensor cores, or by popcount.
#pragma once
#include "products.h"

__device__ inline void finish(const Bits& b, int token, int row, int ones) {
  if (row >= b.rows || token >= b.tokens) return;
  // Of signs, sum = 4 popcount(x AND w) - 2 popcount(x) - 2 popcount(w) + columns.
  if (b.row_ones) ones = 4 * ones - 2 * (b.row_ones[row] + b.token_ones[token]) + b.columns;
  b.products[int64_t(token) * b.rows + row] = ones;
}

constexpr int kSquare = 64;        // rows and tokens of a block; four warps take 32 by 32, and two such teams every other step
constexpr int kStages = 6;         // pairs of steps that are under way or in use
constexpr int kSquareThreads = 256;

__global__ void __launch_bounds__(kSquareThreads) bits_tensor(Bits b) {
  constexpr int kA = kSquare / kRows * 32, kB = kSquare / 8 * 16;  // of 16 bytes, for a step
  DYNAMIC_SHARED(ring);            // [stages][2 steps][rows, then tokens]; in the end, sums of the second team
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, team = threadIdx.x / 128;
  const int first_row_tile = blockIdx.x * (kSquare / kRows), first_token_tile = blockIdx.y * (kSquare / 8);
  // Tiles beyond the last are the last again, and not put out.
  const int row_tile = min(first_row_tile + threadIdx.x % 128 / 32, tiles(b.rows, kRows) - 1);
  const int token_tile = min(first_token_tile + threadIdx.x % 128 / 16, tiles(b.tokens, 8) - 1);
  const uint4* rows_from = b.planes + int64_t(row_tile) * b.steps * 32 + lane;
  const uint4* tokens_from = reinterpret_cast<const uint4*>(b.inputs) + int64_t(token_tile) * b.steps * 16 + threadIdx.x % 16;
  const auto fetch = [&](int pair) {
    const int step = 2 * pair + team;
    uint4* slot = ring + (pair % kStages * 2 + team) * (kA + kB) + threadIdx.x % 128;
    if (step < b.steps) {
      copy_16(slot, rows_from + int64_t(step) * 32);
      copy_16(slot + kA, tokens_from + int64_t(step) * 16);
    }
    commit_copies();
  };
  wait_for_last();
  let_next_begin();
  for (int pair = 0; pair < kStages - 1; ++pair) fetch(pair);
  int sums[2][4][4] = {};
  for (int pair = 0; 2 * pair < b.steps; ++pair) {
    wait_copies<kStages - 2>();
    __syncthreads();
    fetch(pair + kStages - 1);
    if (2 * pair + team >= b.steps) continue;
    const uint4* slot = ring + (pair % kStages * 2 + team) * (kA + kB);
    uint4 rows[2];
    uint2 columns[4];
#pragma unroll
    for (int m = 0; m < 2; ++m) rows[m] = slot[(warp / 2 * 2 + m) * 32 + lane];
#pragma unroll
    for (int n = 0; n < 4; ++n) columns[n] = reinterpret_cast<const uint2*>(slot + kA)[(warp % 2 * 4 + n) * 32 + lane];
#pragma unroll
    for (int m = 0; m < 2; ++m)
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const uint32_t first[4] = {rows[m].x, rows[m].y, rows[m].z, rows[m].w}, other[2] = {columns[n].x, columns[n].y};
        mma_bits(sums[m][n], first, other);
      }
  }
  __syncthreads();
  int* others = reinterpret_cast<int*>(ring) + threadIdx.x % 128;
#pragma unroll
  for (int m = 0; m < 2; ++m)
#pragma unroll
    for (int n = 0; n < 4; ++n)
#pragma unroll
      for (int part = 0; part < 4; ++part)
        if (team) others[((m * 4 + n) * 4 + part) * 128] = sums[m][n][part];
  __syncthreads();
#pragma unroll
  for (int m = 0; m < 2; ++m)
#pragma unroll
    for (int n = 0; n < 4; ++n)
#pragma unroll
      for (int part = 0; part < 4; ++part) {
        const int token = 8 * (first_token_tile + warp % 2 * 4 + n) + 2 * (lane % 4) + part % 2;
        const int row = (first_row_tile + warp / 2 * 2 + m) * kRows + lane / 4 + part / 2 * 8;
        if (!team) finish(b, token, row, sums[m][n][part] + others[((m * 4 + n) * 4 + part) * 128]);
      }
}
constexpr int kSquareShared = kStages * 2 * (kSquare / kRows * 32 + kSquare / 8 * 16) * 16;

// The same by AND and popcount, where there are no binary tensor cores: a warp takes 16 rows and one token.
__global__ void __launch_bounds__(kThreads) bits_counts(Bits b) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, row_tile = blockIdx.y * kWarps + warp, token = blockIdx.x;
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

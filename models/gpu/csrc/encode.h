// Real inputs to codes, by docs/arithmetic.md: one block a token, every operation one float32 operation.
#pragma once
#include "layer.h"

__global__ void __launch_bounds__(kThreads) encode(Inputs in) {
  __shared__ float peaks[kWarps];
  __shared__ int bad[kWarps];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, token = blockIdx.x;
  const float* x = in.x + int64_t(token) * in.inputs;
  const auto scaled = [&](int view, int column) {
    const int source = in.source[column];
    if (source < 0) return 0.0f;
    return in.column_scale ? __fmul_rn(x[source], in.column_scale[int64_t(view) * in.columns + column]) : x[source];
  };

  float peak = 0.0f;
  int wrong = 0;
  for (int view = 0; view < in.views; ++view)
    for (int column = threadIdx.x; column < in.columns; column += kThreads) {
      const float u = scaled(view, column), size = in.low < 0 ? fabsf(u) : fmaxf(u, 0.0f);
      wrong |= !(fabsf(u) <= kLargest);
      peak = fmaxf(peak, size);
    }
  for (int step = 16; step; step /= 2) {
    peak = fmaxf(peak, __shfl_xor_sync(0xffffffffu, peak, step));
    wrong |= __shfl_xor_sync(0xffffffffu, wrong, step);
  }
  peaks[warp] = peak, bad[warp] = wrong;
  __syncthreads();
  peak = peaks[0], wrong = bad[0];
  for (int n = 1; n < kWarps; ++n) peak = fmaxf(peak, peaks[n]), wrong |= bad[n];

  const float high = float(in.high);
  if (!(peak >= kSmallestPeak)) peak = high;
  const bool fixed = in.static_scale != 0.0f;
  const float inverse = fixed ? __fdiv_rn(1.0f, in.static_scale) : __fdiv_rn(high, peak);
  const float worth = fixed ? in.static_scale : __fdiv_rn(peak, high);
  if (threadIdx.x == 0) in.token_scale[token] = wrong ? nanf("") : worth;

  // Lane b of a warp makes the code that meets bit b of a word; `source` is in the order of bits.
  for (int view = 0; view < in.views; ++view)
    for (int word = warp; word < in.columns / 32; word += kWarps) {
      const float u = scaled(view, 32 * word + lane);
      const float rounded = rintf(__fmul_rn(u, inverse));
      const int code = wrong ? 0 : int(fminf(fmaxf(rounded, float(in.low)), high));
      const int64_t row = (int64_t(token) * in.views + view) * in.columns + 32 * word;
      if (in.bit_planes) {
        for (int bit = 0; bit < 8; ++bit) {
          const uint32_t plane = __ballot_sync(0xffffffffu, code >> bit & 1);
          if (lane == 0) in.bit_planes[row / 4 + bit] = plane;
        }
      } else {
        in.codes[row + 4 * (lane % 8) + lane / 8] = int8_t(code);
      }
    }
}

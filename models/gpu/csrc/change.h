// Real inputs as an equivalence changes them (models/equivalence.py): shift, scale and rotation, every operation one float32
// operation, in the order of the reference.
#pragma once
#include "decode.h"

struct Change {
  const void* x;                   // [tokens][inputs]
  float* y;                        // [tokens][inputs]
  const float* shift;              // [inputs] or null
  const float* scale;              // [inputs] or null
  float factor;                    // after a rotation
  int32_t tokens, inputs, rotation, real;  // rotation: inputs of a block, a power of two that divides `inputs`; 0: none
};

constexpr int kMostRotation = 4096;

__device__ inline float read_one(const void* x, int real, int64_t at) {
  if (real == kFloat) return __ldcg(static_cast<const float*>(x) + at);
  const uint16_t bits = __ldcg(static_cast<const uint16_t*>(x) + at);
  return real == kHalf ? float_of_half(bits) : float_of_bits(uint32_t(bits) << 16);
}

__host__ __device__ inline int span_of(const Change& c) { return c.rotation > kThreads ? c.rotation : kThreads; }

// A block of threads takes whole blocks of a rotation, of one token.
__global__ void __launch_bounds__(kThreads) change(Change c) {
  __shared__ float values[kMostRotation];
  const int span = span_of(c), begin = blockIdx.y * span, inside = min(span, c.inputs - begin);
  const int64_t row = int64_t(blockIdx.x) * c.inputs + begin;
  wait_for_last();
  for (int n = threadIdx.x; n < inside; n += kThreads) {
    float value = read_one(c.x, c.real, row + n);
    if (c.shift) value = __fsub_rn(value, __ldg(c.shift + begin + n));
    if (c.scale) value = __fmul_rn(value, __ldg(c.scale + begin + n));
    values[n] = value;
  }
  let_next_begin();
  for (int step = 1; step < c.rotation; step *= 2) {
    __syncthreads();
    for (int pair = threadIdx.x; pair < inside / 2; pair += kThreads) {
      float &low = values[pair / step * 2 * step + pair % step], &high = (&low)[step];
      const float sum = __fadd_rn(low, high), difference = __fsub_rn(low, high);
      low = sum, high = difference;
    }
  }
  __syncthreads();
  for (int n = threadIdx.x; n < inside; n += kThreads) c.y[row + n] = c.rotation ? __fmul_rn(values[n], c.factor) : values[n];
}

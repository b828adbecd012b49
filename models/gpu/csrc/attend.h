// Attention of one decoding step, for whole models that are measured: rotary positions, the new key and value, softmax over
// the cache. Reals in float16, sums in float32; part of no layer, and the same whatever multiplies the layers.
#pragma once
#include "layer.h"

struct Attend {
  const uint16_t* qkv;             // [batch][heads + 2 kv_heads][head]
  uint16_t* cache;                 // [2][batch][kv_heads][context][head]: keys, values; the last position is replaced
  const float* turn;               // [2][head / 2]: cosines and sines of the position
  uint16_t* out;                   // [batch][heads][head]
  int32_t batch, heads, kv_heads, context;
};

constexpr int kMostContext = 1024;

// A block is a head of a token.
template <int kHead>
__global__ void __launch_bounds__(kThreads) attend(Attend a) {
  __shared__ float turned[2][kHead], scores[kMostContext], parts[kThreads], peaks[kWarps];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, head = blockIdx.x, token = blockIdx.y;
  const int kv_head = head / (a.heads / a.kv_heads), last = a.context - 1;
  const int64_t at = (int64_t(token) * a.kv_heads + kv_head) * a.context * kHead;
  uint16_t* keys = a.cache + at;
  uint16_t* values = keys + int64_t(a.batch) * a.kv_heads * a.context * kHead;
  const uint16_t* rows = a.qkv + int64_t(token) * (a.heads + 2 * a.kv_heads) * kHead;
  const uint16_t* new_value = rows + (a.heads + a.kv_heads + kv_head) * kHead;
  wait_for_last();
  let_next_begin();

  if (threadIdx.x < 2 * kHead) {
    const int d = threadIdx.x % kHead, key = threadIdx.x / kHead, half = kHead / 2;
    const uint16_t* row = rows + (key ? a.heads + kv_head : head) * kHead;
    const float here = float_of_half(__ldcg(row + d)), other = float_of_half(__ldcg(row + (d + half) % kHead));
    const float cosine = __ldg(a.turn + d % half), sine = __ldg(a.turn + half + d % half);
    turned[key][d] = here * cosine + (d < half ? -other : other) * sine;
    if (key && head % (a.heads / a.kv_heads) == 0) {
      keys[int64_t(last) * kHead + d] = half_of_float(turned[1][d]);
      values[int64_t(last) * kHead + d] = __ldcg(new_value + d);
    }
  }
  __syncthreads();

  constexpr int kOwn = kHead / 32;
  float query[kOwn], peak = -3.0e38f;
#pragma unroll
  for (int n = 0; n < kOwn; ++n) query[n] = turned[0][lane * kOwn + n] * (kHead == 128 ? 0.08838834764831845f : 0.125f);
#pragma unroll 8
  for (int place = warp; place < a.context; place += kWarps) {
    float sum = 0.0f;
#pragma unroll
    for (int n = 0; n < kOwn; ++n) {
      const int d = lane * kOwn + n;
      sum += query[n] * (place == last ? turned[1][d] : float_of_half(keys[int64_t(place) * kHead + d]));
    }
#pragma unroll
    for (int step = 16; step; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
    if (lane == 0) scores[place] = sum;
    peak = fmaxf(peak, sum);
  }
  if (lane == 0) peaks[warp] = peak;
  __syncthreads();
#pragma unroll
  for (int n = 0; n < kWarps; ++n) peak = fmaxf(peak, peaks[n]);
  float whole = 0.0f;
  for (int place = threadIdx.x; place < a.context; place += kThreads) {
    scores[place] = exp_of(scores[place] - peak);
    whole += scores[place];
  }
#pragma unroll
  for (int step = 16; step; step /= 2) whole += __shfl_xor_sync(0xffffffffu, whole, step);
  __syncthreads();  // all have read the peaks
  if (lane == 0) peaks[warp] = whole;
  __syncthreads();
  whole = 0.0f;
  for (int n = 0; n < kWarps; ++n) whole += peaks[n];

  const int d = threadIdx.x % kHead;
  float sum = 0.0f;
#pragma unroll 8
  for (int place = threadIdx.x / kHead; place < a.context; place += kThreads / kHead)
    sum += scores[place] * float_of_half(place == last ? __ldcg(new_value + d) : values[int64_t(place) * kHead + d]);
  parts[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x >= kHead) return;
  for (int n = 1; n < kThreads / kHead; ++n) sum += parts[n * kHead + d];
  a.out[(int64_t(token) * a.heads + head) * kHead + d] = half_of_float(sum / whole);
}

// CUDA's threads on the CPU: every thread of a block is a coroutine, and whatever waits for others yields.
//
// Only what the kernels use. Blocks run one after the other; threads change places where they wait, so that a missing
// barrier shows as a wrong result here as it may on a GPU.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __restrict__

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct uint2 { uint32_t x, y; };
struct uint4 { uint32_t x, y, z, w; };
using cudaStream_t = void*;

namespace emulate {

constexpr int kWarp = 32, kStack = 1 << 16, kShared = 256 << 10;

struct Meeting {  // of a fixed number of threads, again and again
  int here = 0, round = 0;
};

struct Thread {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStack]};
  bool done = false;
  int turn = 0;  // of the warp's exchanges: which of two sets of slots
};

struct Block {
  std::vector<Thread> threads;
  std::vector<Meeting> warps;
  std::vector<uint32_t> slots;  // [2][threads][6]
  Meeting all;
  ucontext_t scheduler;
  int current = 0;
  std::function<void()> body;
};

inline Block* block;
inline dim3 thread_index{0}, block_index{0}, block_size{1}, grid_size{1};

inline void yield() { swapcontext(&block->threads[block->current].context, &block->scheduler); }

inline void meet(Meeting& meeting, int size) {
  const int round = meeting.round;
  if (++meeting.here == size) {
    meeting.here = 0;
    ++meeting.round;
    return;
  }
  while (meeting.round == round) yield();
}

// Give the warp `count` words; the words of lane n are then at slot(n).
inline std::function<const uint32_t*(int)> exchange(const uint32_t* words, int count) {
  const int me = block->current, warp = me / kWarp, size = int(block->threads.size());
  const int turn = block->threads[me].turn ^= 1;
  std::memcpy(&block->slots[(turn * size + me) * 6], words, 4 * count);
  meet(block->warps[warp], kWarp);
  return [=](int lane) { return &block->slots[(turn * size + warp * kWarp + lane) * 6]; };
}

template <class Multiply>
void mma(int (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Multiply multiply) {
  const uint32_t words[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  const auto slot = exchange(words, 6);
  const int lane = block->current % kWarp, g = lane / 4, t = lane % 4;
  for (int n = 0; n < 4; ++n) {
    const int column = 2 * t + n % 2, high = n / 2;
    for (int part = 0; part < 4; ++part) {
      const uint32_t *row = slot(4 * g + part), *other = slot(4 * column + part);
      c[n] = multiply(row[high], other[4], c[n]);
      c[n] = multiply(row[2 + high], other[5], c[n]);
    }
  }
}

// What a block has of shared memory beside its own variables.
inline uint4* dynamic_shared() {
  static std::vector<uint4> all(kShared / sizeof(uint4));
  return all.data();
}

inline float float_of_bits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline uint32_t bits_of_float(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline void start() {
  block->body();
  block->threads[block->current].done = true;
  yield();
}

inline void run_block(unsigned size, std::function<void()> body) {
  Block now;
  block = &now;
  now.body = std::move(body);
  now.threads = std::vector<Thread>(size);
  now.warps.resize((size + kWarp - 1) / kWarp);
  now.slots.resize(2 * size * 6);
  for (Thread& thread : now.threads) {
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = kStack;
    thread.context.uc_link = &now.scheduler;
    makecontext(&thread.context, start, 0);
  }
  for (bool busy = true; busy;) {
    busy = false;
    for (unsigned n = 0; n < size; ++n) {
      if (now.threads[n].done) continue;
      busy = true;
      now.current = int(n);
      thread_index.x = n;
      swapcontext(&now.scheduler, &now.threads[n].context);
    }
  }
}

}  // namespace emulate

#define threadIdx emulate::thread_index
#define blockIdx emulate::block_index
#define blockDim emulate::block_size
#define gridDim emulate::grid_size

#define LAUNCH(kernel, grid, block, stream, ...)                            \
  do {                                                                      \
    (void)(stream);                                                         \
    emulate::grid_size = grid;                                              \
    emulate::block_size = block;                                            \
    for (unsigned y = 0; y < emulate::grid_size.y; ++y)                     \
      for (unsigned x = 0; x < emulate::grid_size.x; ++x) {                 \
        emulate::block_index = dim3(x, y);                                  \
        emulate::run_block(emulate::block_size.x, [=] { kernel(__VA_ARGS__); }); \
      }                                                                     \
  } while (0)
inline int launched() { return 0; }
inline int multiprocessors() { return 3; }
inline int most_shared() { return emulate::kShared; }
#define DYNAMIC_SHARED(name) uint4* name = emulate::dynamic_shared()

template <class... Arguments>
int launch_early(void (*kernel)(Arguments...), dim3 grid, dim3 block, int, void* stream, Arguments... arguments) {
  LAUNCH(kernel, grid, block, stream, arguments...);
  return 0;
}

inline float float_of_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float size = std::ldexp(float(exponent ? fraction + 1024 : fraction), (exponent ? exponent : 1) - 25);
  if (exponent == 31) size = fraction ? NAN : INFINITY;
  return bits >> 15 ? -size : size;
}
inline uint16_t half_of_float(float value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const float size = std::fabs(value);
  if (size != size) return 0x7fff;
  if (size >= 65520.0f) return sign | 0x7c00;  // halfway from the largest to infinity, and above
  const int exponent = size < 6.103515625e-5f ? -14 : std::ilogb(size);
  const int units = int(std::nearbyint(std::ldexp(size, 10 - exponent)));  // a carry moves the exponent, too
  return uint16_t(sign | ((exponent + 14) * 1024 + units));
}
inline uint16_t bfloat_of_float(float value) {
  const uint32_t bits = emulate::bits_of_float(value);
  if (value != value) return 0x7fff;
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline void __syncthreads() { emulate::meet(emulate::block->all, int(emulate::block->threads.size())); }
template <class T>
T atomicAdd(T* at, T more) {
  const T before = *at;
  *at += more;
  return before;
}
inline uint32_t max(uint32_t a, uint32_t b) { return a > b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline int min(int a, int b) { return a < b ? a : b; }
inline int __popc(uint32_t x) { return __builtin_popcount(x); }
inline uint32_t __umulhi(uint32_t a, uint32_t b) { return uint32_t(uint64_t(a) * b >> 32); }
inline void __syncwarp() { emulate::meet(emulate::block->warps[emulate::block->current / emulate::kWarp], emulate::kWarp); }
template <class T>
T __ldg(const T* p) { return *p; }
template <class T>
T __ldcg(const T* p) { return *p; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __ll2float_rn(long long a) { return float(a); }

template <class T>
T __shfl_xor_sync(uint32_t, T value, int mask) {
  uint32_t words[2] = {};
  std::memcpy(words, &value, sizeof value);
  const auto slot = emulate::exchange(words, 2);
  std::memcpy(&value, slot(emulate::block->current % emulate::kWarp ^ mask), sizeof value);
  return value;
}

inline uint32_t __reduce_max_sync(uint32_t, uint32_t value) {
  const auto slot = emulate::exchange(&value, 1);
  uint32_t most = 0;
  for (int lane = 0; lane < emulate::kWarp; ++lane) most = max(most, *slot(lane));
  return most;
}

inline uint32_t __ballot_sync(uint32_t, int set) {
  const uint32_t word = set != 0;
  const auto slot = emulate::exchange(&word, 1);
  uint32_t all = 0;
  for (int lane = 0; lane < emulate::kWarp; ++lane) all |= *slot(lane) << lane;
  return all;
}

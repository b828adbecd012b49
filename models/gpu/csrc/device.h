// What the kernels need of CUDA: CUDA itself, or its emulation on the CPU for tests of the kernels' arithmetic.
#pragma once
#include <cstdint>

constexpr int kOwnShared = 1 << 10;  // what kernels with dynamic shared memory have of their own, at most

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define LAUNCH(kernel, grid, block, stream, ...) \
  kernel<<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#define DYNAMIC_SHARED(name) extern __shared__ uint4 name[]
inline int launched() { return static_cast<int>(cudaGetLastError()); }

inline int device_attribute(cudaDeviceAttr attribute) {
  int device = 0, value = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&value, attribute, device);
  return value;
}
inline int multiprocessors() { return device_attribute(cudaDevAttrMultiProcessorCount); }
inline int most_shared() { return device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin); }

// Launch a kernel that may begin, up to wait_for_last, before the one before it has ended, where the GPU can do so. The most that
// it may take is the same for all its launches: other threads may be launching it, too.
template <class... Arguments>
int launch_early(void (*kernel)(Arguments...), dim3 grid, dim3 block, int shared, void* stream, Arguments... arguments) {
  if (shared) cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, most_shared() - kOwnShared);
  // Room for two blocks: left to itself the driver may keep no more than one needs, and the next kernel waits.
  cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared);
  cudaLaunchAttribute early = {};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid, config.blockDim = block, config.dynamicSmemBytes = size_t(shared);
  config.stream = static_cast<cudaStream_t>(stream), config.attrs = &early, config.numAttrs = device_attribute(cudaDevAttrComputeCapabilityMajor) >= 9;
  const cudaError_t code = cudaLaunchKernelEx(&config, kernel, arguments...);
  const cudaError_t last = cudaGetLastError();
  return static_cast<int>(code ? code : last);
}
#else
#include "emulate.h"
#endif

// Let the next kernel begin, as far as it needs nothing of this one.
__device__ inline void let_next_begin() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Wait until the kernel before has ended, and what it wrote is there.
__device__ inline void wait_for_last() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Copy 16 bytes into shared memory while this thread goes on; copies are committed together and waited for in order.
__device__ inline void copy_16(uint4* shared, const uint4* from) {
#ifdef __CUDA_ARCH__
  const auto to = uint32_t(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
#else
  *shared = *from;
#endif
}
__device__ inline void commit_copies() {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Wait for all of this thread's copies but those of the last kOpen commits.
template <int kOpen>
__device__ inline void wait_copies() {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.wait_group %0;" ::"n"(kOpen) : "memory");
#endif
}

// Sum of four products of an unsigned byte of a and a signed byte of b, added to c.
__device__ inline int dot4(uint32_t a, uint32_t b, int c) {
#ifdef __CUDA_ARCH__
  asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(c) : "r"(a), "r"(b));
  return c;
#else
  for (int n = 0; n < 4; ++n) c += int(a >> (8 * n) & 255) * int8_t(b >> (8 * n));
  return c;
#endif
}

// The fragments of the warp-wide products below are those of the PTX ISA, "Matrix Fragments for mma": with g = lane / 4
// and t = lane % 4, c[0], c[1] are row g and c[2], c[3] row g + 8 of the columns 2t and 2t + 1.

// c += a b for a of 16 x 32 unsigned and b of 32 x 8 signed bytes.
__device__ inline void mma_bytes(int (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef __CUDA_ARCH__
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif !defined(__CUDACC__)
  emulate::mma(c, a, b, dot4);
#endif
}

// c += popcount of (low over high) AND b for 16 x 128 and 128 x 8 bits: low is word t of row g, high of row g + 8, and b
// of column g.
__device__ inline void mma_bits_half(int (&c)[4], uint32_t low, uint32_t high, uint32_t b) {
#ifdef __CUDA_ARCH__
  asm volatile(
      "mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.and.popc {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(low), "r"(high), "r"(b));
#elif !defined(__CUDACC__)
  const uint32_t rows[4] = {low, high, 0, 0}, columns[2] = {b, 0};
  emulate::mma(c, rows, columns, [](uint32_t x, uint32_t y, int sum) { return sum + __popc(x & y); });
#endif
}

// c += popcount of a AND b for a of 16 x 256 and b of 256 x 8 bits.
__device__ inline void mma_bits(int (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef __CUDA_ARCH__
  asm volatile(
      "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#elif !defined(__CUDACC__)
  emulate::mma(c, a, b, [](uint32_t x, uint32_t y, int sum) { return sum + __popc(x & y); });
#endif
}

// Bits of reals, and reals of fewer bits.
__device__ inline float float_of_bits(uint32_t bits) {
#ifdef __CUDACC__
  return __uint_as_float(bits);
#else
  return emulate::float_of_bits(bits);
#endif
}
__device__ inline uint32_t bits_of_float(float value) {
#ifdef __CUDACC__
  return __float_as_uint(value);
#else
  return emulate::bits_of_float(value);
#endif
}
__device__ inline float not_a_number() { return float_of_bits(0x7fc00000u); }
constexpr float kLargest = 3.402823466e38f;
constexpr uint32_t kLargestBits = 0x7f7fffffu;  // its bits
__device__ inline float exp_of(float value) {
#ifdef __CUDACC__
  return __expf(value);
#else
  return std::exp(value);
#endif
}
#ifdef __CUDACC__
__device__ inline float float_of_half(uint16_t bits) { return __half2float(__ushort_as_half(bits)); }
__device__ inline uint16_t half_of_float(float value) { return __half_as_ushort(__float2half_rn(value)); }
__device__ inline uint16_t bfloat_of_float(float value) { return __bfloat16_as_ushort(__float2bfloat16_rn(value)); }
#endif

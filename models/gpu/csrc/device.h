// What the kernels need of CUDA: CUDA itself, or its emulation on the CPU for tests of the kernels' arithmetic.
#pragma once
#include <cstdint>

#ifdef __CUDACC__
#include <cuda_runtime.h>
#define LAUNCH(kernel, grid, block, stream, ...) \
  kernel<<<grid, block, 0, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
inline int launched() { return static_cast<int>(cudaGetLastError()); }
#else
#include "emulate.h"
#endif

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

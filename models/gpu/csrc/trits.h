// A ternary stage in 1.6 bits a weight: five weights a byte, each read as one more than it is; the offset makes up for it.
// models/gpu/base3.py packs it. Warps share rows and steps as in linear.h.
#pragma once
#include "linear.h"

constexpr int kFive = 5;
constexpr int kTritStep = 320;     // columns that a warp takes at once: two times five sets

// Four bytes of five weights each, of which all first weights come out, then all second ones. Three times a byte, the bits
// above its eight are the next weight, and the eight are what is left.
struct Fives {
  uint32_t even, odd;              // bytes 0 and 2, and bytes 1 and 3, with room above each

  __device__ explicit Fives(uint32_t word) : even(word & 0x00ff00ffu), odd(word >> 8 & 0x00ff00ffu) {}
  __device__ uint32_t next() {
    even *= 3, odd *= 3;
    const uint32_t four = (even >> 8 & 0x00030003u) | (odd & 0x03000300u);
    even &= 0x00ff00ffu, odd &= 0x00ff00ffu;
    return four;
  }
};

template <class Product>
__global__ void __launch_bounds__(kThreads) linear_trits(Stage s, int split) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, slice = warp % split;
  const int row_tiles = tiles(s.rows, kRows), steps = s.columns / kTritStep, first_token = blockIdx.y * Product::kSpan;
  const int row_tile = blockIdx.x * (kWarps / split) + warp / split;
  long long acc[2 * Product::kOwned] = {};

  for (int view = 0; view < s.views && row_tile < row_tiles; ++view) {
    const int64_t tile = int64_t(view) * row_tiles + row_tile;
    const uint4* from = s.planes + int64_t(row_tile) * steps * 64 + lane;
    Group<Product, 1> group;
    uint4 next[2] = {};
    if (slice < steps) next[0] = __ldg(from + slice * 64), next[1] = __ldg(from + slice * 64 + 32);
    for (int step = slice; step < steps; step += split) {
      const uint4 words[2] = {next[0], next[1]};
      if (const int then = step + split; then < steps) next[0] = __ldg(from + then * 64), next[1] = __ldg(from + then * 64 + 32);
#pragma unroll
      for (int part = 0; part < 2; ++part) {
        Fives rows[4] = {Fives(words[part].x), Fives(words[part].z), Fives(words[part].y), Fives(words[part].w)};
#pragma unroll
        for (int five = 0; five < kFive; ++five) {
          const uint32_t a[4] = {rows[0].next(), rows[1].next(), rows[2].next(), rows[3].next()};
          const int set = (2 * step + part) * kFive + five, now = group_of(s, set);
          if (now >= s.groups) continue;  // padding
          if (now != group.index) {
            group.end(acc, lane);
            group.begin(s, now, tile, lane);
          }
          Product::add_set(group.sums, s, first_token, view, set, a, lane);
        }
      }
    }
    group.end(acc, lane);
  }
  put_sums<Product>(s, split, acc);
}

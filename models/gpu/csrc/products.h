// How the bits of 16 rows and 128 columns meet the codes of some tokens: four ways to the same integers.
//
// With g = lane / 4 and t = lane % 4, a lane holds the words t of rows g and g + 8: 32 columns, of which bits m, m + 8,
// m + 16, m + 24 for m = i and i + 4 are of set i, 32 adjacent columns. A product adds sets `first` to `last` - 1 and
// keeps int32 sums: kOwned tokens for each of the two rows. Where kPartial, the lanes of a row must add theirs.
#pragma once
#include "layer.h"

struct Codes32 {                   // of a token and 32 columns
  uint32_t word[8];                // bytes: word m meets weight bits m, m + 8, ..; bit-planes: word b holds bits b
};

__device__ inline Codes32 load_codes(const Stage& s, int token, int view, int word) {
  Codes32 codes = {};
  if (token >= s.tokens) return codes;
  const int8_t* from = s.codes + (int64_t(token) * s.views + view) * s.columns + 32 * word;
  const uint4 low = __ldg(reinterpret_cast<const uint4*>(from)), high = __ldg(reinterpret_cast<const uint4*>(from) + 1);
  codes = {{low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w}};
  return codes;
}

constexpr uint32_t kOnes = 0xffffffffu;

__device__ inline uint32_t set_bits(int first, int last) {
  return 0x11111111u * ((1u << last) - (1u << first));
}

// dp4a on weight bits spread to bytes.
template <int kTokens>
struct Bytes {
  static constexpr int kOwned = kTokens, kSpan = kTokens;
  static constexpr bool kPartial = true;
  struct Sums { int of[2 * kTokens]; };

  Codes32 codes[kTokens];

  __device__ void load(const Stage& s, int token, int view, int half, int lane) {
#pragma unroll
    for (int n = 0; n < kTokens; ++n) codes[n] = load_codes(s, token + n, view, 4 * half + lane % 4);
  }
  __device__ void add(Sums& sums, uint32_t low, uint32_t high, int first, int last) const {
#pragma unroll
    for (int m = 0; m < 8; ++m) {
      if ((m & 3) < first || (m & 3) >= last) continue;
#pragma unroll
      for (int n = 0; n < kTokens; ++n) {
        sums.of[n] = dot4(bytes_of(low, m), codes[n].word[m], sums.of[n]);
        sums.of[kTokens + n] = dot4(bytes_of(high, m), codes[n].word[m], sums.of[kTokens + n]);
      }
    }
  }
  __device__ static int value(const Sums& sums, int row, int n, int) { return sums.of[row * kTokens + n]; }
  __device__ static int token(int n, int) { return n; }
};

// AND and popcount of weight bits and the bit-planes of a token's codes.
struct Counts {
  static constexpr int kOwned = 1, kSpan = 1;
  static constexpr bool kPartial = true;
  struct Sums { int of[2]; };

  Codes32 codes;

  __device__ void load(const Stage& s, int token, int view, int half, int lane) {
    codes = load_codes(s, token, view, 4 * half + lane % 4);
  }
  __device__ void add(Sums& sums, uint32_t low, uint32_t high, int first, int last) const {
    const uint32_t mask = set_bits(first, last);
#pragma unroll
    for (int b = 0; b < 8; ++b) {
      const int one = __popc(low & codes.word[b] & mask), two = __popc(high & codes.word[b] & mask);
      sums.of[0] += b == 7 ? -(one << 7) : one << b;
      sums.of[1] += b == 7 ? -(two << 7) : two << b;
    }
  }
  __device__ static int value(const Sums& sums, int row, int, int) { return sums.of[row]; }
  __device__ static int token(int n, int) { return n; }
};

// Tensor cores on weight bits spread to bytes; 8 tokens in each of kTiles.
template <int kTiles>
struct Tensor {
  static constexpr int kOwned = 2 * kTiles, kSpan = 8 * kTiles;
  static constexpr bool kPartial = false;
  struct Sums { int of[kTiles][4]; };

  Codes32 codes[kTiles];

  __device__ void load(const Stage& s, int token, int view, int half, int lane) {
#pragma unroll
    for (int n = 0; n < kTiles; ++n) codes[n] = load_codes(s, token + 8 * n + lane / 4, view, 4 * half + lane % 4);
  }
  __device__ void add(Sums& sums, uint32_t low, uint32_t high, int first, int last) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i < first || i >= last) continue;
      const uint32_t a[4] = {bytes_of(low, i), bytes_of(high, i), bytes_of(low, i + 4), bytes_of(high, i + 4)};
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        const uint32_t b[2] = {codes[n].word[i], codes[n].word[i + 4]};
        mma_bytes(sums.of[n], a, b);
      }
    }
  }
  // Whole bytes of a set's weights, and as many ones, times codes in the order of columns.
  __device__ static void add_set(Sums (&sums)[2], const Stage& s, int token, int view, int set, const uint32_t (&a)[4], int lane) {
    const uint32_t ones[4] = {0x01010101u, 0x01010101u, 0x01010101u, 0x01010101u};
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
      const int at = token + 8 * n + lane / 4;
      const int64_t from = (int64_t(at) * s.views + view) * s.columns + 32 * set + 8 * (lane % 4);
      const uint2 codes = at < s.tokens ? __ldg(reinterpret_cast<const uint2*>(s.codes + from)) : uint2{0, 0};
      const uint32_t b[2] = {codes.x, codes.y};
      mma_bytes(sums[0].of[n], a, b);
      mma_bytes(sums[1].of[n], ones, b);
    }
  }
  __device__ static int value(const Sums& sums, int row, int n, int) { return sums.of[n / 2][2 * row + n % 2]; }
  __device__ static int token(int n, int lane) { return 8 * (n / 2) + 2 * (lane % 4) + n % 2; }
};

// Binary tensor cores: a tile's 8 columns are the bit-planes of one token's codes. Half of the 256 columns are 0: a
// second half would be of another group as often as not.
template <int kTokens>
struct Planes {
  static constexpr int kOwned = kTokens, kSpan = kTokens;
  static constexpr bool kPartial = true;
  struct Sums { int of[kTokens][4]; };

  uint32_t codes[kTokens];

  __device__ void load(const Stage& s, int token, int view, int half, int lane) {
#pragma unroll
    for (int n = 0; n < kTokens; ++n) {
      const int64_t from = (int64_t(token + n) * s.views + view) * s.columns + 32 * (4 * half + lane % 4);
      const uint32_t* words = reinterpret_cast<const uint32_t*>(s.codes + from);
      codes[n] = token + n < s.tokens ? __ldg(words + lane / 4) : 0;
    }
  }
  __device__ void add(Sums& sums, uint32_t low, uint32_t high, int first, int last) const {
    const uint32_t mask = set_bits(first, last);
    const uint32_t a[4] = {low, high, 0, 0};
#pragma unroll
    for (int n = 0; n < kTokens; ++n) {
      const uint32_t b[2] = {codes[n] & mask, 0};
      mma_bits(sums.of[n], a, b);
    }
  }
  __device__ static int value(const Sums& sums, int row, int n, int lane) {
    const int low = 2 * (lane % 4), one = sums.of[n][2 * row], two = sums.of[n][2 * row + 1];
    return (one << low) + (low == 6 ? -(two << 7) : two << (low + 1));
  }
  __device__ static int token(int n, int) { return n; }
};

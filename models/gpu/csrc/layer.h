// What the kernels are told, and where things lie. models/gpu/layout.py packs it; models/gpu/kernels.py mirrors the structs.
#pragma once
#include "device.h"

constexpr int kWarps = 8;          // of a block
constexpr int kThreads = 32 * kWarps;
constexpr int kRows = 16;          // of a row tile
constexpr int kStep = 256;         // columns of a row tile that a warp takes at once: 16 bytes a lane and plane
constexpr float kSmallestPeak = 5.421010862427522e-20f;  // 2^-64

enum Output { kAccumulators, kReals, kCodes };

// One stage and what becomes of its accumulators.
struct Stage {
  const uint4* planes;             // [row tiles][steps][planes][32 lanes]: rows g and g + 8 of columns 0-127, then of the next 128
  const int16_t* coefficients;     // [passes][row tiles][groups][8][terms][2]: of rows g and g + 8; int32 if wide; an offset is
                                   // the last term
  const uint32_t* masks;           // [passes]: the planes that a pass ANDs; null: each plane is a term, and a pass a view
  const int8_t* codes;             // [tokens][views][columns], 32 bytes for each 32 columns: codes, or their bit-planes
  const int64_t* bias;             // [rows] or null: added to the accumulators
  int64_t* accumulators;           // [tokens][rows]
  const float* out_scale;          // [rows]
  const float* token_scale;        // [tokens]
  const float* real_bias;          // [rows] or null
  float* reals;                    // [tokens][rows]
  const int16_t* row_scale;        // [next views][rows]
  const int32_t* place;            // [rows]: of a row's code among the next stage's
  int8_t* next_codes;              // [tokens][next views][next columns]
  int32_t tokens, rows, views, columns;  // columns: as packed, a multiple of 256
  int32_t planes_count, passes, passes_per_view;
  int32_t groups, sets_per_group, magic;  // a set is 32 columns; magic: ceil(2^32 / sets_per_group), 0 for 1
  int32_t wide, has_offset;
  int32_t output, adds;            // adds: to the reals of an earlier path
  int32_t next_views, next_columns, shift, bits;
};

// Real inputs, to be codes.
struct Inputs {
  const float* x;                  // [tokens][inputs]
  const int32_t* source;           // [columns]: input of each packed column in the order of its bits, or -1
  const float* column_scale;       // [views][columns] or null
  int8_t* codes;                   // [tokens][views][columns] as bytes
  uint32_t* bit_planes;            // [tokens][views][columns / 32][8] instead, or null
  float* token_scale;              // [tokens]: what a code of 1 is worth; NaN for a token that is not finite
  float static_scale;              // 0: by token
  int32_t tokens, inputs, views, columns, low, high;
};

// Packed bits times packed bits.
struct Bits {
  const uint4* planes;             // as of a stage with one plane
  const uint2* inputs;             // [token tiles of 8][steps][32 lanes]: token g, words t of columns 0-127 and of the next 128
  const int32_t* row_ones;         // [rows], and
  const int32_t* token_ones;       // [tokens], for products of signs; null: of bits
  int32_t* products;               // [tokens][rows]
  int32_t tokens, rows, steps, columns;  // columns: in use
};

__host__ __device__ inline int tiles(int size, int tile) { return (size + tile - 1) / tile; }

__device__ inline int group_of(const Stage& s, int set) {
  return s.magic ? int(__umulhi(uint32_t(set), uint32_t(s.magic))) : set;
}

// Weight bits m, m + 8, m + 16, m + 24 of a word, as bytes 0 or 1.
__device__ inline uint32_t bytes_of(uint32_t word, int m) { return word >> m & 0x01010101u; }

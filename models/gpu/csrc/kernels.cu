// The library's functions: each launches one kernel on a stream and returns CUDA's error code, or -1 for a choice that
// was not compiled.
#include "bits.h"
#include "encode.h"
#include "linear.h"

enum Kind { kCounts, kBytes, kTensor, kPlanes };

template <class Product, int kTerms, bool kAligned>
static int start(const Stage& s, int split, void* stream) {
  const dim3 grid(tiles(tiles(s.rows, kRows), kWarps / split), tiles(s.tokens, Product::kSpan));
  LAUNCH((linear<Product, kTerms, kAligned>), grid, dim3(kThreads), stream, s, split);
  return launched();
}

template <int kTerms, bool kAligned>
static int choose(const Stage& s, int kind, int tile, int split, void* stream) {
  if (kind == kBytes && tile == 1) return start<Bytes<1>, kTerms, kAligned>(s, split, stream);
  if (kind == kBytes && tile == 2) return start<Bytes<2>, kTerms, kAligned>(s, split, stream);
  if (kind == kTensor && tile == 8) return start<Tensor<1>, kTerms, kAligned>(s, split, stream);
  if (kind == kTensor && tile == 16) return start<Tensor<2>, kTerms, kAligned>(s, split, stream);
  if (kind == kTensor && tile == 32) return start<Tensor<4>, kTerms, kAligned>(s, split, stream);
  if (kAligned && kind == kCounts && tile == 1) return start<Counts, kTerms, true>(s, split, stream);
  if (kAligned && kind == kPlanes && tile == 1) return start<Planes<1>, kTerms, true>(s, split, stream);
  if (kAligned && kind == kPlanes && tile == 2) return start<Planes<2>, kTerms, true>(s, split, stream);
  return -1;
}

template <int kTerms>
static int align(const Stage& s, int kind, int tile, int split, void* stream) {
  const bool aligned = s.groups == 1 || s.sets_per_group % 4 == 0;
  return aligned ? choose<kTerms, true>(s, kind, tile, split, stream)
                 : choose<kTerms, false>(s, kind, tile, split, stream);
}

extern "C" {

int planesmith_linear(const Stage* s, int kind, int tile, int split, void* stream) {
  if (split < 1 || kWarps % split) return -1;
  if (s->masks) return align<1>(*s, kind, tile, split, stream);
  switch (s->planes_count) {
    case 1: return align<1>(*s, kind, tile, split, stream);
    case 2: return align<2>(*s, kind, tile, split, stream);
    case 3: return align<3>(*s, kind, tile, split, stream);
    case 4: return align<4>(*s, kind, tile, split, stream);
  }
  return -1;
}

int planesmith_encode(const Inputs* in, void* stream) {
  LAUNCH(encode, dim3(in->tokens), dim3(kThreads), stream, *in);
  return launched();
}

int planesmith_bits(const Bits* b, int tensor, void* stream) {
  const int blocks = tiles(tiles(b->rows, kRows), kWarps);
  if (tensor) {
    LAUNCH(bits_tensor<8>, dim3(blocks, tiles(b->tokens, 64)), dim3(kThreads), stream, *b);
  } else {
    LAUNCH(bits_counts, dim3(blocks, b->tokens), dim3(kThreads), stream, *b);
  }
  return launched();
}

// Sizes of the structs, so that whoever fills them can tell whether it knows the same ones.
int planesmith_sizes(int* of) {
  of[0] = sizeof(Stage), of[1] = sizeof(Inputs), of[2] = sizeof(Bits);
  return 3;
}

const char* planesmith_error(int code) {
#ifdef __CUDACC__
  return cudaGetErrorString(static_cast<cudaError_t>(code));
#else
  return code ? "the emulation has no such error" : "no error";
#endif
}
}

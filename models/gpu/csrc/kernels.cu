// The library's functions: each launches one kernel on a stream and returns CUDA's error code, or -1 for a choice that
// was not compiled.
#include "attend.h"
#include "bits.h"
#include "change.h"
#include "decode.h"
#include "encode.h"
#include "trits.h"

enum Kind { kCounts, kBytes, kTensor, kPlanes, kTrits };

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

template <class Product>
static int start_trits(const Stage& s, int split, void* stream) {
  const dim3 grid(tiles(tiles(s.rows, kRows), kWarps / split), tiles(s.tokens, Product::kSpan));
  LAUNCH((linear_trits<Product>), grid, dim3(kThreads), stream, s, split);
  return launched();
}

static int choose_trits(const Stage& s, int tile, int split, void* stream) {
  switch (tile) {
    case 8: return start_trits<Tensor<1>>(s, split, stream);
    case 16: return start_trits<Tensor<2>>(s, split, stream);
    case 32: return start_trits<Tensor<4>>(s, split, stream);
  }
  return -1;
}

template <class Product, int kPlanes, int kParts>
static int start_plain(const Plain& p, void* stream) {
  const int count = blocks(p.rows, multiprocessors());
  const int shared = Room(p, kPlanes, Product::kSpan, count).bytes(Product::kSpan);
  const dim3 grid(count, tiles(p.tokens, Product::kSpan));
  return launch_early(decode<Product, kPlanes, kParts>, grid, dim3(kTeamThreads), shared, stream, p);
}

template <int kPlanes, int kParts>
static int choose_plain(const Plain& p, int tensor, int tile, void* stream) {
  if (!tensor && tile == 1) return start_plain<ByBits<1>, kPlanes, kParts>(p, stream);
  if (!tensor && tile == 2) return start_plain<ByBits<2>, kPlanes, kParts>(p, stream);
  if (!tensor && tile == 4) return start_plain<ByBits<4>, kPlanes, kParts>(p, stream);
  if (tensor && tile == 8) return start_plain<ByBytes<1>, kPlanes, kParts>(p, stream);
  if (tensor && tile == 16) return start_plain<ByBytes<2>, kPlanes, kParts>(p, stream);
  return -1;
}

template <int kPlanes>
static int parts_plain(const Plain& p, int tensor, int tile, void* stream) {
  return p.parts == 1 ? choose_plain<kPlanes, 1>(p, tensor, tile, stream)
                      : choose_plain<kPlanes, 2>(p, tensor, tile, stream);
}

extern "C" {

int planesmith_decode(const Plain* p, int planes, int tensor, int tile, void* stream) {
  switch (planes) {
    case 1: return parts_plain<1>(*p, tensor, tile, stream);
    case 2: return parts_plain<2>(*p, tensor, tile, stream);
    case 3: return parts_plain<3>(*p, tensor, tile, stream);
    case 4: return parts_plain<4>(*p, tensor, tile, stream);
  }
  return -1;
}

// Whether a block of planesmith_decode has the shared memory that it wants.
int planesmith_fits(const Plain* p, int planes, int tile) {
  const Room room(*p, planes, tile, blocks(p->rows, multiprocessors()));
  return room.bytes(tile) + kOwnShared <= most_shared();
}

int planesmith_encode_plain(const Plain* p, int tensor, void* stream) {
  const int shared = p->columns / 128 * p->parts * 4;
  const auto with = [&](auto kernel) { return launch_early(kernel, dim3(p->tokens), dim3(kTeamThreads), shared, stream, *p); };
  if (p->parts == 1) return tensor ? with(encode_plain<false, 1>) : with(encode_plain<true, 1>);
  return tensor ? with(encode_plain<false, 2>) : with(encode_plain<true, 2>);
}

int planesmith_linear(const Stage* s, int kind, int tile, int split, void* stream) {
  if (split < 1 || kWarps % split) return -1;
  if (kind == kTrits) return choose_trits(*s, tile, split, stream);
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

int planesmith_change(const Change* c, void* stream) {
  if (c->rotation > kMostRotation) return -1;
  return launch_early(change, dim3(c->tokens, tiles(c->inputs, span_of(*c))), dim3(kThreads), 0, stream, *c);
}

int planesmith_bits(const Bits* b, int tensor, void* stream) {
  if (tensor) {
    const dim3 grid(tiles(b->rows, kSquare), tiles(b->tokens, kSquare));
    return launch_early(bits_tensor, grid, dim3(kSquareThreads), kSquareShared, stream, *b);
  } else {
    LAUNCH(bits_counts, dim3(b->tokens, tiles(tiles(b->rows, kRows), kWarps)), dim3(kThreads), stream, *b);
  }
  return launched();
}

int planesmith_attend(const Attend* a, int head, void* stream) {
  const dim3 grid(a->heads, a->batch);
  if (a->context > kMostContext) return -1;
  if (head == 64) return launch_early(attend<64>, grid, dim3(kThreads), 0, stream, *a);
  if (head == 128) return launch_early(attend<128>, grid, dim3(kThreads), 0, stream, *a);
  return -1;
}

// Sizes of the structs, so that whoever fills them can tell whether it knows the same ones.
int planesmith_sizes(int* of) {
  of[0] = sizeof(Stage), of[1] = sizeof(Inputs), of[2] = sizeof(Bits), of[3] = sizeof(Plain);
  of[4] = sizeof(Attend), of[5] = sizeof(Change);
  return 6;
}

const char* planesmith_error(int code) {
#ifdef __CUDACC__
  return cudaGetErrorString(static_cast<cudaError_t>(code));
#else
  return code ? "the emulation has no such error" : "no error";
#endif
}
}

// Words from memory to the ready/valid streams of a module, and back, cycle by cycle.
// Included by the shim; drive.py has the same structures.

#include <cstdint>
#include <cstring>

extern "C" {

// Words that lie one after the other, all of them `times` times; neither number is 0.
struct Segment {
    const uint8_t* words;
    uint64_t count, times;
};

// An input stream; a word has `bytes` bytes, in memory and in the port. The first and the latest
// of the `moved` words passed in the cycles `first` and `last`. With a memory, there is `room` for
// words, so many were `requested` and have `arrived`; without one, all have.
struct Source {
    CData* valid;
    const CData* ready;
    uint8_t* payload;
    uint64_t bytes;
    const Segment* segments;
    uint64_t segments_left, time, word;
    uint64_t moved, first, last;
    uint64_t offered, room, requested, arrived;
};

// The output stream; its words are stored from `words` on.
struct Sink {
    const CData* valid;
    CData* ready;
    const uint8_t* payload;
    uint64_t bytes;
    uint8_t* words;
    uint64_t wanted, moved, last;
};

// `idle` and `stall` are probabilities times 2**32; there may be no memory.
struct Drive {
    CData* clk;
    Memory* memory;
    Source* sources;
    uint64_t source_count;
    Sink sink;
    uint64_t cycle, idle, stall, random;
};

}  // extern "C"

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
static bool happens(Drive& drive, uint64_t probability) {
    if (!probability) return false;
    uint64_t z = drive.random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (z ^ z >> 31) >> 32 < probability;
}

// An offered word stays until it is taken.
static void begin_cycle(Source& source, Drive& drive) {
    if (source.offered) return;
    source.offered = source.segments_left && source.moved < source.arrived &&
                     !happens(drive, drive.idle);
    *source.valid = source.offered;
    if (!source.offered) return;
    const uint8_t* const word = source.segments->words + source.word * source.bytes;
    std::memcpy(source.payload, word, source.bytes);
}

static void end_cycle(Source& source, uint64_t cycle) {
    if (!source.offered || !*source.ready) return;
    source.offered = 0;
    if (!source.moved++) source.first = cycle;
    source.last = cycle;
    if (++source.word < source.segments->count) return;
    source.word = 0;
    if (++source.time < source.segments->times) return;
    source.time = 0;
    ++source.segments;
    --source.segments_left;
}

static void end_cycle(Sink& sink, uint64_t cycle) {
    if (!*sink.valid || !*sink.ready) return;
    std::memcpy(sink.words + sink.moved++ * sink.bytes, sink.payload, sink.bytes);
    sink.last = cycle;
}

extern "C" {

// Run until the sink has all words, or for so many cycles.
const char* dut_drive(Dut* dut, Drive* drive, uint64_t cycles) {
    return dut->guard([=] {
        Sink& sink = drive->sink;
        Source* const end = drive->sources + drive->source_count;
        for (const uint64_t stop = drive->cycle + cycles;
             drive->cycle < stop && sink.moved < sink.wanted; ++drive->cycle) {
            if (drive->memory) begin_cycle(*drive->memory, drive->sources, drive->cycle);
            for (Source* source = drive->sources; source < end; ++source)
                begin_cycle(*source, *drive);
            *sink.ready = !happens(*drive, drive->stall);
            *drive->clk = 0;
            dut->eval();
            for (Source* source = drive->sources; source < end; ++source)
                end_cycle(*source, drive->cycle);
            end_cycle(sink, drive->cycle);
            *drive->clk = 1;
            dut->eval();
        }
    });
}

}  // extern "C"

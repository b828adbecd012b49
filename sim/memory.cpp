// A memory with just so much bandwidth and latency behind the input streams.
// Included by the shim before drive.cpp; memory.py has the same structure.

#include <cstdint>

extern "C" {

// Words are transferred in the order of their sources, the one after `requested` next; each may be
// offered to the module from the cycle that `arrives` has for it. One that is `REPLAYED` comes from
// a buffer that has it already: at once, and without a transfer. A source has room for so many
// words that the module has not taken, on their way or waiting; bandwidth that finds no room is
// lost. Credit and rate are in bytes times 2**32, the rate a cycle. For `row_cycles` after each `row_bytes`, and for
// `refresh_cycles` of every `refresh_every`, nothing is transferred; 0 bytes or cycles: never.
struct Memory {
    const uint8_t* order;
    uint64_t* arrives;
    uint64_t words, requested, landed;
    uint64_t latency;
    uint64_t rate, credit;
    uint64_t row_bytes, row_cycles, row_used, opening;
    uint64_t refresh_every, refresh_cycles;
};

}  // extern "C"

static const uint8_t REPLAYED = 0x80;

// Begin a cycle. `Source` has `bytes` and `room`, and counts the words `requested`, `arrived` and `moved`.
template <class Source> void begin_cycle(Memory& memory, Source* sources, uint64_t cycle) {
    const bool refreshes = memory.refresh_every && cycle % memory.refresh_every < memory.refresh_cycles;
    if (!refreshes && memory.opening) --memory.opening;
    else if (!refreshes) memory.credit += memory.rate;
    while (memory.requested < memory.words) {
        const uint8_t entry = memory.order[memory.requested];
        Source& source = sources[entry & ~REPLAYED];
        if (source.requested - source.moved >= source.room) {
            memory.credit = 0;
            break;
        }
        const bool replayed = entry & REPLAYED;
        const uint64_t cost = replayed ? 0 : source.bytes << 32;
        if (memory.credit < cost) break;
        memory.credit -= cost;
        memory.arrives[memory.requested++] = cycle + (replayed ? 0 : memory.latency);
        ++source.requested;
        if (replayed || !memory.row_bytes) continue;
        memory.row_used += source.bytes;
        memory.opening += memory.row_used / memory.row_bytes * memory.row_cycles;
        memory.row_used %= memory.row_bytes;
    }
    while (memory.landed < memory.requested && memory.arrives[memory.landed] <= cycle)
        ++sources[memory.order[memory.landed++] & ~REPLAYED].arrived;
}

"""The C interface through which Python reaches a Verilated module."""

import ctypes
import re
import weakref
from dataclasses import dataclass
from pathlib import Path

Cell = ctypes.c_uint8 | ctypes.c_uint16 | ctypes.c_uint32 | ctypes.c_uint64 | ctypes.Array

PREFIX = "Vdut"  # of Verilator's files and classes, so that no top module clashes with a C++ header

_CODE = """\
#include "Vdut.h"
#include "verilated_sym_props.h"
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#if VM_TRACE_FST
#include "verilated_fst_c.h"
#endif

[[noreturn]] static void stop(const char* file, int line, const std::string& text) {
    throw std::runtime_error{std::string{file} + ":" + std::to_string(line) + ": " + text};
}

// Verilator's own end the process, or let only the first of them count.
void vl_finish(const char* file, int line, const char*) { stop(file, line, "Verilog $finish"); }
void vl_stop(const char* file, int line, const char*) { stop(file, line, "Verilog $stop"); }
void vl_fatal(const char* file, int line, const char*, const char* text) { stop(file, line, text); }

// Members die last to first, as they must.
struct Dut {
    VerilatedContext context;
    std::unique_ptr<Vdut> model;
#if VM_TRACE_FST
    std::unique_ptr<VerilatedFstC> waves;
#endif
    std::string error;

    void eval() {
        model->eval();
#if VM_TRACE_FST
        if (waves) waves->dump(context.time());
#endif
        context.timeInc(1);
    }

    // Verilator keeps the context of $stop and of destructors per thread, not per instance.
    template <class Action> const char* guard(Action action) {
        Verilated::threadContextp(&context);
        try {
            action();
            return nullptr;
        } catch (const std::exception& e) {
            error = e.what();
            return error.c_str();
        }
    }
};

extern "C" {
const char* dut_ports() { return "@PORTS@"; }

Dut* dut_new() {
    Dut* const dut = new Dut;
    dut->context.traceEverOn(VM_TRACE);
    dut->model = std::make_unique<Vdut>(&dut->context);
    return dut;
}

void dut_delete(Dut* dut) {
    Verilated::threadContextp(&dut->context);
    delete dut;
}

void* dut_port(Dut* dut, int n) {
    void* const ports[] = {@ADDRESSES@};
    return ports[n];
}

const char* dut_eval(Dut* dut) {
    return dut->guard([=] { dut->eval(); });
}

const char* dut_clock(Dut* dut, void* clk, unsigned n) {
    return dut->guard([=] {
        for (unsigned i = 0; i < 2 * n; ++i) {
            *static_cast<CData*>(clk) = i & 1;
            dut->eval();
        }
    });
}

// Turn a bit of a register, or of an element of a memory, that a control file made public.
const char* dut_flip(Dut* dut, const char* scope, const char* name, uint64_t element,
                     uint64_t bit) {
    return dut->guard([=] {
        const VerilatedScope* const place = dut->context.scopeFind(scope);
        const VerilatedVar* const found = place ? place->varFind(name) : nullptr;
        if (!found) throw std::runtime_error{"no public " + std::string{scope} + "." + name};
        const uint64_t at = element * found->entSize() + bit / 8;
        static_cast<uint8_t*>(found->datap())[at] ^= 1 << bit % 8;
    });
}

const char* dut_trace(Dut* dut, const char* path) {
    return dut->guard([=] {
#if VM_TRACE_FST
        if (dut->waves) throw std::runtime_error{"waves must be started once, they already were"};
        if (!std::ofstream{path})
            throw std::runtime_error{std::string{"path of waves must be writable, got "} + path};
        dut->waves = std::make_unique<VerilatedFstC>();
        dut->model->trace(dut->waves.get(), 99);
        dut->waves->open(path);
#else
        throw std::runtime_error{"waves must be chosen when building: build(..., waves=True)"};
#endif
    });
}

const char* dut_close(Dut* dut) {
    return dut->guard([=] {
#if VM_TRACE_FST
        dut->waves.reset();
#endif
        dut->model->final();
    });
}
}
"""

# Only the shim's functions are visible: inline statics of Verilator's headers would otherwise be
# shared by all designs of a process, even when loaded with RTLD_LOCAL.
_EXPORTS = "{ global: dut_*; local: *; };\n"

# Verilator's run-time library takes most of a build; runtime.a is there when it was built before.
_MAKEFILE = """\
include Vdut.mk
dut.so: shim.o Vdut__ALL.a runtime.a
\t$(LINK) $(LDFLAGS) -shared -Wl,--version-script=exports.map -o $@ $^ $(LDLIBS)
ifeq ($(wildcard runtime.a),)
runtime.a: $(VK_GLOBAL_OBJS)
\t$(AR) rcs $@ $^
endif
"""

# What drives streams; it comes last, as it uses the rest.
_DRIVE = [Path(__file__).with_name(name).read_text() for name in ("memory.cpp", "drive.cpp")]

FILES = {"shim.cpp": "\n".join([_CODE, *_DRIVE]), "exports.map": _EXPORTS, "dut.mk": _MAKEFILE}


@dataclass(frozen=True)
class Port:
    """A port: its Verilog name; ``input``, ``output`` or ``inout``; its width in bits."""

    name: str
    direction: str
    width: int


class Instance:
    """The C++ object behind an instance; it is deleted with the last reference.

    Attributes
    ----------
    ports : list of Port
        In no particular order; the index of a port is its number.
    """

    def __init__(self, library: Path) -> None:
        dut, text = ctypes.c_void_p, ctypes.c_char_p
        signatures = {
            "dut_ports": (text, []),
            "dut_new": (dut, []),
            "dut_delete": (None, [dut]),
            "dut_port": (ctypes.c_void_p, [dut, ctypes.c_int]),
            "dut_eval": (text, [dut]),
            "dut_clock": (text, [dut, ctypes.c_void_p, ctypes.c_uint]),
            "dut_flip": (text, [dut, text, text, ctypes.c_uint64, ctypes.c_uint64]),
            "dut_trace": (text, [dut, text]),
            "dut_close": (text, [dut]),
            "dut_drive": (text, [dut, ctypes.c_void_p, ctypes.c_uint64]),
        }
        shared = ctypes.CDLL(str(library.absolute()), mode=ctypes.RTLD_LOCAL)
        self._functions = {name: shared[name] for name in signatures}
        for name, (result, arguments) in signatures.items():
            self._functions[name].restype, self._functions[name].argtypes = result, arguments
        self._dut = self._functions["dut_new"]()
        weakref.finalize(self, self._functions["dut_delete"], self._dut)
        self.ports = []
        for line in self._functions["dut_ports"]().decode().splitlines():
            direction, width, member = line.split()
            self.ports.append(Port(_verilog_name(member), direction, int(width)))

    def call(self, name: str, *arguments: object) -> None:
        """Call a function that returns NULL or, to be raised as ``RuntimeError``, a text."""
        error = self._functions[name](self._dut, *arguments)
        if error is not None:
            raise RuntimeError(error.decode(errors="replace"))

    def cell(self, number: int) -> Cell:
        """Return a port's value where it lies in memory; it keeps the instance alive."""
        width = self.ports[number].width
        narrow = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32, 64: ctypes.c_uint64}
        kind = next((narrow[bits] for bits in narrow if width <= bits), None)
        kind = kind or ctypes.c_uint32 * -(-width // 32)
        cell = kind.from_address(self._functions["dut_port"](self._dut, number))
        vars(cell)["instance"] = self
        return cell


def _verilog_name(member: str) -> str:
    """Undo Verilator's encoding: ``__0`` and two hex digits for what C++ names must not hold."""
    plain = member.removeprefix("__SYM__")
    return re.sub("__0([0-9a-fA-F]{2})", lambda code: chr(int(code[1], 16)), plain)

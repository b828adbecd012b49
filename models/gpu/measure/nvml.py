"""Energy, clocks and the driver, as NVIDIA's management library tells them."""

import ctypes
from ctypes import byref, c_char_p, c_uint, c_ulonglong, c_void_p, create_string_buffer

SM_CLOCK, MEMORY_CLOCK = 1, 2


class Nvml:
    """A GPU's counters.

    Parameters
    ----------
    uuid : str
        With the prefix ``GPU-``.

    Raises
    ------
    OSError
        The library is missing or refuses.
    """

    def __init__(self, uuid: str) -> None:
        self._library = ctypes.CDLL("libnvidia-ml.so.1")
        self._library.nvmlErrorString.restype = c_char_p
        self._handle = c_void_p()
        self._call("nvmlInit_v2")
        self._call("nvmlDeviceGetHandleByUUID", uuid.encode(), byref(self._handle))

    @property
    def joules(self) -> float:
        """Energy since the driver was loaded."""
        total = c_ulonglong()
        self._call("nvmlDeviceGetTotalEnergyConsumption", self._handle, byref(total))
        return total.value / 1e3

    @property
    def megahertz(self) -> dict[str, int]:
        """Clocks as they are now."""
        return {
            name: self._number("nvmlDeviceGetClockInfo", kind)
            for name, kind in (("multiprocessors", SM_CLOCK), ("memory", MEMORY_CLOCK))
        }

    @property
    def watts_limit(self) -> float:
        """Power that the driver allows."""
        return self._number("nvmlDeviceGetPowerManagementLimit") / 1e3

    @property
    def driver(self) -> str:
        """Version of the driver."""
        text = create_string_buffer(80)
        self._call("nvmlSystemGetDriverVersion", text, c_uint(len(text)))
        return text.value.decode()

    def _number(self, name: str, *arguments: int) -> int:
        value = c_uint()
        self._call(name, self._handle, *(c_uint(a) for a in arguments), byref(value))
        return value.value

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            text = self._library.nvmlErrorString(code).decode()
            raise OSError(f"{name} of NVML must answer, got: {text}")

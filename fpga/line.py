"""Serial line from the host's side: bytes out, bytes in."""

from typing import Protocol

from models.checks import require


class Line(Protocol):
    """What a host needs of a line."""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def read(self, count: int, seconds: float) -> bytes:
        """Return ``count`` bytes; fewer where so many do not come in time."""
        ...

    def close(self) -> None:
        """Give the line back."""
        ...


class SerialLine:
    """A serial port of this computer, or the pseudo-terminal of a simulated board.

    Parameters
    ----------
    port : str
        As ``/dev/ttyUSB0`` or ``COM3``.
    baud : int
        Bits a second.

    Raises
    ------
    FileNotFoundError
        pyserial is not installed, or there is no such port.
    OSError
        Another program has the port.
    """

    def __init__(self, port: str, baud: int) -> None:
        require(baud > 0, "baud", "be positive", baud)
        try:
            import serial
        except ImportError as error:
            raise FileNotFoundError(
                "the Python package pyserial must be installed to talk to a board, found none; "
                "install it with: pip install 'planesmith[fpga]'"
            ) from error
        try:
            self._port = serial.Serial(port, baud, exclusive=True, write_timeout=60)
        except serial.SerialException as error:
            raise _explained(port, error) from error

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._port.write(data)
        self._port.flush()

    def read(self, count: int, seconds: float) -> bytes:
        """Return ``count`` bytes; fewer where so many do not come in time."""
        self._port.timeout = seconds
        return self._port.read(count)

    def close(self) -> None:
        """Give the port back."""
        self._port.close()


def _explained(port: str, error: OSError) -> OSError:
    """Return what keeps us from a port, in our words."""
    from serial.tools import list_ports

    text = str(error)
    if "xclusively lock" in text or "busy" in text or "Access is denied" in text:
        return OSError(f"serial port must be free, got {port}, which another program has")
    if "ermission" in text:
        return PermissionError(f"serial port must be ours to open, got {port}: permission denied")
    there = ", ".join(found.device for found in list_ports.comports()) or "none"
    return FileNotFoundError(f"serial port must be there, got {port}; there are: {there}")

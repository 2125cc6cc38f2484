"""A process that dies when it makes a socket, whatever library asks for it (seccomp, Linux)."""

from __future__ import annotations

import ctypes
import platform
import struct

SOCKET_CALL = {"x86_64": 41, "aarch64": 198}
"""Number of the system call `socket`."""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_KILL, _ALLOW = 0x80000000, 0x7FFF0000


def can_forbid() -> bool:
    """Whether this machine is one that the filter is written for."""
    return platform.system() == "Linux" and platform.machine() in SOCKET_CALL


def forbid_sockets() -> None:
    """From now on `socket()` kills the whole process with SIGSYS. Raises OSError."""
    machine = platform.machine()
    program = [
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 0, 3, AUDIT_ARCH[machine]),
        (0x20, 0, 0, 0),  # load the call's number
        (0x15, 0, 1, SOCKET_CALL[machine]),
        (0x06, 0, 0, _KILL),
        (0x06, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code)
    head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(
        _SET_SECCOMP, _FILTER, ctypes.create_string_buffer(head), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "no seccomp here")

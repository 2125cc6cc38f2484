"""Platform: what only Linux and macOS have, behind one door, so that Windows can import the rest.

Modules such as `fcntl` are loaded when they are used, never at import.
"""

from __future__ import annotations

from pathlib import Path


def lock_now(descriptor: int) -> None:
    """Lock an open file for this process alone until it is closed.

    Raises BlockingIOError where another process holds it.
    """
    try:
        import fcntl
    except ImportError:
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        except PermissionError as problem:
            raise BlockingIOError(*problem.args) from None
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def ask_device(descriptor: int, request: int, size: int) -> bytes:
    """The answer of a device to an ioctl that fills `size` bytes. Raises OSError, also where the
    system has none."""
    try:
        import fcntl
    except ImportError:
        raise OSError("this system has no ioctl") from None
    return fcntl.ioctl(descriptor, request, bytes(size))


def group_of(path: Path) -> str:
    """Name of the group that a file belongs to. Raises KeyError where it has none."""
    try:
        import grp
    except ImportError:
        raise KeyError(str(path)) from None
    return grp.getgrgid(path.stat().st_gid).gr_name


def children_processor_s() -> float:
    """Processor seconds of all processes that this one started and that have ended; NaN where the
    system does not say."""
    try:
        import resource
    except ImportError:
        return float("nan")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def home_of(user: str) -> Path:
    """The home folder of a user of this machine. Raises KeyError where there is no such user."""
    try:
        import pwd
    except ImportError:
        raise KeyError(user) from None
    return Path(pwd.getpwnam(user).pw_dir)

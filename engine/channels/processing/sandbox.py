"""What a process gives up before it runs somebody else's code. Linux only.

Four locks, each enough against most mischief alone: no new privileges, Landlock (no
file may be written, only Python's own files read, no TCP), a seccomp filter (no
sockets, no new processes, no signals to others, no tracing) and resource limits.

Spec:
    security.md S35.
"""

import ctypes
import os
import platform
import resource
import struct
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import engine

_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2

_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_ADD_RULE: Final = 445
_LANDLOCK_RESTRICT_SELF: Final = 446
_LANDLOCK_RULE_PATH_BENEATH: Final = 1
_READ_FILE_AND_FOLDER: Final = 0b1100
_FILE_RIGHTS_BY_ABI: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_ABI: Final = 4
_ALL_TCP: Final = 0b11

_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050001
"""Answer EPERM: Python turns it into PermissionError, which the step may see."""
_KILL: Final = 0x80000000

_FORBIDDEN: Final = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46,
            "bind": 49, "listen": 50, "socketpair": 53, "clone": 56, "fork": 57,
            "vfork": 58, "execve": 59, "kill": 62, "ptrace": 101, "unshare": 272,
            "mount": 165, "setns": 308, "process_vm_readv": 310,
            "process_vm_writev": 311, "prlimit64": 302, "setrlimit": 160,
            "execveat": 322, "memfd_create": 319, "bpf": 321, "userfaultfd": 323,
            "io_uring_setup": 425, "clone3": 435, "tkill": 200, "rt_sigqueueinfo": 129,
            "pidfd_open": 434, "pidfd_send_signal": 424, "pidfd_getfd": 438,
            "keyctl": 250, "add_key": 248, "perf_event_open": 298, "shmget": 29,
            "msgget": 68, "semget": 64, "chmod": 90, "chown": 92, "mknod": 133,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "socket": 198, "socketpair": 199, "bind": 200, "listen": 201,
            "accept": 202, "connect": 203, "sendto": 206, "sendmsg": 211,
            "clone": 220, "execve": 221, "kill": 129, "tkill": 130, "ptrace": 117,
            "unshare": 97, "mount": 40, "setns": 268, "process_vm_readv": 270,
            "process_vm_writev": 271, "prlimit64": 261, "setrlimit": 164,
            "execveat": 281, "memfd_create": 279, "bpf": 280, "userfaultfd": 282,
            "io_uring_setup": 425, "clone3": 435, "rt_sigqueueinfo": 138,
            "pidfd_open": 434, "pidfd_send_signal": 424, "pidfd_getfd": 438,
            "keyctl": 219, "add_key": 217, "perf_event_open": 241, "shmget": 194,
            "msgget": 186, "semget": 190,
        },
    ),
}  # fmt: skip
"""Audit architecture and the system calls refused, by machine."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the process may use up."""

    memory_bytes: int = 512 * 1024 * 1024
    open_files: int = 16


@dataclass(frozen=True, slots=True)
class Locks:
    """Which locks this kernel gave; ``doctor`` shows what is missing."""

    landlock: bool
    seccomp: bool


def lock_down(readable: Iterable[str], limits: Limits) -> Locks:
    """Give up everything a step does not need; there is no way back.

    Args:
        readable: folders beside Python's own that may be read.
        limits: memory and descriptors.

    Raises:
        OSError: the kernel refused "no new privileges"; nothing may run then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    os.environ.clear()
    _limit(limits)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs refused")
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    landlock = _landlock(libc, [*readable, *_python_folders()])
    return Locks(landlock, _seccomp(libc))


def _limit(limits: Limits) -> None:
    for what, most in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))


def _python_folders() -> set[str]:
    """Return the folders that Python, its packages and the engine are read from."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = {Path(sysconfig.get_path(name)) for name in names}
    folders.add(Path(engine.__file__ or "").parent)
    return {str(folder) for folder in folders if folder.is_dir()}


def _landlock(libc: ctypes.CDLL, readable: Iterable[str]) -> bool:
    """Let files be read below ``readable`` only; nothing written, no TCP."""
    abi = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if abi < 1:
        return False
    rights = (1 << _FILE_RIGHTS_BY_ABI.get(abi, 16)) - 1
    attributes = struct.pack("QQ", rights, _ALL_TCP if abi >= _NETWORK_ABI else 0)
    size = len(attributes) if abi >= _NETWORK_ABI else struct.calcsize("Q")
    ruleset = libc.syscall(
        _LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0
    )
    if ruleset < 0:
        return False
    for folder in readable:
        _allow_reading(libc, ruleset, folder)
    locked = bool(libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0) == 0)
    os.close(ruleset)
    return locked


def _allow_reading(libc: ctypes.CDLL, ruleset: int, folder: str) -> None:
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    rule = struct.pack("=Qi", _READ_FILE_AND_FOLDER, descriptor)
    libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, rule, 0)
    os.close(descriptor)


def _seccomp(libc: ctypes.CDLL) -> bool:
    """Refuse the system calls of `_FORBIDDEN`; kill on a foreign architecture."""
    known = _FORBIDDEN.get(platform.machine())
    if known is None:
        return False
    architecture, calls = known
    program = _filter(architecture, sorted(calls.values()))
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    done = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0)
    return bool(done == 0)


def _filter(architecture: int, numbers: list[int]) -> list[bytes]:
    """Return a classic BPF program; 64-bit x32 numbers fall through to refusal."""
    load, equal, above, answer = 0x20, 0x15, 0x35, 0x06

    def step(code: int, value: int, hit: int = 0, miss: int = 0) -> bytes:
        return struct.pack("HBBI", code, hit, miss, value)

    count = len(numbers)
    program = [
        step(load, 4),
        step(equal, architecture, 1, 0),
        step(answer, _KILL),
        step(load, 0),
        step(above, 0x40000000, count + 1, 0),
    ]
    program += [
        step(equal, number, count - index, 0) for index, number in enumerate(numbers)
    ]
    return [*program, step(answer, _ALLOW), step(answer, _REFUSE)]

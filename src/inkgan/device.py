"""The machine: device, precision, cores, memory, versions. Only functions that need PyTorch import it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkgan.errors import ConfigError, as_given

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from inkgan.config.schema import Precision

#: Parameters of mallopt(3): the largest block that comes from the heap, how many may come from elsewhere, and how much
#: of the heap may be unused.
_M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_TRIM_THRESHOLD = -3, -4, -1
_LARGEST_INT = 2**31 - 1
#: PyTorch's default dtype at the beginning of each open :func:`usual_arithmetic` context. In whatever order the
#: contexts of several threads end, the first dtype is put back last.
_DTYPES_BEFORE: list[torch.dtype] = []
_LOCK = threading.Lock()


@contextlib.contextmanager
def usual_arithmetic() -> Iterator[None]:
    """Compute with NumPy's and PyTorch's defaults, whatever a notebook has set; restore the notebook's at the end.

    Underflow is not an error, and PyTorch creates float32 tensors on the CPU, computes in the precision that they have,
    and records gradients. With other settings, a run could learn other weights, or stop in the middle.
    """
    import numpy as np

    with contextlib.ExitStack() as stack:
        stack.enter_context(np.errstate(under="ignore"))
        if sys.modules.get("torch") is not None:  # if it is imported later, it has its defaults
            import torch

            stack.enter_context(_float32())
            stack.enter_context(torch.inference_mode(False))  # records gradients even if the caller switched that off
            if torch.get_default_device().type != "cpu":  # only if needed: the context slows down every operation
                stack.enter_context(torch.device("cpu"))
            for kind in ("cpu", "cuda", "mps"):
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextlib.contextmanager
def _float32() -> Iterator[None]:
    """Make float32 PyTorch's default dtype, which all threads share, until the last open context ends."""
    import torch

    with _LOCK:
        _DTYPES_BEFORE.append(torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        with _LOCK:
            before = _DTYPES_BEFORE.pop()
            torch.set_default_dtype(torch.float32 if _DTYPES_BEFORE else before)


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_of_each(count: int) -> int:
    """Return the number of threads of each of some processes: that of OMP_NUM_THREADS, or its share of the cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # "4,2" asks for 4, and 2 inside each
    return int(asked) if re.fullmatch("[1-9][0-9]{0,4}", asked) else max(1, cores() // count)


def require_name_of_device(name: str) -> None:
    """Refuse a name that no device has on any machine.

    This needs no PyTorch. Only :func:`resolve_device`, which needs it, knows the devices of this machine.

    Raises:
        ConfigError: it is not the name of a device.
    """
    given = name if isinstance(name, str) else as_given(name)
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?|mps", given):
        raise ConfigError(f"there is no device {as_given(given)}. Give one of: auto, cpu, cuda, cuda:1, mps.")


def resolve_device(name: str) -> torch.device:
    """Return the device for a name such as ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    ``auto`` is ``cuda`` if there is a CUDA device, else ``cpu``. If several processes share a machine, the environment
    variable LOCAL_RANK numbers them, and ``auto`` and ``cuda`` give each one its own GPU as long as there are enough.

    Raises:
        ConfigError: this machine has no such device.
    """
    import torch

    available = ["cpu"]
    if torch.cuda.is_available():
        available += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        available.append("mps")
    if name == "auto":
        name = "cuda" if "cuda" in available else "cpu"
    if name == "cuda" and name in available and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    if name not in available:
        here = f"here, where PyTorch is {torch.__version__}"
        raise ConfigError(f"there is no device {name!r} {here}. Give one of: auto, {', '.join(available)}.")
    return torch.device(name)


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the dtype in which the networks compute.

    ``auto`` is bfloat16 if the hardware multiplies it faster than float32; see :func:`has_fast_bfloat16`.
    """
    import torch

    use_bfloat16 = has_fast_bfloat16(device) if precision == "auto" else precision == "bfloat16"
    return torch.bfloat16 if use_bfloat16 else torch.float32


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 faster than float32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    # PyTorch has these tests only under private names. Versions without them use float32, which is always right.
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, test, lambda: False)() for test in tests)


def to_device(array: NDArray[np.generic], device: torch.device) -> torch.Tensor:
    """Return a tensor of an array on a device, without waiting for what a GPU has queued; the CPU shares the memory."""
    import torch

    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def keep_freed_memory() -> None:
    """Make this process reuse the memory of freed tensors for new ones, if the C library is glibc.

    Every step allocates the same large blocks again. By default, glibc returns many of them to the system, which zeroes
    each page before handing it out again. That takes a tenth of the time of a step of ``best``. See mallopt(3). The
    process keeps the memory until it ends.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    if not mallopt(_M_MMAP_THRESHOLD, _LARGEST_INT):  # glibc before 2.35 allows no more than 32 MiB
        mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT)


def environment(device: str, threads: int, precision: str) -> dict[str, Any]:
    """Describe what a run's results depend on besides its settings: versions, machine, device, threads, precision."""
    import platform  # slow to import, and most commands do not need it
    from importlib import metadata

    packages = ("torch", "numpy", "safetensors", "pillow", "tensorboard")
    return {
        "inkgan": metadata.version("inkgan"),
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in packages},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "device": device,
        "threads": threads,
        "precision": precision,
    }


def _cpu() -> str:
    import platform

    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the commit of the source tree, if the package runs from one."""
    import subprocess

    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    return None

"""What there is of NVIDIA's: GPU, driver and CuPy, or why there is none. Loads no CuPy by itself."""

from __future__ import annotations

from typing import Any

__all__ = ["gpu_facts", "gpu_ids", "gpu_problem"]


def gpu_ids() -> list[str]:
    """Which GPUs CuPy finds, by where they are on the bus of this machine; none where there is no CuPy."""
    try:
        import cupy

        runtime = cupy.cuda.runtime
        return [str(runtime.deviceGetPCIBusId(gpu)) for gpu in range(runtime.getDeviceCount())]
    except Exception:
        return []


def gpu_problem(cupy: Any, device: int, error: Exception) -> str:
    """Why no GPU works here, and what to do: one line that goes on from "backend 'cupy'"."""
    try:
        runtime = cupy.cuda.runtime
        driver, wanted = int(runtime.driverGetVersion()), int(runtime.runtimeGetVersion())
        if driver == 0:
            return "found no NVIDIA driver; install one (nvidia-smi shows it), or use 'numpy'"
        if driver // 1000 < wanted // 1000:
            return (
                f"found a driver that is too old: it knows CUDA {_version(driver)}, this CuPy wants "
                f"{_version(wanted)}; update the driver, or pip install 'xw2v[cuda{driver // 1000}]' instead"
            )
        count = runtime.getDeviceCount()
        if device >= count:
            return f"found no GPU number {device}: there are {count}, counted from 0; give another device"
    except Exception as other:
        del other  # what failed first is the better message
    text = " ".join(str(error).split())
    if isinstance(error, ImportError) or "libnvrtc" in text:
        return f"found no libraries of CUDA: {text}; pip install 'xw2v[cuda12]', or 'xw2v[cuda13]', as the CuPy is"
    return f"found no GPU that works: {text}; check the driver with nvidia-smi, or use 'numpy'"


def gpu_facts() -> dict[str, Any]:
    """GPUs with their memory, and the versions of CuPy, driver and runtime. Only where CuPy works."""
    import cupy

    runtime = cupy.cuda.runtime
    gpus = []
    for number in range(runtime.getDeviceCount()):
        properties = runtime.getDeviceProperties(number)
        name = properties["name"]
        memory = f"{properties['totalGlobalMem'] / 2**30:.1f} GiB"
        capability = f"compute capability {properties['major']}.{properties['minor']}"
        gpus.append(f"{number}: {name.decode() if isinstance(name, bytes) else name}, {memory}, {capability}")
    free, total = runtime.memGetInfo()
    return {
        "gpu": gpus,
        "free_memory": f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB",
        "cupy": cupy.__version__,
        "driver": f"CUDA {_version(runtime.driverGetVersion())}",
        "runtime": f"CUDA {_version(runtime.runtimeGetVersion())}",
    }


def _version(number: int) -> str:
    """CUDA's way of writing versions: 12040 is 12.4."""
    return f"{number // 1000}.{number % 1000 // 10}"

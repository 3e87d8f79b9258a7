"""What a result was made with: versions, device, threads, commit."""

import hashlib
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import torch

from sadanet_lab import __version__
from sadanet_lab.paths import ROOT

PACKAGES = ("torch", "torchvision", "timm", "lightning-fabric", "numpy", "scipy", "pandas")


def environment(device: torch.device | str = "cpu") -> dict:
    """For the record beside every result; plain values, ready for JSON."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device_name(torch.device(device)),
        "threads": torch.get_num_threads(),
        "memory_mb": _peak_memory_mb(),
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {"sadanet": __version__} | {name: version(name) for name in PACKAGES},
    }


def device_name(device: torch.device) -> str:
    """Such as "NVIDIA H100" or "CPU, 2 threads, AVX512"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        return f"CPU, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    return device.type


def code_of(method: str) -> str:
    """Sum over the source of the network, its loss and what methods share; comments count, too."""
    lab = ROOT / "sadanet_lab" / "methods"
    files = [*sorted((ROOT / "sadanet_core").glob("*.py")), *sorted((lab / "shared").glob("*.py"))]
    files.append(lab / f"{method.replace('-', '_')}.py")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


def _peak_memory_mb() -> int | None:
    """The most main memory that this process held so far; None where the system does not tell, as Windows."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 2**20 if sys.platform == "darwin" else peak / 2**10)  # bytes there, KiB elsewhere


def commit() -> str:
    """The checkout's commit, "+changes" behind it if files differ from it; "unknown" outside a checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"

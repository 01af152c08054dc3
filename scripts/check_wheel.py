"""Install a wheel into a clean environment and use it, like a user without the source.

    python scripts/check_wheel.py dist/inkgan-0.1.0-py3-none-any.whl            writing and sampling, without PyTorch
    python scripts/check_wheel.py dist/inkgan-0.1.0-py3-none-any.whl --train    also training and evaluating

It prints the sizes of the wheel and of the environment, and exits with 1 at the first failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

_TINY = ("--steps", "2", "--set", "generator.channels=8", "--set", "discriminator.channels=8")


def main() -> None:
    """Install and use a wheel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--train", action="store_true", help="also install the extra `train` and use it")
    arguments = parser.parse_args()
    wheel = arguments.wheel.resolve()
    with tempfile.TemporaryDirectory(prefix="inkgan-wheel-") as folder:
        installed = Installation(Path(folder))
        installed.install(str(wheel))
        use_without_training(installed)
        print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, installed {installed.megabytes():.0f} MB")
        if arguments.train:
            installed.install(f"{wheel}[train]")
            use_with_training(installed)
            print(f"with the extra `train`: {installed.megabytes():.0f} MB")


class Installation:
    """A clean virtual environment in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = folder / "venv" / "bin" / "python"
        venv.create(folder / "venv", with_pip=True)

    def install(self, what: str) -> None:
        """Install a wheel, optionally with an extra."""
        subprocess.run([self._python, "-m", "pip", "install", "--quiet", what], check=True)
        subprocess.run([self._python, "-m", "pip", "check"], check=True)

    def inkgan(self, *arguments: str, expected: int = 0) -> str:
        """Run the command in an empty folder, out of reach of the source, and return its output."""
        command = [str(self._folder / "venv" / "bin" / "inkgan"), *arguments]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment["XDG_CACHE_HOME"] = str(self._folder / "cache")
        done = subprocess.run(command, cwd=self._folder, env=environment, text=True, capture_output=True, check=False)
        said = done.stdout + done.stderr
        if done.returncode != expected or "Traceback" in said:
            sys.exit(f"inkgan {' '.join(arguments)}: exit code {done.returncode}, expected {expected}\n{said}")
        print(f"inkgan {' '.join(arguments)}: exit code {done.returncode}")
        return said

    def megabytes(self) -> float:
        """Return the size of the environment."""
        return sum(path.stat().st_size for path in (self._folder / "venv").rglob("*") if path.is_file()) / 1e6


def use_without_training(installed: Installation) -> None:
    """Write, sample and export with the bundled models; training and evaluation name the missing extra in one line."""
    installed.inkgan("--version")
    installed.inkgan("write", "2026", "-o", "2026.png")
    installed.inkgan("sample", "fast", "-n", "20", "-o", "digits/")
    installed.inkgan("export", "fast", "-o", "fast.html")
    for command in (["train", "--steps", "1"], ["evaluate", "best"]):
        said = installed.inkgan(*command, expected=2)
        if said.count("\n") != 1 or "inkgan[train]" not in said:
            sys.exit(f"inkgan {' '.join(command)} should say in one line what to install, not:\n{said}")


def use_with_training(installed: Installation) -> None:
    """Train, resume, sample and evaluate."""
    installed.inkgan("train", "--out", "run", "--stop-at", "1", *_TINY)
    installed.inkgan("train", "--out", "run", "--resume")
    installed.inkgan("sample", "run", "-n", "200", "-o", "drawn/")
    installed.inkgan("evaluate", "drawn/", "-n", "200", "--report", "report.html")


if __name__ == "__main__":
    main()

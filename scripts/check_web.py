"""Check the web page in ``web/``: types, lint, unit tests, and whether the page in the package is up to date.

    python scripts/check_web.py [--browsers] [--if-found]

With ``--browsers`` it then tries the page in Chromium and Firefox if they are installed; $CHROMIUM and $FIREFOX name
other executables. Firefox has to support the commands of puppeteer-core: ESR 140 is too old, ESR 153 is new enough.
Steps that do not need each other run at the same time; what they print appears when they end. The script needs Node 20
or newer and npm; without them, or without the packages of the lock file, it fails. With ``--if-found`` it says in one
line what is missing, and succeeds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

WEB = Path(__file__).resolve().parents[1] / "web"
_OLDEST_NODE = 20
# The scripts of package.json in their order. Those of one line follow each other; the lines run at the same time.
_CHECKS = ("golden",), ("types", "lint", "built")
_TESTS = ("units",), ("pages", "test:browsers")
_BROWSERS = {"CHROMIUM": ("chromium", "chromium-browser", "google-chrome"), "FIREFOX": ("firefox-esr", "firefox")}


def main() -> int:
    """Check, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browsers", action="store_true", help="also try the page in browsers")
    parser.add_argument("--if-found", action="store_true", help="if something is not installed, say so and succeed")
    options = parser.parse_args()
    missing = _missing_tools() or _missing_packages()
    if missing:
        print(f"the page in web/ is not checked: {missing}.", file=sys.stderr)
        return 0 if options.if_found else 1
    found = browsers() if options.browsers else {}
    if not _all_pass(*_CHECKS) or not _all_pass(*(_TESTS if found else _TESTS[:1]), environment=found):
        return 1
    if options.browsers and not found:
        print("the page is not tried in a browser: neither Chromium nor Firefox is installed.", file=sys.stderr)
        return 0 if options.if_found else 1
    return 0


def _missing_tools() -> str | None:
    """Return which tools are missing, as part of a sentence; None if everything is installed."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return "there is no node, or no npm"
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)", told)
    if found is None or int(found[1]) < _OLDEST_NODE:
        return f"node is {told.strip() or 'broken'}, and it needs {_OLDEST_NODE} or newer"
    return None


def _missing_packages() -> str | None:
    """Install the packages of the lock file if it has changed; return why that failed, None if it did not."""
    installed, wanted = WEB / "node_modules" / ".package-lock.json", WEB / "package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= wanted.stat().st_mtime:
        return None
    if _npm("ci", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=0").returncode:
        return "its packages cannot be installed"
    return None


def browsers() -> dict[str, str]:
    """Return the paths of installed browsers, by the environment variable through which the tests get each."""
    found = {}
    for variable, names in _BROWSERS.items():
        given = os.environ.get(variable)
        paths = map(shutil.which, [given] if given else names)
        if path := next(filter(None, paths), None):
            found[variable] = path
    return found


def _all_pass(*lines: tuple[str, ...], environment: dict[str, str] | None = None) -> bool:
    """Run lines of scripts at the same time, and print what each printed when it ends; return whether all succeeded."""
    with ThreadPoolExecutor() as threads:
        ending = [threads.submit(_line, line, environment or {}) for line in lines]
        for one in as_completed(ending):
            print(one.result()[1], end="", flush=True)
    return all(one.result()[0] for one in ending)


def _line(scripts: tuple[str, ...], environment: dict[str, str]) -> tuple[bool, str]:
    """Run scripts one after the other until one fails; return whether none did, and what they printed."""
    printed = ""
    for script in scripts:
        print(f"npm run {script} ...\n", end="", flush=True)
        done = _npm("run", script, environment=environment, stdout=subprocess.PIPE)
        printed += done.stdout
        if done.returncode:
            return False, printed
    return True, printed


def _npm(
    *arguments: str, environment: dict[str, str] | None = None, stdout: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run npm in ``web/``; its tests use this Python for the golden numbers. If its output is caught, all of it is."""
    variables = {**os.environ, "PYTHON": sys.executable, **(environment or {})}
    stderr = subprocess.STDOUT if stdout == subprocess.PIPE else None
    return subprocess.run(
        ["npm", *arguments], cwd=WEB, env=variables, check=False, text=True, stdout=stdout, stderr=stderr
    )


if __name__ == "__main__":
    sys.exit(main())

"""Check the web page in ``web/``: types, lint, unit tests, and whether the page in the package is up to date.

    python scripts/check_web.py [--browsers] [--if-found]

With ``--browsers`` it then tries the page in Chromium and Firefox if they are installed; $CHROMIUM and $FIREFOX name
other executables. Firefox has to support the commands of puppeteer-core: ESR 140 is too old, ESR 153 is new enough.
The script needs Node 20 or newer and npm; without them, or without the packages of the lock file, it fails. With
``--if-found`` it says in one line what is missing, and succeeds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parents[1] / "web"
_OLDEST_NODE = 20
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
    if _npm("run", "check"):
        return 1
    if not options.browsers:
        return 0
    found = browsers()
    if not found:
        print("the page is not tried in a browser: neither Chromium nor Firefox is installed.", file=sys.stderr)
        return 0 if options.if_found else 1
    return _npm("run", "page") or _npm("run", "test:browsers", environment=found)


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
    if _npm("ci", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=0"):
        return "its packages cannot be installed"
    return None


def browsers() -> dict[str, str]:
    """Return the paths of installed browsers, by the environment variable through which the tests get each."""
    found = {}
    for variable, names in _BROWSERS.items():
        paths = [os.environ.get(variable), *map(shutil.which, names)]
        path = next((one for one in paths if one), None)
        if path:
            found[variable] = path
    return found


def _npm(*arguments: str, environment: dict[str, str] | None = None) -> int:
    """Run npm in ``web/`` and return its exit code; its tests use this Python for the golden numbers."""
    variables = {**os.environ, "PYTHON": sys.executable, **(environment or {})}
    return subprocess.run(["npm", *arguments], cwd=WEB, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

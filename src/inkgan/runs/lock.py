"""The lock of a run's folder: one trainer works there at a time, and notices when the folder is no longer its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from inkgan.errors import InkganWarning, OutputError, shown
from inkgan.files import UNSUPPORTED, output_errors
from inkgan.runs import contents


class RunLock:
    """The lock of one folder. The system drops it when the process that holds it ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / contents.LOCK
        self._locked_file: os.stat_result | None = None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder if there is none, and keep other trainers out of it.

        Raises:
            OutputError: another process is training here, or the folder cannot be written.

        Warns:
            InkganWarning: the file system has no locks.
        """
        with contextlib.ExitStack() as stack:
            with output_errors(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                # Where a pipe lies, the system would otherwise wait until somebody reads from it.
                descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o666)
                stack.callback(os.close, descriptor)
                self._lock(descriptor)
                opened = os.fstat(descriptor)
                # A file system may make up another identity for each look at a file.
                self._locked_file = opened if os.path.samestat(opened, self.file.stat()) else None
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # a child process may hold the file open, and the lock with it
                    fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # the latter on some network file systems
            raise OutputError(
                f"another process is training in {shown(self.folder)}. Wait for it, stop it, or name another --out."
            ) from None
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            warnings.warn(
                f"the file system of {shown(self.folder)} has no locks, so nothing keeps a second trainer out of it.",
                InkganWarning,
                stacklevel=4,
            )

    def require_own(self) -> None:
        """Make sure that this is still the folder that :meth:`held` has locked, as far as the system can tell.

        Raises:
            OutputError: the folder, or the lock in it, was removed, renamed or replaced.
        """
        with output_errors(self.file), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = self.file.stat()
            if self._locked_file is None or os.path.samestat(self._locked_file, found):
                return
        raise OutputError(
            f"{shown(self.folder)}, or the file lock in it, was removed, renamed or replaced, so the run stops; its "
            "checkpoints are kept. If the folder is elsewhere now, continue the run there with --resume."
        )

"""The data sets that inkgan knows by name: files, classes, checksums, sources; and where they are on this machine."""

from __future__ import annotations

import os
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from inkgan.data import idx
from inkgan.errors import DataError, OutputError, as_given, did_you_mean, shown
from inkgan.files import cache_folder, expanded, input_errors, is_folder

#: The environment variable that names a data folder.
VARIABLE = "INKGAN_DATA"
#: The folder in which this package keeps MNIST.
EMBEDDED = Path(__file__).parent


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
        name: its file name, appended to each mirror's address.
        size: its length in bytes.
        sha256: of the bytes as downloaded, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


def _files(*splits: str) -> tuple[str, ...]:
    """Return the names of the files of images and labels, in the form that MNIST introduced."""
    return tuple(f"{split}-{kind}-ubyte" for split in splits for kind in ("images-idx3", "labels-idx1"))


_FILES = _files("train", "t10k")


@dataclass(frozen=True)
class KnownSet:
    """A data set with a name.

    Attributes:
        name: as in ``--data NAME``.
        folders: where its files lie below a data folder; the first is torchvision's and the cache's.
        class_names: the name of each label.
        files: the names of its train images, train labels, test images and test labels, without ``.gz``.
        train: the number of images in the train file.
        test: the number of images in the test file.
        first_label: the number that its files give to the first class.
        transposed: whether its files store each image with rows and columns exchanged.
        mirrors: addresses that end with a slash, tried in order.
        remotes: the files to download.
        member: for a download that is a zip archive, the folder in it that holds the files.
        sha256: of each of ``files``, uncompressed; empty if none is published.
        debian: the Debian package that puts the files below ``/usr/share/datasets``; empty if there is none.
    """

    name: str
    folders: tuple[str, ...]
    class_names: tuple[str, ...]
    files: tuple[str, ...] = _FILES
    train: int = 60_000
    test: int = 10_000
    first_label: int = 0
    transposed: bool = False
    mirrors: tuple[str, ...] = ()
    remotes: tuple[Remote, ...] = ()
    member: str | None = None
    sha256: tuple[str, ...] = ()
    debian: str = ""


def _downloads(*files: tuple[int, str]) -> tuple[Remote, ...]:
    """Return the four compressed files of a set like MNIST, from the size and checksum of each."""
    return tuple(Remote(f"{name}.gz", *about) for name, about in zip(_FILES, files, strict=True))


_DIGITS = tuple(string.digits)
_UPPER = tuple(string.ascii_uppercase)

# CC BY-SA 3.0, and embedded.
_MNIST = KnownSet(
    name="mnist",
    folders=("MNIST/raw", "mnist", "MNIST"),
    class_names=_DIGITS,
    sha256=(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

# MIT licence.
_FASHION = KnownSet(
    name="fashion-mnist",
    folders=("FashionMNIST/raw", "fashion-mnist", "FashionMNIST", "fashion"),
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    mirrors=(
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    remotes=_downloads(
        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    sha256=(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    debian="dataset-fashion-mnist",
)

# CC BY-SA 4.0.
_KMNIST = KnownSet(
    name="kmnist",
    folders=("KMNIST/raw", "kmnist", "KMNIST"),
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    remotes=_downloads(
        (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ),
)

# EMNIST merges the lower-case letters that look like their capitals into them; these eleven stay apart.
_MERGED = (*_DIGITS, *_UPPER, *"abdefghnqrt")


def _emnist(split: str, class_names: tuple[str, ...], train: int, test: int, *, first_label: int = 0) -> KnownSet:
    """Return a part of EMNIST, which is in the public domain; one archive holds all parts."""
    zipped = Remote("gzip.zip", 561_753_746, "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e")
    return KnownSet(
        name=f"emnist-{split}",
        folders=("EMNIST/raw", "EMNIST/raw/gzip", "emnist", "emnist/gzip", "gzip", "EMNIST"),
        class_names=class_names,
        files=_files(f"emnist-{split}-train", f"emnist-{split}-test"),
        train=train,
        test=test,
        first_label=first_label,
        transposed=True,
        mirrors=("https://biometrics.nist.gov/cs_links/EMNIST/", "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/"),
        remotes=(zipped,),
        member="gzip",
    )


#: The known sets by name.
KNOWN: Mapping[str, KnownSet] = MappingProxyType(
    {
        known.name: known
        for known in (
            _MNIST,
            _FASHION,
            _KMNIST,
            _emnist("balanced", _MERGED, 112_800, 18_800),
            _emnist("byclass", (*_DIGITS, *_UPPER, *string.ascii_lowercase), 697_932, 116_323),
            _emnist("bymerge", _MERGED, 697_932, 116_323),
            _emnist("digits", _DIGITS, 240_000, 40_000),
            # Its files number the letters from 1, as NIST's tables do.
            _emnist("letters", _UPPER, 124_800, 20_800, first_label=1),
            _emnist("mnist", _DIGITS, 60_000, 10_000),
        )
    }
)

_ALIASES = {"fashion": "fashion-mnist", "fashionmnist": "fashion-mnist"}


def find_known(name: str) -> KnownSet | None:
    """Return the known set called ``name``, or None. Case does not matter; ``_`` for ``-`` and some aliases will do."""
    plain = name.strip().lower().replace("_", "-")
    return KNOWN.get(_ALIASES.get(plain, plain))


def unknown_set(given: str) -> DataError:
    """Return the error for a data set that is neither known nor a path, with the nearest known name as a hint."""
    family = [name for name in KNOWN if name.startswith(f"{given.lower()}-")]
    hint = f" Did you mean {family[0]!r} or its relatives?" if family else did_you_mean(given.lower(), KNOWN)
    if find_known(given):
        hint = f" A Path is never the name of a known set: give the text {given!r}."
    allowed = "a name that `inkgan data` lists, or the path of a folder or .npz file"
    return DataError(f"unknown data set {as_given(given)}.{hint} Give {allowed}.")


def locate(known: KnownSet, directory: str | Path | None) -> Path | None:
    """Find a known set on this machine: below a data folder, in this package, or among the downloads.

    A data folder counts if it holds any of the set's files. Three sets share their file names. For files that lie
    directly in a data folder, the checksum of the labels, if it is known, tells these sets apart.
    """
    for root in _named_folders(directory):
        for folder in (*(root / below for below in known.folders), root):
            there = any(find_file(folder, name) for name in known.files)
            if there and (folder != root or identified(folder) in (known, None)):
                return folder
    if (EMBEDDED / known.name).is_dir():
        return EMBEDDED / known.name
    try:
        downloaded = cache_folder() / known.folders[0]
        whole = all(find_file(downloaded, name) for name in known.files)
    except (DataError, OutputError):
        return None  # the user did not name the cache, so a cache that cannot be read is not an error yet
    return downloaded if whole else None


def identified(folder: Path) -> KnownSet | None:
    """Return the known set whose train labels lie in a folder, by their checksum, or None."""
    labels = ((known, find_file(folder, known.files[1])) for known in KNOWN.values())
    return next((known for known, path in labels if path is not None and is_published(known, path)), None)


def with_file(name: str) -> KnownSet | None:
    """Return the known set whose train images have this file name, or None if there is none or several share it."""
    found = [known for known in KNOWN.values() if known.files[0] == name]
    return found[0] if len(found) == 1 else None


def is_published(known: KnownSet, path: Path) -> bool | None:
    """Whether a file of a known set is the published one; None if no checksum is published for this form of it.

    Raises:
        DataError: it cannot be read or is damaged.
    """
    content = dict(zip(known.files, known.sha256, strict=False)).get(path.name.removesuffix(".gz"))
    if content is not None:
        return idx.sha256(path, unpack=True) == content
    as_downloaded = {remote.name: remote.sha256 for remote in known.remotes}.get(path.name)
    return None if as_downloaded is None else idx.sha256(path, unpack=False) == as_downloaded


def known_files(known: KnownSet, folder: Path) -> Iterator[Path]:
    """Yield the four files of a known set in a folder.

    Raises:
        DataError: one is not there.
    """
    for name in known.files:
        path = find_file(folder, name)
        if path is None:
            raise DataError(f"{shown(folder)} holds a part of {known.name}: {name}[.gz] is missing. Put it there.")
        yield path


def find_file(folder: Path, name: str) -> Path | None:
    """Return the file called ``name`` in a folder, compressed or not, or None.

    Raises:
        DataError: the folder cannot be read.
    """
    for candidate in (folder / name, folder / f"{name}.gz"):
        with input_errors(candidate):
            if candidate.is_file():  # Kaggle has folders with the names of the files that are in them
                return candidate
    return None


def _named_folders(directory: str | Path | None) -> Iterator[Path]:
    """Yield the data folders that the user named: the given one, and ``$INKGAN_DATA``.

    Raises:
        DataError: one of them is not there.
    """
    if directory is not None:
        yield named_folder(directory, "--data-dir")
    if named := os.environ.get(VARIABLE):
        yield named_folder(named, f"${VARIABLE}")


def named_folder(path: str | Path, option: str) -> Path:
    """Return a folder that the user named with an option or an environment variable.

    Raises:
        DataError: it is not there.
    """
    path = expanded(path)
    if not is_folder(path):
        raise DataError(f"{option} {shown(path)} is not a folder. Name the folder that holds the data sets.")
    return path


def described(folder: Path) -> str:
    """Describe the folder of a known set for a user."""
    return f"embedded in inkgan ({shown(folder)})" if folder.parent == EMBEDDED else shown(folder)

"""Read data sets with the programs that some formats are for: docTR, PaddleOCR and Ultralytics YOLO.

    python scripts/check_readers.py [doctr] [lmdb] [paddleocr] [yolo]

The tests read these formats with a few lines of code, because the programs bring whole frameworks. This script installs
each program into an environment of its own under build/readers, and says how large it is: most of it is PyTorch for
CUDA. It writes a small data set, lets the program read all of it, and compares what it read with the data set's own
labels. Without arguments it checks all formats. It exits with 1 at the first difference.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ENVIRONMENTS = Path(__file__).parents[1] / "build" / "readers"
#: What the readers print: for each image its text or the classes of its boxes, its width and its height.
Read = list[dict[str, Any]]

_DOCTR = """
import glob, json, sys
import doctr.datasets, torch
folders = sorted(glob.glob(f"{sys.argv[1]}/train/*"))
data = torch.utils.data.ConcatDataset(
    [doctr.datasets.RecognitionDataset(f"{folder}/images", f"{folder}/labels.json") for folder in folders]
)
found = [{"text": one.target, "width": one.image.shape[2], "height": one.image.shape[1]} for one in data]
print(json.dumps(found))
"""

_PADDLEOCR = """
import glob, json, logging, sys
from paddleocr.ppocr.data.lmdb_dataset import LMDBDataSet
from paddleocr.ppocr.data.simple_dataset import SimpleDataSet
folder, kind = sys.argv[1:]
decode = {"DecodeImage": {"img_mode": "BGR", "channel_first": False}}
described = {"transforms": [decode, {"KeepKeys": {"keep_keys": ["image", "label"]}}], "data_dir": folder}
described["label_file_list"] = sorted(glob.glob(f"{folder}/train/*/rec_gt.txt"))
loader = {"shuffle": False, "drop_last": False, "batch_size_per_card": 1, "num_workers": 0}
settings = {"Global": {}, "Train": {"dataset": described, "loader": loader}}
reader = {"paddleocr": SimpleDataSet, "lmdb": LMDBDataSet}[kind]
data = reader(settings, "Train", logging.getLogger("quiet"))
found = []
for image, text in (data[index] for index in range(len(data))):
    found.append({"text": text, "width": image.shape[1], "height": image.shape[0]})
print(json.dumps(found))
"""

_YOLO = """
import json, sys
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset
described = check_det_dataset(f"{sys.argv[1]}/data.yaml")
data = YOLODataset(img_path=described["train"], data=described, augment=False)
found = []
for one in data.labels:
    height, width = one["shape"]
    text = "".join(described["names"][int(index)] for index in one["cls"][:, 0])
    boxes = [[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h in one["bboxes"].tolist()]
    boxes = [[left * width, top * height, right * width, bottom * height] for left, top, right, bottom in boxes]
    found.append({"text": text, "width": width, "height": height, "boxes": boxes})
print("\\n" + json.dumps(found))
"""


class Reader(NamedTuple):
    """A program that reads a format.

    Attributes:
        requirements: what to install.
        code: reads the data set in the folder of its first argument, and prints :data:`Read` as its last line; the
            second argument is the format.
        split: whether the data set has parts; the program then reads the part ``train``.
    """

    requirements: tuple[str, ...]
    code: str
    split: bool


# PaddleOCR 2.10 is the last version whose package includes the readers of training data.
READERS = {
    "doctr": Reader(("python-doctr>=1.1",), _DOCTR, split=True),
    "lmdb": Reader(("paddleocr==2.10.0", "paddlepaddle"), _PADDLEOCR, split=False),
    "paddleocr": Reader(("paddleocr==2.10.0", "paddlepaddle"), _PADDLEOCR, split=True),
    "yolo": Reader(("ultralytics>=8.4",), _YOLO, split=True),
}


def main() -> None:
    """Check the formats that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"one of {', '.join(READERS)}; all if none")
    formats = parser.parse_args().formats or list(READERS)
    if unknown := set(formats) - set(READERS):
        parser.error(f"{', '.join(sorted(unknown))} is not one of {', '.join(READERS)}")
    for name in formats:
        reader = READERS[name]
        python = installed(reader.requirements)
        with tempfile.TemporaryDirectory(prefix="inkgan-readers-") as folder:
            numbers = Path(folder) / "numbers"
            write(name, numbers, split=reader.split)
            found = run([python, "-c", reader.code, numbers, name], cwd=folder).splitlines()[-1]
            labels = labels_of_databases(numbers) if name == "lmdb" else labels_of_folders(numbers)
            compare(name, json.loads(found), labels)
        print(f"{name}: {', '.join(reader.requirements)} read {len(labels)} images as they were written")


def installed(requirements: tuple[str, ...]) -> Path:
    """Return the Python of an environment with these packages; it is made if it is not there."""
    folder = ENVIRONMENTS / requirements[0].split("=")[0].strip(">")
    python = folder / "bin" / "python"
    is_complete = folder / "complete"
    if not is_complete.exists():
        print(f"installing {', '.join(requirements)} into {folder}", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        run([python, "-m", "pip", "install", "--quiet", *requirements])
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        print(f"installed {size / 1e9:.1f} GB")
        is_complete.touch()
    return python


def write(name: str, numbers: Path, *, split: bool) -> None:
    """Write a data set of 60 lines in two shards."""
    command = [sys.executable, "-m", "inkgan", "write", "{date:%Y-%m-%d}", "ddd dd", "-n", "60", "--shards", "2"]
    command += ["--format", name, "--height", "48", "--look", "scan", "-o", str(numbers)]
    run([*command, "--split", "train=.8,val=.2"] if split else command)


def labels_of_folders(numbers: Path) -> Read:
    """Return the labels of the part ``train``."""
    files = sorted(numbers.glob("train/*/metadata.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def labels_of_databases(numbers: Path) -> Read:
    """Return the labels of all shards."""
    import lmdb  # noqa: PLC0415 - only one format needs it

    labels = []
    for folder in sorted(numbers.glob("0*")):
        with lmdb.open(str(folder), readonly=True, lock=False) as database, database.begin() as transaction:
            keys = [b"meta-%09d" % number for number in range(1, int(transaction.get(b"num-samples") or 0) + 1)]
            labels += [json.loads(transaction.get(key) or b"") for key in keys]
    return labels


def compare(name: str, found: Read, labels: Read) -> None:
    """Exit if a program read something else than was written; the order of the images does not matter."""
    wanted = []
    for label in labels:
        one = {key: label[key] for key in ("text", "width", "height")}
        if name == "yolo":  # a space has no box
            one["text"] = label["text"].replace(" ", "")
            one["boxes"] = [box for box in label["boxes"] if box[0] < box[2]]
        wanted.append(one)
    if len(found) != len(wanted) or not wanted:
        sys.exit(f"{name}: {len(found)} images were read, and {len(wanted)} were written")
    for read, own in zip(sorted(found, key=repr), sorted(wanted, key=repr), strict=True):
        boxes, own_boxes = read.pop("boxes", []), own.pop("boxes", [])
        boxes_match = len(boxes) == len(own_boxes) and np.allclose(boxes, own_boxes, atol=0.02)
        if read != own or not boxes_match:
            sys.exit(f"{name}: {read} {boxes} was read, and {own} {own_boxes} was written")


def run(command: list[Any], cwd: str | None = None) -> str:
    """Run a command and return its output, or exit with what it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command[:4]))} …: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()

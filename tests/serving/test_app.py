"""The addresses of a served model: what each returns, how long it may be cached, and how errors are answered."""

from __future__ import annotations

import base64
import inspect
import io
import json
import os
import re
import zipfile
from concurrent.futures.process import BrokenProcessPool
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from starlette.testclient import TestClient

import inkgan
from inkgan import cli, networks
from inkgan.exporting.saved import SavedModel, read
from inkgan.generation.hands import morph
from inkgan.generation.looks import LOOKS
from inkgan.generation.numpy_networks import compact_shapes
from inkgan.images import picture_of
from inkgan.serving import app, parameters, responses
from inkgan.serving.app import Service, application
from inkgan.serving.guard import Guard
from inkgan.serving.guide import example_of, page
from stand_in_models import renamed_digits

_SCRIPT = "<script>alert(1)</script>"
_NAME = "<b onclick=alert(1)>"


def client_of(saved: SavedModel) -> TestClient:
    return TestClient(application(Service(saved)), raise_server_exceptions=True)


@pytest.fixture(scope="module")
def fast() -> TestClient:
    return client_of(read("fast", "latest"))


@pytest.fixture(scope="module")
def tutorial() -> TestClient:
    """A model that draws without labels."""
    return client_of(read("tutorial", "latest"))


@pytest.fixture(scope="module")
def hostile() -> TestClient:
    """A small model whose name, classes and card would be HTML if they were not escaped."""
    names = [_SCRIPT, "../x"]
    about = {
        "network": "compact", "image_shape": [8, 8, 3], "num_classes": 2, "latent_dim": 3, "channels": 8,
        "class_names": names,
    }  # fmt: skip
    draws = np.random.default_rng(0)
    shapes = compact_shapes((8, 8, 3), 2, 3, 8)
    weights = {name: draws.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    return client_of(SavedModel(f"/home/me/{_NAME}", about, weights, tuple(names), f"# A card\n\n{_SCRIPT}"))


def picture(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_writing_has_the_pixels_that_the_command_writes(fast: TestClient, tmp_path: Path) -> None:
    out = tmp_path / "sum.png"
    options = ["--seed", "4", "--height", "40", "--style", "0.5", "--slant", "5", "--background", "transparent"]
    assert cli.run(["write", "1+2d", "--model", "fast", *options, "-o", str(out)]) == 0
    answer = fast.get(
        "/v1/write",
        params={"text": "1+2d", "seed": 4, "height": 40, "style": 0.5, "slant": 5, "background": "transparent"},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert_array_equal(picture(answer.content), picture(out.read_bytes()))


@pytest.mark.slow
def test_browsers_find_an_icon(fast: TestClient, hostile: TestClient) -> None:
    """It is the model's first image, which may be cached, and no address that /docs lists."""
    answer = fast.get("/favicon.ico")
    assert answer.status_code == 200
    assert answer.content == fast.get("/v1/sample?n=1").content
    assert answer.headers["cache-control"] == "public, max-age=60, immutable"
    assert fast.get("/favicon.ico", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert hostile.get("/favicon.ico").content == hostile.get("/v1/sample?n=1").content
    assert "favicon" not in fast.get("/docs").text
    for address in ("/", "/docs"):  # Firefox asks the policy of the page whether it may show the icon
        assert "; img-src 'self'; " in fast.get(address).headers["content-security-policy"]


def test_a_writing_as_json(fast: TestClient) -> None:
    written = inkgan.write("1d", model="fast", seed=2, height=30)
    answer = fast.get("/v1/write?text=1d&seed=2&height=30&format=json").json()
    assert (answer["text"], answer["height"], answer["width"]) == (written.text, *written.image.shape)
    assert answer["probabilities"] == written.label["probabilities"]
    assert answer["boxes"] == [list(box) for box in written.boxes]
    assert_array_equal(picture(base64.b64decode(answer["png"])), 255 - written.image)


@pytest.mark.parametrize("look", [name for name in LOOKS if name != "clean"])
def test_a_look_is_the_commands(fast: TestClient, look: str) -> None:
    """A text with a look has the pixels and boxes of ``inkgan write``, alone or with others."""
    written = inkgan.write("10", model="fast", seed=2, writer=1, height=24, legible=0, look=look)
    query = f"/v1/write?text=10&seed=2&writer=1&height=24&legible=0&look={look}"
    answer = fast.get(f"{query}&format=json").json()
    assert answer["boxes"] == [list(box) for box in written.boxes]
    assert_array_equal(picture(base64.b64decode(answer["png"])), 255 - written.image)
    assert_array_equal(picture(fast.get(query).content), 255 - written.image)


def test_texts_of_several_looks_are_not_written_together() -> None:
    plain = parameters.Write(text="1", look="scan")
    assert responses.shared_parameters(plain) == responses.shared_parameters(
        plain.model_copy(update={"text": "2", "seed": 3})
    )
    assert responses.shared_parameters(plain) != responses.shared_parameters(plain.model_copy(update={"look": "photo"}))


def test_what_is_left_out_is_as_in_python() -> None:
    """The defaults of the addresses are those of the functions."""
    defaults = inspect.signature(inkgan.write).parameters
    fields = parameters.Write.model_fields
    shared = fields.keys() & defaults.keys() - {"text", "model"}
    assert shared == {"seed", "writer", "style", "slant", "height", "background", "look", "legible"}
    assert {name: fields[name].default for name in shared} == {name: defaults[name].default for name in shared}


@pytest.mark.parametrize(
    ("name", "low", "high", "step"),
    [
        ("seed", 0, 2**63 - 1, 1), ("writer", 0, 2**63 - 1, 1), ("style", 0, 1, 0.01), ("slant", -45, 45, 0.01),
        ("height", 24, 512, 1), ("legible", 0, 0.9999, 0.00001),
    ],
)  # fmt: skip
def test_a_number_may_be_at_an_end_of_its_range(name: str, low: float, high: float, step: float) -> None:
    for value in (low, high):
        assert getattr(parameters.Write.model_validate({"text": "1", name: value}), name) == value
    for value in (low - step, high + step):
        with pytest.raises(ValueError, match="Input should be"):
            parameters.Write.model_validate({"text": "1", name: value})


def test_a_digit_is_the_writers(fast: TestClient) -> None:
    expected = morph([5], steps=1, model="fast", legible=0)[0, 7]
    assert_array_equal(picture(fast.get("/v1/digits/7?seed=5").content), 255 - expected)
    twice = picture(fast.get("/v1/digits/7?seed=5&scale=2").content)
    assert_array_equal(twice, 255 - expected.repeat(2, 0).repeat(2, 1))
    other = fast.get("/v1/digits/7?seed=5&writer=1").content
    assert (picture(other) != 255 - expected).any()


@pytest.mark.parametrize("label", [None, "3"])
def test_a_sample_is_what_the_model_draws(fast: TestClient, label: str | None) -> None:
    asked = {"n": 11, "seed": 3} | ({} if label is None else {"label": label})
    expected = np.asarray(inkgan.load("fast").sample(11, seed=3, labels=label))
    labels = np.arange(11) % 10 if label is None else np.repeat(3, 11)
    arrays = np.load(io.BytesIO(fast.get("/v1/sample", params={**asked, "format": "npz"}).content))
    assert_array_equal(arrays["images"], expected)
    assert_array_equal(arrays["labels"], labels)
    assert arrays["class_names"].tolist() == list("0123456789")
    archive = zipfile.ZipFile(io.BytesIO(fast.get("/v1/sample", params={**asked, "format": "zip"}).content))
    assert archive.namelist() == [f"{k}/{index:02d}.png" for index, k in enumerate(labels)]
    for name, image in zip(archive.namelist(), expected, strict=True):
        assert_array_equal(picture(archive.read(name)), np.asarray(picture_of(image)))
    sheet = picture(fast.get("/v1/sample", params=asked).content)
    assert sheet.shape == (3 * 60, 4 * 60)  # 4 columns of 28 pixels and a gap of 2, twice as large
    assert_array_equal(sheet[2:58:2, 62:118:2], 255 - expected[1])


@pytest.mark.parametrize("locale", ["ascii", "latin-1", "gbk"])
def test_the_names_in_an_archive_are_the_same_in_every_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locale: str
) -> None:
    model = inkgan.load(renamed_digits(tmp_path, "01", ["日", "é"]))
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode(locale, "surrogateescape"))
    monkeypatch.setattr(os, "fsdecode", lambda content: content.decode(locale, "surrogateescape"))
    archive = responses.sample(model, parameters.Sample(n=2, format="zip")).content
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["日/0.png", "é/1.png"]


@pytest.mark.parametrize("kind", ["png", "npz", "zip"])
def test_the_same_address_gives_the_same_bytes(fast: TestClient, kind: str) -> None:
    first, second = (fast.get(f"/v1/sample?n=2&format={kind}") for _ in range(2))
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]


def test_an_answer_that_is_known_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(read("fast", "latest"))
    first = client.get("/v1/write?text=12")
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=60, immutable"
    monkeypatch.setattr("inkgan.serving.responses.write", None)
    for given in (tag, f"W/{tag}", f'"other", {tag}'):
        again = client.get("/v1/write?text=12&seed=0", headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    lines = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
    assert client.get("/v1/write?text=12", headers=lines).status_code == 304


@pytest.mark.parametrize("address", ["/v1/write?text=1", "/v1/digits/7", "/v1/sample?n=1", "/v1/models", "/docs"])
def test_a_star_matches_every_answer_that_there_is(fast: TestClient, address: str) -> None:
    """RFC 9110, 13.1.2."""
    answer = fast.get(address, headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == fast.get(address).headers["etag"]


@pytest.mark.parametrize(("address", "status"), [("/v1/write?text=a", 400), ("/v1/digits/ten", 404), ("/no", 404)])
def test_a_star_matches_no_error(fast: TestClient, address: str, status: int) -> None:
    assert fast.get(address, headers={"If-None-Match": "*"}).status_code == status


def test_a_tag_follows_the_request_and_the_model(fast: TestClient) -> None:
    """The ETag changes with the parameters of the request and with the model."""
    changes = ["", "&seed=1", "&height=30", "&format=json", "&slant=1", "&look=scan"]
    queries = ["text=2", *(f"text=1{change}" for change in changes)]
    tags = {fast.get(f"/v1/write?{query}").headers["etag"] for query in queries}
    assert len(tags) == len(queries)
    other = client_of(read("best", "latest"))
    assert other.get("/v1/write?text=1").headers["etag"] not in tags


@pytest.mark.parametrize("package", ["inkgan", "numpy", "pillow"])
def test_the_digest_follows_the_versions(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Another version may draw or compress otherwise, and an answer to an address with a digest is kept for a year."""
    saved = read("fast", "latest")
    before = responses.digest(saved)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0" if name == package else version(name))
    assert responses.digest(saved) != before


def test_the_digest_follows_the_file_of_a_network_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch draws with it, so its version counts, too."""
    monkeypatch.setenv(networks.VARIABLE, str(tmp_path))
    saved = read("fast", "latest")
    saved = saved._replace(description={**saved.description, "network": "mine"})
    file = tmp_path / "mine.py"
    file.write_text("scale = 1")
    digests = {responses.digest(saved)}
    file.write_text("scale = 2")
    digests.add(responses.digest(saved))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0" if name == "torch" else version(name))
    assert len({*digests, responses.digest(saved)}) == 3


def test_what_is_told_of_a_model(fast: TestClient) -> None:
    """Its digest stands for the weights, the names of the classes and the versions, which decide what is drawn."""
    saved = read("fast", "latest")
    manifest = json.loads((Path(inkgan.__file__).parent / "models/fast/manifest.json").read_text("utf-8"))
    (told,) = fast.get("/v1/models").json()["models"]
    assert told["weights_sha256"] == manifest["files"]["generator.safetensors"]["sha256"]
    assert (told["name"], told["network"], told["image_shape"]) == ("fast", "compact", [28, 28, 1])
    assert told["class_names"] == list("0123456789")
    assert told["card"].startswith("# ")
    assert told["licence"] in told["card"]
    assert responses.digest(saved).startswith(told["digest"])
    others = (saved._replace(class_names=tuple("1023456789")), read("best", "latest"))
    assert len({responses.digest(one)[:12] for one in (saved, *others)}) == 3


def test_an_address_with_its_model_is_kept_for_a_year(fast: TestClient) -> None:
    digest = fast.get("/v1/models").json()["models"][0]["digest"]
    answer = fast.get(f"/v1/digits/1?model={digest}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["etag"] == fast.get("/v1/digits/1").headers["etag"]
    other = fast.get(f"/v1/digits/1?model={'0' * 12}")
    assert other.status_code == 404
    line = f"this server draws with the model {digest}, not {'0' * 12}. Give model={digest}, or leave it out."
    assert other.json() == {"error": line}
    assert fast.get("/v1/sample?n=1&model=best").json() == {"error": line.replace("0" * 12, "best")}
    assert fast.get("/v1/sample?n=1&model=").json() == {"error": line.replace("0" * 12, "''")}


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/v1/write", 400, "text is missing. /v1/write takes it; see /docs."),
        ("/v1/write?text=", 400, "text=: give 1 or more characters."),
        ("/v1/write?text=abc", 400, "cannot write 'abc'. Write digits,"),
        ("/v1/write?text=1&sed=4", 400, "there is no parameter sed. Did you mean 'seed'? There are: model, text,"),
        ("/v1/write?txt=1", 400, "there is no parameter txt. Did you mean 'text'? There are: model, text,"),
        ("/v1/write?text=1&height=1e9", 400, "height=1e9: give a whole number"),
        ("/v1/write?text=1&style=nan", 400, "style=nan: give a finite number"),
        ("/v1/write?text=1&slant=inf", 400, "slant=inf: give a finite number"),
        ("/v1/write?text=1&legible=nan", 400, "legible=nan: give a finite number"),
        (f"/v1/write?text=1&seed={'9' * 5000}", 400, f"seed={'9' * 40}: give a whole number of fewer digits."),
        ("/v1/write?text=1&model=abc", 400, "this server draws with the model "),
        ("/v1/write?text=1&seed=9223372036854775808", 400, "seed=9223372036854775808: give 9,223,372,0"),
        ("/v1/write?text=1&format=exe", 400, "format=exe: give 'png' or 'json'."),
        ("/v1/write?text=1&look=scam", 400, "look=scam: give 'clean', 'scan', 'photo' or 'field'."),
        ("/v1/write?text=1&look=my.toml", 400, "look=my.toml: give 'clean',"),
        ("/v1/write?text=1&look=scan&background=transparent", 400, "a look with paper cannot have the background"),
        (
            f"/v1/write?text={'1' * 64}&look=scan&height=257", 400,
            "this image would have 2,113,568 pixels; a text with look=scan may have at most 2,097,152. Ask for fewer.",
        ),
        (f"/v1/sample?n={'9' * 5000}", 400, "n=999"),
        (f"/v1/write?text={'1' * 65}", 400, "text=" + "1" * 20),
        ("/v1/digits/7?scale=17", 400, "scale=17: give 16 or less."),
        ("/v1/digits/7?scale=0", 400, "scale=0: give 1 or more."),
        ("/v1/write?text=1&height=23", 400, "height=23: give 24 or more."),
        ("/v1/sample?n=65", 400, "n=65: give 64 or less."),
        ("/v1/sample?n=-1", 400, "n=-1: give 1 or more."),
        ("/v1/sample?label=x", 404, "there is no class 'x': fast draws 0 to 9."),
        ("/v1/sample?%0a=1", 400, r"there is no parameter \n."),
        ("/v1/sample?=1", 400, "there is no parameter ''."),
        ("/v1/write?text=1&seed=4&seed=5", 400, "seed was given 2 times. Give it once."),
        ("/v1/sample?label=7&label=8&label=7", 400, "label was given 3 times. Give it once."),
        ("/v1/digits/7?scale=1&scale=1", 400, "scale was given 2 times. Give it once."),
        ("/v1/digits/7%00", 404, r"there is no class '7\x00'. Did you mean '7'?"),
        ("/v1/digits/x", 404, "there is no class 'x': fast draws 0 to 9."),
        ("/v1/digits/%2e%2e%2fx", 404, "there is no class '../x': fast draws 0 to 9."),
        ("/v1/write/", 404, "there is no /v1/write/."),
        ("/etc/passwd", 404, "there is no /etc/passwd. Addresses are /, /v1/write,"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_answered_in_one_line(fast: TestClient, address: str, status: int, said: str) -> None:
    answer = fast.get(address)
    assert answer.status_code == status
    line = answer.json()["error"]
    assert line.startswith(said)
    assert line.isprintable()
    assert len(line) < 400
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("value", ["", "-1", "1e9", "nan", "x", "{date}", "my.toml", "a/b", "é"])
def test_no_error_speaks_of_the_command_line(
    fast: TestClient, hostile: TestClient, tutorial: TestClient, value: str
) -> None:
    """Whatever parameter is wrong, the error speaks of parameters and addresses: options are for whoever serves."""
    for client in (fast, hostile, tutorial):
        described = client.get("/openapi.json").json()["paths"]
        asked = 0
        for path, methods in described.items():
            here = path.replace("{name}", quote(value, safe=""))
            for one in methods["get"].get("parameters", []):
                given = {"text": "1"} if path == "/v1/write" else {}
                answer = client.get(here, params=given if one["in"] == "path" else given | {one["name"]: value})
                asked += 1
                if answer.status_code != 200:
                    line = answer.json()["error"]
                    assert not re.search(r"--[a-z]|Name a model|\bfile\b", line), line
        assert asked > 15
    line = hostile.get("/v1/sample?format=zip").json()["error"]
    assert line.endswith(" cannot have a folder of that name. Ask for .npz.")


def test_a_model_that_cannot_write_says_so(tutorial: TestClient) -> None:
    answer = tutorial.get("/v1/write?text=1")
    assert answer.status_code == 400
    cannot = "tutorial cannot write: its classes are none, and its images have 1 channel; writing needs the classes "
    assert answer.json() == {"error": f"{cannot}0 to 9 and 1 channel. Ask for /v1/sample."}
    answer = tutorial.get("/v1/digits/1")
    assert answer.status_code == 404
    assert answer.json() == {"error": "tutorial draws without labels. Ask for /v1/sample."}
    assert picture(tutorial.get("/v1/sample?n=1").content).shape == (60, 60)
    assert tutorial.get("/").content == tutorial.get("/docs").content  # its network has no page


class Tags(HTMLParser):
    """The tags of a page with their attributes, and the page's text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_names_and_cards_are_text(hostile: TestClient) -> None:
    found = Tags(hostile.get("/docs").text)
    assert "script" not in {tag for tag, _ in found.tags}
    assert "onclick" not in {name for _, given in found.tags for name in given}
    assert found.text.count(_SCRIPT) == 3  # classes, why it cannot write, and card
    assert found.text.count(_NAME) == 3  # title, heading, and why it cannot write
    assert hostile.get("/v1/models").json()["models"][0]["class_names"] == [_SCRIPT, "../x"]
    assert not any(one in hostile.get("/").text for one in (_SCRIPT, _NAME))
    answer = hostile.get("/v1/digits/x")
    assert answer.headers["content-type"] == "application/json"
    assert _SCRIPT in answer.json()["error"]


def test_where_a_model_lies_is_not_told(hostile: TestClient) -> None:
    for address in ("/", "/docs", "/openapi.json", "/v1/models", "/v1/digits/7", "/v1/write?text=7"):
        assert "/home/me" not in hostile.get(address).text, address
    assert hostile.get("/v1/models").json()["models"][0]["name"] == _NAME


def test_a_name_cannot_leave_an_archive(hostile: TestClient) -> None:
    answer = hostile.get("/v1/sample?format=zip")
    assert answer.status_code == 400
    assert "cannot have a folder of that name" in answer.json()["error"]
    assert picture(hostile.get("/v1/sample?n=1").content).shape == (20, 20, 3)


def test_large_images_are_bounded(hostile: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "MOST_PIXELS", 4 * 64)
    name = quote(_SCRIPT, safe="")
    for address in ("/v1/sample?n=1", f"/v1/digits/{name}?scale=2"):
        assert hostile.get(address).status_code == 200, address
    for address in ("/v1/sample?n=2", f"/v1/digits/{name}?scale=3"):
        answer = hostile.get(address)
        assert answer.status_code == 400
        assert "pixels; an answer may have at most 256" in answer.json()["error"]
    monkeypatch.setattr(responses, "MOST_PIXELS", 9 * 64 - 1)
    assert hostile.get("/v1/sample?n=2").status_code == 200
    assert "would have 576 pixels" in hostile.get(f"/v1/digits/{name}?scale=3").json()["error"]


def test_the_page_has_its_own_policy(hostile: TestClient) -> None:
    answer = hostile.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.endswith("; frame-ancestors 'none'")
    assert policy.removesuffix("; frame-ancestors 'none'") in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    again = hostile.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_guide_needs_nothing_from_elsewhere(fast: TestClient) -> None:
    answer = fast.get("/docs")
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'none'; img-src 'self'; style-src 'sha256-"
    )
    for tag, attributes in Tags(answer.text).tags:
        assert tag not in {"script", "link", "iframe"}
        for name in ("src", "href"):
            assert (attributes.get(name) or "/").startswith("/")


def test_the_guide_says_what_each_parameter_takes(fast: TestClient) -> None:
    """The table gives a text's length, a digest's pattern and a number's range."""
    guide = fast.get("/docs").text
    for row in (
        "<td>model<td>[0-9a-f]{12}<td>",
        "<td>text<td>1 to 64 characters<td>none, needed<td>",
        "<td>height<td>24 to 512<td>96<td>",
        "<td>slant<td>-45 to 45<td>0<td>",
        "<td>legible<td>0 to 0.9999<td>0.99<td>",
        "<td>writer<td>0 to 2^63 - 1<td>0<td>",
        "<td>background<td>white, transparent<td>white<td>",
        "<td>name<td>0 to 255 characters<td>none, needed<td>The name of a class.",
        "<td>n<td>1 to 64<td>64<td>",
        "<td>format<td>png<td>png<td>",
        "<td>label<td>0 to 255 characters<td><td>",
    ):
        assert row in guide, row
    assert guide.count("<table>") == 3  # /v1/models takes no parameters


@pytest.mark.parametrize(("count", "shown", "more"), [(1, 1, ""), (100, 100, ""), (101, 100, ", …")])
def test_the_guide_names_a_hundred_classes(count: int, shown: int, more: str) -> None:
    names = [f"class {at}" for at in range(count)]
    saved = read("fast", "latest")._replace(class_names=tuple(names))
    content, _ = page(saved, {"info": {"description": ""}, "paths": {}}, {})
    assert f"<p>Classes: {', '.join(names[:shown])}{more}</p>" in content.decode()


def test_every_example_of_the_description_works(fast: TestClient) -> None:
    described = fast.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        assert list(methods) == ["get"]
        answer = fast.get(example_of(path, methods["get"].get("parameters", []), tuple("0123456789")))
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] in methods["get"]["responses"]["200"]["content"]
    assert json.dumps(described).count("http") == 0


def test_the_description_names_what_a_client_calls(fast: TestClient) -> None:
    """Titles and names are words, not those of private functions."""
    paths = fast.get("/openapi.json").json()["paths"].values()
    assert [one["get"]["summary"] for one in paths] == ["Write", "Digit", "Sample", "Models"]
    assert all(one["get"]["operationId"][0].isalpha() for one in paths)


def examples_in(guide: str) -> set[str]:
    """Return the addresses of a page's examples."""
    given = {found.get("href") or found.get("src") for _, found in Tags(guide).tags}
    return {address for address in given if address and address.startswith("/v1/")}


def test_the_guide_has_examples_of_what_its_model_draws(hostile: TestClient) -> None:
    """A model of other classes has no dead links: it gives a class of its own, and says why it cannot write."""
    guide = hostile.get("/docs").text
    addresses = examples_in(guide)
    assert {address.split("?")[0] for address in addresses} == {
        f"/v1/digits/{quote(_SCRIPT, safe='')}", "/v1/sample", "/v1/models"
    }  # fmt: skip
    for address in addresses:
        assert hostile.get(address).status_code == 200, address
    assert "cannot write: its classes are" in guide


def test_the_examples_work_for_large_images(hostile: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of images of 512×512 have not too many pixels; here, images and bound are smaller."""
    monkeypatch.setattr(responses, "MOST_PIXELS", responses.MOST_PIXELS * 8**2 // 512**2)
    for address in examples_in(hostile.get("/docs").text):
        assert hostile.get(address).status_code == 200, address


def test_the_guide_of_a_model_without_labels(tutorial: TestClient) -> None:
    guide = tutorial.get("/docs").text
    assert {address.split("?")[0] for address in examples_in(guide)} == {"/v1/sample", "/v1/models"}
    assert "tutorial draws without labels. Ask for /v1/sample." in guide


def test_an_address_that_does_not_exist_is_told_in_full(fast: TestClient) -> None:
    assert "there is no /v2/a\\nb. " in fast.get("/v2/a%0Ab").json()["error"]


def test_a_defect_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "generate_latest", lambda: 1 / 0)
    client = TestClient(application(Service(read("fast", "latest"))), raise_server_exceptions=False)
    answer = client.get("/metrics")
    assert (answer.status_code, list(answer.json())) == (500, ["error"])


@pytest.mark.parametrize("shortage", [MemoryError(), BrokenProcessPool("none can be started")])
def test_a_shortage_is_no_defect(monkeypatch: pytest.MonkeyPatch, shortage: Exception) -> None:
    """Clients are asked to come back, and the log has no traceback."""

    def digit(*_: object) -> None:
        raise shortage

    client = client_of(read("fast", "latest"))
    monkeypatch.setattr(responses, "digit", digit)
    answer = client.get("/v1/digits/7")
    assert (answer.status_code, answer.headers["retry-after"], list(answer.json())) == (503, "1", ["error"])


def test_health(fast: TestClient) -> None:
    assert fast.get("/healthz").text == fast.get("/readyz").text == "ok\n"


def test_metrics_count_requests_by_address() -> None:
    guarded = TestClient(Guard(application(Service(read("fast", "latest")))), "http://localhost")
    guarded.get("/healthz")
    guarded.post("/healthz")  # the guard refuses it, so the application does not see it
    guarded.get("/v1/digits/7", headers={"Host": "elsewhere"})
    counted = guarded.get("/metrics").text
    for path, status in [("/healthz", 200), ("/healthz", 405), ("/v1/digits/{name}", 403)]:
        assert f'inkgan_requests_total{{path="{path}",status="{status}"}}' in counted

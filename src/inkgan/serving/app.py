"""The addresses: which function answers which request, and how long a response may be kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from inkgan.errors import ConfigError, InkganError, did_you_mean, shown
from inkgan.exporting.saved import Saved
from inkgan.generation.model import Model
from inkgan.generation.numpy_networks import NUMPY_NETWORKS
from inkgan.serving import guide, prometheus, responses
from inkgan.serving.batching import Batcher
from inkgan.serving.drawers import Drawers
from inkgan.serving.error_responses import error_response, unavailable
from inkgan.serving.parameters import DIGEST_LENGTH, Digit, Parameters, Sample, Write
from inkgan.serving.responses import PNG, Content

_HTML, _JSON = "text/html; charset=utf-8", "application/json"
#: Within this time nobody asks again; then a browser does, with the ETag. An address that names its model never
#: changes; another may, when another model is served under the same name.
_A_MINUTE, _A_YEAR = "public, max-age=60, immutable", "public, max-age=31536000, immutable"
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')


class Problem(BaseModel):
    """What every answer that is an error holds: one line."""

    error: str


class Service:
    """A model that is served: what it is, and what draws.

    Args:
        saved: the model.
        processes: those that draw; 0 is a thread of this one, which also draws what has no NumPy form.
    """

    def __init__(self, saved: Saved, processes: int = 0) -> None:
        self.saved = saved = saved._replace(name=saved.own_name)
        self.model = Model(saved.name, saved.description, saved.weights)
        self.digest = responses.digest(saved)
        self.models = responses.models(saved, self.digest)
        self.drawers = Drawers(self.model, processes if saved.network in NUMPY_NETWORKS else 0)
        self.writer = Batcher(self._written, responses.shared, self.drawers.turns)

    @cached_property
    def page(self) -> tuple[bytes, str]:
        """The page with the model in it, and its policy; where there is none for this network, the guide."""
        from inkgan.exporting.export import web_page  # noqa: PLC0415 - with data sets, and a digit needs none

        try:
            content = web_page(self.saved)
        except InkganError:
            return self.guide
        found = _POLICY.search(content[:10_000].decode("utf-8", "replace"))
        assert found
        return content, f"{found[1]}; frame-ancestors 'none'"

    @cached_property
    def guide(self) -> tuple[bytes, str]:
        """The page that explains the addresses, and its policy."""
        return guide.page(self.saved, application(self).openapi())

    async def drawn(self, make: Callable[..., Content], *asked: Any) -> Content:
        """What a function of the model and of what is asked draws, when it is its turn."""
        async with self.drawers.turns:
            return await self.drawers.draw(make, *asked)

    async def _written(self, asked: Sequence[Write]) -> Sequence[Content]:
        return await self.drawers.draw(responses.write, asked)


def application(service: Service) -> FastAPI:
    """The addresses of a model, without bounds; see :class:`inkgan.serving.guard.Guard`."""
    app = FastAPI(
        title="inkgan",
        version=version("inkgan"),
        description="A GAN that learned handwriting. An answer depends on the model and its address alone.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses={"4XX": {"model": Problem, "description": "One line that says what is wrong, as JSON."}},
    )
    app.state.service = service
    app.add_exception_handler(RequestValidationError, _wrong_parameters)
    app.add_exception_handler(HTTPException, _no_such_address)
    app.add_exception_handler(InkganError, _refused)
    app.add_exception_handler(BrokenProcessPool, _lost)
    app.add_exception_handler(Exception, _defect)
    for path, endpoint, media_types in (
        ("/v1/write", _write, [PNG, _JSON]),
        ("/v1/digits/{name:path}", _digit, [PNG]),
        ("/v1/sample", _sample, [PNG, "application/octet-stream", "application/zip"]),
        ("/v1/models", _models, [_JSON]),
    ):
        content: dict[str, Any] = {kind: {} for kind in media_types}
        responses: dict[int | str, dict[str, Any]] = {200: {"content": content}}
        app.get(path, response_class=Response, responses=responses)(endpoint)
    for path, kept in (
        ("/", _page),
        ("/docs", _guide),
        ("/openapi.json", _openapi),
        ("/healthz", _alive),
        ("/readyz", _alive),
        ("/metrics", _metrics),
    ):
        app.get(path, include_in_schema=False)(kept)
    return app


async def _write(request: Request, asked: Annotated[Write, Query()]) -> Response:
    """A text by hand."""
    service = _service(request)
    kept = _kept(request, asked)
    if _has(request, kept["ETag"]):
        return Response(status_code=304, headers=kept)
    responses.check(service.model, asked)
    content, media_type = await service.writer.ask(asked)
    return Response(content, media_type=media_type, headers=kept)


async def _digit(
    request: Request,
    name: Annotated[str, Path(max_length=255, description="The name of a class.", examples=["7"])],
    asked: Annotated[Digit, Query()],
) -> Response:
    """One digit by one writer, or one image of any other class."""
    return await _drawn(request, asked, responses.digit, name, asked)


async def _sample(request: Request, asked: Annotated[Sample, Query()]) -> Response:
    """Images by many writers."""
    return await _drawn(request, asked, responses.sample, asked)


async def _models(request: Request) -> Response:
    """The model that is served: its names of classes, its digest, its licence and its card."""
    return _asked_each_time(request, *_service(request).models)


def _page(request: Request) -> Response:
    content, policy = _service(request).page
    return _asked_each_time(request, content, _HTML, policy)


def _guide(request: Request) -> Response:
    content, policy = _service(request).guide
    return _asked_each_time(request, content, _HTML, policy)


async def _openapi(request: Request) -> Response:
    return _asked_each_time(request, *responses.as_json(request.app.openapi()))


async def _alive() -> Response:
    """Answer that the server is there. While it has no room, its guard answers `/readyz` instead."""
    return Response("ok\n", media_type="text/plain")


async def _metrics() -> Response:
    return Response(prometheus.exposed(), media_type=prometheus.MEDIA_TYPE)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _drawn(request: Request, asked: Parameters, make: Callable[..., Content], *rest: Any) -> Response:
    """An answer that is drawn only if the asker does not have it."""
    kept = _kept(request, asked)
    if _has(request, kept["ETag"]):
        return Response(status_code=304, headers=kept)
    try:
        content, media_type = await _service(request).drawn(make, *rest)
    except ConfigError as error:  # the parameters are in their ranges, so it is the name of a class
        return error_response(404, str(error))
    return Response(content, media_type=media_type, headers=kept)


def _kept(request: Request, asked: Parameters) -> dict[str, str]:
    """How an answer that follows from its address may be kept.

    Raises:
        HTTPException: the request is for another model.
    """
    service = _service(request)
    digest = service.digest[:DIGEST_LENGTH]
    if asked.model not in {None, digest}:
        raise HTTPException(404, f"this server draws with the model {digest}, not {asked.model}.")
    return {
        "ETag": responses.tag(service.digest, request.url.path, asked),
        "Cache-Control": _A_MINUTE if asked.model is None else _A_YEAR,
    }


def _asked_each_time(request: Request, content: bytes, media_type: str, policy: str | None = None) -> Response:
    """An answer that may change with the next start: a browser asks each time whether it did."""
    kept = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
    if policy is not None:
        kept["Content-Security-Policy"] = policy
    if _has(request, kept["ETag"]):
        return Response(status_code=304, headers=kept)
    return Response(content, media_type=media_type, headers=kept)


def _has(request: Request, tag: str) -> bool:
    """Whether the asker has the answer with this tag; caches may have marked it as weak."""
    given = request.headers.get("If-None-Match", "").split(",")
    return tag in (one.strip().removeprefix("W/") for one in given)


async def _wrong_parameters(request: Request, error: Exception) -> Response:
    """One line for the first parameter that is wrong."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name, given = shown(str(first["loc"][-1])), shown(str(first["input"]))[:40]
    if first["type"] == "missing":
        return error_response(400, f"{name} is missing. {request.url.path} takes it; see /docs.")
    if first["type"] == "extra_forbidden":
        known = _parameters(request)
        return error_response(
            400, f"there is no parameter {name}.{did_you_mean(name, known)} There are: {', '.join(known)}."
        )
    return error_response(400, f"{name}={given}: {first['msg'][:1].lower()}{first['msg'][1:]}.")


async def _refused(_: Request, error: Exception) -> Response:
    return error_response(400, str(error))


async def _lost(*_: object) -> Response:
    return unavailable("the process that drew this ended.")


async def _defect(*_: object) -> Response:
    return error_response(500, "this is a defect of inkgan; its log says more.")


def _parameters(request: Request) -> list[str]:
    """The names of the parameters of an address."""
    described = request.app.openapi()["paths"][request.scope["route"].path_format]["get"]["parameters"]
    return [one["name"] for one in described if one["in"] == "query"]


async def _no_such_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if "route" in request.scope:
        return error_response(error.status_code, str(error.detail))
    addresses = ", ".join(request.app.openapi()["paths"])
    return error_response(404, f"there is no {shown(request.url.path)}. Addresses are /, {addresses}; see /docs.")

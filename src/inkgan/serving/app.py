"""The addresses: which function answers which request, and how long clients may cache the response."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from inkgan.errors import ConfigError, InkganError, did_you_mean, instead, shown
from inkgan.exporting.page import web_page
from inkgan.exporting.saved import SavedModel
from inkgan.generation.hands import obstacle_to_writing
from inkgan.generation.model import Model
from inkgan.generation.numpy_networks import NUMPY_NETWORKS
from inkgan.serving import guide, responses
from inkgan.serving.batching import Batcher
from inkgan.serving.error_responses import error_response, unavailable
from inkgan.serving.parameters import DIGEST_LENGTH, Digit, Parameters, Sample, Write
from inkgan.serving.responses import PNG, Content
from inkgan.serving.workers import Workers

_WRITE, _DIGITS = "/v1/write", "/v1/digits/{name}"
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
#: How long a browser reuses a response before it asks again, with the ETag. The response of an address that names its
#: model never changes; the response of any other address changes when the server serves another model.
_A_MINUTE, _A_YEAR = "public, max-age=60, immutable", "public, max-age=31536000, immutable"
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')


class Problem(BaseModel):
    """An error: one line that says what is wrong."""

    error: str


class Service:
    """A served model: its description, and the processes that draw with it.

    Args:
        saved: the model.
        processes: the number of processes that draw; 0 draws in a thread of this process. Networks without a NumPy form
            always run in a thread.

    Attributes:
        saved: the model as it was saved, under its own name: clients need not know its folder.
        model: the model that draws.
        digest: identifies the model in addresses and ETags.
        models: the answer of ``/v1/models``.
        workers: the processes that draw.
        writer: writes texts, several in one batch.
    """

    def __init__(self, saved: SavedModel, processes: int = 0) -> None:
        self.saved = saved._replace(name=saved.own_name)
        self.model = Model(self.saved.name, self.saved.description, self.saved.weights)
        self.digest = responses.digest(self.saved)
        self.models = responses.models(self.saved, self.digest)
        self.workers = Workers(self.model, processes if self.saved.network in NUMPY_NETWORKS else 0)
        self.writer = Batcher(self._write_together, responses.shared_parameters, self.workers.turns)
        self._drawer = Batcher(self._draw_each, lambda _: object(), self.workers.turns)  # each request alone

    @cached_property
    def page(self) -> tuple[bytes, str] | None:
        """The page with the model in it, and its policy; None if this network has no page. Making it takes a second."""
        try:
            content = web_page(self.saved)
        except InkganError:
            return None
        found = _POLICY.search(content[:10_000].decode("utf-8", "replace"))
        assert found
        return content, f"{found[1]}; frame-ancestors 'none'"

    @cached_property
    def refused(self) -> dict[str, str]:
        """Why this model draws nothing at an address, for the addresses where that is so."""
        refused = {}
        if obstacle := obstacle_to_writing(self.model):
            refused[_WRITE] = f"{self.saved.name} cannot write: {obstacle}. Ask for /v1/sample."
        if not self.saved.class_names:
            refused[_DIGITS] = f"{self.saved.name} draws without labels. Ask for /v1/sample."
        return refused

    async def draw(self, make: Callable[..., Content], *arguments: Any) -> Content:
        """Wait for a turn, and return ``make(model, *arguments)``.

        A turn ends with the drawing, even if its client is gone by then: until then, the process is not free.
        """
        return await self._drawer.ask((make, arguments))

    async def _draw_each(self, requests: Sequence[tuple[Callable[..., Content], tuple[Any, ...]]]) -> Sequence[Content]:
        return [await self.workers.draw(make, *arguments) for make, arguments in requests]

    async def _write_together(self, queries: Sequence[Write]) -> Sequence[Content]:
        return await self.workers.draw(responses.write, queries)


def application(service: Service) -> FastAPI:
    """Return the application for a model, without the limits that :class:`inkgan.serving.guard.Guard` adds."""
    app = FastAPI(
        title="inkgan",
        version=version("inkgan"),
        description="A GAN that learned handwriting. An answer depends on the model and its address alone.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        routes=_addresses.routes,  # an included router would be one route, under which the guard finds no address
    )
    app.state.service = service
    app.add_exception_handler(RequestValidationError, _wrong_parameters)
    app.add_exception_handler(HTTPException, _no_such_address)
    app.add_exception_handler(InkganError, _refused)
    app.add_exception_handler(BrokenProcessPool, _lost_process)
    app.add_exception_handler(MemoryError, _too_little_memory)
    app.add_exception_handler(Exception, _defect)
    return app


_addresses = APIRouter(
    default_response_class=Response,
    responses={"4XX": {"model": Problem, "description": "One line that says what is wrong, as JSON."}},
)


def _success(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """Describe the answer of an address in OpenAPI."""
    return {200: {"content": {media_type: {} for media_type in media_types}}}


# FastAPI shows the docstrings of the next four functions to users; programs that write clients use their names.


@_addresses.get(_WRITE, responses=_success(PNG, _JSON))
async def write(request: Request, query: Annotated[Write, Query()]) -> Response:
    """A text by hand."""
    service = _service(request)
    if _WRITE in service.refused:
        return error_response(400, service.refused[_WRITE])
    responses.check(query)
    return await _drawn(request, query, service.writer.ask, query)


@_addresses.get(_DIGITS.replace("{name}", "{name:path}"), responses=_success(PNG))  # a name may have a slash
async def digit(
    request: Request,
    name: Annotated[str, Path(max_length=255, description="The name of a class.", examples=["7"])],
    query: Annotated[Digit, Query()],
) -> Response:
    """One digit by one writer, or one image of any other class."""
    if refusal := _service(request).refused.get(_DIGITS):
        return error_response(404, refusal)
    return await _drawn(request, query, _service(request).draw, responses.digit, name, query)


@_addresses.get("/v1/sample", responses=_success(PNG, "application/octet-stream", "application/zip"))
async def sample(request: Request, query: Annotated[Sample, Query()]) -> Response:
    """Images by many writers."""
    return await _drawn(request, query, _service(request).draw, responses.sample, query)


@_addresses.get("/v1/models", responses=_success(_JSON))
async def models(request: Request) -> Response:
    """The model that is served: its names of classes, its digest, its licence and its card."""
    return _revalidated(request, *_service(request).models)


@_addresses.get("/", include_in_schema=False)
async def _page(request: Request) -> Response:
    page = _service(request).page
    return await _guide(request) if page is None else _revalidated(request, page[0], _HTML, page[1])


@_addresses.get("/docs", include_in_schema=False)
async def _guide(request: Request) -> Response:
    service = _service(request)
    content, policy = guide.page(service.saved, request.app.openapi(), service.refused)
    return _revalidated(request, content, _HTML, policy)


@_addresses.get("/favicon.ico", include_in_schema=False)
async def _icon(request: Request) -> Response:
    """One image by the model, which browsers show beside the title of every address."""
    return await sample(request, Sample(n=1))


@_addresses.get("/openapi.json", include_in_schema=False)
async def _openapi(request: Request) -> Response:
    return _revalidated(request, *responses.as_json(request.app.openapi()))


@_addresses.get("/healthz", include_in_schema=False)
@_addresses.get("/readyz", include_in_schema=False)
async def _alive() -> Response:
    """Answer that the server is running. While it is full, its guard answers `/readyz` instead."""
    return Response("ok\n", media_type="text/plain")


@_addresses.get("/metrics", include_in_schema=False)
async def _metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _service(request: Request) -> Service:
    return request.app.state.service


async def _drawn(
    request: Request, query: Parameters, draw: Callable[..., Awaitable[Content]], *arguments: Any
) -> Response:
    """Answer with what ``draw(*arguments)`` returns; draw nothing if the client already has it."""
    headers = _cache_headers(request, query)
    if _if_none_match_has(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    try:
        return _answer(request, await draw(*arguments), headers)
    except ConfigError as error:  # the parameters are valid, so it is about the name of a class
        return error_response(404, str(error))


def _cache_headers(request: Request, query: Parameters) -> dict[str, str]:
    """Return the headers that say how clients may cache an answer that depends on nothing but its address and model.

    Raises:
        HTTPException: the request is for another model, or gives a parameter twice.
    """
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if count > 1:  # otherwise the last one would silently win
            raise HTTPException(400, f"{name} was given {count} times. Give it once.")
    service = _service(request)
    digest = service.digest[:DIGEST_LENGTH]
    if query.model not in {None, digest}:
        raise HTTPException(404, _other_model(digest, query.model))
    return {
        "ETag": responses.tag(service.digest, request.url.path, query),
        "Cache-Control": _A_MINUTE if query.model is None else _A_YEAR,
    }


def _other_model(digest: str, given: str | None) -> str:
    return f"this server draws with the model {digest}, not {given}. Give model={digest}, or leave it out."


def _revalidated(request: Request, content: bytes, media_type: str, policy: str | None = None) -> Response:
    """Answer with content that may change when the server restarts, so that browsers revalidate it each time."""
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', "Cache-Control": "no-cache"}
    if policy is not None:
        headers["Content-Security-Policy"] = policy
    return _answer(request, Content(content, media_type), headers)


def _answer(request: Request, answer: Content, headers: Mapping[str, str]) -> Response:
    """Answer with content, unless the client has it, or asked for it only if there is none (``If-None-Match: *``)."""
    if _if_none_match_has(request, "*", headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(answer.content, media_type=answer.media_type, headers=headers)


def _if_none_match_has(request: Request, *tags: str) -> bool:
    """Whether ``If-None-Match``, a list that may be spread over several lines, has a tag, perhaps marked as weak."""
    given = ",".join(request.headers.getlist("If-None-Match")).split(",")
    return any(one.strip().removeprefix("W/") in tags for one in given)


async def _wrong_parameters(request: Request, error: Exception) -> Response:
    """Say what is wrong with the first wrong parameter."""
    assert isinstance(error, RequestValidationError)
    # An unknown parameter comes first, because a missing one may be misspelt.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    name = shown(str(first["loc"][-1])) or "''"
    given = shown(str(first["input"]))[:40]
    if first["type"] == "string_pattern_mismatch":  # only the model has a pattern
        return error_response(400, _other_model(_service(request).digest[:DIGEST_LENGTH], given or "''"))
    if first["type"] == "missing":
        return error_response(400, f"{name} is missing. {request.url.path} takes it; see /docs.")
    if first["type"] == "extra_forbidden":
        described = request.app.openapi()["paths"][request.scope["route"].path_format]["get"]["parameters"]
        known = [one["name"] for one in described if one["in"] == "query"]
        return error_response(
            400, f"there is no parameter {name}.{did_you_mean(name, known)} There are: {', '.join(known)}."
        )
    return error_response(400, f"{name}={given}: {instead(first)}.")


async def _no_such_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if "route" in request.scope:
        return error_response(error.status_code, str(error.detail))
    addresses = ", ".join(request.app.openapi()["paths"])
    return error_response(404, f"there is no {shown(request.scope['path'])}. Addresses are /, {addresses}; see /docs.")


async def _refused(_: Request, error: Exception) -> Response:
    return error_response(400, str(error))


async def _lost_process(*_: object) -> Response:
    return unavailable("the process that drew this ended.")


async def _too_little_memory(*_: object) -> Response:
    return unavailable("there is too little memory for this now.")


async def _defect(*_: object) -> Response:
    return error_response(500, "this is a defect of inkgan; its log says more.")

"""The API described for programs: OpenAPI 3.1, made from the routes themselves.

Spec:
    console.md 6 (API first); RFC 9457.
"""

from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from engine.console.api.models import Problem
from engine.console.api.orders import KEY
from engine.console.problems import PROBLEM
from engine.console.route import Route

TITLE: Final = "Interop Engine"
_ABOUT: Final = """
The same questions and moves as the console's pages, for programs. A token says who
asks and what they may do: `interop token create NAME --permission PERMISSION`. What
names a patient never stands in an address. Errors are problems (RFC 9457).

An order with an `Idempotency-Key` is done once: sent again within a day it gets the
answer it had. `If-Match` with the `ETag` of a task or a table refuses an order that
was given for something as it is no more.
"""
_ORDERS: Final = frozenset({"POST", "PUT"})
_ALWAYS: Final = (400, 401, 403, 422, 429, 500, 503)
_SEARCHES: Final = ("/search", "/try", "/verify", "/connect")
"""What is sent by POST because of its body, and changes nothing."""


def changes(route: Route) -> bool:
    """Whether a route carries an order out."""
    return route.method in _ORDERS and not route.path.endswith(_SEARCHES)


def told_of(route: Route) -> dict[str, Any]:
    """Return what FastAPI is told of a route of the API."""
    first, _, rest = (route.endpoint.__doc__ or "").partition("\n")
    more: dict[str, Any] = {
        "x-permission": str(route.permission),
        "security": [{"token": []}],
    }
    if changes(route) and route.method == "POST":
        more["parameters"] = [_header(KEY, "Done once, however often it is sent.")]
    elif changes(route):
        more["parameters"] = [_header("If-Match", "The `ETag` it was read with.")]
    return {
        "summary": first.removesuffix("."),
        "description": rest.strip(),
        "tags": [route.path.split("/")[3]],
        "operation_id": _operation(route),
        "responses": {status: _problem(status) for status in sorted(_statuses(route))},
        "openapi_extra": more,
    }


def _operation(route: Route) -> str:
    words = route.path.split("/")[3:]
    return "_".join([route.method.lower(), *(w.strip("{}") for w in words)])


def _statuses(route: Route) -> set[int]:
    found = {*_ALWAYS}
    if "{" in route.path:
        found.add(HTTPStatus.NOT_FOUND)
    if route.method in _ORDERS:
        found |= {HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    if changes(route):
        found |= {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}
    return found


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM: {"schema": schema}},
    }


def _header(name: str, says: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": says,
        "schema": {"type": "string"},
    }


def document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the description of these routes; pages are left out."""
    found = get_openapi(
        title=TITLE,
        version=version("interop-engine"),
        description=_ABOUT.strip(),
        routes=[each for each in routes if isinstance(each, APIRoute)],
    )
    parts = found.setdefault("components", {})
    parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return found


def openapi(request: Request) -> Response:
    """Return the description of the API, OpenAPI 3.1."""
    return JSONResponse(document(request.app.routes))


_PAGE: Final = """\
# REST API: every route

For those who write programs against the engine. This page is generated from the code:
`interop openapi --page`; `interop openapi` prints the whole description with every
field. How to call it: [Call the API](../how-to/call-the-api.md).
"""


def reference_page(found: dict[str, Any]) -> str:
    """Return the description as a page of Markdown: a table for each resource."""
    rows: dict[str, list[str]] = {}
    for path, operations in found["paths"].items():
        for method, told in operations.items():
            answer = told["responses"]["200"]["content"]["application/json"]["schema"]
            fields = found["components"]["schemas"][answer["$ref"].rpartition("/")[2]]
            names = ", ".join(f"`{name}`" for name in fields["properties"])
            place = f"`{method.upper()} {_with_words(path, told)}`"
            row = f"| {place} | {told['summary']} | {names} |"
            permission = f"`{told['x-permission']}` |"
            rows.setdefault(told["tags"][0], []).append(f"{row} {permission}")
    parts = [_PAGE]
    for tag, lines in rows.items():
        head = "| Route | Does | Answers with | Needs |\n|---|---|---|---|"
        parts.append(f"## {tag.capitalize()}\n\n{head}\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _with_words(path: str, told: dict[str, Any]) -> str:
    """Return a path with the words that may stand in it."""
    for each in told.get("parameters", ()):
        if each["in"] == "path" and "enum" in each["schema"]:
            words = ", ".join(each["schema"]["enum"])
            path = path.replace(f"{{{each['name']}}}", f"{{{words}}}")
    return path

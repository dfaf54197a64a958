"""The API's reference: for programs as OpenAPI, for people as a page made from it on the server, without a script."""

from __future__ import annotations

from typing import Any

from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

_METHODS = ("get", "post", "patch", "put", "delete")
_REFERENCE = "#/components/schemas/"


class Schema(SpectacularAPIView):
    """OpenAPI, as YAML or JSON by `Accept` or `?format=`."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """A refusal is no schema: it is JSON as everywhere."""
        if response.status_code >= status.HTTP_400_BAD_REQUEST:
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)


class Docs(APIView):
    """Every operation with its fields."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Any:
        """The page."""
        schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        operations = [
            _operation(method, path, operation)
            for path, item in schema["paths"].items()
            for method, operation in item.items()
            if method in _METHODS
        ]
        components = [_component(*named) for named in schema["components"]["schemas"].items()]
        return render(request, "api/docs.html", {"operations": operations, "components": components})


def _operation(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "description": operation.get("description", ""),
        "parameters": [
            {"name": parameter["name"], "where": parameter["in"], "kind": _kind(parameter["schema"])}
            for parameter in operation.get("parameters", [])
        ],
        "bodies": _contents(operation.get("requestBody", {})),
        "answers": [
            {"status": status, "contents": _contents(answer)}
            for status, answer in operation.get("responses", {}).items()
        ],
    }


def _contents(described: dict[str, Any]) -> list[dict[str, str]]:
    contents = described.get("content", {})
    return [{"media_type": name, "kind": _kind(content["schema"])} for name, content in contents.items()]


def _component(name: str, component: dict[str, Any]) -> dict[str, Any]:
    required = component.get("required", ())
    return {
        "name": name,
        "values": component.get("enum", ()),
        "description": "" if "enum" in component else component.get("description", ""),
        "fields": [
            {
                "name": field,
                "kind": _kind(schema),
                "required": field in required,
                "nullable": schema.get("nullable", False),
                "description": schema.get("description", ""),
            }
            for field, schema in component.get("properties", {}).items()
        ],
    }


def _kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words: `integer`, `list of Rendition`."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REFERENCE)
    if parts := schema.get("allOf") or schema.get("oneOf"):
        return " or ".join(_kind(part) for part in parts)
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return " ".join(filter(None, (schema.get("type", "anything"), schema.get("format", ""))))

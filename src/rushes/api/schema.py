"""What the schema says beyond what is read off the views."""

from __future__ import annotations

from typing import Any

_ERROR = {
    "type": "object",
    "description": "Every refusal.",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "For programs: it does not change."},
                "message": {"type": "string", "description": "A sentence for people."},
                "fields": {
                    "type": "object",
                    "additionalProperties": {},
                    "description": "What is wrong with each field of the request.",
                },
            },
            "required": ["code", "message", "fields"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}


def describe_refusals(result: dict[str, Any], **context: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: who needs no key, and that every refusal has the one shape."""
    result["components"]["schemas"]["Error"] = _ERROR
    refusal = {
        "description": "Refused.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for item in result["paths"].values():
        for method, operation in item.items():
            operation["responses"]["4XX"] = operation["responses"]["5XX"] = refusal
            if method == "get" and {} not in operation.get("security", [{}]):
                operation["security"].append({})  # what is public is for everybody
    return result

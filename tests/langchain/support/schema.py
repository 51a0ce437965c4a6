"""Whether a body is what Anthropic's Messages API takes, by the types of its official SDK."""

from functools import cache

import jsonschema
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from pydantic import TypeAdapter

# Version of the API that still takes these fields, which the SDK's types no longer have; by model
# it may yet refuse them.
OLD_VERSION = "2023-06-01"
SAMPLING = {
    "temperature": {"type": "number", "minimum": 0, "maximum": 1},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1},
    "top_k": {"type": "integer", "minimum": 0},
}


def check_messages_request(body, version):
    """Raises when the body has a field that is unknown, missing or of a wrong type.

    `version` is the value of the header `anthropic-version`.
    """
    errors = sorted(_validator(bool(body.get("stream")), version).iter_errors(body), key=str)
    assert not errors, "; ".join(f"{error.json_path}: {error.message}"[:500] for error in errors)


@cache
def _validator(stream, version):
    # The adapter itself would read arrays lazily and drop unknown fields; its schema does neither
    # once it is closed.
    params = MessageCreateParamsStreaming if stream else MessageCreateParamsNonStreaming
    schema = TypeAdapter(params).json_schema()
    if version == OLD_VERSION:
        schema["properties"] |= SAMPLING
    for name, part in [("", schema), *schema["$defs"].items()]:
        # The schema of a tool's input may hold anything.
        if "properties" in part and name != "InputSchemaTyped":
            part["additionalProperties"] = False
    return jsonschema.Draft202012Validator(schema)


# Members of OpenAI's responses that the API has and the SDK's type does not.
UNTYPED = {"Response": {"frequency_penalty": {}, "presence_penalty": {}, "store": {}}}


def check_closed(kind, body):
    """Raises when a body has a member that an official type does not have, or lacks one."""
    errors = sorted(_closed(kind).iter_errors(body), key=str)
    assert not errors, "; ".join(f"{error.json_path}: {error.message}"[:500] for error in errors)


@cache
def _closed(kind):
    schema = TypeAdapter(kind).json_schema()
    for part in [schema, *schema.get("$defs", {}).values()]:
        # A type without members holds anything.
        if part.get("properties"):
            part["properties"] |= UNTYPED.get(part.get("title"), {})
            part["additionalProperties"] = False
    return jsonschema.Draft202012Validator(schema)

"""Cohere's own code as a judge: the methods of its SDK name and type the members of a body."""

import inspect
from functools import cache
from typing import get_type_hints

from cohere.v2.raw_client import RawV2Client
from pydantic import ConfigDict, create_model

from .schema import check_closed

METHODS = {"/v2/chat": RawV2Client.chat, "/v2/embed": RawV2Client.embed}
# What the method itself sends, or keeps to itself.
STREAM, OWN = "stream", ("self", "request_options", "return")


def check_cohere_request(path, body):
    """Raises when the body has a member that is unknown, missing or of a wrong type."""
    check_closed(_body(path), body)


@cache
def _body(path):
    method = METHODS[path]
    hints = get_type_hints(method, include_extras=True)
    parameters = inspect.signature(method).parameters
    members = {
        name: (hint, ... if parameters[name].default is inspect.Parameter.empty else None)
        for name, hint in hints.items()
        if name not in OWN
    }
    if path == "/v2/chat":
        members[STREAM] = (bool, False)
    return create_model(method.__name__, __config__=ConfigDict(extra="forbid"), **members)

"""Clients, made as their users make them."""

import openai
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

from .provider import UNUSED_KEY


def chat_openai(gateway, form, headers=None, **options):
    """A `ChatOpenAI` that goes through the gateway with the virtual key of that format."""
    asked = createHeaders(virtual_key=form.virtual_key, **(headers or {}))
    settings = {"model": form.model, "max_retries": 0} | options
    return ChatOpenAI(
        api_key=UNUSED_KEY,
        base_url=f"{gateway.url}/v1",
        default_headers=asked | {"cookie": "session=of-the-client"},
        **settings,
    )


def openai_client(gateway, form, own_key=False, kind=openai.OpenAI, **headers):
    """OpenAI's client. It goes by the virtual key of that format, or with the caller's own key."""
    target = {"provider": form.name} if own_key else {"virtual_key": form.virtual_key}
    return bare_client(
        gateway, form.caller_key if own_key else UNUSED_KEY, kind, **(target | headers)
    )


def bare_client(gateway, key=UNUSED_KEY, kind=openai.OpenAI, **headers):
    """OpenAI's client that names no provider, except by `headers`."""
    return kind(
        api_key=key,
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(**headers),
        max_retries=0,
    )

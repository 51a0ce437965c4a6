"""Whose key? Either the gateway's, under a name, or your own, sent with each request."""

import os

from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

GATEWAY_URL = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1")
QUESTION = "What is the meaning of life, universe and everything?"

by_name = ChatOpenAI(
    api_key="X",
    base_url=GATEWAY_URL,
    default_headers=createHeaders(virtual_key="openai"),
    model="gpt-4o",
)
print("virtual key:", by_name.invoke(QUESTION).content)

your_own = ChatOpenAI(
    api_key=os.environ["OPENAI_API_KEY"],
    base_url=GATEWAY_URL,
    default_headers=createHeaders(provider="openai"),
    model="gpt-4o",
)
print("your own key:", your_own.invoke(QUESTION).content)

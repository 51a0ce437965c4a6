"""One question, one answer. The key is the gateway's."""

import os

from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

llm = ChatOpenAI(
    api_key="X",  # not used: the virtual key has the credential
    base_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1"),
    default_headers=createHeaders(virtual_key="openai"),
    model="gpt-4o",
)

print(llm.invoke("What is the meaning of life, universe and everything?").content)

"""An answer as it comes, from a provider with a streaming format of its own."""

import os

from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

llm = ChatOpenAI(
    api_key="X",
    base_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1"),
    default_headers=createHeaders(virtual_key="claude"),
    model="claude-sonnet-4-6",
    stream_usage=True,
)

usage = None
for chunk in llm.stream("What is the meaning of life, universe and everything?"):
    print(chunk.content, end="", flush=True)
    usage = chunk.usage_metadata or usage
print(f"\n{usage['total_tokens']} tokens")

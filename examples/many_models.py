"""The same program for any provider: another virtual key, another model, nothing else."""

import os

from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

MODELS = {"openai": "gpt-4o", "claude": "claude-sonnet-4-6"}

for virtual_key, model in MODELS.items():
    llm = ChatOpenAI(
        api_key="X",
        base_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1"),
        default_headers=createHeaders(virtual_key=virtual_key),
        model=model,
    )
    answer = llm.invoke("What is the meaning of life, universe and everything?")
    print(f"{model}: {answer.content} ({answer.usage_metadata['total_tokens']} tokens)")

"""The second provider answers when the first cannot, in the same request. `include_response_headers`
shows who it was."""

import os

from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

llm = ChatOpenAI(
    api_key="X",
    base_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1"),
    default_headers=createHeaders(config="pc-safe"),
    model="gpt-4o",
    include_response_headers=True,
)

answer = llm.invoke("What is the meaning of life, universe and everything?")
headers = answer.response_metadata["headers"]
print(answer.content)
print("answered by", headers["x-portkey-last-used-option-index"], headers["x-portkey-provider"])

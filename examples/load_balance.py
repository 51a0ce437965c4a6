"""Half of the requests to each of two providers. The config is saved in gateway.yaml as `pc-half`;
this is the same one, sent along."""

import os
from collections import Counter

from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders

CONFIG = {
    "strategy": {"mode": "loadbalance"},
    "targets": [
        {"virtual_key": "openai", "weight": 0.5},
        {
            "virtual_key": "claude",
            "weight": 0.5,
            "override_params": {"model": "claude-sonnet-4-6"},
        },
    ],
}

for config in ("pc-half", CONFIG):
    llm = ChatOpenAI(
        api_key="X",
        base_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1"),
        default_headers=createHeaders(config=config),
        model="gpt-4o",
    )
    answers = llm.batch(["Which model are you?"] * 20)
    print(Counter(answer.response_metadata["model_name"] for answer in answers))

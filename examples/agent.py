"""An agent with tools. All of its requests bear one trace id, which is in the gateway's log."""

import os
import uuid

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders


def add(a: float, b: float) -> float:
    """Adds two numbers."""
    return a + b


def multiply(a: float, b: float) -> float:
    """Multiplies two numbers."""
    return a * b


trace_id = os.environ.get("TRACE_ID") or str(uuid.uuid4())
llm = ChatOpenAI(
    api_key="X",
    base_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1"),
    default_headers=createHeaders(
        virtual_key="claude", trace_id=trace_id, metadata={"_user": "arthur"}
    ),
    model="claude-sonnet-4-6",
)
agent = create_agent(llm, tools=[add, multiply])

state = agent.invoke({"messages": [("user", "What is (2 + 4) times 7?")]})
for message in state["messages"]:
    calls = getattr(message, "tool_calls", None)
    print(f"{message.type}:", calls or message.content)
print("trace id", trace_id)

"""An agent with tools. All of its requests bear one trace id, which is in the gateway's log, and
one parent: the span of the run, which whoever traces this program has."""

import os
import uuid

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from portkey_ai import createHeaders


def multiply(a: float, b: float) -> float:
    """Multiplies two numbers."""
    return a * b


def exponentiate(base: float, exponent: float) -> float:
    """Raises a number to a power."""
    return base**exponent


trace_id = os.environ.get("TRACE_ID") or str(uuid.uuid4())
run_id = os.environ.get("SPAN_ID") or os.urandom(8).hex()
llm = ChatOpenAI(
    api_key="X",
    base_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1"),
    default_headers=createHeaders(
        virtual_key="claude",
        trace_id=trace_id,
        parent_span_id=run_id,
        metadata={"_user": "arthur"},
    ),
    model="claude-sonnet-4-6",
)
agent = create_agent(llm, tools=[multiply, exponentiate])

state = agent.invoke({"messages": [("user", "What is 3 to the power of 5, times 7?")]})
for message in state["messages"]:
    calls = getattr(message, "tool_calls", None)
    print(f"{message.type}:", calls or message.content)
print("trace id", trace_id)

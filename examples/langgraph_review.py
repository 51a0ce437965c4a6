"""A graph in which one provider drafts and another one reviews, until it is content."""

import os
from typing import TypedDict

from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from portkey_ai import createHeaders


class State(TypedDict):
    question: str
    draft: str
    verdict: str
    rounds: int


def model(virtual_key, name):
    return ChatOpenAI(
        api_key="X",
        base_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1"),
        default_headers=createHeaders(virtual_key=virtual_key),
        model=name,
    )


writer, reviewer = model("openai", "gpt-4o"), model("claude", "claude-sonnet-4-6")


def write(state: State):
    prompt = f"{state['question']}\nYour last draft: {state.get('draft')}\nAdvice: {state.get('verdict')}"
    return {"draft": writer.invoke(prompt).content, "rounds": state.get("rounds", 0) + 1}


def review(state: State):
    prompt = f"Review in one line; say only OK if it is good: {state['draft']}"
    return {"verdict": reviewer.invoke(prompt).content}


def next_step(state: State):
    return END if state["verdict"].strip() == "OK" or state["rounds"] == 3 else "write"


graph = StateGraph(State)
graph.add_node("write", write)
graph.add_node("review", review)
graph.add_edge(START, "write")
graph.add_edge("write", "review")
graph.add_conditional_edges("review", next_step, ["write", END])

state = graph.compile().invoke({"question": "What is a towel for?"})
print(f"{state['draft']} ({state['rounds']} rounds, {state['verdict']})")

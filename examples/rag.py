"""Retrieval: documents and the question are embedded through the gateway, and so is the answer
made."""

import os

from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from portkey_ai import createHeaders

GATEWAY_URL = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8787/v1")
DOCUMENTS = [
    "Deep Thought computed for seven and a half million years.",
    "A towel is about the most massively useful thing a hitchhiker can have.",
    "The Vogons destroyed the Earth for a hyperspace bypass.",
]

embeddings = OpenAIEmbeddings(
    api_key="X",
    base_url=GATEWAY_URL,
    default_headers=createHeaders(virtual_key="openai"),
    model="text-embedding-3-small",
    check_embedding_ctx_length=False,  # text instead of OpenAI's tokens: any provider takes it
)
llm = ChatOpenAI(
    api_key="X",
    base_url=GATEWAY_URL,
    default_headers=createHeaders(virtual_key="claude"),
    model="claude-sonnet-4-6",
)

question = "What should a hitchhiker carry?"
store = InMemoryVectorStore.from_texts(DOCUMENTS, embeddings)
(found,) = store.similarity_search(question, k=1)
prompt = f"Answer from this text only.\n\n{found.page_content}\n\n{question}"
print("found:", found.page_content)
print("answer:", llm.invoke(prompt).content)

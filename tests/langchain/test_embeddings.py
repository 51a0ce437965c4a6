"""LangChain's `OpenAIEmbeddings` at providers of three formats, and retrieval on top of it."""

import base64
import struct

import openai
import pytest
import tiktoken
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from portkey_ai import createHeaders

from support.model import SAID, respond
from support.provider import UNUSED_KEY
from support.upstream import Answer

FORMS = ("openai", "google", "cohere")
# Cohere's models must know what an embedding is for.
OWN = {"cohere": {"extra_body": {"input_type": "search_document"}}}
DOCUMENTS = [
    "Deep Thought computed for seven and a half million years.",
    "A towel is about the most massively useful thing a hitchhiker can have: \"naïve\" 答え\n",
    "The Vogons destroyed the Earth for a hyperspace bypass.",
]
QUESTION = "What of a towel should a hitchhiker know?"
WORDS = ("towel", "hitchhiker", "Earth", "years")


def vector(text):
    """A model of few words; its numbers are exact in 32 bits."""
    return [float(text.count(word)) for word in WORDS] + [0.25]


def texts(form, body):
    if form == "openai":
        return [body["input"]] if isinstance(body["input"], str) else body["input"]
    if form == "cohere":
        return body["texts"]
    requests = body.get("requests", [body])
    return [request["content"]["parts"][0]["text"] for request in requests]


def packed(numbers):
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def embed(form, body):
    """The provider's answer, in the encoding that was asked for."""
    vectors = [vector(text) for text in texts(form, body)]
    if form == "openai":
        encode = packed if body.get("encoding_format") == "base64" else list
        data = [
            {"object": "embedding", "index": at, "embedding": encode(numbers)}
            for at, numbers in enumerate(vectors)
        ]
        usage = {"prompt_tokens": 8, "total_tokens": 8}
        return Answer.json({"object": "list", "data": data, "model": "m", "usage": usage})
    if form == "cohere":
        (encoding,) = body.get("embedding_types", ["float"])
        encode = packed if encoding == "base64" else list
        units = {"billed_units": {"input_tokens": 8}}
        embeddings = {encoding: [encode(numbers) for numbers in vectors]}
        return Answer.json({"id": "e1", "embeddings": embeddings, "meta": units})
    if "requests" in body:
        return Answer.json({"embeddings": [{"values": numbers} for numbers in vectors]})
    return Answer.json({"embedding": {"values": vectors[0]}})


@pytest.fixture(params=FORMS)
def form(request, gateway, upstreams):
    """The format of a provider that embeds, and has a scripted model for chat."""
    chat = respond(request.param)

    def answer(asked):
        embeds = "embed" in asked.path.lower()
        return embed(request.param, asked.json) if embeds else chat(asked)

    upstreams[request.param].respond_with(answer)
    return request.param


def embeddings(gateway, form, **options):
    return OpenAIEmbeddings(
        api_key=UNUSED_KEY,
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(virtual_key=f"{form}-key"),
        model="embedding-model",
        model_kwargs=OWN.get(form, {}),
        max_retries=0,
        **options,
    )


@pytest.fixture
def no_table(monkeypatch):
    """A tokenizer that needs no table from another machine: each byte is a token."""
    ranks = {bytes([value]): value for value in range(256)}
    encoding = tiktoken.Encoding(
        "bytes", pat_str=r"(?s:.)", mergeable_ranks=ranks, special_tokens={}
    )
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda _: encoding)


def test_texts(gateway, form, run):
    model = embeddings(gateway, form, check_embedding_ctx_length=False)
    assert model.embed_documents(DOCUMENTS) == [vector(text) for text in DOCUMENTS]
    assert model.embed_query(QUESTION) == vector(QUESTION)
    assert run(model.aembed_query(QUESTION)) == vector(QUESTION)


def test_tokens_reach_openai(gateway, upstreams, no_table):
    numbers = [0.5, -2.0, 0.25]
    data = [{"object": "embedding", "index": 0, "embedding": packed(numbers)}]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    answer = {"object": "list", "data": data, "model": "m", "usage": usage}
    upstreams["openai"].queue(Answer.json(answer))
    assert embeddings(gateway, "openai").embed_query("naïve") == numbers
    assert upstreams["openai"].request.json["input"] == [list("naïve".encode())]


@pytest.mark.parametrize("other", ["google", "cohere"])
def test_tokens_mean_nothing_to_others(gateway, upstreams, no_table, other):
    """LangChain's default: the error says what to change, and nobody embeds numbers as text."""
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False") as caught:
        embeddings(gateway, other).embed_query("naïve")
    assert caught.value.param == "input[0]"
    assert not upstreams[other].requests


def test_retrieval(gateway, form, upstreams):
    model = embeddings(gateway, form, check_embedding_ctx_length=False)
    store = InMemoryVectorStore.from_texts(DOCUMENTS, model)
    retriever = store.as_retriever(search_kwargs={"k": 1})
    llm = ChatOpenAI(
        api_key=UNUSED_KEY,
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(virtual_key=f"{form}-key"),
        model="chat-model",
        max_retries=0,
    )
    prompt = ChatPromptTemplate.from_template("From this text only:\n{context}\n{question}")
    context = retriever | (lambda found: found[0].page_content)
    chain = (
        {"context": context, "question": RunnablePassthrough()} | prompt | llm | StrOutputParser()
    )
    assert chain.invoke(QUESTION) == SAID
    assert "".join(chain.stream(QUESTION)) == SAID
    asked = upstreams[form].requests[-1]
    assert "embed" not in asked.path.lower()
    told = str(asked.json)
    assert "A towel is about" in told and QUESTION in told and "Vogons" not in told

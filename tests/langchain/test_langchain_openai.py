"""LangChain's other ways to OpenAI: embeddings, and chat by the Responses API."""

from langchain_openai import OpenAIEmbeddings
from portkey_ai import createHeaders

from support.client import chat_openai


def test_embeddings(gateway, openai_provider):
    openai_provider.answer("embeddings")
    embeddings = OpenAIEmbeddings(
        api_key="X",
        base_url=f"{gateway.url}/v1",
        default_headers=createHeaders(virtual_key="openai-key"),
        model="text-embedding-3-small",
        # Counting tokens would download a table of them.
        check_embedding_ctx_length=False,
    )
    assert embeddings.embed_query("Don't panic") == [0.0023064255, -0.009327292, 1e-7]
    assert openai_provider.upstream.request.path == "/v1/embeddings"


def test_responses_api(gateway, openai_provider):
    openai_provider.answer("response")
    llm = chat_openai(gateway, openai_provider.form, use_responses_api=True)
    message = llm.invoke("What is the Earth?")
    assert message.text == "Mostly harmless."
    assert message.usage_metadata["total_tokens"] == 45
    assert openai_provider.upstream.request.path == "/v1/responses"


def test_streamed_responses_api(gateway, openai_provider):
    openai_provider.stream("response")
    llm = chat_openai(gateway, openai_provider.form, use_responses_api=True)
    assert "".join(chunk.text for chunk in llm.stream("What is the Earth?")) == "Mostly harmless."

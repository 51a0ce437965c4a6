//! The table of providers: one row each, sorted by slug.
//!
//! A row says what differs from [`OPENAI_COMPATIBLE`]. What a vendor merely ignores is no quirk;
//! what its documentation says that it refuses is.

use super::quirk::Quirk::{
    self, Clamp, Default, Drop, InPath, List, Rename, Replace, Standard, Switch, SystemRole,
};
use super::touch::Touch::{
    self, FinishReason, GroqChunks, Named, NamedInChunks, NamedInEmbeddings, NamedInResponses,
    NoNull, NoUsageInChunks, NotInChunks, UsageInEmbeddings,
};
use super::{Auth, Kind, Layout, Provider, Setting, Variant, aws, azure};
use crate::dialect::Dialect;
use crate::endpoint::Endpoint;
use crate::service_account::KEY_FILE;

/// <https://platform.openai.com/docs/api-reference/chat/create>
const RANGES: &[Quirk] = &[
    Clamp("temperature", 0.0, 2.0),
    Clamp("top_p", 0.0, 1.0),
    Clamp("presence_penalty", -2.0, 2.0),
    Clamp("frequency_penalty", -2.0, 2.0),
    Clamp("max_tokens", 0.0, f64::INFINITY),
    Standard("max_tokens", "100"),
    Standard("temperature", "1"),
    Standard("top_p", "1"),
    Standard("n", "1"),
];

/// A vendor that speaks OpenAI's format and takes the key as OpenAI does.
const OPENAI_COMPATIBLE: Provider = Provider {
    slug: "",
    base_url: "",
    other_urls: &[],
    prefix: "",
    paths: &[],
    query: &[],
    variant: None,
    layout: Layout::Paths,
    dialect: Dialect::OpenAi,
    chat: true,
    native: &[],
    cache_control: false,
    lacks: &[],
    key_parameter: None,
    auth: Auth::Bearer,
    settings: &[],
    model: None,
    token: None,
    headers: &[],
    client_headers: &[],
    quirks: &[SystemRole],
    ranges: RANGES,
    other_quirks: &[],
    touches: NAMED,
    own_errors: false,
    error_type: None,
};

/// Portkey names the provider in most vendors' answers,
const NAMED: &[Touch] = &[Named, NamedInEmbeddings];

/// in the chunks of many,
const NAMED_IN_CHUNKS: &[Touch] = &[Named, NamedInChunks, NamedInEmbeddings];

/// and makes some anew, where log probabilities get lost. Here only a null does.
const REMADE: &[Touch] = &[Named, NamedInChunks, NoNull("logprobs")];

/// OpenAI's Responses API, and the answers that it keeps.
const RESPONSES: &[Endpoint] = &[Endpoint::Responses, Endpoint::StoredResponses];

/// Anthropic's Messages API.
const MESSAGES: &[Endpoint] = &[Endpoint::Messages, Endpoint::CountTokens];

/// A vendor without chat completions: its own operations pass.
const PASSED_THROUGH: Provider = Provider { chat: false, quirks: &[], ..OPENAI_COMPATIBLE };

const ONLY_MAX_TOKENS: Quirk = Rename("max_completion_tokens", "max_tokens");

/// A vendor that has nothing but chat completions.
const ONLY_CHAT: &[Endpoint] = &[
    Endpoint::Completions,
    Endpoint::Embeddings,
    Endpoint::ImageGenerations,
    Endpoint::Speech,
    Endpoint::Transcriptions,
    Endpoint::Translations,
];

/// As Portkey sends a single input.
const LISTED_INPUT: &[(Endpoint, &[Quirk])] = &[(Endpoint::Embeddings, &[List("input")])];

/// OpenAI has renamed `max_tokens`, and its clients send the new name.
const MAX_TOKENS: &[Quirk] = &[SystemRole, ONLY_MAX_TOKENS];

/// The same, where Portkey asks for a short answer if the client says nothing.
const SHORT: &[Quirk] = &[SystemRole, ONLY_MAX_TOKENS, Default("max_tokens", "128")];

/// The same, and thoughts by Ollama's name for them, as Portkey asks for them; `reasoning_effort` it
/// knows itself.
const OLLAMA: &[Quirk] = &[SystemRole, ONLY_MAX_TOKENS, Switch("thinking", "think")];

/// The same, with a temperature of 1 at most.
const MAX_TOKENS_AND_COOL: &[Quirk] =
    &[SystemRole, ONLY_MAX_TOKENS, Clamp("temperature", 0.0, 1.0)];

/// <https://inference-docs.cerebras.ai/resources/openai>
const CEREBRAS: &[Quirk] = &[
    SystemRole,
    Drop("frequency_penalty"),
    Drop("logit_bias"),
    Drop("parallel_tool_calls"),
    Drop("presence_penalty"),
    Drop("service_tier"),
];

/// <https://console.groq.com/docs/openai>
const GROQ: &[Quirk] = &[SystemRole, Drop("logit_bias"), Drop("logprobs"), Drop("top_logprobs")];

/// Its streams have their usage in a member of its own.
const GROQ_ANSWERS: &[Touch] = &[Named, NamedInChunks, NamedInEmbeddings, GroqChunks];

/// It refuses every field that it does not know, which are many of OpenAI's.
/// <https://docs.mistral.ai/api/endpoint/chat>
const MISTRAL: &[Quirk] = &[
    SystemRole,
    ONLY_MAX_TOKENS,
    Rename("seed", "random_seed"),
    Replace("tool_choice", "required", "any"),
    Clamp("temperature", 0.0, 1.5),
    Drop("audio"),
    Drop("function_call"),
    Drop("functions"),
    Drop("logit_bias"),
    Drop("logprobs"),
    Drop("modalities"),
    Drop("prompt_cache_key"),
    Drop("safety_identifier"),
    Drop("service_tier"),
    Drop("store"),
    Drop("stream_options"),
    Drop("top_logprobs"),
    Drop("user"),
    Drop("verbosity"),
    Drop("web_search_options"),
];

const DEEPINFRA_ANSWERS: &[Touch] =
    &[Named, NamedInChunks, NoNull("logprobs"), NotInChunks("estimated_cost")];

/// `model_length` is the length that the model allows.
const MISTRAL_ANSWERS: &[Touch] = &[
    Named,
    NamedInChunks,
    NamedInEmbeddings,
    NoNull("logprobs"),
    FinishReason("model_length", "length"),
];

/// <https://docs.together.ai/reference/chat-completions-1>
const TOGETHER_ANSWERS: &[Touch] =
    &[Named, NamedInChunks, NamedInEmbeddings, UsageInEmbeddings, FinishReason("eos", "stop")];

/// The base URL of a server that has no host of its own.
const ANY_HOST: &str = "{custom_host}";

/// Portkey's own name for the place of such a server.
const CUSTOM_HOST: &[Setting] = &[Setting::new("custom_host", "custom-host", Kind::Url(&[]))];

/// Portkey takes them from the body's `user` and from `model`, which is `deployment:adapter`.
const PREDIBASE: &[Setting] = &[
    Setting::new("predibase_tenant", "predibase-tenant", Kind::Segment).or("{user}"),
    Setting::new("predibase_deployment", "predibase-deployment", Kind::Segment).or("{base_model}"),
    Setting::new("predibase_adapter", "predibase-adapter", Kind::Text).or("{adapter}"),
];

/// Whose account pays, as Portkey takes it: not from OpenAI's own headers.
const OPENAI: &[Setting] = &[
    Setting::new("openai_organization", "openai-organization", Kind::Text),
    Setting::new("openai_project", "openai-project", Kind::Text),
];

const AZURE_AI_QUERY: &[(&str, &str)] = &[("api-version", "{azure_api_version}")];

/// Claude in Microsoft's Foundry: <https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry>
const AZURE_AI_ANTHROPIC: Provider = Provider {
    slug: "azure-ai",
    base_url: "{azure_foundry_url}",
    prefix: "/v1",
    query: AZURE_AI_QUERY,
    dialect: Dialect::Anthropic,
    native: MESSAGES,
    auth: Auth::Header("x-api-key"),
    settings: azure::AI_SETTINGS,
    token: Some(azure::AD_TOKEN.name),
    headers: &[("anthropic-version", "2023-06-01")],
    client_headers: &["anthropic-beta", "anthropic-version"],
    quirks: &[],
    touches: &[],
    ..OPENAI_COMPATIBLE
};
/// Vertex AI's locations that are no single region.
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations>
const VERTEX_REGIONS: &[(&str, &str)] = &[
    ("global", "https://aiplatform.googleapis.com"),
    ("us", "https://aiplatform.us.rep.googleapis.com"),
    ("eu", "https://aiplatform.eu.rep.googleapis.com"),
];

/// Every provider that the gateway knows.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        slug: "302ai",
        base_url: "https://api.302.ai",
        prefix: "/v1",
        quirks: &[],
        touches: REMADE,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "ai21",
        base_url: "https://api.ai21.com/studio/v1",
        quirks: MAX_TOKENS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "aibadgr",
        base_url: "https://aibadgr.com/api/v1",
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "anthropic",
        base_url: "https://api.anthropic.com/v1",
        dialect: Dialect::Anthropic,
        auth: Auth::Header("x-api-key"),
        headers: &[("anthropic-beta", "messages-2023-12-15"), ("anthropic-version", "2023-06-01")],
        client_headers: &["anthropic-beta", "anthropic-version"],
        quirks: &[],
        touches: &[],
        native: MESSAGES,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "anyscale",
        base_url: "https://api.endpoints.anyscale.com/v1",
        quirks: MAX_TOKENS,
        touches: &[Named, NamedInChunks, NoUsageInChunks],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "azure-ai",
        base_url: "{azure_foundry_url}",
        query: AZURE_AI_QUERY,
        variant: Some(&Variant { marker: "anthropic", row: &AZURE_AI_ANTHROPIC }),
        settings: azure::AI_SETTINGS,
        token: Some(azure::AD_TOKEN.name),
        headers: &[
            ("azureml-model-deployment", "{azure_deployment_name}"),
            ("extra-parameters", "{azure_extra_params}"),
        ],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "azure-openai",
        base_url: "https://{resource_name}.openai.azure.com/openai",
        layout: Layout::Azure,
        native: RESPONSES,
        auth: Auth::Header("api-key"),
        settings: azure::SETTINGS,
        token: Some(azure::AD_TOKEN.name),
        client_headers: &["openai-beta"],
        quirks: &[],
        touches: &[NamedInResponses],
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "baseten", base_url: "https://inference.baseten.co/v1", ..OPENAI_COMPATIBLE },
    Provider {
        slug: "bedrock",
        base_url: "https://bedrock-runtime.{aws_region}.amazonaws.com",
        dialect: Dialect::Bedrock,
        auth: Auth::Aws("bedrock"),
        settings: &aws::SETTINGS,
        quirks: &[],
        touches: &[],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "bytez",
        base_url: "https://api.bytez.com/models/v2/openai/v1",
        quirks: MAX_TOKENS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "cerebras",
        base_url: "https://api.cerebras.ai/v1",
        headers: &[("user-agent", "Portkey Gateway/1.0")],
        quirks: CEREBRAS,
        lacks: ONLY_CHAT,
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "chutes", base_url: "https://llm.chutes.ai/v1", ..OPENAI_COMPATIBLE },
    Provider {
        slug: "cohere",
        base_url: "https://api.cohere.ai",
        prefix: "/v2",
        paths: &[("/models", "/v1/models")],
        dialect: Dialect::Cohere,
        quirks: &[],
        touches: &[],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "cometapi",
        base_url: "https://api.cometapi.com/v1",
        quirks: &[],
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "cortex",
        base_url: "https://{snowflake_account}.snowflakecomputing.com/api/v2/cortex/v1",
        settings: &[Setting::new("snowflake_account", "snowflake-account", Kind::Host)],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "dashscope",
        base_url: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        cache_control: true,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "databricks",
        base_url: "https://{databricks_workspace}.cloud.databricks.com/serving-endpoints",
        settings: &[Setting::new("databricks_workspace", "databricks-workspace", Kind::Label)],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "deepbricks",
        base_url: "https://api.deepbricks.ai/v1",
        quirks: MAX_TOKENS,
        touches: &[],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "deepinfra",
        base_url: "https://api.deepinfra.com/v1/openai",
        quirks: MAX_TOKENS,
        touches: DEEPINFRA_ANSWERS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "deepseek",
        base_url: "https://api.deepseek.com",
        prefix: "/v1",
        quirks: MAX_TOKENS,
        touches: REMADE,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "demo",
        base_url: "envoy://demo/v1",
        auth: Auth::None,
        quirks: &[],
        touches: &[],
        ranges: &[],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "featherless-ai",
        base_url: "https://api.featherless.ai/v1",
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "fireworks-ai",
        base_url: "https://api.fireworks.ai/inference/v1",
        quirks: MAX_TOKENS,
        touches: NAMED_IN_CHUNKS,
        other_quirks: LISTED_INPUT,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "friendliai",
        base_url: "https://api.friendli.ai/serverless/v1",
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "github",
        base_url: "https://models.github.ai/inference",
        headers: &[("extra-parameters", "drop")],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "google",
        base_url: "https://generativelanguage.googleapis.com",
        prefix: "/v1beta",
        dialect: Dialect::Gemini,
        // Portkey puts the key into the URL, which is logged.
        key_parameter: Some("key"),
        auth: Auth::Header("x-goog-api-key"),
        quirks: &[],
        touches: &[],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "groq",
        base_url: "https://api.groq.com/openai/v1",
        quirks: GROQ,
        touches: GROQ_ANSWERS,
        native: RESPONSES,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "huggingface",
        base_url: "https://router.huggingface.co",
        prefix: "/v1",
        quirks: MAX_TOKENS,
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "hyperbolic",
        base_url: "https://api.hyperbolic.xyz",
        prefix: "/v1",
        paths: &[("/images/generations", "/v1/image/generation")],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "inference-net",
        base_url: "https://api.inference.net/v1",
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "iointelligence",
        base_url: "https://api.intelligence.io.solutions/api/v1",
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "jina", base_url: "https://api.jina.ai/v1", ..PASSED_THROUGH },
    Provider { slug: "kluster-ai", base_url: "https://api.kluster.ai/v1", ..OPENAI_COMPATIBLE },
    Provider { slug: "krutrim", base_url: "https://cloud.olakrutrim.com/v1", ..OPENAI_COMPATIBLE },
    Provider { slug: "lambda", base_url: "https://api.lambdalabs.com/v1", ..OPENAI_COMPATIBLE },
    Provider {
        slug: "latitude",
        base_url: "https://api.lsh.ai",
        prefix: "/v1",
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "lemonfox-ai",
        base_url: "https://api.lemonfox.ai/v1",
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "lepton",
        base_url: "https://api.lepton.ai",
        prefix: "/api/v1",
        quirks: MAX_TOKENS,
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "lingyi",
        base_url: "https://api.lingyiwanwu.com",
        prefix: "/v1",
        quirks: MAX_TOKENS,
        touches: REMADE,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "lmstudio",
        base_url: "http://127.0.0.1:1234",
        prefix: "/v1",
        auth: Auth::None,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "matterai",
        base_url: "https://api.matterai.so/v1",
        touches: &[],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "meshy",
        base_url: "https://api.meshy.ai/openapi",
        prefix: "/v1",
        paths: &[("/text-to-3d", "/v2/text-to-3d")],
        ..PASSED_THROUGH
    },
    Provider { slug: "milvus", base_url: ANY_HOST, settings: CUSTOM_HOST, ..PASSED_THROUGH },
    Provider { slug: "minimax", base_url: "https://api.minimax.io/v1", ..OPENAI_COMPATIBLE },
    Provider {
        slug: "mistral-ai",
        base_url: "https://api.mistral.ai/v1",
        quirks: MISTRAL,
        touches: MISTRAL_ANSWERS,
        other_quirks: LISTED_INPUT,
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "modal", base_url: "https://api.modal.com/v1", ..OPENAI_COMPATIBLE },
    Provider {
        slug: "monsterapi",
        base_url: "https://llm.monsterapi.ai/v1",
        quirks: MAX_TOKENS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "moonshot",
        base_url: "https://api.moonshot.cn",
        prefix: "/v1",
        quirks: MAX_TOKENS_AND_COOL,
        touches: REMADE,
        lacks: ONLY_CHAT,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "ncompass",
        base_url: "https://api.ncompass.tech/v1",
        quirks: MAX_TOKENS,
        touches: REMADE,
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "nebius", base_url: "https://api.studio.nebius.ai/v1", ..OPENAI_COMPATIBLE },
    Provider { slug: "nextbit", base_url: "https://api.nextbit256.com/v1", ..OPENAI_COMPATIBLE },
    Provider { slug: "nomic", base_url: "https://api-atlas.nomic.ai/v1", ..PASSED_THROUGH },
    Provider {
        slug: "novita-ai",
        base_url: "https://api.novita.ai/openai",
        prefix: "/v1",
        quirks: SHORT,
        touches: NAMED_IN_CHUNKS,
        ranges: &[],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "nscale",
        base_url: "https://inference.api.nscale.com/v1",
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "nvidia-nim",
        base_url: "https://integrate.api.nvidia.com/v1",
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "ollama",
        base_url: "http://127.0.0.1:11434",
        prefix: "/v1",
        auth: Auth::None,
        quirks: OLLAMA,
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "openai",
        base_url: "https://api.openai.com/v1",
        client_headers: &["openai-beta"],
        settings: OPENAI,
        headers: &[
            ("openai-organization", "{openai_organization}"),
            ("openai-project", "{openai_project}"),
        ],
        quirks: &[],
        touches: &[NamedInResponses],
        native: RESPONSES,
        other_quirks: &[(Endpoint::Embeddings, &[Default("model", "\"text-embedding-ada-002\"")])],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "openrouter",
        base_url: "https://openrouter.ai/api",
        prefix: "/v1",
        headers: &[("http-referer", "https://portkey.ai/"), ("x-title", "portkey")],
        client_headers: &["http-referer", "x-title"],
        quirks: MAX_TOKENS,
        touches: REMADE,
        native: RESPONSES,
        cache_control: true,
        ..OPENAI_COMPATIBLE
    },
    // Its own API wants signatures of a private key; this one takes API keys.
    Provider {
        slug: "oracle",
        base_url: "https://inference.generativeai.{oracle_region}.oci.oraclecloud.com/openai/v1",
        settings: &[Setting::new("oracle_region", "oracle-region", Kind::Label)],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "ovhcloud",
        base_url: "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "perplexity-ai",
        base_url: "https://api.perplexity.ai",
        quirks: MAX_TOKENS,
        touches: NAMED_IN_CHUNKS,
        lacks: ONLY_CHAT,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "pinecone",
        base_url: "https://api.pinecone.io",
        auth: Auth::Header("api-key"),
        ..PASSED_THROUGH
    },
    Provider {
        slug: "predibase",
        base_url: "https://serving.app.predibase.com",
        prefix: "/{predibase_tenant}/deployments/v2/llms/{predibase_deployment}/v1",
        settings: PREDIBASE,
        model: Some("predibase_adapter"),
        quirks: &[SystemRole, ONLY_MAX_TOKENS, InPath("user")],
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "qdrant",
        base_url: ANY_HOST,
        auth: Auth::Header("api-key"),
        settings: CUSTOM_HOST,
        ..PASSED_THROUGH
    },
    Provider {
        slug: "recraft-ai",
        base_url: "https://external.api.recraft.ai/v1",
        ..PASSED_THROUGH
    },
    Provider {
        slug: "reka-ai",
        base_url: "https://api.reka.ai",
        prefix: "/v1",
        auth: Auth::Header("x-api-key"),
        quirks: MAX_TOKENS,
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "replicate", base_url: "https://api.replicate.com/v1", ..PASSED_THROUGH },
    Provider {
        slug: "sagemaker",
        base_url: "https://runtime.sagemaker.{aws_region}.amazonaws.com",
        auth: Auth::Aws("sagemaker"),
        settings: &aws::SAGEMAKER,
        headers: &aws::SAGEMAKER_HEADERS,
        touches: &[],
        ..PASSED_THROUGH
    },
    Provider {
        slug: "sambanova",
        base_url: "https://api.sambanova.ai",
        prefix: "/v1",
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "scaleway", base_url: "https://api.scaleway.ai/v1", ..OPENAI_COMPATIBLE },
    Provider {
        slug: "segmind",
        base_url: "https://api.segmind.com/v1",
        auth: Auth::Header("x-api-key"),
        ..PASSED_THROUGH
    },
    Provider {
        slug: "siliconflow",
        base_url: "https://api.siliconflow.cn/v1",
        quirks: MAX_TOKENS,
        touches: &[],
        own_errors: true,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "stability-ai",
        base_url: "https://api.stability.ai",
        prefix: "/v1",
        paths: &[("/v2beta", "/v2beta")],
        dialect: Dialect::Stability,
        touches: &[],
        ..PASSED_THROUGH
    },
    Provider {
        slug: "together-ai",
        base_url: "https://api.together.xyz",
        prefix: "/v1",
        quirks: SHORT,
        touches: TOGETHER_ANSWERS,
        ranges: &[],
        other_quirks: LISTED_INPUT,
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "tripo3d", base_url: "https://api.tripo3d.ai/v2/openapi", ..PASSED_THROUGH },
    // Its OpenAI-compatible frontend.
    Provider {
        slug: "triton",
        base_url: ANY_HOST,
        prefix: "/v1",
        auth: Auth::None,
        settings: CUSTOM_HOST,
        quirks: MAX_TOKENS,
        ..OPENAI_COMPATIBLE
    },
    Provider { slug: "upstage", base_url: "https://api.upstage.ai/v1/solar", ..OPENAI_COMPATIBLE },
    Provider { slug: "venice", base_url: "https://api.venice.ai/api/v1", ..OPENAI_COMPATIBLE },
    Provider { slug: "vercel", base_url: "https://ai-gateway.vercel.sh/v1", ..OPENAI_COMPATIBLE },
    Provider {
        slug: "vertex-ai",
        base_url: "https://{vertex_region}-aiplatform.googleapis.com",
        other_urls: VERTEX_REGIONS,
        settings: &[
            Setting::new("vertex_region", "vertex-region", Kind::Label),
            Setting::new("vertex_project_id", "vertex-project-id", Kind::Segment),
            Setting::new(KEY_FILE, "vertex-service-account-json", Kind::ServiceAccount),
        ],
        dialect: Dialect::Vertex,
        client_headers: &["anthropic-beta"],
        quirks: &[],
        touches: NAMED_IN_CHUNKS,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "vllm",
        base_url: "http://127.0.0.1:8000",
        prefix: "/v1",
        quirks: &[],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "volcengine",
        base_url: "https://ark.cn-beijing.volces.com/api/v3",
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "voyage",
        base_url: "https://api.voyageai.com/v1",
        error_type: Some("\"Invalid Request\""),
        other_quirks: LISTED_INPUT,
        ..PASSED_THROUGH
    },
    Provider { slug: "wandb", base_url: "https://api.inference.wandb.ai/v1", ..OPENAI_COMPATIBLE },
    Provider {
        slug: "workers-ai",
        base_url: "https://api.cloudflare.com/client/v4/accounts/{workers_ai_account_id}/ai/v1",
        settings: &[Setting::new("workers_ai_account_id", "workers-ai-account-id", Kind::Segment)],
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "x-ai",
        base_url: "https://api.x.ai/v1",
        touches: &[NamedInEmbeddings],
        native: RESPONSES,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "z-ai",
        base_url: "https://api.z.ai/api/paas/v4",
        quirks: MAX_TOKENS_AND_COOL,
        ..OPENAI_COMPATIBLE
    },
    Provider {
        slug: "zhipu",
        base_url: "https://open.bigmodel.cn/api/paas/v4",
        quirks: MAX_TOKENS_AND_COOL,
        touches: REMADE,
        ..OPENAI_COMPATIBLE
    },
];

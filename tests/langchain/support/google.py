"""Google's own code as a judge: the types of its SDK, and its verifier of assertions."""

from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from google.auth import jwt
from google.genai import types
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class GenerationConfig(types.GenerationConfig):
    """With what the SDK adds to it on the way."""

    image_config: types.ImageConfig | None = None


class GenerateContentRequest(BaseModel):
    """The body of `generateContent`: the SDK has types for its members alone."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    model: str
    contents: list[types.Content]
    system_instruction: types.Content | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None
    generation_config: GenerationConfig | None = None
    safety_settings: list[types.SafetySetting] | None = None
    cached_content: str | None = None
    labels: dict[str, str] | None = None
    service_tier: str | None = None
    store: bool | None = None


def check_generate_request(body):
    """Raises when the body has a field that is unknown, missing or of a wrong type."""
    GenerateContentRequest.model_validate(body)


def check_grant(body, account):
    """Whether a token request is the account's own; gives what its assertion claims."""
    fields = parse_qs(body.decode(), strict_parsing=True)
    assert fields.keys() == {"grant_type", "assertion"}
    assert fields["grant_type"] == [GRANT]
    key = serialization.load_pem_private_key(account["private_key"].encode(), None)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    certificates = {account["private_key_id"]: public}
    audience = "https://oauth2.googleapis.com/token"
    return jwt.decode(fields["assertion"][0], certs=certificates, audience=audience)

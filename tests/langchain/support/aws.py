"""AWS's own code as a judge: botocore's model of Bedrock, and its signer."""

import base64
import json
from datetime import UTC, datetime
from functools import cache
from urllib.parse import unquote

import botocore.auth
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream"}


@cache
def _service():
    return botocore.session.get_session().get_service_model("bedrock-runtime")


def check_body(body, operation="Converse", model="m"):
    """Raises when Bedrock's model of the operation has no such body."""
    shape = _service().operation_model(operation).input_shape
    params = _decode(body, shape) | {"modelId": model}
    report = ParamValidator().validate(params, shape)
    assert not report.has_errors(), report.generate_report()
    _check_known(params, shape, "$")


def _decode(value, shape):
    """JSON as botocore has it: base64 is bytes."""
    match shape.type_name:
        case "structure" if not getattr(shape, "is_document_type", False):
            members = shape.members
            return {
                key: _decode(item, members[key]) if key in members else item
                for key, item in value.items()
            }
        case "list":
            return [_decode(item, shape.member) for item in value]
        case "map":
            return {key: _decode(item, shape.value) for key, item in value.items()}
        case "blob":
            return base64.b64decode(value, validate=True)
    return value


def _check_known(value, shape, path):
    """No member, and no word of an enumeration, that the model does not have."""
    if getattr(shape, "is_document_type", False):
        return
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{path}: {unknown}"
        for key, item in value.items():
            _check_known(item, shape.members[key], f"{path}.{key}")
    elif shape.type_name == "list":
        for at, item in enumerate(value):
            _check_known(item, shape.member, f"{path}[{at}]")
    elif shape.type_name == "string" and shape.enum:
        assert value in shape.enum, f"{path}: {value}"


def check_request(request, keys, region):
    """Raises unless a request that arrived is one of Bedrock's, signed with these keys."""
    _, model, operation = request.path.strip("/").split("/")
    check_body(json.loads(request.body), OPERATIONS[operation], unquote(model))
    signed = SigV4Auth(Credentials(*keys), "bedrock", region)
    time = datetime.strptime(request.header("x-amz-date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    names = request.header("authorization").partition("SignedHeaders=")[2].partition(",")[0]
    names = [name for name in names.split(";") if name != "host"]
    again = AWSRequest(
        request.method,
        f"http://{request.header('host')}{request.path}",
        headers={name: request.header(name) for name in names},
        data=request.body,
    )
    again.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ")
    canonical = signed.canonical_request(again)
    signature = signed.signature(signed.string_to_sign(again, canonical), again)
    assert request.header("authorization").endswith(f"Signature={signature}"), canonical
    assert request.header("x-amz-security-token") == (keys[2] if len(keys) > 2 else None)

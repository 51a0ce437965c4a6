//! What AWS's services need to know: a region, and the keys that requests are signed with.

use super::setting::{Kind, Setting, Values};
use crate::error::Error;
use crate::sigv4::Credentials;

/// Name of the setting that is the region.
pub const REGION: &str = "aws_region";
const ACCESS_KEY_ID: &str = "aws_access_key_id";
const SECRET_ACCESS_KEY: &str = "aws_secret_access_key";
const SESSION_TOKEN: &str = "aws_session_token";
const AUTH_TYPE: &str = "aws_auth_type";

/// The settings that all of them have. The keys are a caller's; an operator's are Envoy's.
pub(super) const SETTINGS: [Setting; 5] = [
    Setting { name: REGION, header: "aws-region", kind: Kind::Label, default: Some("us-east-1") },
    secret(ACCESS_KEY_ID, "aws-access-key-id"),
    secret(SECRET_ACCESS_KEY, "aws-secret-access-key"),
    secret(SESSION_TOKEN, "aws-session-token"),
    Setting { name: AUTH_TYPE, header: "aws-auth-type", kind: Kind::Text, default: None },
];

/// What SageMaker takes beside a body
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html>).
pub(super) const SAGEMAKER_HEADERS: [(&str, &str); 9] = [
    ("x-amzn-sagemaker-custom-attributes", "{amzn_sagemaker_custom_attributes}"),
    ("x-amzn-sagemaker-target-model", "{amzn_sagemaker_target_model}"),
    ("x-amzn-sagemaker-target-variant", "{amzn_sagemaker_target_variant}"),
    ("x-amzn-sagemaker-target-container-hostname", "{amzn_sagemaker_target_container_hostname}"),
    ("x-amzn-sagemaker-inference-id", "{amzn_sagemaker_inference_id}"),
    ("x-amzn-sagemaker-enable-explanations", "{amzn_sagemaker_enable_explanations}"),
    ("x-amzn-sagemaker-inference-component", "{amzn_sagemaker_inference_component}"),
    ("x-amzn-sagemaker-session-id", "{amzn_sagemaker_session_id}"),
    ("x-amzn-sagemaker-model-name", "{amzn_sagemaker_model_name}"),
];

/// The settings that these headers are made of.
pub(super) const SAGEMAKER: [Setting; 14] = [
    SETTINGS[0],
    SETTINGS[1],
    SETTINGS[2],
    SETTINGS[3],
    SETTINGS[4],
    text("amzn_sagemaker_custom_attributes", "amzn-sagemaker-custom-attributes"),
    text("amzn_sagemaker_target_model", "amzn-sagemaker-target-model"),
    text("amzn_sagemaker_target_variant", "amzn-sagemaker-target-variant"),
    text("amzn_sagemaker_target_container_hostname", "amzn-sagemaker-target-container-hostname"),
    text("amzn_sagemaker_inference_id", "amzn-sagemaker-inference-id"),
    text("amzn_sagemaker_enable_explanations", "amzn-sagemaker-enable-explanations"),
    text("amzn_sagemaker_inference_component", "amzn-sagemaker-inference-component"),
    text("amzn_sagemaker_session_id", "amzn-sagemaker-session-id"),
    text("amzn_sagemaker_model_name", "amzn-sagemaker-model-name"),
];

const fn text(name: &'static str, header: &'static str) -> Setting {
    Setting { name, header, kind: Kind::Text, default: None }
}

const fn secret(name: &'static str, header: &'static str) -> Setting {
    Setting { name, header, kind: Kind::Secret, default: None }
}

/// The keys that a caller's request is to be signed with; `None` when it goes with an API key, which
/// `has_key` tells to be there.
///
/// # Errors
/// There is no credential, half of one, or one that only an operator can have.
pub fn credentials<'v>(
    provider: &str,
    values: &'v Values,
    has_key: bool,
) -> Result<Option<Credentials<'v>>, Error> {
    let refuse = |message: String, hint: &str| {
        let error = Error::invalid("missing_credential", message);
        Err(error.with_hint(hint).with_param(AUTH_TYPE))
    };
    let (id, secret) = (values.get(ACCESS_KEY_ID), values.get(SECRET_ACCESS_KEY));
    match (values.get(AUTH_TYPE), id, secret) {
        (Some("assumedRole"), ..) => refuse(
            format!("{provider} cannot assume a role for a caller"),
            "send the keys of the role's session, or use a virtual key of gateway.yaml",
        ),
        (Some("serviceRole"), ..) => refuse(
            format!("{provider} takes the gateway's own role for virtual keys alone"),
            "use a virtual key of gateway.yaml that has this aws_auth_type",
        ),
        (Some("apiKey"), ..) | (_, None, None) if has_key => Ok(None),
        (Some("apiKey"), ..) => {
            refuse(format!("{provider} needs an API key"), "give it as Authorization: Bearer")
        }
        (_, Some(access_key_id), Some(secret_access_key)) => {
            let session_token = values.get(SESSION_TOKEN);
            Ok(Some(Credentials { access_key_id, secret_access_key, session_token }))
        }
        _ => refuse(
            format!("{provider} needs {ACCESS_KEY_ID} and {SECRET_ACCESS_KEY}, or an API key"),
            "give them in the config's target, as x-portkey-aws-... headers, or name a virtual key",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_win_over_an_api_key_and_half_of_them_is_an_error() {
        let ask = |pairs: &[(&str, &str)], has_key| {
            let mut values = Values::default();
            pairs.iter().for_each(|(name, value)| values.set(name, (*value).to_owned()));
            let found = credentials("bedrock", &values, has_key);
            found.map(|keys| keys.map(|keys| keys.access_key_id.to_owned())).map_err(|e| e.code)
        };
        let keys = [(ACCESS_KEY_ID, "AK"), (SECRET_ACCESS_KEY, "sk")];
        let with = |auth_type| [keys[0], keys[1], (AUTH_TYPE, auth_type)];
        let missing = Err("missing_credential");
        assert_eq!(ask(&keys, false), Ok(Some("AK".to_owned())));
        assert_eq!(ask(&keys, true), Ok(Some("AK".to_owned())));
        assert_eq!(ask(&with("apiKey"), true), Ok(None));
        assert_eq!(ask(&with("apiKey"), false), missing);
        assert_eq!(ask(&with("assumedRole"), true), missing);
        assert_eq!(ask(&with("serviceRole"), true), missing);
        assert_eq!(ask(&[], true), Ok(None));
        assert_eq!(ask(&[], false), missing);
        assert_eq!(ask(&keys[..1], true), missing);
        assert_eq!(ask(&keys[1..], true), missing);
    }
}

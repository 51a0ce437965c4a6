//! The keys that a virtual key's requests to AWS are signed with.

use super::Checker;
use crate::provider::{Auth, Provider};
use crate::tool::field::Fields;
use crate::tool::model::AwsCredentials;

/// The keys of gateway.yaml that only providers of AWS have.
pub(super) fn names(row: Option<&'static Provider>) -> &'static [&'static str] {
    match row.map(|row| row.auth) {
        Some(Auth::Aws(_)) => &[
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
            "aws_credentials_file",
            "aws_profile",
        ],
        _ => &[],
    }
}

impl Checker<'_> {
    /// Reads them; `None` without any, as for a key that is an API key.
    pub(super) fn aws_credentials(
        &mut self,
        path: &str,
        row: &Provider,
        fields: &Fields<'_>,
    ) -> Option<AwsCredentials> {
        let Auth::Aws(_) = row.auth else { return None };
        let mut secret = |name| fields.get(name).and_then(|field| self.secret(field));
        let id = secret("aws_access_key_id");
        let secret_key = secret("aws_secret_access_key");
        let session_token = secret("aws_session_token");
        let mut text = |name| fields.get(name).and_then(|field| field.text(&mut self.problems));
        let (file, profile) = (text("aws_credentials_file"), text("aws_profile"));
        let own = text("aws_auth_type") == Some("serviceRole");
        let any = ["aws_access_key_id", "aws_secret_access_key"];
        let inline = any.iter().any(|name| fields.get(name).is_some());
        let ways = [
            inline,
            file.is_some(),
            own,
            fields.get("api_key").or(fields.get("api_keys")).is_some(),
        ];
        if ways.into_iter().filter(|way| *way).count() != 1 {
            let message = "needs one of aws_access_key_id with aws_secret_access_key, \
                           aws_credentials_file, an api_key, and aws_auth_type: serviceRole";
            self.problems.add(path, message);
            return None;
        }
        match (file, id, secret_key) {
            _ if own => Some(AwsCredentials::Environment),
            (Some(file), ..) => match std::path::absolute(file) {
                Ok(file) => {
                    Some(AwsCredentials::File { path: file, profile: profile.map(str::to_owned) })
                }
                Err(error) => {
                    self.problems.add(path, format_args!("aws_credentials_file: {error}"));
                    None
                }
            },
            (None, Some(access_key_id), Some(secret_access_key)) => {
                Some(AwsCredentials::Keys { access_key_id, secret_access_key, session_token })
            }
            _ if inline => {
                let [id, secret] = any.map(|name| fields.get(name).is_some());
                if id != secret {
                    let message = "aws_access_key_id and aws_secret_access_key go together";
                    self.problems.add(path, message);
                }
                None
            }
            _ => None,
        }
    }
}

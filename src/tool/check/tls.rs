//! `tls` and `http3`: how clients connect.

use super::Checker;
use crate::tool::field::{Field, Fields};
use crate::tool::model::{Secret, Tls};

impl Checker<'_> {
    /// The certificate of the listener. Each value is PEM, mostly `file:/path`.
    pub(super) fn tls(&mut self, field: &Field<'_>) -> Option<Tls> {
        let known = ["certificate", "private_key", "client_ca"];
        let fields = Fields::open(field, &known, &mut self.problems);
        let mut part = |name: &str, label: &str| {
            let given = fields.get(name)?;
            self.pem(given, label)
        };
        let certificate = part("certificate", "CERTIFICATE-----");
        let private_key = part("private_key", "PRIVATE KEY-----").map(Secret::new);
        let client_ca = part("client_ca", "CERTIFICATE-----");
        for name in ["certificate", "private_key"] {
            if fields.get(name).is_none() {
                self.problems.add(&field.path, format_args!("needs a {name}"));
            }
        }
        Some(Tls { certificate: certificate?, private_key: private_key?, client_ca })
    }

    /// PEM with at least one block whose first line ends like that.
    fn pem(&mut self, field: &Field<'_>, label: &str) -> Option<String> {
        let text = self.secret_text(field)?;
        let begins =
            |line: &str| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(label);
        if text.contains("ENCRYPTED") {
            self.problems.add(&field.path, "is encrypted: give it without a passphrase");
            return None;
        }
        if !text.lines().any(begins) {
            let kind = label.trim_end_matches('-').to_ascii_lowercase();
            self.problems.add(&field.path, format_args!("holds no {kind} in PEM"));
            return None;
        }
        Some(text)
    }

    /// Whether clients may come by HTTP/3 as well.
    pub(super) fn http3(&mut self, fields: &Fields<'_>, tls: Option<&Tls>) -> bool {
        let wanted = self.flag(fields.get("http3")).unwrap_or(false);
        if wanted && fields.get("tls").is_none() {
            self.problems.add("http3", "needs tls");
        }
        if wanted && tls.is_some_and(|tls| tls.client_ca.is_some()) {
            self.problems.add("http3", "Envoy checks no client certificates over HTTP/3");
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use crate::tool::check::check;

    const CERTIFICATE: &str = "'-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----'";
    const KEY: &str = "'-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----'";

    #[test]
    fn every_problem_has_its_path() {
        let pair = format!("certificate: {CERTIFICATE}, private_key: {KEY}");
        for (yaml, expected) in [
            ("tls: 1".to_owned(), "tls: must be a mapping, not a number"),
            ("tls: {}".to_owned(), "tls: needs a certificate"),
            (format!("tls: {{certificate: {CERTIFICATE}}}"), "tls: needs a private_key"),
            (
                format!("tls: {{certificate: x, private_key: {KEY}}}"),
                "tls.certificate: holds no certificate in PEM",
            ),
            (
                format!("tls: {{certificate: {CERTIFICATE}, private_key: {CERTIFICATE}}}"),
                "tls.private_key: holds no private key in PEM",
            ),
            (
                format!(
                    "tls: {{certificate: {CERTIFICATE}, private_key: \
                     '-----BEGIN ENCRYPTED PRIVATE KEY-----'}}"
                ),
                "tls.private_key: is encrypted: give it without a passphrase",
            ),
            (
                format!("tls: {{{pair}, client_ca: x}}"),
                "tls.client_ca: holds no certificate in PEM",
            ),
            (format!("tls: {{{pair}, ca: x}}"), "tls.ca: unknown key"),
            ("http3: true".to_owned(), "http3: needs tls"),
            ("http3: 1".to_owned(), "http3: must be true or false, not a number"),
            (
                format!("http3: true\ntls: {{{pair}, client_ca: {CERTIFICATE}}}"),
                "http3: Envoy checks no client certificates over HTTP/3",
            ),
        ] {
            let rejected = check(&yaml, &|_| None).unwrap_err();
            assert!(rejected.problems[0].starts_with(expected), "{:?}", rejected.problems);
            assert!(!rejected.problems.concat().contains("AA"));
        }
        let gateway = check(&format!("http3: true\ntls: {{{pair}}}"), &|_| None).unwrap();
        assert!(gateway.http3 && gateway.tls.unwrap().client_ca.is_none());
    }
}

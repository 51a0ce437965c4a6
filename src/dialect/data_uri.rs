//! Data URIs (RFC 2397): how clients put images and files into a message.

use crate::error::Error;

/// Contents of a file.
pub(super) struct DataUri<'a> {
    /// In lower case, without parameters.
    pub(super) media_type: String,
    pub(super) base64: bool,
    /// What follows the comma, not decoded.
    pub(super) data: &'a str,
}

impl<'a> DataUri<'a> {
    /// Reads a data URI; `None` for every other text.
    ///
    /// # Errors
    /// It has no comma.
    pub(super) fn parse(url: &'a str) -> Result<Option<Self>, Error> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Ok(None);
        };
        if !scheme.eq_ignore_ascii_case("data") {
            return Ok(None);
        }
        let parts = rest.split_once(',').map(|(meta, data)| (meta.split(';'), data));
        let Some((mut meta, data)) = parts else {
            return Err(Error::invalid("invalid_value", "a data URI must hold a comma"));
        };
        let media_type = meta.next().unwrap_or_default().trim().to_ascii_lowercase();
        let base64 = meta.any(|word| word.trim().eq_ignore_ascii_case("base64"));
        Ok(Some(Self { media_type, base64, data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_uris_are_told_from_other_urls() {
        for (url, expected) in [
            ("data:image/png;base64,AA", Some(("image/png", true, "AA"))),
            ("DATA:Image/PNG;charset=x;BASE64,AA", Some(("image/png", true, "AA"))),
            ("data:text/plain,a,b", Some(("text/plain", false, "a,b"))),
            ("https://example.org/data:x,y", None),
            ("picture.png", None),
        ] {
            let data = DataUri::parse(url).unwrap();
            let data = data.as_ref().map(|it| (it.media_type.as_str(), it.base64, it.data));
            assert_eq!(data, expected, "{url}");
        }
        assert!(DataUri::parse("data:image/png;base64").is_err());
    }
}

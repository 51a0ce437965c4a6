//! The table of providers, for people, for programs and for the README.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::provider::{Auth, Layout, NOT_YET, PROVIDERS, Provider, Setting};

const COLUMNS: usize = 6;
const TITLES: [&str; COLUMNS] =
    ["provider", "base URL", "format", "key in", "chat", "headers and body"];

/// The table as aligned columns, then what is not in it yet.
pub fn text() -> String {
    let mut rows = vec![TITLES.map(str::to_uppercase)];
    rows.extend(PROVIDERS.iter().map(cells));
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str("\nNOT YET\n");
    let width = NOT_YET.iter().map(|(slug, _)| slug.len()).max().unwrap_or_default();
    for (slug, reason) in NOT_YET {
        out.push_str(&format!("{slug:width$}  {reason}\n"));
    }
    out
}

/// The table as a JSON object: `providers`, and what is `not_yet` among them.
pub fn json() -> String {
    let map = |pairs: &[(&'static str, &'static str)]| {
        pairs.iter().copied().collect::<BTreeMap<&str, &str>>()
    };
    let rows = PROVIDERS.iter().map(|row| {
        let (header, prefix) = row.auth.header().unzip();
        json!({
            "slug": row.slug,
            "base_url": row.base_url,
            "prefix": row.prefix,
            "paths": map(row.paths),
            "dialect": dialect(row),
            "chat": row.chat,
            "auth_header": header,
            "auth_prefix": prefix,
            "query": map(row.query),
            "settings": row.settings.iter().map(setting).collect::<Vec<_>>(),
            "headers": map(row.headers),
            "client_headers": row.client_headers,
            "quirks": row.quirks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    let not_yet = NOT_YET.iter().map(|(slug, reason)| json!({ "slug": slug, "reason": reason }));
    let both = json!({
        "providers": rows.collect::<Vec<_>>(),
        "not_yet": not_yet.collect::<Vec<_>>(),
    });
    format!("{both:#}\n")
}

/// The part of the README between its markers.
pub fn markdown() -> String {
    let mut out = format!("| {} |\n|{}\n", TITLES.join(" | "), " --- |".repeat(COLUMNS));
    for row in PROVIDERS {
        let cells = cells(row).map(|cell| cell.replace('|', "\\|"));
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out.push_str("\nNot yet: a request for one of these gets a 400 with the reason.\n\n");
    out.push_str("| provider | reason |\n| --- | --- |\n");
    for (slug, reason) in NOT_YET {
        let reason = reason.replace('<', "\\<");
        out.push_str(&format!("| {slug} | {reason} |\n"));
    }
    out
}

fn setting(setting: &Setting) -> Value {
    json!({ "name": setting.name, "header": setting.header, "default": setting.default })
}

/// What [`TITLES`] say.
fn cells(row: &Provider) -> [String; COLUMNS] {
    let headers = row.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let paths = row.paths.iter().map(|(from, to)| format!("{from} → {to}"));
    let layout = match row.layout {
        Layout::Paths => None,
        Layout::Azure => Some("deployments and API versions".to_owned()),
    };
    let query = row.query.iter().map(|(name, value)| format!("?{name}={value}"));
    let variant = row.variant.map(|variant| {
        format!("with \"{}\" in the URL: format {}", variant.marker, dialect(variant.row))
    });
    let quirks = row.quirks.iter().map(ToString::to_string);
    let errors = row.own_errors.then(|| "errors in a shape of its own".to_owned());
    [
        row.slug.to_owned(),
        [row.base_url, row.prefix].concat(),
        dialect(row).to_owned(),
        credential(row.auth),
        if row.chat { "yes" } else { "no" }.to_owned(),
        headers
            .chain(paths)
            .chain(layout)
            .chain(query)
            .chain(variant)
            .chain(quirks)
            .chain(errors)
            .collect::<Vec<_>>()
            .join("; "),
    ]
}

fn dialect(row: &Provider) -> &'static str {
    match row.dialect {
        Dialect::OpenAi => "openai",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
        Dialect::Cohere => "cohere",
        Dialect::Bedrock => "bedrock",
        Dialect::Vertex => "vertex",
        Dialect::Stability => "stability",
    }
}

fn credential(auth: Auth) -> String {
    match auth {
        Auth::Bearer => "authorization: Bearer".to_owned(),
        Auth::Header(name) => name.to_owned(),
        Auth::Aws(_) => "AWS signature, or authorization: Bearer".to_owned(),
        Auth::None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_list_every_row() {
        let table: Value = serde_json::from_str(&json()).unwrap();
        let rows = table["providers"].as_array().unwrap();
        let text = text();
        let (lines, rest) = text.split_once("\n\nNOT YET\n").unwrap();
        let lines: Vec<&str> = lines.lines().skip(1).collect();
        assert_eq!((rows.len(), lines.len()), (PROVIDERS.len(), PROVIDERS.len()));
        for ((row, line), provider) in rows.iter().zip(&lines).zip(PROVIDERS) {
            assert_eq!(row["slug"], provider.slug);
            assert_eq!(row["quirks"].as_array().unwrap().len(), provider.quirks.len());
            let columns: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(
                columns[..2],
                [provider.slug, &[provider.base_url, provider.prefix].concat()]
            );
        }
        assert_eq!(table["not_yet"].as_array().unwrap().len(), NOT_YET.len());
        for (line, (slug, reason)) in rest.lines().zip(NOT_YET) {
            assert!(line.starts_with(slug) && line.ends_with(reason), "{line}");
        }
    }

    #[test]
    fn the_readme_has_this_table() {
        let readme = include_str!("../../README.md");
        let (_, after) = readme.split_once("<!-- providers -->\n").unwrap();
        let (table, _) = after.split_once("<!-- /providers -->").unwrap();
        let cure = "put the output of `portkey-envoy providers --markdown` between the markers";
        assert!(table == markdown(), "README.md: {cure}");
    }
}

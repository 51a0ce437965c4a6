//! The table of providers, for people and for programs.

use serde_json::{Value, json};

use crate::dialect::Dialect;
use crate::provider::{Auth, PROVIDERS, Provider};

/// The table as aligned columns.
pub fn text() -> String {
    let mut rows = vec![["PROVIDER", "BASE URL", "DIALECT", "KEY IN"].map(str::to_owned)];
    rows.extend(PROVIDERS.iter().map(|row| {
        [row.slug.into(), row.base_url.into(), dialect(row).into(), credential(row.auth)]
    }));
    let mut widths = [0; 4];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The table as a JSON array.
pub fn json() -> String {
    let rows: Vec<Value> = PROVIDERS
        .iter()
        .map(|row| {
            let (header, prefix) = row.auth.header().unzip();
            json!({
                "slug": row.slug,
                "base_url": row.base_url,
                "dialect": dialect(row),
                "auth_header": header,
                "auth_prefix": prefix,
                "headers": row.headers.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
            })
        })
        .collect();
    format!("{:#}\n", Value::Array(rows))
}

fn dialect(row: &Provider) -> &'static str {
    match row.dialect {
        Dialect::OpenAi => "openai",
        Dialect::Anthropic => "anthropic",
        Dialect::Gemini => "gemini",
    }
}

fn credential(auth: Auth) -> String {
    match auth {
        Auth::Bearer => "authorization: Bearer".to_owned(),
        Auth::Header(name) => name.to_owned(),
        Auth::None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_list_every_row() {
        let rows: Vec<Value> = serde_json::from_str(&json()).unwrap();
        let text = text();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!((rows.len(), lines.len()), (PROVIDERS.len(), PROVIDERS.len()));
        for ((row, line), provider) in rows.iter().zip(&lines).zip(PROVIDERS) {
            assert_eq!(row["slug"], provider.slug);
            let columns: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(columns[..2], [provider.slug, provider.base_url]);
        }
    }
}

//! The choice among tools, as Gemini's `tool_config`. Google takes both spellings; this is
//! Portkey's.

use super::super::raw::{write_key, write_member};
use super::super::tool_choice::Mode;
use super::tools::Written;
use crate::json::{Object, write_string};

/// Appends the member `tool_config`, if there is anything to say. The client's `own` wins, member
/// by member.
pub(super) fn write(out: &mut Vec<u8>, own: Option<&str>, mode: &Mode<'_>, tools: Written) {
    let mut config = match own.map(|raw| Object::parse(raw.as_bytes())) {
        None => Object::default(),
        Some(Ok(config)) => config,
        // Google knows best what is wrong with it.
        Some(Err(_)) => {
            write_key(out, "tool_config");
            return out.extend_from_slice(own.unwrap_or_default().as_bytes());
        }
    };
    let mut fill = |name, camel_case, value: Option<String>| {
        if let Some(value) = value
            && config.get(name).is_none()
            && config.get(camel_case).is_none()
        {
            config.set(name, value);
        }
    };
    let calling = function_calling(mode, tools.functions);
    fill("function_calling_config", "functionCallingConfig", calling);
    fill("retrieval_config", "retrievalConfig", tools.retrieval);
    if own.is_some() || config.iter().next().is_some() {
        write_key(out, "tool_config");
        out.extend_from_slice(&config.to_vec());
    }
}

/// A `function_calling_config`; `None` when there is nothing to say.
fn function_calling(mode: &Mode<'_>, has_functions: bool) -> Option<String> {
    let (word, name) = match mode {
        Mode::Absent => return None,
        // Gemini refuses a choice without functions; these say nothing then.
        Mode::Auto | Mode::None if !has_functions => return None,
        Mode::Auto => ("AUTO", None),
        Mode::None => ("NONE", None),
        Mode::Required => ("ANY", None),
        Mode::Function(name) => ("ANY", Some(name)),
    };
    let mut out = b"{".to_vec();
    write_member(&mut out, "mode", word);
    if let Some(name) = name {
        write_key(&mut out, "allowed_function_names");
        out.push(b'[');
        write_string(&mut out, name);
        out.push(b']');
    }
    out.push(b'}');
    String::from_utf8(out).ok()
}

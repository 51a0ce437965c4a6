//! JSON Schema as Gemini's `Schema`, a part of OpenAPI 3.0's
//! (<https://ai.google.dev/api/caching#Schema>).
//!
//! References are inlined, since Gemini knows none here; what it does not know at all is left out,
//! since it refuses the request otherwise.

mod definitions;
mod shape;

use super::super::raw::{array, write_comma, write_key};
use super::wrong_type;
use crate::error::Error;
use crate::json::{Object, write_string};
use definitions::Definitions;

/// Most bytes of schemas that are read for one request: each time that a reference is inlined, what
/// it refers to is read again.
pub(super) const MAX_WORK: usize = 16 << 20;

/// Deepest nesting, references followed.
const MAX_DEPTH: usize = 32;

/// Keywords that are copied; `properties`, `items` and `anyOf` hold schemas, the rest does not.
const COPIED: [&str; 18] = [
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "default",
    "example",
    "enum",
    "minItems",
    "maxItems",
    "propertyOrdering",
    "required",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
];

/// Translates a schema; `left` is what remains of [`MAX_WORK`].
///
/// # Errors
/// It is no object, refers to what it does not hold, is nested too deeply, or becomes too large
/// when its references are inlined.
pub(super) fn clean(schema: &str, left: &mut usize) -> Result<Vec<u8>, Error> {
    let schema = schema.trim();
    if !schema.starts_with('{') {
        return Err(Error::invalid("invalid_type", "a schema must be an object"));
    }
    let mut out = Vec::with_capacity(schema.len());
    let mut cleaner = Cleaner { definitions: Definitions::new(schema, left) };
    cleaner.write(&mut out, schema, 0)?;
    Ok(out)
}

struct Cleaner<'a, 'w> {
    definitions: Definitions<'a, 'w>,
}

impl Cleaner<'_, '_> {
    fn write(&mut self, out: &mut Vec<u8>, raw: &str, depth: usize) -> Result<(), Error> {
        if !raw.starts_with('{') {
            // `true` takes everything, as does the empty schema.
            out.extend_from_slice(b"{}");
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(Error::invalid("invalid_value", "the schema is nested too deeply"));
        }
        self.definitions.spend(raw.len())?;
        let open = self.definitions.open();
        let mut schema = parse(raw)?;
        self.flatten(&mut schema, depth)?;
        shape::simplify(&mut schema);
        out.push(b'{');
        for (key, value) in schema.iter() {
            match key {
                "properties" => {
                    write_key(out, key);
                    self.write_properties(out, value, depth + 1)?;
                }
                "items" => {
                    write_key(out, key);
                    self.write(out, value, depth + 1)?;
                }
                "anyOf" => {
                    write_key(out, key);
                    self.write_list(out, value, depth + 1)?;
                }
                "pattern" => copy(out, key, value),
                key if COPIED.contains(&key) => copy(out, key, value),
                _ => {}
            }
        }
        out.push(b'}');
        self.definitions.close(open);
        Ok(())
    }

    fn write_properties(
        &mut self,
        out: &mut Vec<u8>,
        raw: &str,
        depth: usize,
    ) -> Result<(), Error> {
        out.push(b'{');
        for (name, value) in parse(raw)?.iter() {
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            write_string(out, name);
            out.push(b':');
            self.write(out, value, depth)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn write_list(&mut self, out: &mut Vec<u8>, raw: &str, depth: usize) -> Result<(), Error> {
        out.push(b'[');
        for member in array(raw).unwrap_or_default() {
            write_comma(out);
            self.write(out, member.get(), depth)?;
        }
        out.push(b']');
        Ok(())
    }

    /// Puts what `$ref`, `allOf` and lone alternatives stand for in their place, until there are
    /// none.
    fn flatten(&mut self, schema: &mut Object<'_>, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::invalid("invalid_value", "the schema is nested too deeply"));
        }
        while let Some(reference) = schema.string("$ref") {
            schema.remove("$ref");
            match self.definitions.follow(&reference)? {
                Some(target) => shape::merge(schema, &parse(target)?),
                // A type that holds itself would never end.
                None => shape::fill(schema, "type", "\"object\""),
            }
        }
        if let Some(list) = take(schema, "allOf") {
            for member in array(&list).unwrap_or_default() {
                self.merge(schema, member.get(), depth)?;
            }
        }
        for key in ["oneOf", "anyOf"] {
            let Some(list) = take(schema, key) else { continue };
            let members = array(&list).unwrap_or_default();
            let mut others = members.iter().map(|it| it.get()).filter(|it| !shape::is_null(it));
            let (first, second) = (others.next(), others.next());
            if others.count() + usize::from(first.is_some()) + usize::from(second.is_some())
                < members.len()
            {
                shape::fill(schema, "nullable", "true");
            }
            match (first, second) {
                (Some(lone), None) => self.merge(schema, lone, depth)?,
                (Some(_), Some(_)) => shape::set_alternatives(schema, &members),
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn merge(&mut self, schema: &mut Object<'_>, member: &str, depth: usize) -> Result<(), Error> {
        if !member.starts_with('{') {
            return Ok(());
        }
        self.definitions.spend(member.len())?;
        // Joining reads again what was joined before.
        let joined = ["properties", "required"].into_iter().filter_map(|key| schema.get(key));
        let joined = joined.map(str::len).sum::<usize>();
        self.definitions.spend(joined)?;
        let mut member = parse(member)?;
        self.flatten(&mut member, depth + 1)?;
        shape::merge(schema, &member);
        Ok(())
    }
}

fn parse(raw: &str) -> Result<Object<'_>, Error> {
    Object::parse(raw.as_bytes())
        .map_err(|_| wrong_type("schema", "of objects without duplicate members"))
        .map_err(|error| Error { param: None, ..error })
}

fn take(schema: &mut Object<'_>, key: &str) -> Option<String> {
    let value = schema.get(key)?.to_owned();
    schema.remove(key);
    Some(value)
}

fn copy(out: &mut Vec<u8>, key: &str, value: &str) {
    write_key(out, key);
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests;

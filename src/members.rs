//! Structs of some members of a JSON object, for which one reader does: readers that serde derives,
//! one for each struct, would be the larger part of the module.

use crate::dialect::raw::{array, text};
use crate::json::Key;
use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Declares structs that [`Members`] reads. A member is called like its field, or as the text behind
/// `=` says; members without a field are skipped.
macro_rules! members {
    (@key $field:ident $key:literal) => { $key };
    (@key $field:ident) => { stringify!($field) };
    ($($(#[$meta:meta])* $vis:vis struct $name:ident $(<$life:lifetime>)? {
        $($(#[$about:meta])* $seen:vis $field:ident: $type:ty $(= $key:literal)?,)*
    })+) => {$(
        $(#[$meta])*
        $vis struct $name $(<$life>)? {
            $($(#[$about])* $seen $field: $type,)*
        }

        impl<'a> $crate::members::Members<'a> for $name $(<$life>)? {
            fn read(object: &'a str) -> Option<Self> {
                let keys = [$(members!(@key $field $($key)?)),*];
                let [$($field),*] = $crate::members::find(object, &keys)?;
                Some(Self { $($field: $crate::members::member($field)?,)* })
            }
        }
    )+};
}

/// A struct of some members of an object.
pub(crate) trait Members<'a>: Sized {
    /// Reads it from an object without white space in front. `None` when it is none, when it has
    /// one of the members twice, or when one is not what its type says.
    fn read(object: &'a str) -> Option<Self>;
}

/// The type of a member.
pub(crate) trait Member<'a>: Sized {
    /// `None` when the value is something else.
    fn read(raw: &'a RawValue) -> Option<Self>;

    /// What it is when the object does not have it; `None` when it must.
    fn absent() -> Option<Self> {
        None
    }
}

/// Null is the same as none.
impl<'a, T: Member<'a>> Member<'a> for Option<T> {
    fn read(raw: &'a RawValue) -> Option<Self> {
        match raw.get() {
            "null" => Some(None),
            _ => T::read(raw).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<'a> Member<'a> for &'a RawValue {
    fn read(raw: &'a RawValue) -> Option<Self> {
        Some(raw)
    }
}

impl<'a> Member<'a> for Cow<'a, str> {
    fn read(raw: &'a RawValue) -> Option<Self> {
        text(raw)
    }
}

/// Of a whole number, as its text is written: `1.0` is none.
impl Member<'_> for u64 {
    fn read(raw: &RawValue) -> Option<Self> {
        raw.get().parse().ok()
    }
}

impl Member<'_> for f64 {
    fn read(raw: &RawValue) -> Option<Self> {
        raw.get().parse().ok()
    }
}

impl Member<'_> for f32 {
    fn read(raw: &RawValue) -> Option<Self> {
        raw.get().parse().ok()
    }
}

impl<'a, T: Member<'a>> Member<'a> for Vec<T> {
    fn read(raw: &'a RawValue) -> Option<Self> {
        array(raw.get())?.into_iter().map(T::read).collect()
    }
}

impl<'a, T: Members<'a>> Member<'a> for T {
    fn read(raw: &'a RawValue) -> Option<Self> {
        Members::read(raw.get())
    }
}

/// What the macro makes of a member that was found, or not.
pub(crate) fn member<'a, T: Member<'a>>(found: Option<&'a RawValue>) -> Option<T> {
    found.map_or_else(T::absent, T::read)
}

/// The members of these keys, in the order of the keys.
pub(crate) fn find<'a, const COUNT: usize>(
    object: &'a str,
    keys: &[&str; COUNT],
) -> Option<[Option<&'a RawValue>; COUNT]> {
    let mut found = [None; COUNT];
    fill(object, keys, &mut found).then_some(found)
}

fn fill<'a>(object: &'a str, keys: &[&str], found: &mut [Option<&'a RawValue>]) -> bool {
    // An array would be read as well.
    let mut json = serde_json::Deserializer::from_str(object);
    object.starts_with('{')
        && json.deserialize_map(Finder { keys, found }).is_ok()
        && json.end().is_ok()
}
struct Finder<'f, 'a> {
    keys: &'f [&'f str],
    found: &'f mut [Option<&'a RawValue>],
}

impl<'a> Visitor<'a> for Finder<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            let at = self.keys.iter().position(|wanted| *wanted == key);
            let Some(slot) = at.and_then(|at| self.found.get_mut(at)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if slot.replace(map.next_value()?).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    members! {
        #[derive(Debug, PartialEq)]
        struct Outer<'a> {
            count: Option<u64>,
            kind: Option<Cow<'a, str>> = "type",
            share: Option<f64>,
            inner: Option<Inner>,
        }

        #[derive(Debug, PartialEq)]
        struct Inner {
            needed: u64,
        }
    }

    fn read(text: &str) -> Option<Outer<'_>> {
        Members::read(text)
    }

    #[test]
    fn members_are_read_by_their_type() {
        let text =
            r#"{"x":[{"type":1}],"inner":{"needed":1},"type":"a\n","c\u006funt":3,"share":-1e3} "#;
        let (kind, inner) = (Some("a\n".into()), Some(Inner { needed: 1 }));
        let expected = Outer { count: Some(3), kind, share: Some(-1e3), inner };
        assert_eq!(read(text), Some(expected));
        let none = Outer { count: None, kind: None, share: None, inner: None };
        assert_eq!(read(r#"{"count":null,"inner":null}"#), Some(none));
    }

    #[test]
    fn what_is_something_else_is_not_read() {
        for bad in [
            "",
            "[1,\"a\",2.0,{\"needed\":1}]",
            "{\"count\":1",
            "{\"count\":1} x",
            "{\"count\":1.0}",
            "{\"count\":-1}",
            "{\"count\":\"1\"}",
            "{\"type\":1}",
            "{\"share\":\"inf\"}",
            "{\"count\":1,\"count\":1}",
            "{\"inner\":{}}",
            "{\"inner\":[1]}",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}

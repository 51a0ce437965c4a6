//! What becomes of single keywords, and what is refused.

use super::*;

fn clean(schema: &str) -> Result<Vec<u8>, Error> {
    super::clean(schema, &mut { MAX_WORK })
}

#[test]
fn schemas_are_put_into_geminis_form() {
    for (schema, expected) in [
        (
            r#"{"$schema":"x","type":"object","additionalProperties":false,"properties":{"a":{"type":"string","$id":"y"}},"required":["a"]}"#,
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#,
        ),
        // A property may have the name of a keyword.
        (
            r#"{"type":"object","properties":{"$ref":{"type":"string"},"additionalProperties":{"type":"integer"}}}"#,
            r#"{"type":"object","properties":{"$ref":{"type":"string"},"additionalProperties":{"type":"integer"}}}"#,
        ),
        (
            r##"{"type":"array","items":{"$ref":"#/$defs/A","description":"own"},"$defs":{"A":{"type":"string","description":"other"}}}"##,
            r#"{"type":"array","items":{"description":"own","type":"string"}}"#,
        ),
        (
            r##"{"$ref":"#/definitions/a~1b","definitions":{"a/b":{"type":"string"}}}"##,
            r#"{"type":"string"}"#,
        ),
        // A tree holds itself.
        (
            r##"{"$ref":"#/$defs/T","$defs":{"T":{"type":"object","properties":{"l":{"$ref":"#/$defs/T"},"v":{"type":"string"}}}}}"##,
            r#"{"type":"object","properties":{"l":{"type":"object"},"v":{"type":"string"}}}"#,
        ),
        // The same type in two places is no tree.
        (
            r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/S"},"b":{"$ref":"#/$defs/S"}},"$defs":{"S":{"type":"string"}}}"##,
            r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}"#,
        ),
        (r##"{"$ref":"#"}"##, r#"{"type":"object"}"#),
        (
            r#"{"anyOf":[{"type":"integer","title":"i"},{"type":"null"}],"title":"t"}"#,
            r#"{"title":"t","nullable":true,"type":"integer"}"#,
        ),
        (
            r#"{"oneOf":[{"type":"integer"},{"type":"string"},{"type":"null"}]}"#,
            r#"{"nullable":true,"anyOf":[{"type":"integer"},{"type":"string"}]}"#,
        ),
        (
            r##"{"allOf":[{"$ref":"#/$defs/A"},{"properties":{"b":{"type":"string"}},"required":["b","a"]}],"$defs":{"A":{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}}}"##,
            r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a","b"]}"#,
        ),
        (
            r#"{"type":["string","null"],"minLength":1}"#,
            r#"{"minLength":1,"nullable":true,"type":"string"}"#,
        ),
        (
            r#"{"type":["string","array"],"items":{"type":"string"}}"#,
            r#"{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}"#,
        ),
        (r#"{"const":"x"}"#, r#"{"enum":["x"],"type":"string"}"#),
        (r#"{"const":3}"#, r#"{"type":"number","description":"One of: 3."}"#),
        (r#"{"enum":["x",1]}"#, r#"{"type":"string","description":"One of: \"x\", 1."}"#),
        (r#"{"type":["string","string"]}"#, r#"{"type":"string"}"#),
        // Gemini refuses arrays without items, and required properties that there are not.
        (r#"{"type":"array"}"#, r#"{"type":"array","items":{"type":"string"}}"#),
        (
            r#"{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}]}"#,
            r#"{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"string"}]}}"#,
        ),
        (
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["b","a"]}"#,
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#,
        ),
        (r#"{"type":"object","required":["b"]}"#, r#"{"type":"object"}"#),
        (r#"{"enum":["a",null]}"#, r#"{"enum":["a"],"nullable":true,"type":"string"}"#),
        (
            r#"{"type":"integer","enum":[1,2],"description":"Size."}"#,
            r#"{"type":"integer","description":"Size. One of: 1, 2."}"#,
        ),
        (r#"{"type":"array","items":true}"#, r#"{"type":"array","items":{}}"#),
        (
            r#"{"type":"number","exclusiveMinimum":0,"minimum":1.50,"format":"float","pattern":"^a\\d"}"#,
            r#"{"type":"number","minimum":1.50,"format":"float","pattern":"^a\\d"}"#,
        ),
        ("{}", "{}"),
    ] {
        let cleaned = clean(schema).map(|out| String::from_utf8(out).unwrap());
        assert_eq!(cleaned.as_deref(), Ok(expected), "{schema}");
    }
}

#[test]
fn what_never_ends_is_refused() {
    let nested =
        |depth: usize| "{\"type\":\"array\",\"items\":".repeat(depth) + "{}" + &"}".repeat(depth);
    assert!(clean(&nested(30)).is_ok());
    assert!(clean(&nested(40)).is_err());
    assert!(clean(&nested(50_000)).is_err());
    assert!(clean(&("{\"allOf\":[".repeat(40) + "{}" + &"]}".repeat(40))).is_err());
    // Each definition holds the next one ten times.
    let definition = |n: usize| {
        let next = format!("{{\"$ref\":\"#/$defs/d{}\"}}", n + 1);
        let properties: Vec<String> = (0..10).map(|at| format!("\"p{at}\":{next}")).collect();
        format!("\"d{n}\":{{\"properties\":{{{}}}}}", properties.join(","))
    };
    let definitions: Vec<String> = (0..12).map(definition).collect();
    let bomb =
        format!("{{\"$ref\":\"#/$defs/d0\",\"$defs\":{{{},\"d12\":{{}}}}}}", definitions.join(","));
    assert!(clean(&bomb).unwrap_err().message.contains("too large"));
    for bad in [r##"{"$ref":"#/$defs/A"}"##, r#"{"$ref":"https://example.org/a"}"#, "3", "true"] {
        assert!(clean(bad).is_err(), "{bad}");
    }
    assert!(clean(r#"{"type":"object","type":"array"}"#).is_err());
}

#[test]
fn what_a_client_repeats_is_not_copied_each_time() {
    let items = format!(r#"{{"type":"string","description":"{}"}}"#, "x".repeat(100_000));
    let types = vec!["\"array\""; 10_000].join(",");
    let out = clean(&format!(r#"{{"type":[{types}],"items":{items}}}"#)).unwrap();
    assert!(out.len() < 200_000, "{}", out.len());
    let properties: Vec<_> = (0..900).map(|n| format!(r#""p{n}":{{"type":"string"}}"#)).collect();
    let empty = vec![r#"{"properties":{}}"#; 5000].join(",");
    let joined = format!(r#"{{"properties":{{{}}},"allOf":[{empty}]}}"#, properties.join(","));
    assert!(clean(&joined).is_err(), "it takes too much work");
}

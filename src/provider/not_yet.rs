//! Portkey's providers that are not in the table yet.

/// Slug and reason of each, sorted by slug. The reason goes on after "not supported yet: ".
pub const NOT_YET: &[(&str, &str)] = &[
    ("palm", "Google has switched it off"),
    ("portkey", "it is the control plane of the hosted gateway, which this one does without"),
];

/// Why there is no row of that slug; `None` for a row and for what nobody knows.
pub fn reason(slug: &str) -> Option<&'static str> {
    let at = NOT_YET.binary_search_by(|(known, _)| (*known).cmp(slug)).ok()?;
    NOT_YET.get(at).map(|(_, reason)| *reason)
}

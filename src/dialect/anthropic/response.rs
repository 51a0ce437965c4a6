//! Being written.
use super::super::{Context, Facts};
use crate::error::Error;

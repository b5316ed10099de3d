//! Holds nothing: the measurements are the bench targets.

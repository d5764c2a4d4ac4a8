//! Integration tests: one binary, so that the house is linked once. A module per capability.

mod support;

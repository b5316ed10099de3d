//! One binary for all whole-product tests.

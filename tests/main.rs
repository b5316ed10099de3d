//! One binary for all whole-product tests.

mod architecture;

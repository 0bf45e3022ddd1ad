//! Certificates by ACME as plain data: who issues, how control over names is proven, what is remembered of both.

mod authority;

pub use authority::{Authority, ChallengeType, Window};

//! What is looked at before an authority is asked, so that no order is wasted.

pub mod caa;

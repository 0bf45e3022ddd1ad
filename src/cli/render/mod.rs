//! Rendering: from plain values to text, once, at the edge.

mod actions;
mod attributes;
mod paint;
mod plan;

pub use actions::describe;
pub use paint::Paint;
pub use plan::PlanText;

//! Rendering: from plain values to text, once, at the edge.

mod actions;
mod attributes;
mod details;
mod diagnostics;
mod outputs;
mod paint;
mod plan;
mod plan_json;
mod table;

pub use actions::describe;
pub use diagnostics::{compact, condensed, diagnostics_json};
pub use outputs::output_value;
pub use paint::Paint;
pub use plan::PlanText;
pub use plan_json::plan_json;
pub use table::table;

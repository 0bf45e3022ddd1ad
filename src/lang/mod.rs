//! The language: HCL's native syntax and Terraform's expressions.
//!
//! [`syntax`] turns text into structures with exact places, [`eval`] turns an expression into a value, asking a
//! [`Scope`] for what its names mean, [`references`] says which names those are, [`type_expr`] reads a type constraint.

mod environment;
pub mod eval;
pub mod functions;
mod reference;
mod scope;
pub mod syntax;
mod type_expr;
mod work;

pub use environment::{Environment, NoEnvironment};
pub use eval::{eval, eval_template};
pub use reference::{Access, Reference, Step, references};
pub use scope::{NoScope, Resolved, Scope};
pub use syntax::Source;
pub use type_expr::type_expr;
pub use work::{Meter, TOO_MUCH_WORK, Work, too_much_work};

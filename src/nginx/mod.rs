//! nginx's configuration language: written through typed templates, read through its own grammar. Pure.
//!
//! | module | what |
//! |---|---|
//! | `param` | values that templates may hold, and how each is written |
//! | `template` | the templates |
//! | `syntax` | the tokenizer and the tree of directives |
//! | `snippet` | the allow list for an administrator's own directives |
//! | `message` | what `nginx -t` says, and back to the configuration |
//! | `foreign` | servers that somebody else configured |
//! | `marker` | the location that says which generation is served |
//! | `base` | files that belong to a node rather than to a site |

pub mod base;
mod foreign;
mod marker;
mod message;
mod param;
mod snippet;
mod syntax;
mod template;

pub use foreign::{Foreign, ForeignServer, Listen, Read, foreign, includes};
pub use marker::{MANIFEST, SITES, marker_file};
pub use message::{NginxMessage, origin, parse_error};
pub use param::{InNginx, Param, Place, Trace};
pub use snippet::{Context, Refusal, allowed, check_snippet};
pub use syntax::{Directive, SyntaxError, parse};
pub use template::{Rendered, Template, render};

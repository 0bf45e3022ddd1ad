//! The Compose stacks that come with vsa: the files of `stacks/`, as they were when it was built.

use include_dir::{Dir, include_dir};

use crate::resource::{Leaf, Tree};

static STACKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/stacks");

/// What a source begins with that names a stack which comes with vsa.
pub const SCHEME: &str = "vsa://";

/// Where the templates are: stacks to begin one's own with.
const TEMPLATES: &str = "templates";

/// The names of the stacks that a source may name as they are.
pub fn stacks() -> impl Iterator<Item = &'static str> {
    names(&STACKS).filter(|name| *name != TEMPLATES)
}

/// The names of the templates.
pub fn templates() -> impl Iterator<Item = &'static str> {
    STACKS.get_dir(TEMPLATES).into_iter().flat_map(names)
}

/// The files of a stack; `None` where there is none of this name.
pub fn stack(name: &str) -> Option<Tree> {
    stacks().find(|known| *known == name).and_then(|name| STACKS.get_dir(name)).map(tree)
}

/// The files of a template; `None` where there is none of this name.
pub fn template(name: &str) -> Option<Tree> {
    let name = templates().find(|known| *known == name)?;
    STACKS.get_dir(format!("{TEMPLATES}/{name}")).map(tree)
}

fn names(directory: &Dir<'static>) -> impl Iterator<Item = &'static str> {
    directory.dirs().filter_map(|directory| directory.path().file_name()?.to_str())
}

fn tree(top: &Dir<'static>) -> Tree {
    let mut tree = Tree::new();
    let mut pending = vec![top];
    while let Some(directory) = pending.pop() {
        pending.extend(directory.dirs());
        for file in directory.files() {
            let inside = file.path().strip_prefix(top.path()).unwrap_or(file.path());
            let leaf = Leaf { bytes: file.contents().into(), executable: false };
            tree.insert(inside.to_string_lossy().into(), leaf);
        }
    }
    tree
}

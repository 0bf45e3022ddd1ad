//! Names and texts of Compose projects.

use super::{Invalid, bounded, one_line, only};

super::text_type! {
    /// A service of a Compose project.
    ServiceName, "service name", "letters, digits, `_`, `.` and `-`, beginning with a letter or digit, up to 63",
    ["web", "db"], service
}

super::text_type! {
    /// The name of a container.
    ContainerName, "container name", "letters, digits, `_`, `.` and `-`, beginning with a letter or digit, up to 63",
    ["reverse-proxy", "blog_web_1"], service
}

super::text_type! {
    /// The name of a network of Docker's.
    NetworkLabel, "network name", "letters, digits, `_`, `.` and `-`, beginning with a letter or digit, up to 63",
    ["flowbiz_ext"], service
}

super::text_type! {
    /// The name of a label of Docker's. Those of Docker, Compose and vsa are not to be set.
    LabelName, "label name", "lower-case letters, digits, `.`, `_`, `-` and `/`, up to 128; not `vsa.…`, nor \
     `com.docker.…`, `io.docker.…` and `org.dockerproject.…`",
    ["com.example.team"], label
}

super::text_type! {
    /// The value of a label.
    LabelValue, "label value", "one line, up to 1024 bytes", ["shop"], label_value
}

super::text_type! {
    /// A variable of a Compose project's environment.
    VariableName, "variable name", "letters, digits and `_`, not beginning with a digit, up to 256", ["DATABASE_PASSWORD"],
    variable
}

super::text_type! {
    /// The value of a variable, on one line, as Compose tools of all versions read it back.
    VariableValue, "variable value", "one line, up to 16384 bytes, without `${`", ["info"], variable_value
}

super::text_type! {
    /// A reference to an image.
    ImageReference, "image", "`[registry/]name[:tag][@sha256:digest]`, up to 512 bytes", ["nginx:1.27", "ghcr.io/acme/shop:2.1"], image
}

super::text_type! {
    /// A file below a directory: names joined by `/`.
    RelativePath, "relative path", "names of files joined by `/`, without `.` and `..`, up to 255 bytes",
    ["config/app.conf"], relative
}

super::text_type! {
    /// Where a stack comes from: a directory, or one that comes with vsa.
    StackSource, "stack source", "a directory, or `vsa://` and the name of a stack that comes with vsa",
    ["./stacks/shop", "vsa://dify"], source
}

super::text_type! {
    /// The text of a file.
    FileText, "text", "without NUL, up to 1 MiB", ["listen = 80"], text
}

/// Docker's guidelines for labels keep these to Docker itself.
const RESERVED_LABELS: [&str; 4] = ["vsa.", "com.docker.", "io.docker.", "org.dockerproject."];

fn label(text: &str) -> Result<String, Invalid> {
    one_line(text, 128)?;
    only(
        text,
        |char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '.' | '_' | '-' | '/'),
        "lower-case letters, digits, `.`, `_`, `-` and `/`",
    )?;
    match RESERVED_LABELS.iter().find(|reserved| text.starts_with(**reserved)) {
        Some(reserved) => Err(Invalid::new(format!("begins with `{reserved}`, which is not yours to set"))),
        None => Ok(text.to_owned()),
    }
}

fn label_value(text: &str) -> Result<String, Invalid> {
    one_line(text, 1024)?;
    Ok(text.to_owned())
}

fn service(text: &str) -> Result<String, Invalid> {
    one_line(text, 63)?;
    only(
        text,
        |char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-'),
        "letters, digits, `_`, `.` and `-`",
    )?;
    if !text.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        return Err(Invalid::new("does not begin with a letter or digit"));
    }
    Ok(text.to_owned())
}

fn variable(text: &str) -> Result<String, Invalid> {
    one_line(text, 256)?;
    only(text, |char| char.is_ascii_alphanumeric() || char == '_', "letters, digits and `_`")?;
    if text.starts_with(|char: char| char.is_ascii_digit()) {
        return Err(Invalid::new("begins with a digit"));
    }
    Ok(text.to_owned())
}

fn variable_value(text: &str) -> Result<String, Invalid> {
    if text.is_empty() {
        return Ok(String::new());
    }
    one_line(text, 16_384)?;
    if text.contains("${") {
        return Err(Invalid::new("contains `${`, which some Compose tools replace even between quotes"));
    }
    Ok(text.to_owned())
}

fn image(text: &str) -> Result<String, Invalid> {
    one_line(text, 512)?;
    only(
        text,
        |char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-' | '/' | ':' | '@'),
        "letters, digits, `_`, `.`, `-`, `/`, `:` and `@`",
    )?;
    if !text.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        return Err(Invalid::new("does not begin with a letter or digit"));
    }
    Ok(text.to_owned())
}

fn relative(text: &str) -> Result<String, Invalid> {
    one_line(text, 255)?;
    if text.starts_with('/') {
        return Err(Invalid::new("is absolute").help("write it without the leading `/`"));
    }
    if text.split('/').any(|name| name.is_empty() || name == "." || name == "..") {
        return Err(Invalid::new("has an empty name, `.` or `..` in it"));
    }
    Ok(text.to_owned())
}

fn source(text: &str) -> Result<String, Invalid> {
    match text.strip_prefix("vsa://") {
        Some(name) => super::slug::canonical(name).map(|name| format!("vsa://{name}")),
        None if text.contains("://") => Err(Invalid::new("is neither a directory nor a stack of vsa's")
            .help("fetch it into a directory first, and name that")),
        None => super::path::file_path(text),
    }
}

fn text(text: &str) -> Result<String, Invalid> {
    bounded(text, 1 << 20)?;
    if text.contains('\0') {
        return Err(Invalid::new("contains NUL"));
    }
    Ok(text.to_owned())
}

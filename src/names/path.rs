//! Paths: of requests and of files.

use super::{Invalid, one_line, only};

super::text_type! {
    /// The path of a request (RFC 3986, section 3.3) in its decoded form, as nginx compares it.
    UriPath, "path", "begins with `/`; no spaces, `//`, `.` or `..` segments, `?`, `#`; up to 512 bytes",
    ["/", "/admin/"], uri
}

super::text_type! {
    /// The path of a file or directory, without `.` and `..` segments. What a relative one is relative to, the
    /// attribute says.
    FilePath, "file path", "without `.` and `..` segments, `$`, `\"`, `\\` and control characters; up to 1024 bytes",
    ["/srv/acme/www", "www"], file_path
}

super::text_type! {
    /// The name of a file without its directory.
    FileName, "file name", "letters, digits, `.`, `_` and `-`, up to 255", ["index.html"], name
}

impl FilePath {
    /// Whether it begins at the root.
    pub fn is_absolute(&self) -> bool {
        super::Text::as_str(self).starts_with('/')
    }
}

fn uri(text: &str) -> Result<String, Invalid> {
    one_line(text, 512)?;
    if !text.starts_with('/') {
        return Err(Invalid::new("does not begin with `/`").help(format!("did you mean `/{text}`?")));
    }
    let bad = |char: char| {
        char.is_whitespace() || matches!(char, '?' | '#' | '%' | '"' | '\'' | '\\' | '$' | '{' | '}' | ';')
    };
    only(text, |char| !bad(char), "what a path holds once it is decoded")?;
    if text.contains("//") {
        return Err(Invalid::new("contains `//`, which nginx merges before it compares"));
    }
    if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(Invalid::new("has a `.` or `..` segment, which nginx resolves before it compares"));
    }
    Ok(text.to_owned())
}

pub(super) fn file_path(text: &str) -> Result<String, Invalid> {
    one_line(text, 1024)?;
    if let Some(bad) = text.chars().find(|char| matches!(char, '$' | '"' | '\\')) {
        return Err(Invalid::new(format!("contains `{bad}`, which nginx cannot write in a path")));
    }
    if text.split('/').any(|segment| segment == "..") {
        return Err(Invalid::new("has a `..` segment").help("write the path without `..`"));
    }
    let segments: Vec<_> = text.split('/').filter(|segment| !segment.is_empty() && *segment != ".").collect();
    let root = if text.starts_with('/') { "/" } else { "" };
    let path = format!("{root}{}", segments.join("/"));
    Ok(if path.is_empty() { ".".to_owned() } else { path })
}

fn name(text: &str) -> Result<String, Invalid> {
    one_line(text, 255)?;
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
    only(text, allowed, "letters, digits, `.`, `_` and `-`")?;
    if matches!(text, "." | "..") || text.starts_with('-') {
        return Err(Invalid::new("is not the name of a file"));
    }
    Ok(text.to_owned())
}

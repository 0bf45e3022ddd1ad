//! A right value of the same shape as another, and where nginx must show the other in its place.

use super::slots::Slot;

/// A right value that stands nowhere else.
pub struct Twin {
    /// What is written.
    pub text: String,
    /// What of it stands in files, each with what must stand there of the other.
    pub marks: Vec<(String, String)>,
}

impl Twin {
    fn new(text: impl Into<String>, marks: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { text: text.into(), marks: marks.into_iter().collect() }
    }

    /// One that stands in files as it is.
    fn plain(text: String, value: &str) -> Self {
        Self { marks: vec![(text.clone(), value.to_owned())], text }
    }

    /// The twin of a value, which is right, in a slot of this number.
    pub fn of(slot: &Slot, number: usize, value: &str) -> Self {
        let value = slot.canonical(value);
        let address = format!("10.107.{}.{}", number / 100 + 100, number % 100 + 100);
        match slot.ty.name {
            // Nothing of it is written.
            "account" | "mode" | "password" | "password hash" => Self::new(slot.benign(), []),
            // It must be there.
            _ if slot.is_read_by_vsa() => Self::new(value, []),
            // It is another kind of value: no header, the whole site.
            "header value" if value.is_empty() => Self::new("", []),
            "path" if value == "/" => Self::new("/", []),
            "label" | "user name" | "realm" | "name" | "header value" | "policy" => {
                Self::plain(format!("twin{number:03}"), &value)
            }
            "header name" => Self::plain(format!("X-Twin-{number:03}"), &value),
            "host name" | "certificate name" => Self::plain(format!("twin{number:03}.example"), &value),
            "file name" => Self::plain(format!("twin{number:03}.html"), &value),
            "path" if value.ends_with('/') => Self::plain(format!("/twin{number:03}/"), &value),
            "path" => Self::plain(format!("/twin{number:03}"), &value),
            "duration" => Self::plain(format!("{}s", 1000 + number), &value),
            "size" => Self::plain(format!("{}k", 1000 + number), &value),
            "rate" => Self::plain(format!("{}r/s", 1000 + number), &value),
            "address range" | "resolver" => Self::plain(address, &value),
            "redirect target" => {
                // The path of the request is put behind it, which begins with a slash.
                let value = value.trim_end_matches('/');
                let text = if value.starts_with('/') {
                    format!("/twin{number:03}")
                } else {
                    format!("https://twin{number:03}.example")
                };
                Self::plain(text, value)
            }
            "upstream address" => Self::of_upstream(number, &address, &value),
            "file path" => {
                // What is the tenant's own is served otherwise than what is not.
                let parent = ["/srv/acme/", "/"].into_iter().find(|parent| value.starts_with(parent));
                Self::plain(format!("{}twin{number:03}", parent.unwrap_or_default()), &value)
            }
            "nginx snippet" => Self::new(Self::snippet(number), []),
            other => panic!("nothing is known of the shape of a {other}"),
        }
    }

    /// The one directive of a snippet's twin: those of the snippet stand in its place.
    pub fn snippet(number: usize) -> String {
        format!("default_type twin{number:03};")
    }

    fn of_upstream(number: usize, address: &str, value: &str) -> Self {
        let (scheme, authority) = value.split_once("://").unwrap();
        if let Some(path) = authority.strip_prefix("unix:") {
            let twin = format!("/twin{number:03}.sock");
            return Self::new(format!("unix:{twin}"), [(twin, path.to_owned())]);
        }
        let host = authority.rsplit_once(':').unwrap().0;
        let is_name = host != "localhost" && host.contains(|char: char| char.is_ascii_alphabetic());
        let is_name = is_name && !host.starts_with('[');
        let twin = if is_name { format!("twin{number:03}.example") } else { address.to_owned() };
        let port = 20_000 + number;
        Self::new(
            format!("{scheme}://{twin}:{port}"),
            [(format!("{twin}:{port}"), authority.to_owned()), (twin, host.to_owned())],
        )
    }
}

//! The marker: a location that says which generation nginx serves.

use crate::plan::file::File;
use crate::plan::node::NodeSpec;

/// The name of a generation's manifest, beside the files that nginx reads.
pub const MANIFEST: &str = "manifest.json";

/// The directory of a generation's site files: nginx reads each `*.conf` in it.
pub const SITES: &str = "sites";

/// The marker's file for a generation. Only loopback may read it: `return` would run before `allow` and `deny`, so
/// that it stands behind a `try_files` of its own, of a file that nginx remembers not to be there.
pub fn marker_file(spec: &NodeSpec, number: u64, token: &str) -> File {
    let text = format!(
        "server {{\n    listen {port};\n    server_name {host};\n    access_log off;\n\n    location / {{\n        \
         allow 127.0.0.1;\n        allow ::1;\n        deny all;\n        open_file_cache max=1;\n        \
         open_file_cache_errors on;\n        try_files /.never @marker;\n    }}\n\n    \
         location @marker {{\n        default_type text/plain;\n        return 200 \"{number} {token}\";\n    }}\n}}\n",
        port = spec.http_port,
        host = spec.marker_host(),
    );
    File::text("base/marker.conf", text)
}

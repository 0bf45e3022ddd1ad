//! What an administrator may add: each allowed directive works in a site that vsa writes.

use std::fmt::Write as _;

use vsa::nginx::{Context, allowed, check_snippet};

use crate::support::Workspace;

/// A right value of a directive; most are switches.
fn value(directive: &str) -> &'static str {
    match directive {
        "aio" => "threads",
        "charset" | "source_charset" => "utf-8",
        "charset_types" | "sub_filter_types" => "text/css",
        "client_body_buffer_size"
        | "client_header_buffer_size"
        | "proxy_buffer_size"
        | "proxy_busy_buffers_size"
        | "proxy_temp_file_write_size" => "16k",
        "client_body_timeout"
        | "client_header_timeout"
        | "keepalive_timeout"
        | "lingering_time"
        | "lingering_timeout"
        | "proxy_next_upstream_timeout"
        | "send_timeout"
        | "open_file_cache_valid" => "30s",
        "default_type" => "text/plain",
        "directio" => "4m",
        "directio_alignment" | "connection_pool_size" => "512",
        "gunzip_buffers" | "gzip_buffers" | "output_buffers" => "32 4k",
        "gzip_comp_level" => "6",
        "gzip_disable" => "\"msie6\"",
        "gzip_http_version" => "1.1",
        "gzip_min_length" | "limit_rate" | "limit_rate_after" | "postpone_output" | "proxy_limit_rate"
        | "read_ahead" | "send_lowat" | "slice" => "1k",
        "gzip_proxied" => "any",
        "if_modified_since" => "exact",
        "keepalive_disable" => "msie6",
        "keepalive_requests" | "open_file_cache_min_uses" | "proxy_next_upstream_tries" => "100",
        "large_client_header_buffers" | "proxy_buffers" => "8 16k",
        "lingering_close" | "override_charset" => "on",
        "max_ranges" => "1",
        "open_file_cache" => "max=1000 inactive=20s",
        "proxy_cookie_flags" => "one httponly",
        "proxy_cookie_path" => "/one/ /",
        "proxy_ignore_headers" => "X-Accel-Expires",
        "proxy_max_temp_file_size" => "1m",
        "proxy_next_upstream" => "error timeout",
        "proxy_pass_header" => "Server",
        "request_pool_size" => "4k",
        "sendfile_max_chunk" => "2m",
        "sub_filter" => "one two",
        "types_hash_bucket_size" => "64",
        "types_hash_max_size" => "1024",
        _ => "off",
    }
}

fn snippet(context: Context) -> String {
    allowed(context).fold(String::new(), |mut text, directive| {
        let _ = writeln!(text, "{directive} {};", value(directive));
        text
    })
}

#[test]
fn each_allowed_directive_works_where_it_is_allowed() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    let (server, location) = (snippet(Context::Server), snippet(Context::Location));
    assert!(
        check_snippet(&server, Context::Server).is_ok()
            && check_snippet(&location, Context::Location).is_ok()
    );
    workspace.write(
        "main.hcl",
        format!(
            "tenant \"acme\" {{}}\ndomain \"a.example.com\" {{
  tenant = tenant.acme
  upstream {{
    address = \"127.0.0.1:9000\"
  }}
  tls {{
    enabled = false
  }}
  extra_config = <<-END
{server}  END
  location \"/below/\" {{
    extra_config = <<-END
{location}    END
  }}
}}
"
        ),
    );
    drop(workspace.vsa(["plan"]).code(0).says("nginx accepts"));
}

#[test]
fn what_can_only_fail_is_refused_with_the_way_that_works() {
    let refused = check_snippet("gzip_comp_level 9;\n", Context::Server).unwrap_err();
    assert_eq!(
        refused[0].reason,
        "`gzip_comp_level` is set for all sites already, and nginx takes it once in a server"
    );
    assert!(refused[0].help.unwrap().contains("`location`"));
}

//! The allow list for an administrator's own directives.
//!
//! A snippet may tune what vsa wrote. It may not read or write other files, run code, change who is served,
//! or open a block: those are the business of attributes that vsa understands.

use super::syntax::{Directive, SyntaxError, parse};

/// Where a snippet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Directly in a server.
    Server,
    /// In a location.
    Location,
}

/// Why a snippet is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The line of the snippet, from 1.
    pub line: u32,
    /// What is wrong.
    pub reason: String,
    /// What to do instead, where there is something.
    pub help: Option<&'static str>,
}

impl From<SyntaxError> for Refusal {
    fn from(error: SyntaxError) -> Self {
        Self { line: error.line, reason: error.reason, help: None }
    }
}

/// Directives that may stand in a server and in a location.
const ALLOWED: &[&str] = &[
    "absolute_redirect",
    "aio",
    "aio_write",
    "charset",
    "charset_types",
    "chunked_transfer_encoding",
    "client_body_buffer_size",
    "client_body_timeout",
    "default_type",
    "directio",
    "directio_alignment",
    "etag",
    "gunzip",
    "gunzip_buffers",
    "gzip_buffers",
    "gzip_comp_level",
    "gzip_disable",
    "gzip_http_version",
    "gzip_min_length",
    "gzip_proxied",
    "gzip_static",
    "if_modified_since",
    "keepalive_disable",
    "keepalive_requests",
    "keepalive_timeout",
    "lingering_close",
    "lingering_time",
    "lingering_timeout",
    "limit_rate",
    "limit_rate_after",
    "log_not_found",
    "max_ranges",
    "msie_padding",
    "open_file_cache",
    "open_file_cache_errors",
    "open_file_cache_min_uses",
    "open_file_cache_valid",
    "output_buffers",
    "override_charset",
    "port_in_redirect",
    "postpone_output",
    "proxy_buffer_size",
    "proxy_buffering",
    "proxy_buffers",
    "proxy_busy_buffers_size",
    "proxy_cookie_domain",
    "proxy_cookie_flags",
    "proxy_cookie_path",
    "proxy_force_ranges",
    "proxy_ignore_client_abort",
    "proxy_ignore_headers",
    "proxy_intercept_errors",
    "proxy_limit_rate",
    "proxy_max_temp_file_size",
    "proxy_next_upstream",
    "proxy_next_upstream_timeout",
    "proxy_next_upstream_tries",
    "proxy_pass_header",
    "proxy_redirect",
    "proxy_request_buffering",
    "proxy_socket_keepalive",
    "proxy_temp_file_write_size",
    "read_ahead",
    "recursive_error_pages",
    "reset_timedout_connection",
    "send_lowat",
    "send_timeout",
    "sendfile",
    "sendfile_max_chunk",
    "server_name_in_redirect",
    "slice",
    "source_charset",
    "sub_filter",
    "sub_filter_last_modified",
    "sub_filter_once",
    "sub_filter_types",
    "tcp_nodelay",
    "tcp_nopush",
    "types_hash_bucket_size",
    "types_hash_max_size",
];

/// Directives that vsa sets in each server that compresses: nginx takes each once. A location may set them anew.
const SET_IN_SERVER: &[&str] = &["gzip_comp_level", "gzip_min_length", "gzip_proxied"];

/// Directives that only a server takes.
const SERVER_ONLY: &[&str] = &[
    "client_header_buffer_size",
    "client_header_timeout",
    "large_client_header_buffers",
    "request_pool_size",
    "connection_pool_size",
];

/// Directives that have an attribute of their own.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("access_log", "use the attribute `access_log`"),
    ("add_header", "use the attribute `headers`; an `add_header` here would drop the security headers"),
    ("allow", "use the attribute `allow`"),
    ("auth_basic", "use the attribute `auth`"),
    ("auth_basic_user_file", "use the attribute `auth`"),
    ("client_max_body_size", "use the attribute `body_size`"),
    ("deny", "use the attribute `deny`"),
    ("error_log", "use the attribute `error_log`"),
    ("gzip", "use the attribute `gzip`"),
    ("include", "write the directives themselves; files are not read from here"),
    ("ignore_invalid_headers", "headers of other names could pass for those that vsa sets"),
    ("index", "use the attribute `index`"),
    ("limit_req", "use the block `rate_limit`"),
    ("listen", "use `proxy { http_port, https_port }` of the node"),
    ("location", "use the block `location`"),
    ("merge_slashes", "paths with `//` would pass by the passwords of locations"),
    ("proxy_connect_timeout", "use the block `timeouts`"),
    ("proxy_hide_header", "use the attribute `headers` with an empty value"),
    ("proxy_pass", "use the block `upstream`"),
    ("proxy_read_timeout", "use the block `timeouts`"),
    ("proxy_send_timeout", "use the block `timeouts`"),
    ("proxy_set_header", "use the attribute `proxy_headers`"),
    ("return", "use the block `redirect`; a `return` here runs before passwords are asked for"),
    ("rewrite", "use the block `redirect`; a `rewrite` here runs before passwords are asked for"),
    ("root", "use the attribute `root`"),
    ("server_name", "use the attribute `aliases`"),
    ("try_files", "use the attribute `spa`"),
    ("underscores_in_headers", "an `X_Forwarded_For` could pass for the header that vsa sets"),
];

/// The directives that a snippet may hold.
pub fn allowed(context: Context) -> impl Iterator<Item = &'static str> {
    let in_server = context == Context::Server;
    let both = ALLOWED.iter().filter(move |name| !in_server || !SET_IN_SERVER.contains(name));
    both.chain(SERVER_ONLY.iter().filter(move |_| in_server)).copied()
}

/// Checks a snippet: nginx's grammar, and directives of the allow list without blocks. All refusals at once.
pub fn check_snippet(text: &str, context: Context) -> Result<(), Vec<Refusal>> {
    let directives = parse(text).map_err(|error| vec![error.into()])?;
    let refusals: Vec<_> = directives.iter().filter_map(|directive| refusal(directive, context)).collect();
    if refusals.is_empty() { Ok(()) } else { Err(refusals) }
}

fn refusal(directive: &Directive, context: Context) -> Option<Refusal> {
    let name = directive.name.as_str();
    let refuse = |reason: String, help| Some(Refusal { line: directive.line, reason, help });
    if let Some((_, help)) = ATTRIBUTES.iter().find(|(attribute, _)| *attribute == name) {
        return refuse(format!("`{name}` may not stand in `extra_config`"), Some(*help));
    }
    if directive.block.is_some() {
        return refuse(format!("`{name}` opens a block, which `extra_config` may not"), None);
    }
    if directive.args.iter().any(|arg| arg.contains('\n')) {
        return refuse(format!("`{name}` has a parameter of several lines"), None);
    }
    if SERVER_ONLY.contains(&name) {
        return match context {
            Context::Server => None,
            Context::Location => refuse(
                format!("`{name}` may not stand in a location"),
                Some("write it into the `extra_config` of the domain"),
            ),
        };
    }
    if context == Context::Server && SET_IN_SERVER.contains(&name) {
        return refuse(
            format!("`{name}` is set for all sites already, and nginx takes it once in a server"),
            Some("write it into the `extra_config` of a `location`, such as `location \"/\"`"),
        );
    }
    if ALLOWED.contains(&name) {
        return None;
    }
    let nearest = crate::diag::nearest(name, ALLOWED.iter().copied());
    let reason = match nearest {
        Some(nearest) => {
            format!("`{name}` is not a directive that `extra_config` may hold; did you mean `{nearest}`?")
        }
        None => format!("`{name}` is not a directive that `extra_config` may hold"),
    };
    refuse(reason, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_is_allowed_and_escape_is_not() {
        assert_eq!(
            check_snippet("proxy_buffering off;\n# why\nsub_filter 'a;b' \"c}\";", Context::Location),
            Ok(())
        );
        for bad in [
            "include /etc/passwd;",
            "} server { listen 81;",
            "location / { proxy_pass http://x; }",
            "proxy_buffering off",
            "alias /etc/;",
            "return 200 x;",
            "if ($x) { set $y 1; }",
            "content_by_lua_block { os.execute('x') }",
            "ssl_certificate /x;",
            "perl_set $x 'sub {}';",
            "load_module x.so;",
            "merge_slashes off;",
            "underscores_in_headers on;",
            "ignore_invalid_headers off;",
            "alias /;",
            "auth_basic off;",
            "satisfy any;",
            "allow all;",
            "internal;",
            "access_log /etc/cron.d/x;",
            "error_page 401 =200 /;",
            "proxy_pass http://127.0.0.1:1;",
            "proxy_store on;",
            "proxy_temp_path /tmp;",
            "client_body_temp_path /tmp;",
            "client_body_in_file_only on;",
            "disable_symlinks off;",
            "resolver 8.8.8.8;",
            "set $vsa_upstream 127.0.0.1:1;",
            "set_real_ip_from 0.0.0.0/0;",
            "real_ip_header X-Forwarded-For;",
            "ssl_verify_client off;",
            "ssl_reject_handshake off;",
            "proxy_ssl_verify off;",
            "fastcgi_pass unix:/run/php.sock;",
            "uwsgi_pass unix:/x;",
            "dav_methods PUT DELETE;",
            "autoindex on;",
            "stub_status;",
            "mirror /x;",
            "auth_request off;",
            "js_content x;",
            "lua_code_cache off;",
            "env PATH;",
            "user root;",
            "types { }",
            "limit_req_dry_run on;",
            "limit_except GET { deny all; }",
        ] {
            for context in [Context::Server, Context::Location] {
                assert!(check_snippet(bad, context).is_err(), "{bad}");
            }
        }
    }
}

//! Every feature that a site can have, as a linter of nginx files sees it.

use std::fmt::Write as _;

use crate::support::Workspace;
use crate::support::judges::{Directive, Finding, crossplane, gixy};

/// A feature: the site that has it, what its block holds, and a directive that nginx then reads in its file.
struct Feature {
    name: &'static str,
    body: &'static str,
    written: &'static str,
}

const fn feature(name: &'static str, body: &'static str, written: &'static str) -> Feature {
    Feature { name, body, written }
}

const PROXIED: &str = "upstream {\n    address = \"127.0.0.1:9000\"\n  }\n";

/// What has no `upstream`, `root` or `redirect` of its own is proxied.
const FEATURES: &[Feature] = &[
    feature("tls", "", "server > ssl_certificate"),
    feature("http", "tls {\n    enabled = false\n  }", "server > location > proxy_pass"),
    feature("http-and-tls", "https_redirect = false", "server > ssl_certificate"),
    feature(
        "trusted",
        "tls {\n    certificate = certificate[\"trusted.example.com\"]\n  }",
        "server > add_header",
    ),
    feature("no-gzip", "gzip = false", "server > gzip"),
    feature("websocket", "websocket = true", "server > location > proxy_read_timeout"),
    feature("password", "auth = auth.staff", "server > location > auth_basic"),
    feature("files", "root = \"./www\"", "server > location > root"),
    feature(
        "app",
        "root = \"./www\"\n  spa = true\n  expires = \"1d\"\n  autoindex = true\n  index = [\"a.html\", \"b.html\"]",
        "server > location > try_files",
    ),
    feature("hidden", "root = \"./www\"\n  hidden_files = true", "server > location > root"),
    feature("moved", "redirect {\n    to = \"https://b.example\"\n  }", "server > location > if > return"),
    feature(
        "moved-for-good",
        "redirect {\n    to            = \"https://b.example/new\"\n    status        = 308\n    preserve_path = false\n  }",
        "server > location > return",
    ),
    feature(
        "moved-behind-a-password",
        "auth = auth.staff\n  redirect {\n    to = \"https://b.example\"\n  }",
        "server > location > try_files",
    ),
    feature(
        "limited",
        "rate_limit {\n    rate  = \"5r/s\"\n    burst = 5\n    key   = \"site\"\n  }",
        "limit_req_zone",
    ),
    feature("unlimited", "rate_limit {\n    enabled = false\n  }", "server > location > proxy_pass"),
    feature("allowed", "allow = [\"10.0.0.0/8\"]", "server > location > allow"),
    feature("denied", "deny = [\"10.0.0.1\"]", "server > location > deny"),
    feature(
        "either",
        "allow   = [\"10.0.0.0/8\"]\n  auth    = auth.staff\n  satisfy = \"any\"",
        "server > location > satisfy",
    ),
    feature("policy", "csp {\n    policy = \"default-src 'self'\"\n  }", "map"),
    feature("reported", "csp {\n    report_only = true\n  }", "map"),
    feature("no-policy", "csp {\n    enabled = false\n  }", "server > add_header"),
    feature(
        "framed",
        "security_headers {\n    frame_options        = \"SAMEORIGIN\"\n    content_type_options = false\n    \
         referrer_policy      = \"no-referrer\"\n    permissions_policy   = \"camera=()\"\n  }",
        "map",
    ),
    feature(
        "maintained",
        "maintenance = true\n  headers = {\n    X-Robots-Tag = \"noindex\"\n  }",
        "server > location > try_files",
    ),
    feature("tuned", "extra_config = \"proxy_buffers 8 16k;\"", "server > proxy_buffers"),
    feature("headers", "headers = {\n    X-Robots-Tag = \"noindex\"\n  }", "server > add_header"),
    feature(
        "upstream-headers",
        "proxy_headers = {\n    X-Site = \"$server_name\"\n  }",
        "server > location > proxy_set_header",
    ),
    feature("large", "body_size = \"0\"", "server > client_max_body_size"),
    feature(
        "slow",
        "timeouts {\n    connect = \"5s\"\n    read    = \"10m\"\n    send    = \"10m\"\n  }",
        "server > location > proxy_send_timeout",
    ),
    feature(
        "logged",
        "access_log = \"own\"\n  log_format = \"json\"\n  error_log  = \"own\"",
        "server > access_log",
    ),
    feature("not-logged", "access_log = \"off\"", "server > access_log"),
    feature("aliased", "aliases = [\"other.example.com\"]", "server > location > return"),
    feature("served", "aliases = [\"same.example.com\"]\n  alias_mode = \"serve\"", "server > server_name"),
    feature("kept", "upstream {\n    address   = \"127.0.0.1:9000\"\n    keepalive = 8\n  }", "upstream"),
    feature(
        "socket",
        "upstream {\n    address = \"unix:/run/app.sock\"\n  }",
        "server > location > proxy_pass",
    ),
    feature(
        "secure",
        "upstream {\n    address  = \"https://127.0.0.1:9443\"\n    tls_name = \"b.example\"\n  }",
        "server > location > proxy_ssl_verify",
    ),
    feature(
        "named",
        "upstream {\n    address     = \"http://app.internal:9000\"\n    host_header = \"b.example\"\n  }",
        "server > location > resolver",
    ),
    feature(
        "locations",
        "location \"/files/\" {\n    root = \"./www\"\n  }\n  location \"/staff/\" {\n    auth         = auth.staff\n    \
         headers      = { X-Part = \"staff\" }\n    extra_config = \"proxy_buffering off;\"\n  }\n  location \"/api/\" {\n    \
         strip_prefix = true\n    upstream {\n      address = \"127.0.0.1:9001\"\n    }\n    rate_limit {\n      rate = \"1r/s\"\n    }\n  }\n  \
         location \"/exact\" {\n    exact = true\n    redirect {\n      to = \"/files/\"\n    }\n  }",
        "server > location > root",
    ),
];

/// A site for each feature, and one of a suspended tenant.
fn configuration(here: &str) -> String {
    let mut text = format!(
        "tenant \"acme\" {{}}\ntenant \"late\" {{\n  status = \"suspended\"\n}}\nauth \"staff\" {{\n  tenant = tenant.acme\n  \
         user \"alice\" {{\n    password = \"correct horse\"\n  }}\n}}\ncertificate \"trusted.example.com\" {{\n  issuer = \"files\"\n  \
         certificate = \"{here}/trusted.pem\"\n  key = \"{here}/trusted.key\"\n}}\n\
         domain \"suspended.example.com\" {{\n  tenant = tenant.late\n  {PROXIED}}}\n"
    );
    for Feature { name, body, .. } in FEATURES {
        let answers = ["upstream {", "root = ", "redirect {"];
        let own = body.split("location \"").next().unwrap_or(body);
        let proxied = if answers.iter().any(|answer| own.contains(answer)) { "" } else { PROXIED };
        writeln!(text, "domain \"{name}.example.com\" {{\n  tenant = tenant.acme\n  {proxied}  {body}\n}}")
            .unwrap();
    }
    text
}

/// Findings that are by design, and why.
fn is_meant(finding: &Finding) -> bool {
    let only = |sites: &[&str]| {
        let names = finding.config.lines().filter_map(|line| line.trim().strip_prefix("server_name "));
        let mut names = names.map(|name| name.trim_end_matches(".example.com;"));
        names.all(|name| sites.contains(&name))
    };
    match finding.plugin.as_str() {
        // Browsers ignore the header on a certificate that they do not trust, and on one that they once trusted it would
        // lock visitors out: it is not sent with self-signed certificates.
        "hsts_header" => !finding.config.contains("trusted.example.com"),
        // It asks for `open_file_cache`, to save looking for the file at each request: a speed, no safety. The cache would
        // go on with files of before a deployment.
        "try_files_is_evil_too" => only(&["app", "maintained", "moved-behind-a-password", "suspended"]),
        // That the upstream sees another path than the client sent is what `strip_prefix` is for. nginx escapes what it
        // had decoded, so nothing of it breaks out of the prefix or the request line: a test in `security` asks for it.
        "proxy_pass_normalized" => only(&["locations"]),
        _ => false,
    }
}

#[test]
fn no_feature_gives_a_linter_something_to_say() {
    let Some(workspace) = Workspace::managed() else { return };
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["trusted.example.com".to_owned()]).unwrap();
    workspace.write("trusted.pem", cert.pem()).write("trusted.key", signing_key.serialize_pem());
    workspace.write("www/index.html", "hello").write("www/a.html", "a");
    crate::support::open_to_all(&workspace.configuration().join("www"));
    workspace.write_node("resolver = [\"127.0.0.53\"]");
    workspace.write("main.hcl", configuration(&workspace.configuration().display().to_string()));
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    let main = workspace.generation(workspace.live_generation()).join("nginx.conf");

    // An error page has the headers of its site beside its own.
    let page = workspace.https("maintained.example.com", "/");
    assert_eq!((page.status, page.header("x-robots-tag")), (503, Some("noindex")), "{page:?}");
    assert_eq!((page.header("retry-after"), page.header("x-frame-options")), (Some("300"), Some("DENY")));

    // Each feature is there to be looked at.
    let Some(files) = crossplane(&main) else { return };
    for Feature { name, written, .. } in FEATURES {
        let file = format!("sites/{name}.example.com.conf");
        let (_, directives) = files.iter().find(|(path, _)| path.ends_with(&file)).unwrap();
        let mut names = directives.iter().flat_map(Directive::flatten).map(|(path, _)| path);
        assert!(names.any(|path| path == *written), "{file} has no {written}");
    }

    let Some(findings) = gixy(&main) else { return };
    let findings: Vec<_> = findings.into_iter().filter(|finding| !is_meant(finding)).collect();
    assert!(findings.is_empty(), "{findings:#?}");
}

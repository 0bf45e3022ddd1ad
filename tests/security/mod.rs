//! What visitors and tenants may try, on a real nginx.

mod nodes;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Backend, Request, Workspace, fetch, in_every_mode, root};

/// A user that every Debian has, in the place of a tenant's.
const TENANT: u32 = 5;

in_every_mode![
    a_tenant_cannot_link_to_what_is_not_its_own,
    what_nginx_cannot_read_is_found_in_plan,
    roots_are_the_tenants_own,
];

fn site(host: &str, lines: &str) -> String {
    format!(
        "domain \"{host}\" {{\n  tenant = tenant.acme\n  tls {{\n    enabled = false\n  }}\n  {lines}\n}}\n"
    )
}

const STAFF: &str = "tenant \"acme\" {\n  owner = \"games\"\n}\ntenant \"beta\" {}\nauth \"staff\" {\n  tenant = tenant.beta\n  \
                     user \"alice\" {\n    password = \"correct horse battery\"\n  }\n}\n";

/// The directory of tenants: as nginx sees it, and as the test does.
fn srv(workspace: &Workspace) -> (PathBuf, PathBuf) {
    match workspace.system() {
        Some(system) => ("/srv".into(), system.path("/srv")),
        None => (workspace.node_root().join("srv"), workspace.node_root().join("srv")),
    }
}

fn node_root(workspace: &Workspace) -> PathBuf {
    match workspace.system() {
        Some(_) => "/var/lib/vsa/local".into(),
        None => workspace.node_root(),
    }
}

fn a_tenant_cannot_link_to_what_is_not_its_own(workspace: &mut Workspace) {
    if !root() {
        return;
    }
    let (inside, outside) = srv(workspace);
    workspace.write_node("");
    workspace.write("main.hcl", STAFF);
    let www = inside.join("acme/www");
    workspace.write("site.hcl", site("one.example.com", &format!("root = \"{}\"", www.display())));
    drop(workspace.apply());
    let www = outside.join("acme/www");
    fs::create_dir(outside.join("acme/v1")).unwrap();
    fs::write(outside.join("acme/v1/index.html"), "welcome").unwrap();
    fs::write(outside.join("beta/file"), "of beta").unwrap();
    let link = |target: &Path, at: &Path| {
        let _ = fs::remove_file(at);
        symlink(target, at).unwrap();
        lchown(at, Some(TENANT), None).unwrap();
    };
    for path in ["acme/v1", "acme/v1/index.html"] {
        chown(outside.join(path), Some(TENANT), None).unwrap();
    }
    // A link to what is the tenant's own, as deployments make them.
    link(&inside.join("acme/v1"), &www);
    assert_eq!(workspace.http("one.example.com", "/").text(), "welcome");
    link(&inside.join("beta/file"), &outside.join("acme/v1/file"));
    assert_eq!(workspace.http("one.example.com", "/file").status, 403);
    // The root itself is a link to somewhere else.
    let passwords = node_root(workspace).join("current/auth/beta");
    for (target, path) in [(inside.join("beta"), "/file"), (passwords, "/staff.htpasswd")] {
        link(&target, &www);
        let answer = workspace.http("one.example.com", path);
        assert_eq!(answer.status, 403, "{}: {}", target.display(), answer.text());
    }
}

fn what_nginx_cannot_read_is_found_in_plan(workspace: &mut Workspace) {
    if !root() {
        return;
    }
    let shut = workspace.path().join("shut");
    let www = shut.join("www");
    fs::create_dir_all(&www).unwrap();
    fs::write(www.join("index.html"), "welcome").unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    workspace.write("site.hcl", site("one.example.com", &format!("root = \"{}\"", www.display())));
    set(&shut, 0o700);
    let help = format!("chmod o+x {}", shut.display());
    drop(workspace.vsa(["plan"]).code(1).says("nginx's workers cannot read").says(&help).says("site.hcl:6"));
    set(&shut, 0o711);
    set(&www.join("index.html"), 0o600);
    drop(workspace.vsa(["plan"]).code(1).says("may not read"));
    set(&www.join("index.html"), 0o644);
    drop(workspace.apply());
    assert_eq!(workspace.http("one.example.com", "/").text(), "welcome");
    drop(workspace.assert_nothing_to_do());
    if workspace.system().is_none() {
        // The node's own directory, where the password files are.
        set(workspace.path(), 0o700);
        drop(workspace.vsa(["plan"]).code(1).says("nginx's workers cannot enter").says("chmod o+x"));
        set(workspace.path(), 0o755);
        drop(workspace.assert_nothing_to_do());
    }
}

fn roots_are_the_tenants_own(workspace: &mut Workspace) {
    let (srv, _) = srv(workspace);
    let configuration = workspace.configuration();
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\ntenant \"beta\" {}\n");
    for (root, text) in [
        (srv.join("beta/www"), "is another tenant's"),
        (srv, "holds the directories of all tenants"),
        (node_root(workspace).join("current/auth"), "password files"),
        (node_root(workspace), "password files"),
        (configuration.clone(), "the state"),
        (configuration.join("state"), "the state"),
        (configuration.join(".vsa"), "keys"),
        (".".into(), "the state"),
    ] {
        let line = format!("root = \"{}\"", root.display());
        workspace.write("site.hcl", site("one.example.com", &line));
        let run = workspace.vsa(["plan"]).code(1);
        assert!(run.stderr.contains("site.hcl:6"), "{run}");
        assert!(run.stderr.contains(text) || run.stderr.contains("is not a directory of a site"), "{run}");
        let line = format!(
            "redirect {{\n    to = \"https://b.example\"\n  }}\n  location \"/x/\" {{\n    {line}\n  }}"
        );
        workspace.write("site.hcl", site("one.example.com", &line));
        drop(workspace.vsa(["plan"]).code(1).says("site.hcl:"));
    }
}

/// Requests that must not come past the password of a place, whatever the method and the spelling.
#[test]
fn passwords_hold() {
    let Some(workspace) = Workspace::managed() else { return };
    let backend = Backend::start("the application");
    let upstream = format!("upstream {{\n    address = \"{}\"\n  }}", backend.address());
    workspace.write_node("");
    let staff = STAFF.replace("tenant.beta", "tenant.acme").replace("  owner = \"games\"\n", "");
    let shut = "auth = auth.staff\n  rate_limit {\n    enabled = false\n  }\n  location \"/open/\" {\n    public = true\n  }\n  location \"/moved/\" {\n    redirect {\n      \
                to = \"https://b.example\"\n    }\n  }";
    let inner = "location \"/admin/\" {\n    auth = auth.staff\n    rate_limit {\n      enabled = false\n    }\n  }\n  location \"/exact\" {\n    exact = true\n    auth = auth.staff\n    rate_limit {\n      enabled = false\n    }\n  }";
    let both = "https_redirect = false\n  aliases = [\"alias.example.com\"]\n  alias_mode = \"serve\"";
    let own = site("shut.example.com", &format!("{both}\n  {shut}\n  {upstream}"));
    workspace.write("main.hcl", staff);
    workspace.write("shut.hcl", own.replace("tls {\n    enabled = false\n  }", ""));
    workspace
        .write("down.hcl", site("down.example.com", &format!("maintenance = true\n  {shut}\n  {upstream}")));
    workspace.write("inner.hcl", site("inner.example.com", &format!("{inner}\n  {upstream}")));
    drop(workspace.apply());
    let (http, https) = (workspace.http_port(), workspace.https_port());
    let whole = [
        "/",
        "//",
        "/open",
        "/open/../x",
        "/open/..%2fx",
        "//open/../x",
        "/moved/x",
        "/.well-known/acme-challenge/../../x",
    ];
    let within = [
        "/admin/",
        "//admin/",
        "/./admin/",
        "/%61dmin/",
        "/admin%2f",
        "/x/..%2fadmin/",
        "/exact",
        "//exact",
        "/exact?x",
    ];
    let places =
        [("shut.example.com", &whole[..]), ("down.example.com", &whole), ("inner.example.com", &within)];
    for (host, paths) in places {
        for path in paths {
            for method in ["GET", "HEAD", "POST", "OPTIONS", "PURGE"] {
                let mut requests = vec![Request::http(http, host, path)];
                if host == "shut.example.com" {
                    requests.push(Request::https(https, host, path));
                    requests.push(Request::https(https, "alias.example.com", path));
                }
                for request in requests {
                    let request =
                        request.method(method).header("Upgrade", "websocket").header("Connection", "close");
                    let answer = workspace.fetch(&request);
                    // nginx adds the slash of a place without asking: to the place itself.
                    let slash = answer.header("location").is_some_and(|to| to.ends_with("/open/"));
                    assert!(answer.status == 401 || slash, "{request:?}: {answer:?}");
                }
            }
        }
    }
    for path in ["/open/", "/.vsa/503.html"] {
        assert_ne!(workspace.http("shut.example.com", path).status, 401, "{path}");
    }
    drop(workspace.assert_nothing_to_do());
}

/// What a client says of itself, and of the path that it wants, does not reach an upstream.
#[test]
fn clients_cannot_forge_what_upstreams_trust() {
    let Some(workspace) = Workspace::managed() else { return };
    let backend = Backend::start("the application");
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    let upstream = format!(
        "upstream {{\n    address = \"{}\"\n  }}\n  proxy_headers = {{\n    \"X-Forwarded-Prefix\" = \"/ours\"\n  }}",
        backend.address()
    );
    workspace.write("site.hcl", site("one.example.com", &upstream));
    drop(workspace.apply());
    let names = [
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Prefix",
        "X-Forwarded-Server",
        "X-Forwarded-Ssl",
        "X-Forwarded-Scheme",
        "X-Client-IP",
        "X-Original-URL",
        "X-Original-Host",
        "X-Rewrite-URL",
        "X-Request-Id",
        "Forwarded",
        "Proxy",
        "X_Forwarded_For",
    ];
    let request = Request::http(workspace.http_port(), "one.example.com", "/");
    let request = names.iter().fold(request, |request, name| request.header(name, "forged"));
    let seen = workspace.fetch(&request).text();
    assert!(!seen.contains("forged"), "{seen}");
    assert_eq!(seen.matches("X-Forwarded-Prefix: /ours").count(), 1, "{seen}");
}

#[test]
fn what_would_open_a_site_is_refused() {
    let workspace = Workspace::new();
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    let upstream = "upstream {\n    address = \"127.0.0.1:3000\"\n  }\n";
    for (lines, text) in [
        ("location \"/api\" {\n    strip_prefix = true\n  }", "`/api../`"),
        ("location \"/old/\" {\n    redirect {\n      to = \"/\"\n    }\n  }", "the path itself"),
        ("extra_config = \"merge_slashes off;\"", "merge_slashes"),
        ("extra_config = \"underscores_in_headers on;\"", "X_Forwarded_For"),
    ] {
        workspace.write("site.hcl", site("one.example.com", &format!("{upstream}  {lines}")));
        drop(workspace.vsa(["validate"]).code(1).says(text).says("site.hcl:"));
    }
}

/// nginx decodes a path before it takes the prefix away, and encodes the rest again.
#[test]
fn nothing_encoded_leads_out_of_a_prefix_or_its_request() {
    let Some(workspace) = Workspace::managed() else { return };
    let (inner, outer) = (Backend::start("inner"), Backend::start("outer"));
    workspace.write_node("").write("main.hcl", "tenant \"acme\" {}\n");
    for (name, keepalive) in [("one", ""), ("two", "keepalive = 4\n")] {
        let (inner, outer) = (inner.address(), outer.address());
        let lines = format!(
            "rate_limit {{\n    enabled = false\n  }}\n  upstream {{\n    address = \"{outer}\"\n  }}\n  \
             location \"/api/\" {{\n    strip_prefix = true\n    upstream {{\n      address = \"{inner}\"\n      {keepalive}    }}\n  }}"
        );
        let name = format!("{name}.example.com");
        workspace.write(&format!("{name}.hcl"), site(&name, &lines));
    }
    drop(workspace.apply());
    for host in ["one.example.com", "two.example.com"] {
        let target = |path: &str| {
            let seen = workspace.http(host, path).text();
            assert_eq!(
                seen.lines().filter(|line| line.starts_with("GET ")).count(),
                1,
                "{path} is more than one request: {seen}"
            );
            assert!(!seen.contains("\nX-Forged"), "{path} brought a header along: {seen}");
            let mut lines = seen.lines();
            let (backend, request) = (lines.next().unwrap(), lines.next().unwrap_or_default());
            let path = request.strip_prefix("GET ").and_then(|rest| rest.split_once(" HTTP/1."));
            (backend.to_owned(), path.unwrap_or_else(|| panic!("{request:?}")).0.to_owned())
        };
        // What leads out of the prefix is no path of this prefix: the site's own backend gets it, as it was sent.
        for path in ["/api/../x", "/api/%2e%2e/x", "/api/%2e%2e%2fx", "/api/..%2Fx", "/api/a/%2e%2e/%2e%2e/x"]
        {
            assert_eq!(target(path), ("outer".to_owned(), path.to_owned()));
        }
        for (path, stripped) in [
            ("/api/x", "/x"),
            ("/api/%2fx", "/x"),
            ("/api/%2f%2fb.example/x", "/b.example/x"),
            ("/%61pi/x", "/x"),
            ("/api/a/%2e%2e/x", "/x"),
            ("/api/%252e%252e%252fx", "/%252e%252e%252fx"),
            ("/api/a%0d%0aX-Forged:%201", "/a%0D%0AX-Forged:%201"),
            ("/api/a%20HTTP/1.1%0d%0a%0d%0aGET%20/b", "/a%20HTTP/1.1%0D%0A%0D%0AGET%20/b"),
            ("/api/a%3fadmin=1", "/a%3Fadmin=1"),
            ("/api/a%23b?c=%0d%0ad", "/a%23b?c=%0d%0ad"),
        ] {
            assert_eq!(target(path), ("inner".to_owned(), stripped.to_owned()), "{path}");
        }
    }
}

/// Where nobody has the default server of a port, no site is taken for it.
#[test]
fn no_site_answers_for_unknown_names() {
    let Some(workspace) = Workspace::on_host() else { return };
    workspace.system().unwrap().start_nginx();
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    let redirect = "https_redirect = false\n  redirect {\n    to = \"https://b.example\"\n  }";
    workspace
        .write("site.hcl", site("one.example.com", redirect).replace("tls {\n    enabled = false\n  }", ""));
    drop(workspace.apply());
    assert_eq!(workspace.https("one.example.com", "/").status, 301);
    let unknown = Request::https(443, "nobody.example", "/");
    let confused = Request::https(443, "nobody.example", "/").sni("one.example.com");
    for request in [unknown, confused] {
        assert!(workspace.within(|| fetch(&request)).is_err(), "{request:?}");
    }
    // On port 80, Debian's own site goes on answering.
    assert_eq!(workspace.http("nobody.example", "/").status, 200);
    drop(workspace.assert_nothing_to_do());
}

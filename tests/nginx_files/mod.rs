//! The files of nodes and domains, read by a real nginx.

mod stage;

use serde_json::{Value as Json, json};
use vsa::nginx::{origin, parse_error};
use vsa::plan::{NetworkName, Reach, Target};

use stage::Stage;

use crate::support::{self, Request, fetch, ports::Port};

fn proxied() -> Json {
    json!({ "upstream": { "address": "127.0.0.1:3000" } })
}

fn merged(mut base: Json, more: Json) -> Json {
    let Json::Object(more) = more else { panic!("not an object") };
    for (name, value) in more {
        base[name] = value;
    }
    base
}

#[test]
fn an_empty_node_is_accepted_in_every_mode() {
    Stage::new(&json!({})).accepted();
    Stage::new(&json!({ "proxy": { "mode": "host" } })).accepted();
}

#[test]
fn plain_sites_are_accepted_in_every_mode() {
    for node in [json!({}), json!({ "proxy": { "mode": "host" } })] {
        let mut stage = Stage::new(&node);
        stage.domain("shop.example.com", proxied());
        stage.domain("static.example.com", json!({ "root": "www" }));
        stage.domain("old.example.com", json!({ "redirect": { "to": "https://shop.example.com" } }));
        stage.accepted();
    }
}

/// Options that must be accepted together with each of the ways to answer.
fn options() -> Vec<(&'static str, Json)> {
    let auth = json!({ "file": "auth/staff.htpasswd", "realm": "Staff \u{e4} only; {1}", "tenant": "acme" });
    vec![
        ("nothing", json!({})),
        ("no tls", json!({ "tls": { "enabled": false } })),
        ("no redirect to https", json!({ "https_redirect": false })),
        ("trusted", json!({ "tls": { "certificate": { "name": "shared", "trusted": true } } })),
        (
            "strict",
            json!({
                "tls": { "certificate": { "name": "shared", "trusted": true } },
                "hsts": { "max_age": "730d", "include_subdomains": true, "preload": true },
                "https_redirect": false,
            }),
        ),
        ("aliases", json!({ "aliases": ["www.a.example", "b.example"] })),
        (
            "served aliases",
            json!({ "aliases": ["www.a.example"], "alias_mode": "serve", "tls": { "enabled": false } }),
        ),
        ("password", json!({ "auth": auth })),
        (
            "addresses",
            json!({
                "auth": auth, "allow": ["10.0.0.0/8", "2001:db8::/32"], "deny": ["10.1.2.3"], "satisfy": "any"
            }),
        ),
        (
            "maintenance",
            json!({ "maintenance": true, "auth": auth, "location": { "/x/": { "public": true } } }),
        ),
        (
            "suspended",
            json!({ "tenant": { "name": "acme", "status": "suspended" }, "location": { "/x": {} } }),
        ),
        ("own rate", json!({ "rate_limit": { "rate": "5r/m", "burst": 0 }, "location": { "/x": {} } })),
        ("own burst", json!({ "rate_limit": { "burst": 7, "key": "site" } })),
        ("no rate", json!({ "rate_limit": { "enabled": false }, "auth": auth })),
        ("no csp", json!({ "csp": { "enabled": false } })),
        ("csp", json!({ "csp": { "policy": "default-src 'self'; img-src \"x\" *", "report_only": true } })),
        (
            "other headers",
            json!({
                "security_headers": {
                    "frame_options": "SAMEORIGIN", "content_type_options": false, "referrer_policy": "off",
                    "permissions_policy": "camera=(), microphone=()",
                },
            }),
        ),
        (
            "headers",
            json!({
                "headers": { "X-A": "b \"c\\", "x-frame-options": "ALLOWALL", "Server-Timing": "", "X-Id": "$request_id" },
                "proxy_headers": { "Authorization": "Basic eDp5; {}", "X-Empty": "" },
            }),
        ),
        (
            "logs",
            json!({
                "access_log": "own", "log_format": "json", "error_log": "own", "error_log_level": "info"
            }),
        ),
        ("no log", json!({ "access_log": "off", "error_log_level": "crit" })),
        (
            "limits",
            json!({
                "gzip": false, "body_size": "0", "websocket": true,
                "timeouts": { "connect": "500ms", "read": "1h", "send": "1d" },
            }),
        ),
        ("snippet", json!({ "extra_config": "keepalive_timeout 5s;\n  sub_filter 'a;b' \"}c\";" })),
        (
            "locations",
            json!({
                "auth": auth,
                "location": {
                    "/admin/": { "headers": { "X-Robots-Tag": "noindex" }, "allow": ["127.0.0.1"] },
                    "/api/": {
                        "upstream": { "address": "[::1]:4000", "keepalive": 8, "host_header": "api.example" },
                        "strip_prefix": true, "public": true, "body_size": "100m",
                        "rate_limit": { "rate": "1r/s", "burst": 5 },
                        "extra_config": "proxy_buffering off;\nproxy_request_buffering off;",
                    },
                    "/socket/": { "upstream": { "address": "unix:/run/app.sock" }, "strip_prefix": true },
                    "/socket2/": { "upstream": { "address": "unix:/run/app.sock" } },
                    "/tls/": { "upstream": { "address": "https://10.0.0.1", "tls_name": "api.example" } },
                    "/kept-tls/": { "upstream": { "address": "https://10.0.0.1", "keepalive": 1 } },
                    "/docs/": { "root": "/srv/acme/docs", "spa": true, "expires": "1h", "autoindex": true },
                    "/docs/raw": { "root": "/srv/acme/docs", "exact": true, "hidden_files": true },
                    "/old/": { "redirect": { "to": "/new/", "status": 307, "preserve_path": false } },
                    "/older/": { "redirect": { "to": "https://b.example/x;y" }, "public": true },
                    "/white~space": { "root": "with space" },
                    "/": { "index": ["a.html", "b.html"], "root": "www" },
                },
            }),
        ),
    ]
}

fn answers() -> Vec<(&'static str, Json)> {
    vec![
        ("proxied", proxied()),
        ("kept", json!({ "upstream": { "address": "127.0.0.1:3000", "keepalive": 16 } })),
        ("named", json!({ "upstream": { "address": "web_1:3000", "host_header": "$host" } })),
        ("named with tls", json!({ "upstream": { "address": "https://api.example.com" } })),
        ("static", json!({ "root": "a directory; {", "index": ["index.html", "index.htm"] })),
        ("redirected", json!({ "redirect": { "to": "https://b.example/" } })),
        (
            "found",
            json!({ "redirect": { "to": "https://b.example/?x=1", "status": 302, "preserve_path": false } }),
        ),
    ]
}

#[test]
fn every_option_is_accepted_with_every_answer() {
    for mode in ["managed", "host"] {
        let node = json!({
            "proxy": { "mode": mode, "resolver": ["127.0.0.53", "::1"], "ipv6": true, "log_format": "json" }
        });
        let mut stage = Stage::new(&node);
        for (answer, base) in answers() {
            for (option, more) in options() {
                let mut attributes = merged(base.clone(), more);
                let name = format!("{}.{}.example", option.replace(' ', "-"), answer.replace(' ', "-"));
                for (index, alias) in attributes["aliases"].as_array_mut().into_iter().flatten().enumerate() {
                    *alias = format!("alias{index}.{name}").into();
                }
                stage.domain(&name, attributes);
            }
        }
        stage.accepted();
    }
}

#[test]
fn what_visitors_see() {
    let (http, https) = (Port::reserve(), Port::reserve());
    let (http, https) = (http.number, https.number);
    let mut stage = Stage::new(&json!({ "proxy": { "http_port": http, "https_port": https } }));
    let auth = json!({ "file": "auth/staff.htpasswd", "realm": "Staff", "tenant": "acme" });
    let directory = stage.node.configuration.join("www");
    std::fs::create_dir_all(directory.join(".git")).unwrap();
    std::fs::write(directory.join("index.html"), "welcome").unwrap();
    std::fs::write(directory.join(".git/config"), "secret").unwrap();
    stage.domain("a.example", json!({ "root": "www", "aliases": ["www.a.example"] }));
    stage.domain(
        "shut.example",
        json!({
            "root": "www", "maintenance": true, "auth": auth, "location": { "/open/": { "public": true } }
        }),
    );
    stage.domain("moved.example", json!({ "redirect": { "to": "https://b.example" }, "auth": auth }));
    stage.domain(
        "slow.example",
        json!({ "root": "www", "tls": { "enabled": false }, "rate_limit": { "rate": "1r/m", "burst": 0 } }),
    );
    stage.domain(
        "dead.example",
        json!({ "upstream": { "address": "127.0.0.1:1" }, "tls": { "enabled": false }, "headers": { "X-Own": "yes" } }),
    );
    let Some(_running) = stage.run() else { return };
    let get = |host: &str, path: &str| fetch(&Request::https(https, host, path)).unwrap();
    let plain = |host: &str, path: &str| fetch(&Request::http(http, host, path));

    let to_https = plain("a.example", "/x?y=1").unwrap();
    assert_eq!(to_https.status, 301);
    assert_eq!(to_https.header("location").unwrap(), format!("https://a.example:{https}/x?y=1"));
    let mut post = Request::http(http, "a.example", "/");
    post.method = "POST".to_owned();
    assert_eq!(fetch(&post).unwrap().status, 308, "a method is kept");
    std::fs::create_dir_all(stage.node.spec.root.join("acme/.well-known/acme-challenge")).unwrap();
    std::fs::write(stage.node.spec.root.join("acme/.well-known/acme-challenge/t"), "proof").unwrap();
    for host in ["a.example", "www.a.example", "shut.example", "nobody.example"] {
        let challenge = plain(host, "/.well-known/acme-challenge/t").unwrap();
        assert_eq!(challenge.body, b"proof", "{host}");
    }

    let page = get("a.example", "/");
    assert_eq!((page.status, &*page.body), (200, &b"welcome"[..]));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("strict-transport-security"), None, "the certificate is self-signed");
    let missing = get("a.example", "/missing");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("x-content-type-options"), Some("nosniff"), "errors have the headers too");
    assert_eq!(get("a.example", "/.git/config").status, 404);
    let alias = get("www.a.example", "/x");
    assert_eq!(alias.header("location").unwrap(), format!("https://a.example:{https}/x"));

    assert_eq!(get("shut.example", "/").status, 401, "the password is asked for in maintenance too");
    let shut = get("shut.example", "/open/");
    assert_eq!((shut.status, shut.header("retry-after")), (503, Some("300")));
    assert_eq!(get("moved.example", "/").status, 401, "no redirect without the password");

    assert_eq!(plain("slow.example", "/").unwrap().status, 200);
    assert_eq!(plain("slow.example", "/").unwrap().status, 429);
    let dead = plain("dead.example", "/").unwrap();
    assert_eq!((dead.status, dead.header("cache-control")), (502, Some("no-store")));
    assert_eq!((dead.header("x-own"), dead.header("x-frame-options")), (Some("yes"), Some("DENY")));
    assert_eq!((dead.header("retry-after"), page.header("cache-control")), (None, None));
    assert!(plain("nobody.example", "/").is_err(), "unknown names get no answer");
    let mut foreign = Request::https(https, "a.example", "/");
    foreign.host = "nobody.example".to_owned();
    assert!(fetch(&foreign).is_err(), "a known name in the handshake does not help");
}

#[test]
fn a_line_that_nginx_refuses_leads_back_to_its_attribute() {
    let mut stage = Stage::new(&json!({}));
    stage.domain(
        "a.example",
        merged(proxied(), json!({ "location": { "/x/": { "extra_config": "etag on;\nsendfile maybe;" } } })),
    );
    if support::nginx().is_none() {
        return;
    }
    let messages = parse_error(&stage.test().unwrap_err());
    let message = messages.iter().find(|message| !message.is_warning()).unwrap();
    let file = message.file.as_deref().unwrap().split("/current/").nth(1).unwrap();
    let (address, rendered) = stage.files(true).remove(file).unwrap();
    assert_eq!(address.to_string(), "domain[\"a.example\"]");
    let path = origin(&rendered, message.line.unwrap());
    assert_eq!(path.to_string(), "location[\"/x/\"].extra_config");
    let plain: Vec<_> =
        stage.files(false).into_values().map(|(_, file)| format!("{:?}", file.body)).collect();
    let traced: Vec<_> =
        stage.files(true).into_values().map(|(_, file)| format!("{:?}", file.body)).collect();
    assert_eq!(plain, traced, "a trace changes no file");
}

#[test]
fn a_proxied_site_as_an_administrator_reads_it() {
    let mut stage = Stage::new(&json!({ "proxy": { "http_port": 80, "https_port": 443 } }));
    stage.domain(
        "a.example",
        merged(proxied(), json!({ "websocket": true, "rate_limit": { "rate": "10r/s", "burst": 20 } })),
    );
    insta::assert_snapshot!(stage.text("sites/a.example.conf"), @r#"
# Written by vsa. A change made here is drift, and the next apply takes it back.
limit_req_zone $binary_remote_addr zone=vsa_a_example_0rwllghaotzx0:1m rate=10r/s;

server {
    listen 80;
    server_name a.example;

    include base/acme.conf;

    location / {
        if ($request_method !~ ^(GET|HEAD)$) {
            return 308 https://$host$request_uri;
        }
        return 301 https://$host$request_uri;
    }
}

server {
    listen 443 ssl http2;
    server_name a.example;

    ssl_certificate certificates/a.example/fullchain.pem;
    ssl_certificate_key certificates/a.example/privkey.pem;
    include base/tls.conf;

    include base/errors.conf;
    include base/gzip.conf;
    client_max_body_size 10m;
    include base/security_headers.conf;

    location / {
        limit_req zone=vsa_a_example_0rwllghaotzx0 burst=20 nodelay;
        proxy_pass http://127.0.0.1:3000;
        include base/proxy.conf;
        proxy_set_header Host $host$vsa_port;
        proxy_set_header Upgrade $vsa_upgrade;
        proxy_set_header Connection $vsa_connection;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
    }
}
"#);
}

/// nginx 1.27.3 keeps connections to what it looks up; an older one looks it up with each request.
#[test]
fn connections_to_containers_are_kept_where_nginx_can() {
    let mut stage = Stage::new(&json!({ "proxy": { "mode": "container", "container": "proxy" } }));
    let kept = json!({ "container": "blog", "port": 3000, "keepalive": 16 });
    stage.domain(
        "a.example",
        json!({
            "tls": { "enabled": false },
            "upstream": kept,
            "location": { "/api/": { "upstream": kept, "strip_prefix": true } },
        }),
    );
    let target = Target::Container { name: "blog".into(), port: 3000 };
    let name = NetworkName { host: "blog.apps".into(), port: 3000, network: "apps".into() };
    stage.endpoints.insert(target, Reach::Name(name));
    let passed = |stage: &Stage| {
        let text = stage.text("sites/a.example.conf");
        let about = [
            "upstream ",
            "zone ",
            "resolve",
            "    server blog",
            "keepalive",
            "set $",
            "rewrite ",
            "proxy_pass",
        ];
        let is_about = |line: &&str| {
            about.iter().any(|word| line.trim_start().starts_with(word.trim_start())) || *line == "}"
        };
        text.lines().filter(is_about).fold(String::new(), |all, line| all + line.trim_start() + "\n")
    };
    stage.accepted();
    insta::assert_snapshot!(passed(&stage), @r#"
resolver 127.0.0.11 valid=1s ipv6=off;
resolver_timeout 5s;
set $vsa_upstream blog.apps:3000;
rewrite "(?s)^/api/(.*)" /$1 break;
proxy_pass http://$vsa_upstream;
resolver 127.0.0.11 valid=1s ipv6=off;
resolver_timeout 5s;
set $vsa_upstream blog.apps:3000;
proxy_pass http://$vsa_upstream;
}
"#);
    stage.node.nginx.version = "1.27.3".parse().unwrap();
    insta::assert_snapshot!(passed(&stage), @"
upstream vsa_tjdlql6huqfk3 {
zone vsa_tjdlql6huqfk3 64k;
resolver 127.0.0.11 valid=1s ipv6=off;
resolver_timeout 5s;
server blog.apps:3000 resolve;
keepalive 16;
}
upstream vsa_qtebwu99u7gw1 {
zone vsa_qtebwu99u7gw1 64k;
resolver 127.0.0.11 valid=1s ipv6=off;
resolver_timeout 5s;
server blog.apps:3000 resolve;
keepalive 16;
}
proxy_pass http://vsa_tjdlql6huqfk3/;
proxy_pass http://vsa_qtebwu99u7gw1;
}
");
}

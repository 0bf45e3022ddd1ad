//! Clients see no apply: every request is answered, whatever is switched, and whatever is taken back.

use std::fs;
use std::net::TcpListener;

use crate::support::{Backend, Connections, Load, Request, Workspace, count, in_every_mode};

/// Requests a second of each load.
const RATE: u32 = 200;

in_every_mode![every_request_is_answered_during_applies_and_rollbacks];

/// A static and a proxied site, each over HTTP and over TLS, with this version in a header.
fn configuration(www: &str, backend: &str, version: u32) -> String {
    let site = |host: &str, content: &str, tls: &str| {
        format!(
            "domain \"{host}\" {{
  tenant  = tenant.acme
  headers = {{ \"X-Version\" = \"{version}\" }}
  {content}
  {tls}
  rate_limit {{
    enabled = false
  }}
}}
"
        )
    };
    let (fixed, proxied) =
        (format!("root = \"{www}\""), format!("upstream {{\n    address = \"{backend}\"\n  }}"));
    let plain = "tls {\n    enabled = false\n  }";
    [
        "tenant \"acme\" {}\n".to_owned(),
        site("static.example.com", &fixed, plain),
        site("proxied.example.com", &proxied, plain),
        site("static-tls.example.com", &fixed, ""),
        site("proxied-tls.example.com", &proxied, ""),
    ]
    .concat()
}

fn every_request_is_answered_during_applies_and_rollbacks(workspace: &mut Workspace) {
    let backend = workspace.within(|| Backend::start("the application"));
    let www = workspace.path().join("www");
    fs::create_dir(&www).unwrap();
    fs::write(www.join("index.html"), "a static page\n").unwrap();
    let write = |version| {
        workspace.write("main.hcl", configuration(&www.to_string_lossy(), &backend.address(), version));
    };
    workspace.write_node("");
    write(0);
    drop(workspace.apply());
    let (http, https) = (workspace.http_port(), workspace.https_port());
    let requests = vec![
        Request::http(http, "static.example.com", "/"),
        Request::http(http, "proxied.example.com", "/"),
        Request::https(https, "static-tls.example.com", "/"),
        Request::https(https, "proxied-tls.example.com", "/"),
    ];
    let loads = [Connections::Fresh, Connections::KeptAlive]
        .map(|connections| workspace.within(|| Load::start(RATE, connections, requests.clone())));

    let applies = count(4, 20);
    let rollbacks = count(2, 5);
    let busy = workspace.within(|| TcpListener::bind("0.0.0.0:0").unwrap());
    let port = busy.local_addr().unwrap().port();
    for version in 1..=applies {
        write(version);
        drop(workspace.apply());
        let answer = workspace.https("static-tls.example.com", "/");
        assert_eq!(answer.header("x-version"), Some(version.to_string().as_str()));
        for load in &loads {
            load.wait_for(u64::from(RATE) / 4);
        }
        if version <= rollbacks {
            // nginx accepts the file and cannot have the port, which shows only after the reload.
            write(version + 1000);
            workspace.write_node_with_https(port, "");
            drop(workspace.vsa(["apply", "-auto-approve"]).code(5));
            workspace.write_node("");
            for load in &loads {
                load.wait_for(u64::from(RATE) / 4);
            }
            let answer = workspace.http("static.example.com", "/");
            assert_eq!(answer.header("x-version"), Some(version.to_string().as_str()));
        }
    }
    for load in loads {
        let report = load.stop();
        report.assert_all_answered();
        assert_eq!(report.statuses.get(&200), Some(&report.sent), "{report:#?}");
        assert_eq!(
            report.first_lines.keys().collect::<Vec<_>>(),
            ["a static page", "the application"],
            "{report:#?}"
        );
    }
}

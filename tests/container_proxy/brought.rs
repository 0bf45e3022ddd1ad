//! The stack that brings the proxy's container, in a plan: what that will see and where it listens is known before.

use crate::support::{Run, Workspace};

/// A plan of a node and the shipped stack with these variables and this root of a site, where there is no Docker. Paths are
/// below the test's own directory.
fn planned(variables: [&str; 4], site: &str) -> Run {
    let workspace = Workspace::new();
    let [root, served, http, https] = variables;
    let at = workspace.path().display();
    workspace.write(
        "main.hcl",
        format!(
            r#"
node "local" {{
  root     = "{at}/one"
  srv_root = "{at}/srv"

  proxy {{
    mode       = "container"
    container  = "proxy"
    http_port  = 8080
    https_port = 8443
  }}

  docker {{
    socket = "/nonexistent/docker.sock"
  }}
}}

tenant "infra" {{}}

stack "proxy" {{
  tenant = tenant.infra
  source = "vsa://reverse-proxy"
  allow  = ["bind:nginx", "published_port:nginx"]

  env = {{
    VSA_ROOT   = "{at}/{root}"
    SRV_ROOT   = "{at}/{served}"
    HTTP_PORT  = "{http}"
    HTTPS_PORT = "{https}"
  }}
}}

domain "one.example.com" {{
  tenant = tenant.infra
  root   = "{at}/{site}"

  tls {{
    enabled = false
  }}
}}
"#
        ),
    );
    workspace.vsa(["plan"])
}

#[test]
fn a_stack_whose_proxy_could_not_serve_is_refused_in_the_plan() {
    let right = ["one", "srv", "8080", "8443"];
    let site = "srv/infra/www";
    drop(planned(right, site).code(0));

    let [root, served, http, https] = right;
    let plan = planned(["two", served, http, https], site).code(1);
    let plan = plan.says("the container `proxy` does not see the directory of `node.local`");
    drop(plan.says("`VSA_ROOT`").says("main.hcl:"));
    let plan = planned([root, "other", http, https], site).code(1);
    drop(plan.says("the container `proxy` does not see `").says("srv/infra/www").says("main.hcl:"));
    let plan = planned([root, served, http, "9443"], site).code(1);
    let plan = plan.says("publishes port 9443 of the proxy, where nginx does not listen");
    drop(plan.says("nginx listens on 8080 and 8443").says("`HTTPS_PORT`"));
}

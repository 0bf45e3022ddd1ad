//! What is remarked on a plan: once, for all that it concerns, and as short as somebody wants it.

use insta::assert_snapshot;

use crate::support::Workspace;

/// Three stacks of one block with this service, and as many sites.
fn three(service: &str) -> Workspace {
    let workspace = Workspace::new();
    let text = format!(
        "tenant \"acme\" {{}}\n\nstack \"shop\" {{\n  for_each = toset([\"a\", \"b\", \"c\"])\n  tenant   = tenant.acme\n  compose  \
         = \"services: {{ {service} }}\"\n}}\n\ndomain \"site\" {{\n  for_each = toset([\"a.example.com\", \"b.example.com\"])\n  \
         tenant   = tenant.acme\n\n  redirect {{\n    to = \"https://example.net/\"\n  }}\n}}\n"
    );
    workspace.write("main.hcl", text);
    workspace
}

#[test]
fn an_error_of_a_block_is_told_once_for_all_its_instances() {
    let of_two = three("web: { image: 'x:1', privileged: true }, db: { image: 'x:1', privileged: true }");
    let run =
        of_two.vsa(["plan"]).code(1).says("the same holds for `stack.shop[\"b\"]`, `stack.shop[\"c\"]`");
    assert_eq!(run.stderr.matches("error[compose_privileged]").count(), 2, "each service by itself: {run}");
}

#[test]
fn of_warnings_the_summaries_are_enough() {
    let workspace = three("web: { image: 'x:1' }");
    workspace.write(
        "node.hcl",
        "node \"local\" {\n  docker {\n    socket = \"/nonexistent/docker.sock\"\n  }\n}\n",
    );
    let plan = |more: &[&str]| {
        let run = workspace.vsa([&["plan", "-preflight=false"], more].concat()).code(0);
        run.stderr.lines().take_while(|line| !line.starts_with("audit")).collect::<Vec<_>>().join("\n")
    };
    let whole = plan(&[]);
    assert!(whole.contains("= help: where it listens elsewhere, name its socket"), "{whole}");
    assert_snapshot!(plan(&["-compact-warnings"]), @r"
    Warnings:
    - browsers do not trust a self-signed certificate (2 times)
    - Docker on `node.local` could not be seen
    without `-compact-warnings` each is told in full
    ");
    // An error is told in full.
    let failing = three("web: { image: 'x:1', privileged: true }");
    drop(
        failing
            .vsa(["plan", "-compact-warnings"])
            .code(1)
            .says("to allow it: `allow = [\"privileged:web\"]`"),
    );
}

#[test]
fn one_instance_has_no_status_of_its_own() {
    let workspace = three("web: { image: 'x:1' }");
    let refused = workspace.vsa(["stack", "down", "shop[\"a\"]"]).code(1);
    let refused = refused.says("`status` cannot be set for `stack.shop[\"a\"]` alone");
    let refused = refused.says("`status = each.key == \"a\" ? \"stopped\" : \"running\"`");
    drop(refused.says("`vsa stack down shop`"));
    let lost = workspace.vsa(["stack", "up", "stack.shopp"]).code(1);
    drop(lost.says("there is no `stack \"shopp\"` in the configuration").says("did you mean `shop`?"));
}

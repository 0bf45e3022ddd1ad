//! Sites that pass requests on to containers that are not vsa's, with nginx on the host: on the ports that they publish.

use crate::support::docker::Engine;
use crate::support::images;
use crate::support::workspace::Workspace;

struct Ground {
    engine: Engine,
    workspace: Workspace,
}

impl Ground {
    fn new() -> Option<Self> {
        let workspace = Workspace::managed()?;
        let engine = Engine::shared()?;
        engine.enter();
        let ground = Self { engine, workspace };
        ground.workspace.write(
            "main.hcl",
            format!(
                "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n\n  docker {{\n    \
                 socket = \"{}\"\n  }}\n}}\n\ntenant \"acme\" {{}}\n\ndomain \"blog.example.com\" {{\n  tenant = \
                 tenant.acme\n\n  tls {{\n    enabled = false\n  }}\n\n  upstream {{\n    container = \"{}\"\n    port      \
                 = 3000\n  }}\n}}\n",
                ground.workspace.http_port(),
                ground.workspace.https_port(),
                ground.engine.socket().display(),
                ground.named("blog"),
            ),
        );
        Some(ground)
    }

    /// A name that no other test has.
    fn named(&self, name: &str) -> String {
        format!("{name}-{}", self.workspace.http_port())
    }

    /// Starts an application that answers `1 <name>`, with these arguments of `docker run`.
    fn run(&self, name: &str, more: &[&str]) {
        let (container, greeting) = (self.named(name), format!("GREETING={name}"));
        let app = images::app(&self.engine, "1");
        let start = ["run", "--detach", "--name", &container, "--env", &greeting];
        self.engine.ask(&[&start[..], more, &[&app]].concat());
    }

    fn get(&self) -> String {
        self.workspace.http("blog.example.com", "/").text().trim().to_owned()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for name in ["blog", "wiki"] {
            self.engine.ask(&["rm", "--force", "--volumes", &self.named(name)]);
        }
    }
}

#[test]
fn a_container_is_reached_on_the_port_that_it_publishes_wherever_that_moves() {
    let Some(ground) = Ground::new() else { return };
    ground.run("blog", &["--publish", "127.0.0.1::3000"]);
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 blog");
    drop(ground.workspace.assert_nothing_to_do());

    // It is made anew, and another one has its port by now.
    let published = ground.engine.ask(&["port", &ground.named("blog"), "3000"]);
    ground.engine.ask(&["rm", "--force", &ground.named("blog")]);
    ground.run("wiki", &["--publish", &format!("{}:3000", published.trim())]);
    ground.run("blog", &["--publish", "127.0.0.1::3000"]);
    drop(ground.workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("proxy_pass"));
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 blog");
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn a_container_that_nginx_cannot_reach_is_refused_with_what_to_do() {
    let Some(ground) = Ground::new() else { return };
    let (blog, refused) = (ground.named("blog"), || ground.workspace.vsa(["plan"]).code(1));
    drop(refused().says(&format!("there is no container `{blog}`")).says("start it first"));

    ground.run("blog", &[]);
    let unpublished = refused().says(&format!("nginx on the host cannot reach port 3000 of `{blog}`"));
    let unpublished = unpublished.says("the container does not publish it on 127.0.0.1").says("main.hcl:");
    drop(unpublished.says("`127.0.0.1:8085:3000` under `ports`"));

    ground.engine.ask(&["rm", "--force", &blog]);
    ground.run("blog", &["--publish", "127.0.0.1::3000"]);
    ground.engine.ask(&["stop", "--time", "1", &blog]);
    drop(refused().says("the container is exited: its ports are published while it runs"));
    ground.engine.ask(&["start", &blog]);
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 blog");

    // One that goes down later concerns its own site alone: all else is planned and applied.
    ground.engine.ask(&["stop", "--time", "1", &blog]);
    let down = ground.workspace.assert_nothing_to_do().says("the container is exited");
    drop(down.says("warning").says("the site is left as it is until then"));
}

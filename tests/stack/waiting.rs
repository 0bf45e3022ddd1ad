//! Containers that wait for others: what keeps them from coming up is told, with what it says itself.

use super::Ground;
use crate::support::images;

impl Ground {
    /// A web service of this image with more to its health check, and a worker that waits until it is healthy.
    fn with_worker(&self, image: &str, health: &str) -> &Self {
        let text = format!(
            "services:\n  web:\n    image: {image}\n    environment:\n      GREETING: ${{GREETING}}\n    healthcheck:\n      \
             test: [\"CMD\", \"wget\", \"-q\", \"-O\", \"/dev/null\", \"http://127.0.0.1:3000/health\"]\n      interval: \
             1s\n      {health}\n  worker:\n    image: {image}\n    depends_on:\n      web:\n        condition: \
             service_healthy\n"
        );
        self.workspace.write("shop/compose.yml", text);
        self
    }
}

#[test]
fn the_log_of_a_container_that_others_wait_for_in_vain_is_shown() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").with_worker(&images::app(&ground.engine, "1"), "retries: 2");
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 hush-1");
    ground.with_worker(&images::app(&ground.engine, "sick"), "retries: 2");
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    let failed = failed.says("stack.shop: web is running (starting)").says("web is running (unhealthy)");
    drop(failed.says("service `web`").says("it is running and unhealthy").says("version sick starts"));
    assert_eq!(ground.get(), "1 hush-1");
}

#[test]
fn nobody_is_waited_for_longer_than_is_said() {
    let Some(ground) = Ground::new() else { return };
    let more = "  wait {\n    timeout = \"4s\"\n  }";
    ground.stack(more).with_worker(&images::app(&ground.engine, "sick"), "start_period: 1h");
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    drop(failed.says("service `web`").says("was not healthy after 4 seconds").says("version sick starts"));
    assert_eq!(ground.container("web"), "", "what was begun is taken back");
}

//! The engine goes away: in the middle of a run, before one, between a plan and its apply. Nothing is lost for it.

use std::time::Duration;

use super::{Ground, said};
use crate::support::Run;
use crate::support::images;
use crate::support::processes::wait_until;

/// How long an apply may take to see that there is no engine any more.
const SOON: Duration = Duration::from_mins(1);

impl Ground {
    /// The image and the state of a service's containers; nothing where there is none.
    fn looks(&self, service: &str) -> String {
        let project = format!("label=com.docker.compose.project={}", self.project());
        let service = format!("label=com.docker.compose.service={service}");
        let format = "{{.Image}} {{.State}}";
        self.engine.ask(&["ps", "--all", "--filter", &project, "--filter", &service, "--format", format])
    }

    /// Containers that the engine starts with itself.
    fn kept_up(&self) -> &Self {
        self.edited("    image:", "    restart: always\n    image:")
    }

    fn edited(&self, from: &str, to: &str) -> &Self {
        let text = self.workspace.read("shop/compose.yml").replace(from, to);
        self.workspace.write("shop/compose.yml", text);
        self
    }

    /// An apply of a version that nobody finds well for a minute; meanwhile, something happens.
    fn meanwhile_it_comes_up(&self, what: impl FnOnce()) -> Run {
        let sick = images::app(&self.engine, "sick");
        self.compose(&sick).edited("      interval: 1s", "      interval: 1s\n      start_period: 60s");
        let command = self.workspace.command(["apply", "-auto-approve"]);
        std::thread::scope(|scope| {
            let apply = scope.spawn(|| Run::of(command));
            assert!(wait_until(SOON, || self.looks("web") == format!("{sick} running")), "it comes so far");
            what();
            apply.join().unwrap()
        })
    }

    /// The engine is there again: what is wanted comes true, and nothing is left to do.
    fn converges(&self, greeting: &str) {
        let applied = self.workspace.apply();
        assert_eq!(self.get(), greeting, "{applied}");
        drop(self.workspace.assert_nothing_to_do());
    }
}

/// It is named, with what to do; and nothing is taken for deleted because it is not there.
fn assert_named(run: &Run) {
    let said = said(run);
    let is_named = said.contains("there is no Docker engine at") || said.contains("Docker does not answer");
    assert!(is_named && said.contains("start Docker"), "{run}");
    assert!(!said.contains("Traceback") && !said.contains("hush-"), "{run}");
}

fn assert_blind(ground: &Ground) {
    let plan = ground.workspace.vsa(["plan"]).code(0).says("Docker on `node.local` could not be seen");
    let plan = plan.says("there is no Docker on the node").says("start it");
    assert!(!plan.stdout.contains("Drift"), "{plan}");
}

#[test]
fn it_stops_while_a_stack_is_updated() {
    let Some(ground) = Ground::on_own_engine() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let ran = ground.meanwhile_it_comes_up(|| ground.engine.stop()).code(6);
    assert_named(&ran);
    assert_blind(&ground);
    ground.engine.start();
    let plan = ground.workspace.vsa(["plan"]).code(0).says("an apply has begun this and not finished it");
    assert!(!plan.stdout.contains("was edited"), "vsa has put the file back itself: {plan}");
    ground.compose(&images::app(&ground.engine, "2"));
    ground.converges("2 hush-1");
}

#[test]
fn it_stops_while_a_new_stack_comes_up() {
    let Some(ground) = Ground::on_own_engine() else { return };
    ground.stack("");
    let ran = ground.meanwhile_it_comes_up(|| ground.engine.stop()).code(6);
    assert_named(&ran);
    assert_blind(&ground);
    ground.engine.start();
    assert!(ground.looks("web").contains("vsa-test/app"), "the engine has kept its container");
    // Nobody wants it any more.
    let wanted = ground.workspace.read("main.hcl");
    ground.workspace.write("main.hcl", format!("tenant \"{}\" {{}}\n", ground.tenant()));
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    assert_eq!(ground.looks("web"), "");
    assert!(!ground.data().parent().unwrap().exists(), "nor are its files there");
    // Or it is mended.
    ground.workspace.write("main.hcl", wanted);
    ground.compose(&images::app(&ground.engine, "2"));
    ground.converges("2 hush-1");
}

#[test]
fn it_restarts_while_a_stack_is_updated() {
    let Some(ground) = Ground::on_own_engine() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1")).kept_up();
    drop(ground.workspace.apply());
    let ran = ground.meanwhile_it_comes_up(|| {
        ground.engine.kill();
        ground.engine.start();
    });
    // It may find no engine, or one that has begun anew without the container; the way back may come before it or after.
    assert!(matches!(ran.exit, Some(5 | 6)), "{ran}");
    let words = ["ocker engine", "Docker daemon", "it is exited"];
    assert!(words.iter().any(|words| said(&ran).contains(words)), "{ran}");
    if ran.exit == Some(5) {
        assert!(wait_until(SOON, || ground.get_status() == 200));
        assert_eq!(ground.get(), "1 hush-1");
    }
    ground.compose(&images::app(&ground.engine, "2")).kept_up();
    ground.converges("2 hush-1");
}

#[test]
fn it_stops_before_the_clean_up() {
    let Some(ground) = Ground::on_own_engine() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let wanted = ground.workspace.read("main.hcl");
    ground.workspace.write("main.hcl", format!("tenant \"{}\" {{}}\n", ground.tenant()));
    let ran = ground.workspace.apply_meanwhile("phase:clean_up:1", || ground.engine.stop()).code(6);
    assert_named(&ran);
    assert_blind(&ground);
    // It cannot be finished yet, and that is all that is wrong.
    assert_named(&ground.workspace.vsa(["apply", "-auto-approve"]).code(6));
    ground.engine.start();
    drop(ground.workspace.vsa(["plan"]).code(0).says("an earlier apply could not finish its deletion"));
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    assert_eq!(ground.looks("web"), "");
    ground.workspace.write("main.hcl", wanted);
    ground.converges("1 hush-1");
}

#[test]
fn it_stops_between_a_plan_and_its_apply() {
    let Some(ground) = Ground::on_own_engine() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1")).kept_up();
    drop(ground.workspace.apply());
    let state = ground.workspace.read("state/default.json");
    ground.compose(&images::app(&ground.engine, "2")).kept_up();
    drop(ground.workspace.vsa(["plan", "-out=next"]).code(0));
    ground.engine.stop();
    // What the saved plan says of containers is not known to be true any more.
    let stale = ground.workspace.vsa(["apply", "next"]).code(4).says("the saved plan `next` is stale");
    drop(stale.says("Docker on `node.local` could not be seen").says("start it"));
    let refused = ground.workspace.vsa(["apply", "-auto-approve"]).code(5);
    assert_named(&refused);
    assert_eq!(ground.workspace.read("state/default.json"), state);
    // With the engine its containers are back, and the plan is as good as it was.
    ground.engine.start();
    assert!(wait_until(SOON, || ground.get_status() == 200));
    drop(ground.workspace.vsa(["apply", "next"]).code(0));
    ground.converges("2 hush-1");
}

/// It is there when the stack is made ready, and gone when the tool is to bring it up.
#[test]
fn it_stops_before_the_tool_begins() {
    let Some(ground) = Ground::on_own_engine() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    ground.compose(&images::app(&ground.engine, "2"));
    let run = ground.workspace.apply_meanwhile("phase:prepare:9", || ground.engine.stop());
    assert_named(&run);
    assert_eq!(run.exit, Some(6), "what was stopped with the engine is not up again: {run}");
    ground.engine.start();
    ground.converges("2 hush-1");
}

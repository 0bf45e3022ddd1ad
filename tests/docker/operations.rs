//! What an engine is told to do.

use super::*;

#[test]
fn operations_done_twice_change_something_once() {
    let Some(engine) = Engine::shared() else { return };
    let app = images::app(&engine, "1");
    let mut started = Started::new(&engine);
    started.run("twice", &[&app]);
    engine.docker(&["network", "rm", "twice"]).status().unwrap();
    let name = || "twice".to_owned();
    let create = |internal| DockerOperation::CreateNetwork {
        network: vsa::plan::NetworkSettings {
            name: name(),
            driver: "bridge".to_owned(),
            internal,
            labels: BTreeMap::from([("vsa.network".to_owned(), "network.twice".to_owned())]),
            subnet: None,
            gateway: None,
            ip_range: None,
        },
    };
    let connect = |aliases: &[&str]| DockerOperation::Connect {
        network: name(),
        container: name(),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
    };
    let disconnect = || DockerOperation::Disconnect { network: name(), container: name() };
    let aliases = || inspect(&engine, "twice").unwrap().networks["twice"].aliases.clone().unwrap();

    assert!(changed(&engine, create(true)));
    assert!(!changed(&engine, create(true)));
    let found = networks(&engine).into_iter().filter(|network| network.name == "twice").collect::<Vec<_>>();
    assert_eq!((found.len(), found[0].internal), (1, true));
    assert_eq!(found[0].labels["vsa.network"], "network.twice");
    insta::assert_snapshot!(refused(&engine, create(false)), @"cannot create the network `twice`: a network of that name is there already and is another one; remove it (`docker network rm`) or choose another name");

    assert!(changed(&engine, connect(&[])));
    assert!(!changed(&engine, connect(&[])));
    assert!(changed(&engine, connect(&["one", "two"])));
    assert!(aliases().contains("one") && aliases().contains("two"));
    assert!(!changed(&engine, connect(&["two"])));
    insta::assert_snapshot!(refused(&engine, DockerOperation::RemoveNetwork { name: name() }).replace(&found[0].id, "…"), @"cannot remove the network `twice`: containers are still attached to it: twice");
    assert!(changed(&engine, disconnect()));
    assert!(!changed(&engine, disconnect()));
    assert!(changed(&engine, DockerOperation::RemoveNetwork { name: name() }));
    assert!(!changed(&engine, DockerOperation::RemoveNetwork { name: name() }));
    assert!(!changed(&engine, disconnect()));

    let patience = Duration::from_secs(5);
    let stop = || DockerOperation::Stop { container: name(), patience };
    let start = || DockerOperation::Start { container: name() };
    let first = container(&engine, "twice").id;
    assert!(!changed(&engine, start()));
    assert!(changed(&engine, stop()));
    assert!(!changed(&engine, stop()));
    assert_eq!(container(&engine, "twice").exit_code, Some(0), "it ended by itself");
    assert!(changed(&engine, start()));
    assert!(changed(&engine, DockerOperation::Restart { container: name(), patience }));
    assert_eq!(container(&engine, "twice").state, ContainerState::Running);
    assert_eq!(container(&engine, "twice").id, first);
    assert!(changed(&engine, DockerOperation::Remove { container: name() }));
    assert!(!changed(&engine, DockerOperation::Remove { container: name() }));
    insta::assert_snapshot!(refused(&engine, start()), @"cannot start the container `twice`: there is no such container");
    assert_eq!(inspect(&engine, "twice"), None);
    for hostile in ["../networks/prune", "a?force=1", "a b", "", "-a", "a/json"] {
        let remove = DockerOperation::Remove { container: hostile.to_owned() };
        let why = refused(&engine, remove);
        assert!(why.ends_with("that is no name that Docker knows"), "{hostile}: {why}");
    }
}

#[test]
fn a_program_in_a_container_answers_with_its_exit_code_and_both_outputs() {
    let Some(engine) = Engine::shared() else { return };
    let app = images::app(&engine, "1");
    let mut started = Started::new(&engine);
    started.run("exec", &["--env", "GREETING=hello", &app]);
    let exec = |command: &[&str], timeout| DockerOperation::Exec {
        container: "exec".to_owned(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        timeout,
    };
    let output = |command: &[&str], timeout| match operate(&engine, exec(command, timeout)) {
        Ok(DockerAnswer::Output(output)) => output,
        other => panic!("{other:?}"),
    };
    let patience = Duration::from_secs(20);
    let both = output(&["sh", "-c", "echo out; echo \"$GREETING\" >&2; exit 7"], patience);
    assert_eq!((both.status, both.stdout.as_slice()), (Status::Exited(7), b"out\n".as_slice()));
    assert_eq!(both.errors(), "hello\n");
    assert!(output(&["true"], patience).success());
    // Arguments are arguments: no shell reads them.
    assert_eq!(output(&["echo", "$HOME; false"], patience).stdout, b"$HOME; false\n");
    let many =
        output(&["sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo 0123456789; i=$((i+1)); done"], patience);
    assert_eq!(many.stdout.len(), 33_000);
    assert_ne!(output(&["no-such-program"], patience).status, Status::Exited(0));
    let begin = Instant::now();
    assert_eq!(output(&["sleep", "30"], Duration::from_millis(300)).status, Status::TimedOut);
    assert!(begin.elapsed() < Duration::from_secs(10));
    engine.ask(&["kill", "exec"]);
    let id = container(&engine, "exec").id;
    let why = refused(&engine, exec(&["true"], patience)).replace(&id, "…");
    insta::assert_snapshot!(why, @"cannot run a program in the container `exec`: Container … is not running");
}

#[test]
fn the_log_of_a_container_is_read_from_its_end_and_followed() {
    let Some(engine) = Engine::shared() else { return };
    let app = images::app(&engine, "1");
    let mut started = Started::new(&engine);
    let script = "i=1; while [ $i -le 50 ]; do echo line $i; i=$((i+1)); done; sleep 0.5; echo trouble >&2; \
                  while [ ! -f /go ]; do sleep 0.05; done; echo last";
    started.run("log", &[&app, "sh", "-c", script]);
    let logs = |lines, bytes| match operate(
        &engine,
        DockerOperation::Logs { container: "log".to_owned(), lines, bytes },
    ) {
        Ok(DockerAnswer::Log(log)) => log,
        other => panic!("{other:?}"),
    };
    assert!(processes::wait_until(Duration::from_secs(10), || logs(1, 100).text().contains("trouble")));
    let lines = logs(3, 1000).text();
    let mut sorted: Vec<_> = lines.lines().collect();
    sorted.sort_unstable();
    assert_eq!(sorted, ["line 49", "line 50", "trouble"]);
    assert_eq!(logs(1000, 1 << 20).text().lines().count(), 51);
    let short = logs(1000, 20).text();
    assert!(short.len() <= 20 && short.starts_with("line ") | short.starts_with("trouble"), "{short}");
    assert_eq!(format!("{:?}", logs(1, 100)), "(8 bytes)");

    let host = LocalHost::new("/nonexistent/vsa");
    let followed = block_on(async {
        let follow = DockerOperation::Follow {
            container: "log".to_owned(),
            lines: Some(1),
            until_now: false,
            timestamps: false,
        };
        let DockerAnswer::Following(mut log) = host.docker(&engine.socket(), follow).await.unwrap() else {
            panic!("it is followed")
        };
        let mut pieces = vec![log.next().await.unwrap().unwrap()];
        engine.ask(&["exec", "log", "touch", "/go"]);
        while let Some(piece) = log.next().await {
            pieces.push(piece.unwrap());
        }
        pieces
    });
    let text: Vec<_> =
        followed.iter().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()).collect();
    assert_eq!(text.last().map(String::as_str), Some("last\n"));
    assert!(!followed.last().unwrap().error && text.len() == 2, "{text:?}");
}

#[test]
fn waiting_for_a_container_ends_when_it_is_clear_how_it_is() {
    let Some(engine) = Engine::shared() else { return };
    let mut started = Started::new(&engine);
    let check = ["--health-cmd", "test -f /www/health || { echo no health file; exit 1; }"];
    let often = ["--health-interval", "200ms", "--health-retries", "2"];
    let health = [&check[..], &often[..]].concat();
    let wait = |name: &str, patience: u64, settle: u64| {
        let container = name.to_owned();
        let [patience, settle] = [patience, settle].map(Duration::from_millis);
        match operate(&engine, DockerOperation::AwaitReady { container, patience, settle }) {
            Ok(DockerAnswer::Readiness(readiness)) => readiness,
            other => panic!("{other:?}"),
        }
    };
    let app = images::app(&engine, "1");
    started.run("fine", &[&health[..], &[&app]].concat());
    assert_eq!(wait("fine", 20_000, 60_000), Readiness::Ready);
    started.run("plain", &[&app]);
    let begin = Instant::now();
    assert_eq!(wait("plain", 20_000, 700), Readiness::Ready);
    assert!(begin.elapsed() >= Duration::from_millis(700), "it was seen up for so long");
    started.run("sick", &[&health[..], &[&images::app(&engine, "sick")]].concat());
    let Readiness::Unhealthy { said } = wait("sick", 20_000, 1) else { panic!("it is unhealthy") };
    assert_eq!(said.text(), "no health file\n");
    let crash = images::app(&engine, "crash");
    started.run("crash", &[&crash]);
    assert_eq!(wait("crash", 20_000, 5000), Readiness::Exited { code: 3 });
    // One that the engine starts again and again is never up for long enough.
    started.run("loop", &["--restart", "always", &crash]);
    let Readiness::TimedOut { last } = wait("loop", 1500, 1000) else { panic!("it never settles") };
    assert!(last.restarts > Some(0), "{last:?}");
    assert_eq!(wait("nobody", 1000, 1), Readiness::Gone);
}

#[test]
fn named_volumes_go_with_the_project_that_is_named_and_with_no_other() {
    let Some(engine) = Engine::shared() else { return };
    let app = images::app(&engine, "1");
    let mut started = Started::new(&engine);
    for project in ["volumeone", "volumetwo"] {
        let label = format!("com.docker.compose.project={project}");
        engine.ask(&["volume", "create", "--label", &label, &format!("{project}_data")]);
    }
    started.run("volume", &["--volume", "volumeone_data:/data", &app]);
    let remove = || operate(&engine, DockerOperation::RemoveVolumes { project: "volumeone".to_owned() });
    let why = remove().unwrap_err().to_string();
    assert!(why.contains("volume is in use"), "{why}");
    drop(started);
    let Ok(DockerAnswer::Volumes(names)) = remove() else { panic!("they are removed") };
    assert_eq!(names, ["volumeone_data"]);
    let Ok(DockerAnswer::Volumes(names)) = remove() else { panic!("they are gone") };
    assert_eq!(names, [""; 0]);
    assert!(engine.ask(&["volume", "ls", "--quiet"]).contains("volumetwo_data"));
    engine.ask(&["volume", "rm", "volumetwo_data"]);
}

#[test]
fn nginx_runs_in_a_container_and_is_reloaded_through_the_engine() {
    let Some(engine) = Engine::shared() else { return };
    let Some(nginx) = images::nginx(&engine) else { return };
    let mut started = Started::new(&engine);
    let directory = tempfile::tempdir().unwrap();
    let conf = directory.path().join("nginx.conf");
    let write = |text: &str| {
        let conf_text =
            format!("events {{}}\nhttp {{ access_log off; server {{ listen 80; return 200 {text}; }} }}\n");
        std::fs::write(&conf, conf_text).unwrap();
    };
    write("one");
    let volume = format!("{}:/etc/vsa", directory.path().display());
    let command = ["/usr/sbin/nginx", "-c", "/etc/vsa/nginx.conf", "-g", "daemon off;"];
    started.run("proxy", &[&["--volume", &volume, &nginx], &command[..]].concat());
    let exec = |command: &[&str]| {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let timeout = Duration::from_secs(20);
        match operate(&engine, DockerOperation::Exec { container: "proxy".to_owned(), command, timeout }) {
            Ok(DockerAnswer::Output(output)) => output,
            other => panic!("{other:?}"),
        }
    };
    let says = |text: &str| exec(&["wget", "-q", "-O", "-", "http://127.0.0.1/"]).stdout == text.as_bytes();
    assert!(processes::wait_until(Duration::from_secs(10), || says("one")));
    write("two");
    let test = exec(&["nginx", "-t", "-c", "/etc/vsa/nginx.conf"]);
    assert!(test.success(), "{}", test.errors());
    let signal = vsa::host::Signal::Hangup;
    assert!(changed(&engine, DockerOperation::Signal { container: "proxy".to_owned(), signal }));
    assert!(processes::wait_until(Duration::from_secs(10), || says("two")));
    write("}");
    let test = exec(&["nginx", "-t", "-c", "/etc/vsa/nginx.conf"]);
    assert!(!test.success() && test.errors().contains("unexpected \"}\""), "{}", test.errors());
}

#[test]
fn an_image_is_pulled_with_a_login_and_pulled_anew_only_where_that_is_asked() {
    let Some(engine) = Engine::shared() else { return };
    engine.enter();
    // In plain base64 this has characters that the URL-safe kind has not.
    let password = "~~~???>>>";
    let registry = Registry::start("alice", password);
    let reference = registry.reference("shop/app", "1");
    let first = registry.offer("shop/app", "1", "one");
    let pull = |policy, password: Option<&str>| {
        let login = password
            .map(|password| RegistryLogin { user: "alice".to_owned(), password: Secret::new(password) });
        let operation = DockerOperation::Pull { reference: reference.clone(), policy, login };
        assert!(!format!("{operation:?}").contains("~~~"), "a password is never shown");
        match operate(&engine, operation) {
            Ok(DockerAnswer::Image(image)) => Ok(image),
            Err(error) => Err(error.to_string().replace(&reference, "…")),
            other => panic!("{other:?}"),
        }
    };
    for password in [None, Some("wrong")] {
        let why = pull(PullPolicy::IfMissing, password).unwrap_err();
        assert!(why.contains("no basic auth credentials") || why.contains("unauthorized"), "{why}");
    }
    let image = pull(PullPolicy::IfMissing, Some(password)).unwrap();
    let name = reference.trim_end_matches(":1");
    assert_eq!(image.repo_digests, [format!("{name}@{first}")]);
    let second = registry.offer("shop/app", "1", "two");
    assert_eq!(pull(PullPolicy::IfMissing, Some(password)).unwrap(), image);
    let newer = pull(PullPolicy::Always, Some(password)).unwrap();
    assert_eq!(newer.repo_digests, [format!("{name}@{second}")]);
    assert_ne!(newer.id, image.id);
    // What lost its name is still found by its digest.
    let former = format!("{name}@{first}");
    let asked = Query::Images { socket: engine.socket(), references: vec![former.clone()] };
    let Answer::Images(found) = ask(asked) else { panic!("images are listed") };
    assert_eq!(found.iter().map(|image| &image.reference).collect::<Vec<_>>(), [&former]);
    engine.ask(&["image", "rm", "--force", &newer.id, &image.id]);
}

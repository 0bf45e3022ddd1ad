//! What is seen of an engine.

use super::*;

#[test]
fn without_a_socket_docker_is_absent() {
    for query in every_question(Path::new("/nonexistent/docker.sock")) {
        assert_eq!(ask(query), Answer::Absent);
    }
    insta::assert_snapshot!(docker::no_engine(Path::new("/nonexistent/docker.sock")), @"there is no Docker on the node: no socket `/nonexistent/docker.sock`; install or start it, or name its socket");
}

#[test]
fn a_socket_that_nobody_listens_on_says_how_to_start_docker() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    for query in every_question(&socket) {
        let Answer::Failed(why) = ask(query) else { panic!("it failed") };
        let why = why.replace(socket.to_str().unwrap(), "…");
        insta::allow_duplicates! {
            insta::assert_snapshot!(why, @"no Docker engine listens at `…`; start it (`systemctl start docker`) and run vsa again");
        }
    }
}

#[test]
fn a_socket_that_may_not_be_used_says_who_may() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    open_to_all(directory.path());
    let socket = directory.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).unwrap();
    let queries = every_question(&socket);
    // A thread of its own: only that one is somebody else, and what it starts.
    let answers = std::thread::spawn(move || {
        setfsuid(Uid::from_raw(65_534));
        queries.map(ask)
    });
    for answer in answers.join().unwrap() {
        let Answer::Failed(why) = answer else { panic!("{answer:?}") };
        let why = why.replace(socket.to_str().unwrap(), "…");
        insta::allow_duplicates! {
            insta::assert_snapshot!(why, @"the socket `…` may not be used; run vsa as root, or put its user into the group `docker`");
        }
    }
}

#[test]
fn a_compose_project_is_seen_as_it_is() {
    let Some(engine) = Engine::shared() else { return };
    let (app, database) = (images::app(&engine, "1"), images::database(&engine));
    let compose = format!(
        r#"
services:
  web:
    image: {app}
    environment: {{ GREETING: "hello" }}
    ports: ["127.0.0.1::3000"]
    labels: {{ vsa.stack: shop, other: "no" }}
    healthcheck: {{ test: [CMD, test, -f, /www/health], interval: 1s }}
    networks: {{ default: {{ aliases: [shop-web] }} }}
  database:
    image: {database}
    volumes: ["data:/data"]
    labels: {{ vsa.stack: shop }}
volumes: {{ data: {{ }} }}
"#
    );
    let project = Project::up(&engine, "seen", &compose);
    let seen = |service: &str| {
        let found = containers(&engine).into_iter().find(|container| container.serves("seen", service));
        found.unwrap_or_else(|| panic!("{service} is seen"))
    };
    let healthy = || seen("web").health == Some(Health::Healthy);
    assert!(processes::wait_until(Duration::from_secs(20), healthy), "{:?}", seen("web"));

    let web = seen("web");
    // Version 2 of the tool joins the parts of a name with hyphens.
    assert_eq!(web.name.replace('_', "-"), "seen-web-1");
    assert_eq!((web.state, web.exit_code), (ContainerState::Running, None));
    assert!(web.is_ready());
    assert_eq!((web.image.as_str(), web.restarts), (app.as_str(), None));
    assert_eq!(web.image_id, engine.ask(&["image", "inspect", "--format", "{{.Id}}", &app]));
    assert_eq!(web.labels, BTreeMap::from([("vsa.stack".to_owned(), "shop".to_owned())]));
    let labels = web.compose.as_ref().unwrap();
    assert_eq!((labels.number, labels.oneoff), (1, false));
    assert_eq!(labels.working_dir.as_deref(), Some(project.directory.path()));
    let hashes = project.compose(&["config", "--hash=*"]);
    let hash = hashes.lines().find_map(|line| line.strip_prefix("web "));
    assert_eq!(labels.config_hash.as_deref(), hash, "{hashes}");

    let port = web.published.iter().next().unwrap();
    assert_eq!(web.published.len(), 1);
    assert_eq!((port.host_ip.to_string().as_str(), port.container_port), ("127.0.0.1", 3000));
    assert_eq!(port.protocol, Protocol::Tcp);
    assert!(port.host_port > 0);
    assert_eq!(seen("database").exposed, BTreeSet::from([(5432, Protocol::Tcp)]));
    assert_eq!(seen("database").published, BTreeSet::<PublishedPort>::new());
    assert_eq!(seen("database").health, None);
    let mounts = seen("database").mounts;
    assert_eq!(mounts[0].volume.as_deref(), Some("seen_data"));
    assert_eq!((mounts[0].destination.to_str(), mounts[0].writable), (Some("/data"), true));

    let network = networks(&engine).into_iter().find(|network| network.name == "seen_default").unwrap();
    assert_eq!((network.driver.as_str(), network.internal), ("bridge", false));
    assert_eq!(network.labels["com.docker.compose.project"], "seen");
    let place = &web.networks["seen_default"];
    assert_eq!(place.network, network.id);
    assert!(network.subnets[0].contains(&place.addresses[0]), "{network:?} {place:?}");
    let all = containers(&engine);
    let mut attached: Vec<_> = docker::attached(&network, &all).collect();
    attached.sort_unstable();
    let mut both = [web.id.clone(), seen("database").id];
    both.sort_unstable();
    assert_eq!(attached, both);
    // Only an inspection knows aliases, restarts, and what is to run on; all else is the same.
    let mut inspected = inspect(&engine, &web.name).unwrap();
    assert_eq!((inspected.restarts.take(), inspected.runs_on.take()), (Some(0), Some(true)));
    let aliases = inspected.networks.get_mut("seen_default").unwrap().aliases.take().unwrap();
    assert!(aliases.contains("shop-web") && aliases.contains("web"), "{aliases:?}");
    assert_eq!(inspected, web);
    let database = inspect(&engine, &seen("database").name).unwrap();
    assert_eq!(database.runs_on, Some(false), "nothing says that it is not done at its end");

    engine.ask(&["kill", &web.name]);
    let web = seen("web");
    assert_eq!((web.state, web.exit_code, web.health), (ContainerState::Exited, Some(137), None));
    assert!(!web.is_ready() && web.published.is_empty() && web.networks["seen_default"].addresses.is_empty());
    engine.ask(&["rm", &web.name]);
    assert!(!containers(&engine).iter().any(|container| container.serves("seen", "web")));
}

#[test]
fn images_are_found_by_what_they_are_called_and_pulled_by_policy() {
    let Some(engine) = Engine::shared() else { return };
    let app = images::app(&engine, "1");
    let id = engine.ask(&["image", "inspect", "--format", "{{.Id}}", &app]);
    let references = [format!("docker.io/{app}"), "vsa-test/none".to_owned(), id.clone()];
    let asked = Query::Images { socket: engine.socket(), references: references.to_vec() };
    let Answer::Images(found) = ask(asked) else { panic!("images are listed") };
    let named: Vec<_> = found.iter().map(|image| (&image.reference, &image.id)).collect();
    assert_eq!(named, [(&references[0], &id), (&references[2], &id)]);
    assert!(found[0].repo_digests.is_empty() && found[0].created > 1_600_000_000, "{found:?}");

    let pull = |reference: &str, policy| {
        operate(&engine, DockerOperation::Pull { reference: reference.to_owned(), policy, login: None })
    };
    for policy in [PullPolicy::IfMissing, PullPolicy::Never] {
        let Ok(DockerAnswer::Image(image)) = pull(&app, policy) else { panic!("it is there") };
        assert_eq!(image.id, id);
    }
    let why = pull("vsa-test/none:2", PullPolicy::Never).unwrap_err().to_string();
    insta::assert_snapshot!(why, @r#"cannot pull the image `vsa-test/none:2`: the engine has no such image, and `pull = "never"` asks no registry; load it (`docker load`)"#);
    // No registry listens there.
    let why = pull("127.0.0.1:9/none", PullPolicy::IfMissing).unwrap_err().to_string();
    assert!(why.starts_with("cannot pull the image `127.0.0.1:9/none`: "), "{why}");
    assert!(why.contains("connection refused") || why.contains("unreachable"), "{why}");
}

#[test]
fn forty_networks_fit_and_listing_costs_one_request_however_many_there_are() {
    let Some(engine) = Engine::shared() else { return };
    let app = images::app(&engine, "1");
    let mut started = Started::new(&engine);
    for number in 0..8 {
        started.run(&format!("many{number}"), &["--env", "DELAY=60", &app]);
    }
    let name = |number| format!("forty{number}");
    let names: Vec<_> = (0..40).map(name).collect();
    for name in &names {
        let (name, driver) = (name.clone(), "bridge".to_owned());
        changed(
            &engine,
            DockerOperation::CreateNetwork {
                network: vsa::plan::NetworkSettings {
                    name,
                    driver,
                    internal: false,
                    labels: BTreeMap::new(),
                    subnet: None,
                    gateway: None,
                    ip_range: None,
                },
            },
        );
    }
    let Answer::Engine(seen) = ask(Query::Engine { socket: engine.socket() }) else { panic!("it answers") };
    let free = docker::free_subnets(&seen.address_pools, &networks(&engine), 1000);
    assert!((100..=216).contains(&free), "{free} of 256 are free");
    assert!(!seen.version.is_empty() && seen.api_version.starts_with("1."), "{seen:?}");
    assert_eq!(seen.swarm, SwarmMembership::Inactive);
    assert!(seen.root_dir.ends_with("data"), "{seen:?}");

    let directory = tempfile::tempdir().unwrap();
    let counting = Counting::before(&engine.socket(), directory.path());
    let questions = every_question(&counting.socket);
    let host = LocalHost::new("/nonexistent/vsa");
    let answers = block_on(host.observe(&questions));
    let Answer::Containers(found) = &answers[0] else { panic!("{:?}", answers[0]) };
    assert!(found.iter().filter(|container| container.name.starts_with("many")).count() == 8);
    let Answer::Networks(found) = &answers[1] else { panic!("{:?}", answers[1]) };
    assert!(names.iter().all(|name| found.iter().any(|network| network.name == *name)));
    assert_eq!(answers[4], Answer::Absent, "it is in no swarm");
    insta::assert_snapshot!(counting.take().join("\n"), @"
    GET /containers/json?all=true&size=false
    GET /images/json?all=false&shared-size=false&digests=true&manifests=false
    GET /info
    GET /info
    GET /networks
    GET /services?status=true
    GET /version
    ");

    for name in names {
        assert!(changed(&engine, DockerOperation::RemoveNetwork { name }));
    }
}

#[test]
fn services_of_a_swarm_are_seen_with_their_tasks() {
    let directory = tempfile::tempdir().unwrap();
    let Some(engine) = Engine::own(directory.path(), Pool::LARGE) else { return };
    engine.ask(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
    let Answer::Engine(seen) = ask(Query::Engine { socket: engine.socket() }) else { panic!("it answers") };
    let SwarmMembership::Active { node_id, manager: true } = seen.swarm else { panic!("{:?}", seen.swarm) };
    assert_eq!(node_id, engine.ask(&["node", "inspect", "--format", "{{.ID}}", "self"]));
    let app = images::app(&engine, "1");
    let label = "com.docker.stack.namespace=shop";
    let arguments =
        ["--name", "shop_web", "--replicas", "2", "--label", label, "--no-resolve-image", "--detach"];
    // On the machine's own network two replicas cannot listen on one port: they only wait.
    let container = ["--network", "host", &app, "sleep", "1000"];
    engine.ask(&[&["service", "create"], &arguments[..], &container].concat());
    let service = || match ask(Query::Services { socket: engine.socket() }) {
        Answer::Services(services) => services.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(processes::wait_until(Duration::from_secs(30), || service().running == 2), "{:?}", service());
    let seen = service();
    assert_eq!((seen.name.as_str(), seen.stack.as_deref(), seen.wanted), ("shop_web", Some("shop"), 2));
    assert_eq!((seen.image.as_str(), seen.update), (app.as_str(), None));
    let mut slots: Vec<_> = seen.tasks.iter().map(|task| task.slot).collect();
    slots.sort_unstable();
    assert_eq!(slots, [Some(1), Some(2)]);
    assert!(seen.tasks.iter().all(|task| task.state == "running" && task.node.as_ref() == Some(&node_id)));
    engine.ask(&[
        "service",
        "update",
        "--detach",
        "--image",
        "vsa-test/none:1",
        "--no-resolve-image",
        "shop_web",
    ]);
    let failed = || service().update == Some(docker::UpdateState::Paused);
    assert!(processes::wait_until(Duration::from_secs(30), failed), "{:?}", service());
    let wrong = service().tasks.into_iter().find(|task| task.error.is_some()).unwrap();
    assert!(wrong.error.as_ref().unwrap().contains("vsa-test/none:1"), "{wrong:?}");
}

#[test]
fn the_compose_tool_is_found() {
    let Some(_engine) = Engine::shared() else { return };
    let Answer::ComposeTool(tool) = ask(Query::ComposeTool) else { panic!("there is one") };
    assert!(tool.version.major >= 1, "{tool:?}");
    let expected = if tool.prefix.is_empty() { ComposeTool::standalone } else { ComposeTool::plugin };
    assert_eq!(tool, expected(tool.version.clone()));
}

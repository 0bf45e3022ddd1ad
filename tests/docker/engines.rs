//! Engines that are stopped, that run out of addresses, that live on a machine of their own.

use super::*;

#[test]
fn an_engine_out_of_addresses_says_how_to_get_more() {
    let directory = tempfile::tempdir().unwrap();
    let Some(engine) = Engine::own(directory.path(), Pool { base: "10.201.0.0/27", size: 28 }) else {
        return;
    };
    let create = |name: &str| DockerOperation::CreateNetwork {
        network: vsa::plan::NetworkSettings {
            name: name.to_owned(),
            driver: "bridge".to_owned(),
            internal: false,
            labels: BTreeMap::new(),
            subnet: None,
            gateway: None,
            ip_range: None,
        },
    };
    let free = || {
        let Answer::Engine(seen) = ask(Query::Engine { socket: engine.socket() }) else {
            panic!("it answers")
        };
        docker::free_subnets(&seen.address_pools, &networks(&engine), 1000)
    };
    for (name, left) in [("one", 1), ("two", 0)] {
        assert!(changed(&engine, create(name)));
        assert_eq!(free(), left);
    }
    insta::assert_snapshot!(refused(&engine, create("three")), @"cannot create the network `three`: the engine has no more addresses for networks; remove networks that nobody uses (`docker network prune`), or enlarge `default-address-pools` in `/etc/docker/daemon.json` and restart Docker");

    // With none left Docker 20.10 would not start again, whatever the subnet of its own bridge.
    assert!(changed(&engine, DockerOperation::RemoveNetwork { name: "two".to_owned() }));

    // The engine is stopped: every question and operation says so, and what to do.
    let app = images::app(&engine, "1");
    engine.ask(&["run", "--detach", "--restart", "always", "--name", "app", &app]);
    let exec = DockerOperation::Exec {
        container: "app".to_owned(),
        command: ["sh", "-c", "touch /begun; sleep 60"].map(str::to_owned).to_vec(),
        timeout: Duration::from_mins(1),
    };
    let cut = std::thread::scope(|scope| {
        let cut = scope.spawn(|| refused(&engine, exec));
        let begun = || engine.docker(&["exec", "app", "test", "-f", "/begun"]).status().unwrap().success();
        assert!(processes::wait_until(Duration::from_secs(10), begun));
        engine.stop();
        cut.join().unwrap()
    });
    let socket = engine.socket();
    let hide = |text: String| text.replace(socket.to_str().unwrap(), "…");
    assert!(cut.starts_with("cannot run a program in the container `app`: "), "{cut}");
    for query in every_question(&engine.socket()) {
        let why = match ask(query) {
            Answer::Failed(why) => hide(why),
            // The engine takes its socket along where it ends in good order.
            Answer::Absent => hide(docker::no_engine(&engine.socket())),
            other => panic!("{other:?}"),
        };
        assert!(why.contains("`…`"), "{why}");
    }
    let start = || DockerOperation::Start { container: "app".to_owned() };
    insta::assert_snapshot!(hide(refused(&engine, start())), @"cannot start the container `app`: there is no Docker on the node: no socket `…`; install or start it, or name its socket");
    engine.start();
    assert!(processes::wait_until(Duration::from_secs(10), || container(&engine, "app").is_ready()));
    assert!(!changed(&engine, start()));
    // Killed, it leaves its socket behind.
    engine.kill();
    insta::assert_snapshot!(hide(refused(&engine, start())), @"cannot start the container `app`: no Docker engine listens at `…`; start it (`systemctl start docker`) and run vsa again");
    engine.start();
    assert!(processes::wait_until(Duration::from_secs(10), || container(&engine, "app").is_ready()));
}

#[test]
fn an_engine_of_a_machine_of_its_own_shares_that_machines_files_and_loopback() {
    let directory = tempfile::tempdir().unwrap();
    let Some(system) = System::new(directory.path()) else { return };
    let Some(engine) = Engine::inside(&system, directory.path()) else { return };
    let app = images::app(&engine, "1");
    std::fs::create_dir(system.path("/srv/www")).unwrap();
    std::fs::write(system.path("/srv/www/page"), "of the machine").unwrap();
    let published = ["--publish", "127.0.0.1:3000:3000", "--volume", "/srv/www:/www"];
    engine.ask(&[&["run", "--detach", "--name", "app"], &published[..], &[&app]].concat());
    let fetched =
        || system.within(|| fetch(&Request::http(3000, "localhost", "/page")).map(|page| page.text()));
    let arrives = || fetched().is_ok_and(|text| text == "of the machine");
    assert!(processes::wait_until(Duration::from_secs(10), arrives), "{:?}", fetched());
    assert!(!Path::new("/srv/www").exists(), "the real machine has no such directory");
}

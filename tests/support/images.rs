//! Small images for tests, packed from programs of this machine: no registry is asked.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::docker::Engine;

/// Listens on 3000 and answers its `VERSION` and `GREETING` at `/`, its environment at `/env`; `/health` is there
/// from the start, unless `SICK` is set. `DELAY` is the number of seconds before it does anything. With `CRASH` it
/// ends at once, with that code, after a line on standard error.
const APP: &str = r#"#!/bin/sh
echo "version $VERSION starts"
[ -z "$DELAY" ] || sleep "$DELAY"
if [ -n "$CRASH" ]; then
  echo "version $VERSION cannot start: no database" >&2
  exit "$CRASH"
fi
mkdir -p /www
echo "$VERSION $GREETING" >/www/index.html
env >/www/env
[ -n "$SICK" ] || echo fine >/www/health
trap 'exit 0' TERM
httpd -f -p "${PORT:-3000}" -h /www &
wait
"#;

/// The programs of an image that are busybox.
const APPLETS: [&str; 20] = [
    "cat", "chown", "echo", "env", "false", "grep", "head", "hostname", "httpd", "ls", "mkdir", "nc",
    "printf", "rm", "sh", "sleep", "test", "touch", "true", "wget",
];

/// `vsa-test/app:<version>`: a web application. Versions `crash`, `sick` and `slow` are what they say.
pub fn app(engine: &Engine, version: &str) -> String {
    let name = format!("vsa-test/app:{version}");
    let version = format!("ENV VERSION={version}");
    let mut changes = vec![version.as_str(), "CMD [\"/app\"]", "EXPOSE 3000"];
    match name.rsplit(':').next() {
        Some("crash") => changes.push("ENV CRASH=3"),
        Some("sick") => changes.push("ENV SICK=1"),
        Some("slow") => changes.push("ENV DELAY=2"),
        _ => {}
    }
    engine.import(&name, &changes, |root| {
        busybox(root);
        program(&root.join("app"), APP);
    });
    name
}

/// `vsa-test/database:1`: something that accepts connections on 5432.
pub fn database(engine: &Engine) -> String {
    let name = "vsa-test/database:1";
    let changes = ["ENV VERSION=database", "ENV PORT=5432", "CMD [\"/app\"]", "EXPOSE 5432", "VOLUME /data"];
    engine.import(name, &changes, |root| {
        busybox(root);
        fs::create_dir(root.join("data")).unwrap();
        program(&root.join("app"), APP);
    });
    name.to_owned()
}

/// What stands in for the web server of files that shipped stacks use, under its name: it serves the same directory
/// on the same port.
pub fn files(engine: &Engine) {
    let serve = "CMD [\"/bin/httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/usr/share/nginx/html\"]";
    engine.import("nginxinc/nginx-unprivileged:1.30.5-alpine", &["USER 101", serve, "EXPOSE 8080"], |root| {
        busybox(root);
    });
}

/// `vsa-test/nginx:2`: Debian's nginx, and `curl` as in the images of nginx's makers, with what they link to. `None`
/// where there is none.
pub fn nginx(engine: &Engine) -> Option<String> {
    nginx_with(engine, "vsa-test/nginx:2", |_, _| {})
}

/// `vsa-test/nginx:newer`: the same, which says that it is nginx 1.27.0.
pub fn newer_nginx(engine: &Engine) -> Option<String> {
    nginx_with(engine, "vsa-test/nginx:newer", |root, path| {
        let real = Path::new("/usr/lib/nginx");
        fs::create_dir_all(root.join("usr/lib")).unwrap();
        fs::rename(root.join(path.strip_prefix("/").unwrap()), root.join("usr/lib/nginx")).unwrap();
        let text = format!(
            "#!/bin/sh\n[ \"$1\" = -V ] || exec {0} \"$@\"\n{0} -V 2>&1 | while read -r line; do\n  case $line in\n  \
             'nginx version:'*) echo 'nginx version: nginx/1.27.0' ;;\n  *) echo \"$line\" ;;\n  esac\ndone >&2\n",
            real.display(),
        );
        program(&root.join(path.strip_prefix("/").unwrap()), &text);
    })
}

/// Debian's nginx under another image's name, as that one begins, with what `fill` adds.
pub fn nginx_as(engine: &Engine, name: &str, changes: &[&str], fill: impl FnOnce(&Path)) -> Option<String> {
    packed_nginx(engine, name, changes, |root, _| fill(root))
}

fn nginx_with(engine: &Engine, name: &str, change: impl FnOnce(&Path, &Path)) -> Option<String> {
    packed_nginx(
        engine,
        name,
        &["CMD [\"/usr/sbin/nginx\", \"-g\", \"daemon off;\"]", "EXPOSE 80 443"],
        change,
    )
}

fn packed_nginx(
    engine: &Engine,
    name: &str,
    changes: &[&str],
    change: impl FnOnce(&Path, &Path),
) -> Option<String> {
    let program = super::nginx()?;
    engine.import(name, changes, |root| {
        busybox(root);
        for program in [&program, Path::new("/usr/bin/curl")] {
            linked(program, root);
        }
        for directory in ["etc/nginx", "run", "tmp", "var/log/nginx", "var/lib/nginx"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        copy(Path::new("/etc/nginx/mime.types"), &root.join("etc/nginx/mime.types"));
        let conf = "events {}\nhttp {\n    server { listen 80; return 200 \"nobody is at home\\n\"; }\n}\n";
        fs::write(root.join("etc/nginx/nginx.conf"), conf).unwrap();
        change(root, &program);
    });
    Some(name.to_owned())
}

/// A program with what it links to.
pub fn linked(program: &Path, root: &Path) {
    copy(program, &root.join(program.strip_prefix("/").unwrap()));
    let linked = Command::new("ldd").arg(program).output().unwrap();
    // `libz.so.1 => /lib/….so (0x…)`, and the loader alone.
    for word in String::from_utf8_lossy(&linked.stdout).split_whitespace() {
        if word.starts_with('/') {
            copy(Path::new(word), &root.join(word.trim_start_matches('/')));
        }
    }
}

/// A root directory with busybox, and the users that programs ask for.
pub fn busybox(root: &Path) {
    copy(Path::new("/usr/bin/busybox"), &root.join("bin/busybox"));
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::create_dir_all(root.join("etc")).unwrap();
    let users = "root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/bin/sh\nnode:x:1000:1000::/:/bin/sh\n\
                 nobody:x:65534:65534::/:/bin/sh\n";
    fs::write(root.join("etc/passwd"), users).unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n").unwrap();
    let temporary = root.join("tmp");
    fs::create_dir_all(&temporary).unwrap();
    fs::set_permissions(temporary, fs::Permissions::from_mode(0o1777)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

/// A script that can be run.
pub fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

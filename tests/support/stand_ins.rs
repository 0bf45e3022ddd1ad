//! Images under the names that the shipped stacks use, of which none can be fetched here: each listens where the real
//! one does, holds the programs that the health check starts, and serves a page that says which container it is.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use regex::Regex;

use super::docker::Engine;
use super::images::{self, busybox, linked, program};

/// `stand-in PORT [PATH]`: serves the container's id at `/`, and that it is well at `PATH`. `DATA` is a directory that
/// it keeps something in. Where the root is read-only, shared memory is not.
const STAND_IN: &str = r#"#!/bin/sh
www=/dev/shm/www
mkdir -p "$www${2%/*}"
hostname >"$www/index.html"
[ -z "${2#/}" ] || echo well >"$www$2"
[ -z "$DATA" ] || echo kept >>"$DATA/stand-in"
trap 'exit 0' TERM
httpd -f -p "$1" -h "$www" &
wait
"#;

/// Interpreters: a health check fetches a page, a program that is a file listens on `PORT`.
const INTERPRETER: &str = r#"#!/bin/sh
case $1 in
-e | -c) exec wget -q -O /dev/null "$(echo "$2" | grep -o "http://[^']*")" ;;
*) test -r "$1" && exec stand-in "$PORT" /health ;;
esac
"#;

/// Loki asks itself.
const LOKI: &str = "#!/bin/sh\n[ \"$1\" != -health ] || exec wget -q -O /dev/null http://127.0.0.1:3100/ready\nexec stand-in \
                    3100 /ready\n";

/// A program that its image starts, or that a health check does.
const PROGRAMS: [(&str, &str); 11] = [
    ("stand-in", STAND_IN),
    ("node", INTERPRETER),
    ("python3", INTERPRETER),
    ("celery", "#!/bin/sh\nexec true\n"),
    ("loki", LOKI),
    ("postgres", "#!/bin/sh\nexec stand-in 5432\n"),
    ("pg_isready", "#!/bin/sh\nexec nc -w 2 127.0.0.1 5432 -e true\n"),
    ("healthcheck.sh", "#!/bin/sh\nexec nc -w 2 127.0.0.1 3306 -e true\n"),
    ("docker-entrypoint.sh", "#!/bin/sh\nexec \"$@\"\n"),
    ("redis-server", "#!/bin/sh\ngrep -q '^requirepass ..' \"$1\" && exec stand-in 6379\n"),
    ("redis-cli", "#!/bin/sh\n[ -n \"$REDISCLI_AUTH\" ] && nc -w 2 127.0.0.1 6379 -e true && echo PONG\n"),
];

/// What an image begins with: its name without the version, and the changes that give it its configuration.
const IMAGES: [(&str, &[&str]); 21] = [
    ("busybox", &["CMD [\"sh\"]"]),
    ("ghcr.io/google/cadvisor", &["ENTRYPOINT [\"stand-in\", \"8080\", \"/healthz\"]"]),
    ("grafana/alloy", &["ENTRYPOINT [\"stand-in\", \"12345\", \"/-/ready\"]"]),
    ("grafana/grafana", &["USER 472", "ENTRYPOINT [\"stand-in\", \"3000\", \"/api/health\"]"]),
    ("grafana/loki", &["USER 10001", "ENTRYPOINT [\"/usr/bin/loki\"]"]),
    ("langgenius/dify-api", &["CMD [\"stand-in\", \"5001\", \"/health\"]"]),
    ("langgenius/dify-plugin-daemon", &["CMD [\"stand-in\", \"5002\", \"/health/check\"]"]),
    ("langgenius/dify-sandbox", &["CMD [\"stand-in\", \"8194\", \"/health\"]"]),
    ("langgenius/dify-web", &["CMD [\"stand-in\", \"3000\"]"]),
    ("mariadb", &["ENV DATA=/var/lib/mysql", "CMD [\"stand-in\", \"3306\"]"]),
    ("n8nio/n8n", &["USER node", "ENTRYPOINT [\"stand-in\", \"5678\", \"/healthz/readiness\"]"]),
    ("n8nio/runners", &["USER node", "ENTRYPOINT [\"stand-in\", \"5680\", \"/healthz\"]"]),
    ("node", &["CMD [\"node\"]"]),
    ("pgvector/pgvector", &["ENV DATA=/var/lib/postgresql/data", "CMD [\"postgres\"]"]),
    ("php", &["CMD [\"stand-in\", \"80\", \"/health.php\"]"]),
    ("postgres", &["ENV DATA=/var/lib/postgresql", "CMD [\"postgres\"]"]),
    ("prom/node-exporter", &["ENTRYPOINT [\"stand-in\", \"9100\", \"/\"]"]),
    ("prom/prometheus", &["USER nobody", "ENTRYPOINT [\"stand-in\", \"9090\", \"/-/ready\"]"]),
    ("python", &["CMD [\"python3\"]"]),
    ("redis", &["ENV DATA=/data", "ENTRYPOINT [\"docker-entrypoint.sh\"]", "CMD [\"redis-server\"]"]),
    ("ubuntu/squid", &["CMD [\"stand-in\", \"3128\"]"]),
];

/// Debian's nginx as the user of the image without rights, on 8080; pages and sites are where that one has them.
const UNPRIVILEGED: &str = "pid /tmp/nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\n    client_body_temp_path \
                            /tmp/body;\n    proxy_temp_path /tmp/proxy;\n    fastcgi_temp_path /tmp/fastcgi;\n    \
                            uwsgi_temp_path /tmp/uwsgi;\n    scgi_temp_path /tmp/scgi;\n    access_log off;\n    include \
                            /etc/nginx/mime.types;\n    include /etc/nginx/conf.d/*.conf;\n}\n";
const PAGES: &str = "server {\n    listen 8080;\n    root /usr/share/nginx/html;\n}\n";

/// The images that the compose files of these directories name.
fn named(directories: &[&Path]) -> BTreeSet<String> {
    let image = Regex::new(r"(?m)^ +image: (\S+)$").unwrap();
    let texts =
        directories.iter().map(|directory| fs::read_to_string(directory.join("compose.yml")).unwrap());
    texts
        .flat_map(|text| image.captures_iter(&text).map(|found| found[1].to_owned()).collect::<Vec<_>>())
        .collect()
}

/// Makes a stand-in for each image of these stacks. `None` where there is no nginx.
pub fn of_stacks(engine: &Engine, directories: &[&Path]) -> Option<()> {
    for image in named(directories) {
        let (name, _) = image.rsplit_once(':').unwrap();
        match name {
            "nginx" => drop(images::nginx_as(engine, &image, &["CMD [\"nginx\"]"], |_| {})?),
            "nginxinc/nginx-unprivileged" => {
                let begin = "CMD [\"/usr/sbin/nginx\", \"-e\", \"stderr\", \"-g\", \"daemon off;\"]";
                drop(images::nginx_as(engine, &image, &["USER 101", begin], |root| {
                    fs::write(root.join("etc/nginx/nginx.conf"), UNPRIVILEGED).unwrap();
                    fs::create_dir_all(root.join("etc/nginx/conf.d")).unwrap();
                    fs::write(root.join("etc/nginx/conf.d/default.conf"), PAGES).unwrap();
                })?);
            }
            _ => {
                let changes = IMAGES.iter().find(|(known, _)| *known == name);
                let (_, changes) = changes.unwrap_or_else(|| panic!("nothing stands in for {image}"));
                engine.import(&image, changes, fill);
            }
        }
    }
    Some(())
}

fn fill(root: &Path) {
    busybox(root);
    for program in ["/usr/bin/curl", "/usr/bin/bash"] {
        linked(Path::new(program), root);
    }
    symlink("../usr/bin/bash", root.join("bin/bash")).unwrap();
    for (name, text) in PROGRAMS {
        program(&root.join("usr/bin").join(name), text);
    }
}

//! Why nginx does not start, and what to do.

use crate::diag::Diagnostic;
use crate::plan::NodeSpec;

/// That nginx does not start, with what it said: what it repeats is said once.
pub(super) fn explain(spec: &NodeSpec, said: &str) -> Diagnostic {
    let mut lines: Vec<&str> = Vec::new();
    for line in said.lines().map(str::trim_end) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let error = Diagnostic::error("nginx does not start")
        .code("nginx_start")
        .detail(lines.join("\n").trim().to_owned())
        .on(&spec.address);
    let mut taken: Vec<&str> = lines.iter().copied().filter_map(taken_port).collect();
    taken.sort_unstable();
    taken.dedup();
    taken.into_iter().fold(error, |error, port| {
        error.help(format!("something else listens on port {port}: `ss -ltnp 'sport = :{port}'` says what"))
    })
}

/// The port that something else has, of a line such as `bind() to 0.0.0.0:80 failed (98: Address already in use)`.
fn taken_port(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("bind() to ")?;
    let (address, why) = rest.split_once(" failed ")?;
    let (_, port) = address.rsplit_once(':')?;
    (why.contains("Address already in use") && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::taken_port;

    #[test]
    fn a_port_that_is_taken_is_read_from_what_nginx_says() {
        let of = |address: &str, why: &str| {
            taken_port(&format!("nginx: [emerg] bind() to {address} failed ({why})")).map(str::to_owned)
        };
        let taken = "98: Address already in use";
        assert_eq!(of("0.0.0.0:80", taken).as_deref(), Some("80"));
        assert_eq!(of("[::]:8443", taken).as_deref(), Some("8443"));
        assert_eq!(of("unix:/run/nginx.sock", taken), None);
        assert_eq!(of("0.0.0.0:80", "13: Permission denied"), None);
        assert_eq!(taken_port("nginx: [emerg] still could not bind()"), None);
    }
}

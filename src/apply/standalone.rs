//! `nginx -t` of vsa's own files alone, inside a configuration of a few lines: what can be proven of a system's nginx
//! without root.
//!
//! The generation is written as it will be, but for the path that its files are named by. What the node's other files
//! say, its ports and its certificates stay out of it. So only what nginx says of a file of vsa's counts, and only
//! where no other file, module or name could make it good.

use std::path::Path;

use super::certificate;
use super::generation::{Candidate, Place};
use super::preflight::{PATIENCE, Tested, conflicts, messages, says_early};
use crate::diag::Diagnostic;
use crate::host::{Command, FileOperation, Host, Output};
use crate::nginx::{NginxMessage, parse_error};
use crate::plan::action::Access;
use crate::plan::{FileBody, NodeWork};

/// Tests the next generation of a node by itself.
pub(super) async fn test(
    host: &dyn Host,
    run: &str,
    work: &NodeWork,
    number: u64,
    marker: &str,
) -> Result<Tested, Diagnostic> {
    let candidate =
        Candidate::make(host, work, None, number, marker, Place::alone(run, &work.node.spec)).await?;
    let output = started(host, work, &candidate).await;
    let directory = format!("{}/", candidate.directory().display());
    candidate.discard(host).await?;
    Ok(judged(work, &output?, &directory))
}

async fn started(host: &dyn Host, work: &NodeWork, candidate: &Candidate) -> Result<Output, Diagnostic> {
    if let Some(directory) = candidate.placeholder() {
        certificate::write_placeholder(host, &directory).await?;
    }
    let (directory, scratch) = (candidate.directory(), candidate.scratch());
    let conf = scratch.join("nginx.conf");
    let access = Access { owner: None, group: None, mode: 0o600 };
    let bytes = wrapper(work, &directory, &scratch).into();
    host.files(vec![FileOperation::Create { path: conf.clone(), access, bytes }]).await?;
    let command = Command::new(&work.node.spec.nginx).timeout(PATIENCE).arg("-t");
    let command = if says_early(work) { command.arg("-e").arg("stderr") } else { command };
    let command = command.arg("-p").arg(format!("{}/", scratch.display())).arg("-c").arg(conf);
    Ok(host.run(command).await?)
}

/// The least that nginx needs around vsa's files, with everything that it writes in a directory of its own.
fn wrapper(work: &NodeWork, directory: &Path, scratch: &Path) -> String {
    let entry = work.node.spec.entry();
    let sized = work.files.files.get(entry).is_some_and(|rendered| match &rendered.file.body {
        FileBody::Text(content) => content.as_text().is_some_and(|text| text.contains("server_names_hash_")),
        FileBody::Link { .. } => false,
    });
    let sizes = if sized {
        ""
    } else {
        "    server_names_hash_max_size 131072;\n    server_names_hash_bucket_size 512;\n"
    };
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path \"{}/{name}\";\n", scratch.display()))
        .concat();
    format!(
        "pid \"{scratch}/nginx.pid\";\nerror_log stderr;\nevents {{}}\nhttp {{\n    access_log off;\n{sizes}    \
         variables_hash_max_size 131072;\n    variables_hash_bucket_size 128;\n    map_hash_max_size 131072;\n    \
         map_hash_bucket_size 256;\n{paths}    include \"{directory}/{entry}\";\n}}\n",
        scratch = scratch.display(),
        directory = directory.display(),
    )
}

fn judged(work: &NodeWork, output: &Output, directory: &str) -> Tested {
    let messages = messages(output, directory);
    if !conflicts(&messages).is_empty() {
        return Tested::Refused { messages };
    }
    // What follows the reading of the files needs the node's ports and directories, and says nothing about them.
    if output.errors().lines().any(|line| line.starts_with("nginx: ") && line.ends_with(" syntax is ok")) {
        return Tested::PassedStandalone { warnings: messages };
    }
    let fatal = parse_error(&messages.join("\n")).into_iter().find(|message| message.level == "emerg");
    match fatal {
        Some(message) if is_own(work, &message) && !depends_on_others(&message.text) => {
            Tested::Refused { messages }
        }
        fatal => {
            let said = fatal.map_or_else(|| "nothing".to_owned(), |message| message.text);
            let why = format!(
                "only root can test the system's nginx, and vsa's own files alone cannot tell: nginx says {said}"
            );
            Tested::NotTested { why }
        }
    }
}

fn is_own(work: &NodeWork, message: &NginxMessage) -> bool {
    message.file.as_deref().is_some_and(|file| work.files.files.contains_key(file))
}

/// Whether another file of the node's nginx, one of its modules, root's right to read or the node's names could make
/// it good.
fn depends_on_others(text: &str) -> bool {
    let of_the_system = text.split('(').skip(1).any(|rest| {
        rest.split_once(": ").is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
    });
    of_the_system
        || ["unknown", "not found", "could not build", "(SSL: "].iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::depends_on_others;

    #[test]
    fn only_what_no_other_file_can_mend_is_an_error() {
        for text in [
            "unknown directive \"brotli\"",
            "unknown \"geoip_country\" variable",
            "host not found in upstream \"backend\"",
            "could not build server_names_hash, you should increase server_names_hash_bucket_size: 64",
            "cannot load certificate \"/srv/a.pem\": BIO_new_file() failed (SSL: error:8000000D:system library)",
            "open() \"/etc/nginx/names\" failed (13: Permission denied)",
        ] {
            assert!(depends_on_others(text), "{text}");
        }
        for text in [
            "invalid value \"never\"",
            "\"gzip\" directive is duplicate",
            "invalid number of arguments in \"gzip\" directive",
            "pcre2_compile() failed: missing closing parenthesis in \"(\" at \"\" at offset 1",
        ] {
            assert!(!depends_on_others(text), "{text}");
        }
    }
}

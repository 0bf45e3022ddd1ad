//! Images.

use std::time::Duration;

use base64::Engine as _;
use bollard::Docker;
use bollard::models::ImageSummary;
use bollard::query_parameters::{CreateImageOptions, ListImagesOptions};
use futures_util::StreamExt;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::{answered, convert};
use crate::host::DockerAnswer;
use crate::host::docker_operation::{PullPolicy, RegistryLogin};
use crate::plan::docker::{Image, same_reference};

/// How long a pull may be without any progress.
const STALLED: Duration = Duration::from_mins(5);

/// Those of some images that are there: one listing.
pub(super) async fn find(docker: &Docker, references: &[String]) -> Result<Vec<Image>, Failure> {
    Ok(named(&all(docker).await?, references))
}

/// All images.
pub(super) async fn all(docker: &Docker) -> Result<Vec<ImageSummary>, Failure> {
    let options = ListImagesOptions { digests: true, ..Default::default() };
    answered(docker, docker.list_images(Some(options))).await
}

/// Those of these names.
pub(super) fn named(all: &[ImageSummary], references: &[String]) -> Vec<Image> {
    let named = |reference: &String| {
        let image = all.iter().find(|image| {
            let mut names = image.repo_tags.iter().chain(&image.repo_digests);
            names.any(|name| same_reference(name, reference)) || image.id == *reference
        });
        image.map(|image| convert::image(reference, image))
    };
    references.iter().filter_map(named).collect()
}

pub(super) async fn pull(
    docker: Docker,
    reference: &str,
    policy: PullPolicy,
    login: Option<RegistryLogin>,
) -> Result<DockerAnswer, Failure> {
    let wanted = [reference.to_owned()];
    if policy != PullPolicy::Always
        && let Some(image) = find(&docker, &wanted).await?.pop()
    {
        return Ok(DockerAnswer::Image(image));
    }
    if policy == PullPolicy::Never {
        return Err(Failure::text(
            "the engine has no such image, and `pull = \"never\"` asks no registry; load it (`docker load`)",
        ));
    }
    let docker = match login {
        Some(login) => with_login(docker, &login),
        None => docker,
    };
    // Without a tag the engine would pull all of them.
    let last = reference.rsplit('/').next().unwrap_or_default();
    let tag = if last.contains([':', '@']) { "" } else { ":latest" };
    let options = CreateImageOptions { from_image: Some(format!("{reference}{tag}")), ..Default::default() };
    let mut progress = docker.create_image(Some(options), None, None);
    loop {
        let step = tokio::time::timeout(STALLED, progress.next());
        match step.await.map_err(|_| Failure::Silent(STALLED))? {
            Some(step) => step.map(drop).map_err(Failure::of)?,
            None => break,
        }
    }
    let image = find(&docker, &wanted).await?.pop();
    image.map(DockerAnswer::Image).ok_or_else(|| Failure::text("the registry sent another image"))
}

/// The header is made here: the API wants base64 of the URL-safe kind, and the library sends the other one.
fn with_login(docker: Docker, login: &RegistryLogin) -> Docker {
    let json = serde_json::json!({ "username": login.user, "password": login.password.expose() });
    let json = Zeroizing::new(json.to_string());
    let header = Zeroizing::new(base64::engine::general_purpose::URL_SAFE.encode(json.as_bytes()));
    docker.with_request_modifier(move |mut request| {
        if let Ok(value) = header.parse() {
            request.headers_mut().insert("X-Registry-Auth", value);
        }
        request
    })
}

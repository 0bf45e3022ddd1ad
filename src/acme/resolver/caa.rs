//! Which CAA records count for a name (RFC 8659).

use hickory_resolver::proto::rr::{RData, RecordType};

use super::{LookupError, Resolver, text};
use crate::acme::guard::caa::{CaaRecord, CaaSet};

impl Resolver {
    /// The CAA records that count for a name: its own, else those of the nearest name above it (RFC 8659, section 3).
    /// For `*.example.com` they are those of `example.com`.
    ///
    /// # Errors
    /// A server could not say whether there are any: no authority issues then.
    pub async fn caa(&self, name: &str) -> Result<CaaSet, LookupError> {
        climb(name, |name| async move {
            let records = self.ask(&name, RecordType::CAA).await?;
            let owner = records.first().map(|record| text(&record.name)).unwrap_or_default();
            let records = records.into_iter().filter_map(|record| match record.data {
                RData::CAA(caa) => Some(CaaRecord {
                    flags: caa.flags(),
                    value: String::from_utf8_lossy(&caa.value).into_owned(),
                    tag: caa.tag,
                }),
                _ => None,
            });
            Ok(CaaSet { owner, records: records.collect() })
        })
        .await
    }
}

/// Asks for a name and all above it, until one has records.
async fn climb<F, A>(name: &str, ask: F) -> Result<CaaSet, LookupError>
where
    F: Fn(String) -> A,
    A: Future<Output = Result<CaaSet, LookupError>>,
{
    let mut next = Some(name.strip_prefix("*.").unwrap_or(name));
    while let Some(name) = next {
        match ask(name.to_owned()).await {
            Ok(set) if !set.records.is_empty() => return Ok(set),
            Err(error) if !error.failure.is_absence() => return Err(error),
            Ok(_) | Err(_) => next = name.split_once('.').map(|(_, above)| above),
        }
    }
    Ok(CaaSet::default())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::acme::resolver::Failure;

    /// The owner of the records that count for a name, and which names were asked for, where `answers` is all that the
    /// DNS says of CAA.
    fn climbed(
        name: &str,
        answers: &[(&str, Result<&str, Failure>)],
    ) -> (Result<String, Failure>, Vec<String>) {
        let asked = RefCell::new(Vec::new());
        let answer = |name: String| {
            asked.borrow_mut().push(name.clone());
            let answer = answers.iter().find(|(known, _)| *known == name).map(|(_, answer)| answer.clone());
            let answer = answer.unwrap_or(Err(Failure::NoName));
            async move {
                let value = answer.map_err(|failure| LookupError::new(&name, "CAA", failure))?;
                let record = CaaRecord { flags: 0, tag: "issue".to_owned(), value: value.to_owned() };
                Ok(CaaSet { owner: name, records: vec![record] })
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let set = runtime.block_on(climb(name, answer));
        (set.map(|set| set.owner).map_err(|error| error.failure), asked.into_inner())
    }

    #[test]
    fn the_nearest_caa_records_count() {
        let ca = Ok("ca.example");
        let (owner, asked) = climbed("a.b.example.com", &[("example.com", ca.clone()), ("com", ca.clone())]);
        assert_eq!(owner, Ok("example.com".to_owned()));
        assert_eq!(asked, ["a.b.example.com", "b.example.com", "example.com"]);
        let (owner, _) =
            climbed("b.example.com", &[("b.example.com", ca.clone()), ("example.com", ca.clone())]);
        assert_eq!(owner, Ok("b.example.com".to_owned()));
        let (owner, asked) =
            climbed("*.example.com", &[("b.example.com", Err(Failure::NoData)), ("com", ca)]);
        assert_eq!((owner, asked), (Ok("com".to_owned()), vec!["example.com".to_owned(), "com".to_owned()]));
    }

    #[test]
    fn no_records_up_to_the_top_let_everybody_issue() {
        let (owner, asked) = climbed("shop.example.com", &[("example.com", Err(Failure::NoData))]);
        assert_eq!(owner, Ok(String::new()));
        assert_eq!(asked, ["shop.example.com", "example.com", "com"]);
    }

    #[test]
    fn a_server_that_fails_ends_the_climb() {
        for failure in [Failure::ServerFailed("SERVFAIL".to_owned()), Failure::TimedOut, Failure::Refused] {
            let (owner, asked) = climbed(
                "shop.example.com",
                &[("shop.example.com", Err(failure.clone())), ("example.com", Ok("ca.example"))],
            );
            assert_eq!((owner, asked.len()), (Err(failure), 1));
        }
    }
}

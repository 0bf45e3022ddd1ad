//! Waiting until everybody sees what was published.

use std::time::Duration;

use futures_util::future::join_all;

use super::{DnsError, TxtRecord};
use crate::acme::resolver::{LookupError, Resolver};
use crate::names::Text as _;

/// The first pause between two looks; each is longer than the one before by half.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause between two looks.
const LONGEST: Duration = Duration::from_secs(15);

/// Waits until the servers of their zones answer with all records.
///
/// # Errors
/// Some are not there when `patience` is over.
pub async fn wait_until_published(
    resolver: &Resolver,
    records: &[TxtRecord],
    patience: Duration,
) -> Result<(), DnsError> {
    // What is missing, and why that was not found out, as of the last look that was finished.
    let mut missing: Vec<(&TxtRecord, Option<LookupError>)> =
        records.iter().map(|record| (record, None)).collect();
    let looks = async {
        let mut pause = FIRST;
        loop {
            let looked = join_all(missing.iter().map(|(record, _)| async move {
                let found = resolver.published(record.name.as_str(), &record.value).await;
                (*record, found)
            }));
            let looked = looked.await.into_iter().filter(|(_, found)| *found != Ok(true));
            missing = looked.map(|(record, found)| (record, found.err())).collect();
            let is_silent =
                |(_, why): &(_, Option<LookupError>)| why.as_ref().is_some_and(LookupError::is_silent);
            if missing.is_empty() || missing.iter().any(is_silent) {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST);
        }
    };
    // What is over before all is there has found nobody who could say more.
    let _ = tokio::time::timeout(patience, looks).await;
    // Where nobody answers, that is why: the others may only be late.
    let silent = missing.iter().find(|(_, why)| why.as_ref().is_some_and(LookupError::is_silent));
    match silent.or(missing.first()) {
        Some((record, why)) => {
            let waited = patience.as_secs();
            let what = match why {
                Some(why) if why.is_silent() => {
                    format!("the DNS record `{}` could not be seen: {why}", record.name)
                }
                None => format!(
                    "the DNS record `{}` is not at all servers of its zone after {waited} s",
                    record.name
                ),
                Some(why) => {
                    format!("the DNS record `{}` could not be seen within {waited} s: {why}", record.name)
                }
            };
            let help = format!("look with: dig +nssearch {0}; dig TXT {0}", record.name);
            Err(DnsError::new(what, record.name.as_str(), help))
        }
        None => Ok(()),
    }
}

//! Service: the client of the service that a place names, and what it says when it refuses.
//!
//! Limits  a request is tried again for RETRY at most (5xx, throttling, broken connections), with growing pauses.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, RetryConfig};

use super::PublishError;
use super::connect::Connector;
use super::target::Place;

/// How long a request is tried again.
const RETRY: Duration = Duration::from_secs(90);

/// What is told of keys that are refused.
const REFUSED: &str = "; these credentials may not do that: check the keys in the environment and what they are allowed";

/// The store and the prefix in it that an address names: `s3://BUCKET/PREFIX`, `gs://…`, `az://CONTAINER/PREFIX`, `file:///FOLDER`.
pub fn follow(address: &str) -> Result<(Arc<dyn ObjectStore>, String), PublishError> {
    let failed = |reason: String| PublishError::Host { what: address.to_owned(), reason };
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (first, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let (first, prefix) = (first.to_owned(), prefix.trim_matches('/').to_owned());
    let place = match scheme {
        "s3" => Place::S3 { bucket: first, region: None, endpoint: None },
        "gs" => Place::Gcs { bucket: first, endpoint: None },
        "az" => Place::Azure { account: None, container: first, endpoint: None },
        "file" if first.is_empty() => Place::Folder { parent: PathBuf::from("/"), name: prefix.clone() },
        _ => {
            return Err(failed(
                "write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER".to_owned(),
            ));
        }
    };
    Ok((store(&place).map_err(|error| failed(told(&error)))?, prefix))
}

/// Opens a place; nothing is asked of it yet.
pub(super) fn store(place: &Place) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig { retry_timeout: RETRY, ..RetryConfig::default() };
    // `connect` refuses plain HTTP all the same, save to this machine.
    let is_plain = |endpoint: &str| endpoint.starts_with("http://");
    Ok(match place {
        Place::S3 { bucket, region, endpoint } => {
            let mut builder =
                AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry).with_http_connector(Connector);
            if let Some(region) = region {
                builder = builder.with_region(region);
            }
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint).with_allow_http(is_plain(endpoint));
            }
            Arc::new(builder.build()?)
        }
        Place::Gcs { bucket, endpoint } => {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retry);
            if let Some(endpoint) = endpoint {
                builder = builder.with_base_url(endpoint);
            }
            Arc::new(builder.with_http_connector(Connector).build()?)
        }
        Place::Azure { account, container, endpoint } => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(container).with_retry(retry);
            if let Some(account) = account {
                builder = builder.with_account(account);
            }
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint.clone()).with_allow_http(is_plain(endpoint));
            }
            Arc::new(builder.with_http_connector(Connector).build()?)
        }
        Place::Folder { parent, name } => {
            let folder = parent.join(name);
            let unusable = |error| {
                let reason =
                    format!("{}: {error}; name another `path` in site.toml, or let this user write there", folder.display());
                object_store::Error::Generic { store: "folder", source: reason.into() }
            };
            std::fs::create_dir_all(&folder).map_err(unusable)?;
            Arc::new(LocalFileSystem::new_with_prefix(parent)?)
        }
    })
}

// What a service said, and what to do about it.
pub(super) fn told(error: &object_store::Error) -> String {
    use object_store::Error;
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    let is_clock = ["RequestTimeTooSkewed", "date header too old", "date header too far", "reasonable timeframe"];
    let hint = match error {
        _ if is_clock.iter().any(|words| text.contains(words)) => {
            "; this machine's clock is wrong, and the service takes no request of another time: set it"
        }
        _ if text.contains("No space left on device") || text.contains("StorageFull") => {
            "; the disk is full: make room and publish again, what was published before stands"
        }
        Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => REFUSED,
        // Of a listing nothing but its text says so.
        _ if text.contains("401 Unauthorized") || text.contains("403 Forbidden") => REFUSED,
        Error::NotFound { .. } => "; there is no such bucket or container, or it is in another region",
        _ if text.contains("NoSuchBucket") => "; there is no such bucket, or it is in another region",
        _ if text.contains("169.254.169.254") || text.contains("metadata") => {
            "; no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS or \
             AZURE_STORAGE_ACCOUNT_KEY in the environment"
        }
        _ => "",
    };
    format!("{}{hint}", text.replace('\n', " "))
}

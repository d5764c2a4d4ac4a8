//! CloudFront: invalidations of a distribution, signed as Amazon asks.
//!
//! Knows   the same caller's reference with the same paths is the same invalidation: a try whose answer was lost costs nothing twice.
//! Source  API "CreateInvalidation" of 2020-05-31 and its quotas: 3,000 paths of a distribution may be under way.

use std::sync::Arc;

use http::{Method, Request, header};
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequest;

use super::{Answer, Verdict, by_status, path_of};
use crate::publish::connect::Connector;
use crate::publish::service::told as told_by_store;

/// Paths of an invalidation: a third of what may be under way, so that one does not wait for another job's.
pub(super) const BATCH: usize = 1000;
const ENDPOINT: &str = "https://cloudfront.amazonaws.com";
/// CloudFront has one region, whichever its edges are in.
const REGION: &str = "us-east-1";
const VERSION: &str = "2020-05-31";
const HINT: &str = "the credentials in the environment need cloudfront:CreateInvalidation for this distribution";
/// Refusals that pass by themselves.
const PASSING: [&str; 4] = ["TooManyInvalidationsInProgress", "Throttling", "ThrottlingException", "RequestLimitExceeded"];

pub(super) async fn request(
    endpoint: Option<&str>,
    distribution: &str,
    group: &[String],
    publication: u64,
) -> Result<HttpRequest, String> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/{VERSION}/distribution/{distribution}/invalidation", endpoint.unwrap_or(ENDPOINT)))
        .header(header::CONTENT_TYPE, "application/xml")
        .body(batch(group, publication).into())
        .map_err(|error| error.to_string())?;
    let credential = credential().await?;
    let signed = AwsAuthorizer::new(&credential, "cloudfront", REGION).try_authorize(&mut request, None);
    signed.map_err(|error| error.to_string())?;
    Ok(request)
}

fn batch(group: &[String], publication: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut items = String::new();
    for path in group.iter().map(|url| path_of(url)) {
        hasher.update(path.as_bytes()).update(b"\n");
        items.push_str(&format!("<Path>{}</Path>", quick_xml::escape::escape(path)));
    }
    let reference = format!("vitrine-{publication}-{}", &hasher.finalize().to_hex()[..32]);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/{VERSION}/\">\
         <Paths><Quantity>{}</Quantity><Items>{items}</Items></Paths><CallerReference>{reference}</CallerReference>\
         </InvalidationBatch>",
        group.len()
    )
}

// From the environment or the cloud's own chain, as for a bucket.
async fn credential() -> Result<Arc<AwsCredential>, String> {
    let told = |error: object_store::Error| told_by_store(&error);
    let chain = AmazonS3Builder::from_env().with_bucket_name("none").with_http_connector(Connector).build().map_err(told)?;
    chain.credentials().get_credential().await.map_err(told)
}

pub(super) fn judge(answer: &Answer) -> Verdict {
    let body = String::from_utf8_lossy(&answer.body);
    let element = |name: &str| {
        let (_, after) = body.split_once(&format!("<{name}>"))?;
        after.split_once("</").map(|(text, _)| text.to_owned())
    };
    let (code, message) = (element("Code"), element("Message"));
    let reason = code.as_ref().map(|code| format!("{code}: {}", message.unwrap_or_default()));
    match by_status(answer, HINT, reason) {
        Verdict::Never(reason) if code.is_some_and(|code| PASSING.contains(&code.as_str())) => Verdict::Later(reason),
        verdict => verdict,
    }
}

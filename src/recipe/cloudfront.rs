//! Cloudfront: an S3 bucket and the edge behind one distribution, as a CloudFormation template.
//!
//! Limits  redirects and closing slashes are a function of at most FUNCTION_BYTES; what has no room there is done by the pages that stand
//!         at old addresses.
//! Source  AWS CloudFormation, resource types `AWS::CloudFront::*`; quotas of CloudFront Functions.

use serde_json::{Value, json};

use super::{RecipeError, Subject, quote};
use crate::edge::front::USUAL_HEADER;
use crate::edge::router::PATHS;
use crate::publish::target::{Place, Target};

/// A function's code may have 10 KB.
const FUNCTION_BYTES: usize = 10_000;
/// Policies that every account has: nothing is cached; all headers but Host go to the origin.
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
const ALL_BUT_HOST: &str = "b689b0a8-53d0-40ab-baf2-68738e2966ac";
/// Headers that a policy has a place of its own for.
const SECURITY: [&str; 4] = ["content-security-policy", "referrer-policy", "strict-transport-security", "x-content-type-options"];

pub(super) fn template(subject: &Subject<'_>) -> Result<String, RecipeError> {
    let Some((target, bucket)) = subject.target.and_then(bucket) else { return Err(RecipeError::NoBucket) };
    let host = subject.shop.base_url.split("://").nth(1).unwrap_or_default().split(':').next().unwrap_or_default();
    let id = &subject.shop.id;
    let mut resources = json!({
        "PagesAccess": {
            "Type": "AWS::CloudFront::OriginAccessControl",
            "Properties": {"OriginAccessControlConfig": {
                "Name": format!("{id}-pages"), "OriginAccessControlOriginType": "s3",
                "SigningBehavior": "always", "SigningProtocol": "sigv4",
            }},
        },
        "PagesPolicy": bucket_policy(target, &bucket),
        "PagesHeaders": {
            "Type": "AWS::CloudFront::ResponseHeadersPolicy", "Properties": {"ResponseHeadersPolicyConfig": headers(subject)?},
        },
        "PagesCaching": caching(&format!("{id}-pages"), &[], 300),
        "AvailabilityCaching": caching(&format!("{id}-availability"), &["market"], 0),
        "PagesAddresses": {
            "Type": "AWS::CloudFront::Function",
            "Properties": {
                "Name": format!("{id}-addresses"), "AutoPublish": true, "FunctionCode": function(subject)?,
                "FunctionConfig": {"Comment": "Old addresses and closing slashes", "Runtime": "cloudfront-js-2.0"},
            },
        },
        "Shop": {
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {"DistributionConfig": distribution(subject, target, &bucket, host)},
        },
    });
    if let Some(policy) = address_policy(subject) {
        resources["EdgeRequests"] = policy;
    }
    let mut parameters = json!({
        "Certificate": {"Type": "String", "Description": "ARN of the certificate of the shop's host, in us-east-1"},
        "EdgeHost": {"Type": "String", "Description": "Host of the edge, reached by https, such as edge.shop.example"},
    });
    if let Some(header) = &subject.front.origin_secret_header {
        parameters["OriginSecret"] = json!({
            "Type": "String", "NoEcho": true, "MinLength": 24,
            "Description": format!("Sent as {header}: one of the edge's VITRINE_ORIGIN_SECRETS"),
        });
    }
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("{}: pages from the bucket {bucket}, cart and checkout from the edge", subject.shop.name),
        "Metadata": {"Vitrine": {
            "WrittenBy": "vitrine recipe cloudfront; write it again when site.toml, templates or old addresses have changed",
            "NotFound": "CloudFront knows one page for 404 in a whole distribution: it also takes the place of the edge's own",
        }},
        "Parameters": parameters,
        "Resources": resources,
        "Outputs": {
            "Address": {"Description": format!("Where {host} has to point"), "Value": {"Fn::GetAtt": ["Shop", "DomainName"]}},
        },
    });
    Ok(serde_json::to_string_pretty(&template).expect("values are JSON") + "\n")
}

fn bucket(target: &Target) -> Option<(&Target, String)> {
    match &target.place {
        Place::S3 { bucket, endpoint: None, .. } => Some((target, bucket.clone())),
        _ => None,
    }
}

fn distribution(subject: &Subject<'_>, target: &Target, bucket: &str, host: &str) -> Value {
    let region = match &target.place {
        Place::S3 { region: Some(region), .. } => json!(region),
        _ => json!({"Ref": "AWS::Region"}),
    };
    let path = if target.prefix.is_empty() { String::new() } else { format!("/{}", target.prefix) };
    let secret = subject.front.origin_secret_header.as_ref();
    let secret: Vec<Value> =
        secret.iter().map(|header| json!({"HeaderName": header, "HeaderValue": {"Ref": "OriginSecret"}})).collect();
    let requests = if address_policy(subject).is_some() { json!({"Ref": "EdgeRequests"}) } else { json!(ALL_BUT_HOST) };
    let to_edge = |pattern: String, policy: Value| {
        json!({
            "PathPattern": pattern, "TargetOriginId": "edge", "ViewerProtocolPolicy": "redirect-to-https", "Compress": true,
            "AllowedMethods": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"], "CachedMethods": ["GET", "HEAD"],
            "CachePolicyId": policy, "OriginRequestPolicyId": requests,
        })
    };
    let mut behaviors = vec![to_edge("/api/v1/availability/*".to_owned(), json!({"Ref": "AvailabilityCaching"}))];
    for path in PATHS {
        let patterns = if path == "/api" { vec!["/api/*".to_owned()] } else { vec![path.to_owned(), format!("{path}/*")] };
        behaviors.extend(patterns.into_iter().map(|pattern| to_edge(pattern, json!(CACHING_DISABLED))));
    }
    let mut errors =
        vec![json!({"ErrorCode": 404, "ResponseCode": 404, "ResponsePagePath": "/404.html", "ErrorCachingMinTTL": 5})];
    if subject.built.has_down_page {
        let page =
            |code: u16| json!({"ErrorCode": code, "ResponseCode": 503, "ResponsePagePath": "/503", "ErrorCachingMinTTL": 0});
        errors.extend([502, 504].map(page));
    }
    json!({
        "Enabled": true, "Aliases": [host], "HttpVersion": "http2and3", "IPV6Enabled": true, "DefaultRootObject": "index.html",
        "ViewerCertificate": {
            "AcmCertificateArn": {"Ref": "Certificate"}, "SslSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021",
        },
        "Origins": [
            {
                "Id": "pages", "DomainName": {"Fn::Sub": ["${Bucket}.s3.${Region}.amazonaws.com", {"Bucket": bucket, "Region": region}]},
                "OriginPath": path, "OriginAccessControlId": {"Fn::GetAtt": ["PagesAccess", "Id"]},
                "S3OriginConfig": {"OriginAccessIdentity": ""},
            },
            {
                "Id": "edge", "DomainName": {"Ref": "EdgeHost"}, "ConnectionAttempts": 2, "ConnectionTimeout": 2,
                "CustomOriginConfig": {
                    "OriginProtocolPolicy": "https-only", "OriginSSLProtocols": ["TLSv1.2"],
                    // Longer than a shopper waits for the gateway; shorter than an edge keeps an idle connection.
                    "OriginReadTimeout": 30, "OriginKeepaliveTimeout": 10,
                },
                "OriginCustomHeaders": secret,
            },
        ],
        "DefaultCacheBehavior": {
            "TargetOriginId": "pages", "ViewerProtocolPolicy": "redirect-to-https", "Compress": true,
            "AllowedMethods": ["GET", "HEAD"], "CachedMethods": ["GET", "HEAD"],
            "CachePolicyId": {"Ref": "PagesCaching"}, "ResponseHeadersPolicyId": {"Ref": "PagesHeaders"},
            "FunctionAssociations": [
                {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["PagesAddresses", "FunctionARN"]}},
            ],
        },
        "CacheBehaviors": behaviors,
        "CustomErrorResponses": errors,
    })
}

// The distribution alone reads the bucket, and never what is private in it. Who may list a bucket hears of what is missing as 404.
fn bucket_policy(target: &Target, bucket: &str) -> Value {
    let arn = |rest: &str| json!({"Fn::Sub": format!("arn:${{AWS::Partition}}:s3:::{bucket}{rest}")});
    let shop = json!({"StringEquals": {"AWS:SourceArn": {
        "Fn::Sub": "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Shop}"}}});
    let principal = json!({"Service": "cloudfront.amazonaws.com"});
    json!({
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {"Bucket": bucket, "PolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": arn("/*"), "Condition": shop},
            {"Effect": "Allow", "Principal": principal, "Action": "s3:ListBucket", "Resource": arn(""), "Condition": shop},
            {"Effect": "Deny", "Principal": principal, "Action": "s3:GetObject", "Resource": arn(&format!("/{}/*", target.private))},
        ]}},
    })
}

// What publish says of an object is kept to; the rest of a request makes no difference to a page.
fn caching(name: &str, query: &[&str], default_seconds: u32) -> Value {
    let query = match query {
        [] => json!({"QueryStringBehavior": "none"}),
        names => json!({"QueryStringBehavior": "whitelist", "QueryStrings": names}),
    };
    json!({
        "Type": "AWS::CloudFront::CachePolicy",
        "Properties": {"CachePolicyConfig": {
            "Name": name, "MinTTL": 0, "DefaultTTL": default_seconds, "MaxTTL": 31_536_000,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingBrotli": true, "EnableAcceptEncodingGzip": true,
                "CookiesConfig": {"CookieBehavior": "none"}, "HeadersConfig": {"HeaderBehavior": "none"}, "QueryStringsConfig": query,
            },
        }},
    })
}

// CloudFront adds X-Forwarded-For by itself; its own headers go to an origin only when a policy names them.
fn address_policy(subject: &Subject<'_>) -> Option<Value> {
    let header = subject.front.client_address_header.as_ref().filter(|header| !header.eq_ignore_ascii_case(USUAL_HEADER))?;
    Some(json!({
        "Type": "AWS::CloudFront::OriginRequestPolicy",
        "Properties": {"OriginRequestPolicyConfig": {
            "Name": format!("{}-edge", subject.shop.id),
            "CookiesConfig": {"CookieBehavior": "all"}, "QueryStringsConfig": {"QueryStringBehavior": "all"},
            "HeadersConfig": {"HeaderBehavior": "allViewerAndWhitelistCloudFront", "Headers": [header]},
        }},
    }))
}

fn headers(subject: &Subject<'_>) -> Result<Value, RecipeError> {
    let sent = subject.built.headers()?;
    let value = |name: &str| sent.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let mut security = json!({});
    if let Some(policy) = value("Content-Security-Policy") {
        security["ContentSecurityPolicy"] = json!({"ContentSecurityPolicy": policy, "Override": true});
    }
    if value("X-Content-Type-Options").is_some() {
        security["ContentTypeOptions"] = json!({"Override": true});
    }
    if let Some(policy) = value("Referrer-Policy") {
        security["ReferrerPolicy"] = json!({"ReferrerPolicy": policy, "Override": true});
    }
    if let Some(seconds) = value("Strict-Transport-Security").and_then(|value| value.strip_prefix("max-age=")) {
        let seconds: u64 = seconds.split(';').next().and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(0);
        security["StrictTransportSecurity"] = json!({"AccessControlMaxAgeSec": seconds, "Override": true});
    }
    let is_other = |name: &str| !SECURITY.contains(&name.to_ascii_lowercase().as_str());
    let others: Vec<Value> = sent
        .iter()
        .filter(|(name, _)| is_other(name))
        .map(|(name, value)| json!({"Header": name, "Value": value, "Override": true}))
        .collect();
    Ok(json!({
        "Name": format!("{}-pages", subject.shop.id),
        "SecurityHeadersConfig": security,
        "CustomHeadersConfig": {"Items": others},
    }))
}

fn function(subject: &Subject<'_>) -> Result<String, RecipeError> {
    let all = subject.built.redirects.iter().map(|(from, to)| quote::Host::Json.redirect(from, to));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    let lines: Vec<String> = all.iter().map(|(from, to)| format!("  {from}: {to},\n")).collect();
    let code = |lines: &str| {
        format!(
            "const moved = {{\n{lines}}};\n\
             function to(address) {{\n  const headers = {{ location: {{ value: address }} }};\n  \
             return {{ statusCode: 301, statusDescription: 'Moved Permanently', headers }};\n}}\n\
             function handler(event) {{\n  const request = event.request;\n  let path = request.uri;\n  \
             try {{ path = decodeURIComponent(path); }} catch (error) {{ return request; }}\n  \
             if (Object.prototype.hasOwnProperty.call(moved, path)) return to(moved[path]);\n  \
             // Addresses end without a slash; one that a browser takes for another host is none of ours.\n  \
             if (/^\\/[^\\/\\\\].*\\/$/.test(request.uri)) return to(request.uri.slice(0, -1));\n  return request;\n}}\n"
        )
    };
    let whole = code(&lines.concat());
    Ok(if whole.len() <= FUNCTION_BYTES { whole } else { code("") })
}

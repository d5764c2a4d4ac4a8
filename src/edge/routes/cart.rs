//! Cart: the cart as JSON.

use std::sync::Arc;

use crate::edge::app::App;
use crate::edge::error::Failure;
use crate::edge::http::{Call, Reply};

/// `GET /api/v1/cart`.
pub async fn show(_app: Arc<App>, _call: Call) -> Result<Reply, Failure> {
    Err(Failure::not_found("there is no cart yet"))
}

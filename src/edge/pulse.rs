//! Pulse: how long work waits for this process, measured as a request meets it.
//!
//! Owns    a byte that goes around through a pair of sockets: it waits for the same threads, in the same queues, as requests do that have
//!         just come. Nothing else tells of them: an answer that takes processor time only is begun and done in one go.
//! Limits  one byte each BEAT; what has not come back after LATE is taken for waiting that long so far.

use std::sync::Weak;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::app::App;
use super::limits::pressure::{Look, Pressure, Valve};

/// Time between two pulses: often enough to see a crowd come, and as good as free.
const BEAT: Duration = Duration::from_millis(50);
/// After which a pulse that is still on its way is looked at.
const LATE: Duration = Duration::from_millis(200);
/// Ways that a pulse goes, each of which waits once.
const WAYS: u32 = 2;

/// Watches for as long as the app lives, and tells it who may be let in. Does nothing where no target is set.
pub async fn watch(app: Weak<App>) {
    let Some(target) = app.upgrade().map(|app| app.settings.target_wait).filter(|target| !target.is_zero()) else { return };
    let mut pressure = Pressure::new(target);
    loop {
        if let Err(error) = beat_on(&app, &mut pressure).await {
            tracing::warn!(%error, "the pulse broke off; nothing is refused for waiting until it is back");
        }
        let Some(app) = app.upgrade() else { return };
        app.strain.set(&Valve::default(), Duration::ZERO);
        drop(app);
        tokio::time::sleep(LATE).await;
    }
}

async fn beat_on(app: &Weak<App>, pressure: &mut Pressure) -> std::io::Result<()> {
    let (mut near, mut far) = UnixStream::pair()?;
    let echo = tokio::spawn(async move {
        let mut byte = [0];
        while far.read_exact(&mut byte).await.is_ok() && far.write_all(&byte).await.is_ok() {}
    });
    let mut looked_at = Instant::now();
    let beaten: std::io::Result<()> = async {
        loop {
            tokio::time::sleep(BEAT).await;
            let sent = Instant::now();
            near.write_all(&[0]).await?;
            let mut byte = [0];
            let mut back = std::pin::pin!(near.read_exact(&mut byte));
            loop {
                let is_back = match tokio::time::timeout(LATE, &mut back).await {
                    Ok(read) => read.map(|_| true)?,
                    Err(_) => false,
                };
                let Some(app) = app.upgrade() else { return Ok(()) };
                let waited = sent.elapsed() / WAYS;
                let ((offered, admitted), since_last) = (app.strain.newcomers(), looked_at.elapsed());
                looked_at = Instant::now();
                app.strain.set(&pressure.look(Look { waited, since_last, offered, admitted }), waited);
                if is_back {
                    break;
                }
            }
        }
    }
    .await;
    echo.abort();
    beaten
}

//! Tasks: what the shop does without being asked, in the world's time.

use std::sync::Arc;

use vitrine::commerce::ids::Timestamp;
use vitrine::edge::app::App;
use vitrine::edge::perform::{Till, orphans, reconcile, rounds, subscribers};

use super::world::World;

// Less often than the shop does: what it looks at again and again in vain is not what is to be proved.
pub async fn sweeping(world: Arc<World>, app: Arc<App>, till: Arc<Till>) {
    loop {
        let seconds = world.luck(|luck| luck.one_of(&[15, 45, 90]));
        world.wait(seconds).await;
        let _ = till.refresh_stock(&app).await;
        reconcile::beat(&app, &till).await;
        rounds::sweep(&app, &till, Timestamp(world.now() - 30)).await;
        returning(&world, &app, &till).await;
    }
}

/// Where banks change their minds: what no order waits for is looked after.
pub async fn returning(world: &World, app: &Arc<App>, till: &Arc<Till>) {
    if world.plan.is_fickle {
        let _ = orphans::work(app, till).await;
    }
}

pub async fn delivering(world: Arc<World>, app: Arc<App>, till: Arc<Till>) {
    loop {
        let seconds = world.luck(|luck| luck.one_of(&[1, 10, 40]));
        world.wait(seconds).await;
        let _ = rounds::deliver(&app, &till).await;
        if world.plan.services > 0 {
            let _ = subscribers::deliver(&app, &till).await;
        }
    }
}

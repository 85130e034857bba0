//! A replica of a [`World`] as clients and verifiers see it, which fails or lies as the test wants.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use plastron_keyserver::proto::*;
use plastron_keyserver::transport::Transport;
use plastron_keyserver::{Error, Result};

use super::world::World;

type Tamper = Box<dyn Fn(&mut StreamPage) + Send>;

#[derive(Clone)]
pub struct LocalReplica {
    pub world: Arc<Mutex<World>>,
    /// Calls until one fails.
    pub fails_in: Arc<Mutex<Option<u32>>>,
    pub tamper: Arc<Mutex<Option<Tamper>>>,
    pub history: Arc<Mutex<Option<HistoryPage>>>,
}

impl std::fmt::Debug for LocalReplica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalReplica")
    }
}

impl LocalReplica {
    pub fn new(world: World) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            fails_in: Arc::default(),
            tamper: Arc::default(),
            history: Arc::default(),
        }
    }

    fn call(&self) -> Result<()> {
        let mut left = self.fails_in.lock().unwrap();
        if let Some(calls) = left.as_mut() {
            if *calls == 0 {
                *left = None;
                return Err(Error::Request { operation: "call", address: "test".to_owned(), why: "cut".to_owned() });
            }
            *calls -= 1;
        }
        Ok(())
    }
}

#[async_trait]
impl Transport for LocalReplica {
    async fn lookup(&self, request: &LookupRequest) -> Result<LookupAnswer> {
        self.call()?;
        self.world.lock().unwrap().directory(0).lookup(request)
    }

    async fn update(&self, update: &Update) -> Result<u64> {
        self.call()?;
        let mut world = self.world.lock().unwrap();
        world.update(update);
        let results = world.epoch();
        results.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(world.machine(0).state().ratified)
    }

    async fn ratify(&self, signature: &LogEntry) -> Result<()> {
        // The answer to what was done can be lost, too.
        let lost = self.call();
        let mut world = self.world.lock().unwrap();
        world.propose(signature);
        world.settle().into_iter().collect::<Result<Vec<_>, _>>()?;
        lost
    }

    async fn change_policy(&self, change: &PolicyChange) -> Result<()> {
        self.call()?;
        let mut world = self.world.lock().unwrap();
        world.propose(&LogEntry::PolicyChange(Box::new(change.clone())));
        world.epoch();
        Ok(())
    }

    async fn stream(&self, from: StreamPosition) -> Result<StreamPage> {
        self.call()?;
        let mut page = self.world.lock().unwrap().directory(0).stream(from)?;
        // Small pages, so that an epoch takes several.
        page.items.truncate(3);
        if let Some(tamper) = &*self.tamper.lock().unwrap() {
            tamper(&mut page);
        }
        Ok(page)
    }

    async fn history(&self, name: &str, from: u64) -> Result<HistoryPage> {
        self.call()?;
        if let Some(page) = &*self.history.lock().unwrap() {
            let items = page.items.iter().filter(|item| item.epoch >= from).cloned().collect();
            return Ok(HistoryPage { items });
        }
        let items = self.world.lock().unwrap().directory(0).history(name, from, 2)?;
        Ok(HistoryPage { items })
    }
}

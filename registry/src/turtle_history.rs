//! The turtles that are there: listed, one of them read, removed.

use std::fmt;

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::bucket::{BucketRegistry, ListedTurtle};
use crate::error::Result;
use crate::version::Versioned;

/// The turtles that are there. Each registry has a history of its own, for the names of turtle objects depend on who says which is the newest.
#[async_trait]
pub trait TurtleHistory: fmt::Debug + Send + Sync + 'static {
    /// All turtles that are there, oldest first. What leaders that were fenced left behind may be among them; [`turtle`](Self::turtle) tells.
    fn turtles(&self) -> BoxStream<'static, Result<ListedTurtle>>;

    /// The turtle of that number; none if it has no content, since nothing had been published yet.
    ///
    /// # Errors
    /// `NotFound` if there is none, or none that is part of the history; those of the store.
    async fn turtle(&self, sequence: u64) -> Result<Option<Versioned>>;

    /// What [`turtle`](Self::turtle) says of each of `listed`, which is what [`turtles`](Self::turtles) gave; newest first, `at_once` requests under way.
    fn read_back(
        &self,
        listed: &[ListedTurtle],
        at_once: usize,
    ) -> BoxStream<'static, (u64, Result<Option<Versioned>>)>;

    /// Removes the turtle of that number, for GC; says whether it was there. That nobody needs it is for the caller to know, and that older ones
    /// are removed first.
    ///
    /// # Errors
    /// `Invalid` for the newest and those above it; those of the store.
    async fn remove(&self, sequence: u64) -> Result<bool>;
}

#[async_trait]
impl TurtleHistory for BucketRegistry {
    fn turtles(&self) -> BoxStream<'static, Result<ListedTurtle>> {
        Self::turtles(self)
    }

    async fn turtle(&self, sequence: u64) -> Result<Option<Versioned>> {
        Self::turtle(self, sequence).await
    }

    fn read_back(
        &self,
        listed: &[ListedTurtle],
        at_once: usize,
    ) -> BoxStream<'static, (u64, Result<Option<Versioned>>)> {
        Self::read_back(self, listed, at_once)
    }

    async fn remove(&self, sequence: u64) -> Result<bool> {
        Self::remove(self, sequence).await
    }
}

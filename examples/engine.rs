//! A guide for engine builders: a small B-tree that keeps its pages in Plastron, and what it takes to be durable, reopened and followed.
//!
//! ```sh
//! cargo run --example engine                                 # in memory
//! cargo run --example engine -- 'file:///srv/bucket?key_management.name=mock'
//! ```
//!
//! An engine puts a page, or a delta on top of it, whenever one changes; puts its own metadata last; and asks for a checkpoint.

#![allow(clippy::print_stdout, reason = "an example tells what it does")]

use std::collections::BTreeMap;

use plastron::checkpoint::{CheckpointRequest, Leader};
use plastron::page_log::{Chain, Lsn, PutArgs, TableHandle};
use plastron::{ErrorKind, Store};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const TREE: u64 = 1; // the table with the tree's pages: tables need not be created, a number is enough
const METADATA: u64 = 0; // the table with the engine's metadata, one page
const ROOT: u64 = 0; // the root never moves: when it is split, its content goes to new pages
const MOST_ENTRIES: usize = 16; // of a page
const MOST_DELTAS: usize = 8; // on top of a page, before it is written whole again; a chain may have 32

/// One page of the tree. To Plastron a page is bytes; here each entry is a line `key=value`, in an inner page the first key of a child and its id.
#[derive(Clone, Default)]
struct Node {
    inner: bool,
    entries: BTreeMap<String, String>,
}

impl Node {
    /// A chain is the full page and then its deltas, oldest first. What a delta means is the engine's affair: here more lines, which prevail.
    fn decode(chain: &Chain) -> Result<Self> {
        let mut node = Self::default();
        for record in &chain.records {
            for line in std::str::from_utf8(&record.bytes)?.lines() {
                match line.split_once('=') {
                    Some((key, value)) => drop(node.entries.insert(key.to_owned(), value.to_owned())),
                    None => node.inner = line == "inner",
                }
            }
        }
        Ok(node)
    }

    fn encode(&self) -> String {
        let lines = self.entries.iter().map(|(key, value)| format!("{key}={value}\n"));
        format!("{}\n{}", if self.inner { "inner" } else { "leaf" }, lines.collect::<String>())
    }

    /// The child with `key`: that with the last first key which is not above it.
    fn child(&self, key: &str) -> Result<u64> {
        let found = self.entries.iter().take_while(|(first, _)| first.as_str() <= key).last();
        Ok(found.ok_or("an inner page has no child for this key")?.1.parse()?)
    }
}

/// A page and its chain, as they are now (for a follower: at its checkpoint); an empty leaf if it was never put.
async fn read(pages: &TableHandle, page: u64) -> Result<(Node, Option<Chain>)> {
    match pages.get(page, Lsn::MAX).await {
        Ok(chain) => Ok((Node::decode(&chain)?, Some(chain))),
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok((Node::default(), None)),
        Err(fault) => Err(fault.into()),
    }
}

/// The value of `key`. Leaders and followers read in the same way.
async fn lookup(pages: &TableHandle, key: &str) -> Result<Option<String>> {
    let (mut node, _) = read(pages, ROOT).await?;
    while node.inner {
        (node, _) = read(pages, node.child(key)?).await?;
    }
    Ok(node.entries.get(key).cloned())
}

/// The tree, as its leader writes it.
struct Tree {
    leader: Leader,
    pages: TableHandle,
    next: u64, // the next page id that is free: all of the engine's metadata
}

impl Tree {
    /// Opens the tree as the last checkpoint has it. Its metadata page is found by the LSN that the checkpoint carries.
    async fn open(leader: &Leader) -> Result<Self> {
        let mut tree = Self { leader: leader.clone(), pages: leader.table(TREE)?, next: ROOT + 1 };
        if let Some(completed) = leader.completed().await {
            let metadata = leader.table(METADATA)?.get(0, completed.metadata_lsn).await?;
            tree.next = std::str::from_utf8(&metadata.records.first().ok_or("empty")?.bytes)?.parse()?;
        }
        Ok(tree)
    }

    async fn insert(&mut self, key: &str, value: &str) -> Result<()> {
        // The way down to the leaf, for splits.
        let (mut way, mut page) = (Vec::new(), ROOT);
        let (mut node, mut chain) = read(&self.pages, page).await?;
        while node.inner {
            way.push((std::mem::replace(&mut page, node.child(key)?), node, chain));
            (node, chain) = read(&self.pages, page).await?;
        }
        node.entries.insert(key.to_owned(), value.to_owned());
        // A small change to a large page: a delta, which names the full page that it belongs to and the record before it.
        let fits = node.entries.len() <= MOST_ENTRIES;
        if let Some(chain) = chain.as_ref().filter(|chain| fits && chain.delta_count() < MOST_DELTAS) {
            let base = if chain.base.is_none() { chain.lsn } else { chain.base };
            self.pages.put(page, PutArgs::delta(base, chain.lsn), format!("{key}={value}\n")).await?;
            return Ok(());
        }
        // Else the page is written whole; as long as there is too much in it, half of it goes to a new page, and its parent is next.
        while node.entries.len() > MOST_ENTRIES {
            let middle = node.entries.keys().nth(MOST_ENTRIES / 2).cloned().ok_or("a page has no middle")?;
            let right = Node { inner: node.inner, entries: node.entries.split_off(&middle) };
            let (right_page, left_page) = (self.next, self.next + 1);
            self.put(right_page, &right, None).await?;
            self.next += 1;
            let Some((parent, mut above, of_parent)) = way.pop() else {
                // The root stays where it is, above two new pages.
                self.put(left_page, &node, None).await?;
                self.next += 1;
                let children = [(String::new(), left_page), (middle, right_page)];
                node = Node { inner: true, entries: children.map(|(key, page)| (key, page.to_string())).into() };
                break;
            };
            self.put(page, &node, chain.as_ref()).await?;
            above.entries.insert(middle, right_page.to_string());
            (page, node, chain) = (parent, above, of_parent);
        }
        self.put(page, &node, chain.as_ref()).await
    }

    /// Writes a page whole. The backlink leads to its record before, if there is one.
    async fn put(&self, page: u64, node: &Node, before: Option<&Chain>) -> Result<()> {
        let backlink = before.map_or(Lsn::NONE, |chain| chain.lsn);
        // When this returns the page is accepted and readable here. It is not durable: the checkpoint sees to that.
        self.pages.put(page, PutArgs::full().backlink(backlink), node.encode()).await?;
        Ok(())
    }

    /// Makes everything durable and visible to everybody. The string is what an application keeps to say which checkpoint it means.
    async fn checkpoint(&self) -> Result<()> {
        let metadata = self.leader.table(METADATA)?.put(0, PutArgs::full(), self.next.to_string()).await?;
        let (info, string) = self.leader.checkpoint(CheckpointRequest::new(metadata)).await?;
        println!("checkpoint {} at LSN {} has {} pages; its string is {string}", info.sequence, info.lsn, self.next);
        Ok(())
    }
}

/// How many of the first `count` keys are there with their values.
async fn count(pages: &TableHandle, count: u32) -> Result<u32> {
    let mut found = 0;
    for number in 0..count {
        found += u32::from(lookup(pages, &format!("key {number:04}")).await? == Some(format!("value {number}")));
    }
    Ok(found)
}

/// Plays it; says how many keys were found by the leader, a follower before and after it goes on, and the next leader.
pub(crate) async fn play(store: &str) -> Result<[u32; 4]> {
    let store = Store::open(store).await?;
    // Whoever opens a leader fences the one before: a database has one writer.
    let leader = store.leader().await?;
    let mut tree = Tree::open(&leader).await?;
    for number in 0..300 {
        tree.insert(&format!("key {number:04}"), &format!("value {number}")).await?;
    }
    tree.checkpoint().await?;
    // What comes after a checkpoint is nobody's business until the next one.
    for number in 300..500 {
        tree.insert(&format!("key {number:04}"), &format!("value {number}")).await?;
    }
    let leads = count(&tree.pages, 500).await?;
    let follower = store.follower().await?;
    let follows = count(&follower.table(TREE)?, 500).await?;
    println!("the leader reads {leads} keys, and a follower the {follows} of the checkpoint");
    tree.checkpoint().await?;
    follower.advance().await?; // by itself it would come a little later
    let advanced = count(&follower.table(TREE)?, 500).await?;
    println!("the follower goes on to the next checkpoint, and reads {advanced}");
    follower.close().await;

    // A change that no checkpoint has; then the process might as well die.
    tree.insert("key 0000", "lost").await?;
    drop((tree, leader));
    let leader = store.leader().await?;
    let reopened = count(&Tree::open(&leader).await?.pages, 500).await?;
    println!("opened again, the tree has the {reopened} keys of its last checkpoint, and nothing that came after it");
    leader.close().await?;
    Ok([leads, follows, advanced, reopened])
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = std::env::args().nth(1).unwrap_or("source=memory_store,bucket=example".into());
    play(&store).await.map(drop)
}

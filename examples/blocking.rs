//! The file system from a synchronous engine: no runtime in sight, reads from any thread.
//!
//! ```sh
//! cargo run --example blocking                               # in memory
//! cargo run --example blocking -- file:///srv/bucket
//! ```

use std::panic::resume_unwind;
use std::thread;

use plastron::blocking::FileSystem;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::args().nth(1).unwrap_or_else(|| "source=memory_store,bucket=example".into());
    let files = FileSystem::open(&store)?;
    let content: Vec<u8> = (0..1_000_000_u32).map(|i| (i % 251) as u8).collect();
    files.put("example/blocks", content.clone())?;

    // A handle is shared by as many threads as there are. What the cache has is copied on the calling thread; what it lacks
    // is fetched by the file system's own threads, once, however many wait for it.
    let file = files.open_file("example/blocks")?;
    thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|reader| {
                let (file, content) = (&file, &content);
                scope.spawn(move || {
                    let mut page = [0; 4096];
                    for at in (reader * 4096..content.len() - page.len()).step_by(4 * 4096) {
                        file.read_at(at as u64, &mut page)?;
                        assert_eq!(Some(&page[..]), content.get(at..at + page.len()));
                    }
                    Ok::<_, plastron::Error>(())
                })
            })
            .collect();
        // A reader that panicked has found wrong bytes: let it take the program with it.
        readers.into_iter().try_for_each(|reader| reader.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;

    for entry in files.list("example/") {
        let entry = entry?;
        assert_eq!((entry.name.as_str(), entry.size), ("example/blocks", 1_000_000));
    }
    files.remove("example/blocks")?;
    Ok(())
}

//! Store a file, read parts of it, list, remove: the file system from asynchronous code.
//!
//! ```sh
//! cargo run --example files                                  # in memory
//! cargo run --example files -- 's3://my-bucket/scratch?region=eu-central-1'
//! ```

use futures::TryStreamExt;
use plastron::{ErrorKind, FileSystem};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = std::env::args().nth(1).unwrap_or_else(|| "source=memory_store,bucket=example".into());
    let files = FileSystem::open(&store).await?;

    // Nobody sees the file before `close` has returned; dropping the writer instead leaves nothing.
    let mut writer = files.create("example/table-1.wt").await?;
    for page in 0_u8..16 {
        writer.write(vec![page; 4096]).await?;
    }
    let info = writer.close().await?;
    assert_eq!(info.size, 65_536);

    // A name is given once, and the store decides who gets it.
    let second = files.put("example/table-1.wt", "something else").await;
    assert_eq!(second.err().map(|error| error.kind()), Some(ErrorKind::AlreadyExists));

    // Opening asks for size and etag; no read asks again. Reads are exact, verified, and cached.
    let file = files.open_file("example/table-1.wt").await?;
    let page = file.read(4096 * 7..4096 * 8).await?;
    assert!(page.iter().all(|byte| *byte == 7));
    let pages = file.read_ranges(&[0..16, 65_520..65_536]).await?;
    assert_eq!(pages.iter().map(|page| page.len()).sum::<usize>(), 32);

    let names: Vec<String> = files.list("example/").map_ok(|entry| entry.name).try_collect().await?;
    assert_eq!(names, ["example/table-1.wt"]);
    files.remove("example/table-1.wt").await?;
    assert!(!files.exists("example/table-1.wt").await?);
    Ok(())
}

//! Dumps on their way into a server, as a worker feeds them.

use std::{io::Write, thread};

use xvault::connectors::program::{Feed, feed};

/// A dump to its end.
pub fn whole(dump: &[u8]) -> Feed {
    fed(dump, true)
}

/// A dump whose reader fails after these bytes.
pub fn broken_off(dump: &[u8]) -> Feed {
    fed(dump, false)
}

fn fed(dump: &[u8], whole: bool) -> Feed {
    let (mut feeder, feed) = feed();
    let dump = dump.to_vec();
    thread::spawn(move || {
        // A program that ends before it has read everything is what some tests are about.
        if feeder.write_all(&dump).is_ok() && whole {
            let _ = feeder.finish();
        }
    });
    feed
}

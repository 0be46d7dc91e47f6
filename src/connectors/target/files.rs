//! One file or link: looked for, decided about, written under a temporary name, put in place.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    FileWriter, Found, FoundKind, Settle, TargetError,
    decide::Decision,
    directories::{Parent, Standing, settled},
    shared::Shared,
    tally::told,
};
use crate::domain::{
    entry::{Entry, EntryKind},
    job::JobError,
    server_restore::RestoreAction,
};

/// Something to be written, and where.
pub struct Piece {
    /// What the snapshot has.
    pub entry: Entry,
    /// Where it goes, absolute.
    pub path: Vec<u8>,
    /// The directory it goes into.
    pub parent: Parent,
}

/// A file whose content is coming.
pub struct Open {
    piece: Piece,
    temporary: Vec<u8>,
    writer: Box<dyn FileWriter>,
    decision: Decision,
    settle: Settle,
}

/// Bytes of content of an entry.
pub fn size_of(entry: &Entry) -> u64 {
    match entry.kind {
        EntryKind::File { size } => size,
        _ => 0,
    }
}

/// Writes a file whose content is all here.
pub async fn whole(shared: Arc<Shared>, piece: Piece, content: Vec<Bytes>) -> Result<(), JobError> {
    let Some(mut open) = begin(&shared, piece).await? else {
        return Ok(());
    };
    for data in content {
        match write(&shared, open, data).await? {
            Some(still) => open = still,
            None => return Ok(()),
        }
    }
    finish(&shared, open).await
}

/// Begins a file; `None` if it is not to be written, or cannot be.
pub async fn begin(shared: &Shared, piece: Piece) -> Result<Option<Open>, JobError> {
    let Some(decision) = decide(shared, &piece).await? else {
        return Ok(None);
    };
    let temporary = shared.temporary(&piece.path);
    shared.begins(&temporary);
    match shared.target.create(&temporary).await {
        Ok(writer) => Ok(Some(Open {
            settle: settled(&piece.entry, shared.rules.owners),
            piece,
            temporary,
            writer,
            decision,
        })),
        Err(error) => {
            shared.refused(&piece.path, size_of(&piece.entry), error).await?;
            shared.ended(&temporary);
            Ok(None)
        }
    }
}

/// Writes the next bytes; `None` if the file was given up.
pub async fn write(shared: &Shared, mut open: Open, data: Bytes) -> Result<Option<Open>, JobError> {
    match open.writer.write(data).await {
        Ok(()) => Ok(Some(open)),
        Err(error) => {
            let (path, bytes) = (&open.piece.path, size_of(&open.piece.entry));
            shared.refused(path, bytes, error).await?;
            shared.discard(&open.temporary).await;
            Ok(None)
        }
    }
}

/// The content came whole: puts the file in place.
pub async fn finish(shared: &Shared, open: Open) -> Result<(), JobError> {
    let Open {
        piece,
        temporary,
        writer,
        decision,
        settle,
    } = open;
    let finished = match writer.finish(&settle).await {
        Ok(()) => shared.target.put_in_place(&temporary, &piece.path).await,
        error => error,
    };
    in_place(shared, &piece, &temporary, finished, decision).await
}

/// Makes a symbolic link.
pub async fn symlink(shared: Arc<Shared>, piece: Piece) -> Result<(), JobError> {
    let EntryKind::Symlink { target } = &piece.entry.kind else {
        return Ok(());
    };
    let Some(decision) = decide(&shared, &piece).await? else {
        return Ok(());
    };
    let temporary = shared.temporary(&piece.path);
    shared.begins(&temporary);
    let made = async {
        // Of an earlier attempt.
        shared.target.remove(&temporary).await?;
        shared.target.make_symlink(&temporary, target).await?;
        let how = settled(&piece.entry, shared.rules.owners);
        let kind = FoundKind::Symlink { target: None };
        shared.target.settle(&temporary, kind, &how).await?;
        shared.target.put_in_place(&temporary, &piece.path).await
    };
    let made = made.await;
    in_place(&shared, &piece, &temporary, made, decision).await
}

/// Gives a file that was restored before another name; `file` is absolute.
pub async fn hard_link(shared: &Shared, piece: Piece, file: &[u8]) -> Result<(), JobError> {
    let there = match looked(shared, &piece).await? {
        Ok(there) => there,
        Err(_) => return Ok(()),
    };
    let original = match shared.look(file, 0).await? {
        Ok(original) => original,
        Err(_) => return Ok(()),
    };
    let decision = shared.rules.decide_link(there.as_ref(), original.as_ref());
    let Some(decision) = noted(shared, &piece, decision) else {
        return Ok(());
    };
    // What was kept, or could not be written, is not the file that this is a name of.
    let seconds = piece.entry.mtime.seconds;
    let restored = original.is_some_and(|found| found.kind == FoundKind::File && found.mtime == Some(seconds));
    if !restored {
        let why = format!("is another name of {}, which was not restored", told(file));
        shared.tally.note(RestoreAction::Refused, &piece.path, 0, Some(why));
        return Ok(());
    }
    let temporary = shared.temporary(&piece.path);
    shared.begins(&temporary);
    let made = async {
        shared.target.remove(&temporary).await?;
        shared.target.make_hard_link(&temporary, file).await?;
        shared.target.put_in_place(&temporary, &piece.path).await?;
        // Renaming one name of a file to another does nothing, and says that it went well.
        shared.target.remove(&temporary).await
    };
    let made = made.await;
    in_place(shared, &piece, &temporary, made, decision).await
}

/// Counts what was put in place, or what was not.
async fn in_place(
    shared: &Shared,
    piece: &Piece,
    temporary: &[u8],
    done: Result<(), TargetError>,
    (action, why): Decision,
) -> Result<(), JobError> {
    let bytes = size_of(&piece.entry);
    match done {
        Ok(()) => {
            shared.ended(temporary);
            shared.tally.note(action, &piece.path, bytes, why);
        }
        Err(error) => {
            shared.refused(&piece.path, bytes, error).await?;
            shared.discard(temporary).await;
        }
    }
    Ok(())
}

/// What becomes of it, if it is to be written now; everything else is counted here.
async fn decide(shared: &Shared, piece: &Piece) -> Result<Option<Decision>, JobError> {
    let Ok(found) = looked(shared, piece).await? else {
        return Ok(None);
    };
    let decision = shared.rules.decide(&piece.entry, found.as_ref());
    Ok(noted(shared, piece, decision))
}

async fn looked(shared: &Shared, piece: &Piece) -> Result<Result<Option<Found>, String>, JobError> {
    match piece.parent.standing {
        Standing::There(_) => shared.look(&piece.path, size_of(&piece.entry)).await,
        Standing::New | Standing::Blocked(..) => Ok(Ok(None)),
    }
}

/// Passes on a decision to write, unless nothing may be changed.
fn noted(shared: &Shared, piece: &Piece, decision: Decision) -> Option<Decision> {
    let writes = matches!(decision.0, RestoreAction::Create | RestoreAction::Overwrite);
    if writes && !shared.dry_run {
        return Some(decision);
    }
    if let (true, Standing::There(found)) = (writes, &piece.parent.standing) {
        shared.foresee_writing(&piece.parent.path, found);
    }
    let (action, why) = decision;
    shared.tally.note(action, &piece.path, size_of(&piece.entry), why);
    None
}

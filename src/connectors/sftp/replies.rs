//! What a server answers, and the wait for it.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{
    attributes::Attributes,
    error::{EOF, SftpError},
    packet::{self, Fields},
};

/// A name in a directory.
#[derive(Debug, Clone)]
pub struct Name {
    pub name: Bytes,
    pub attributes: Attributes,
}

/// A request on its way. Dropping it lets the answer go unread.
#[derive(Debug)]
pub struct Pending {
    pub(super) reply: oneshot::Receiver<Result<(u8, Fields), SftpError>>,
}

impl Pending {
    async fn expect(self, kind: u8) -> Result<Fields, SftpError> {
        let (found, mut fields) = self.reply.await.map_err(|_| SftpError::Closed)??;
        if found == kind {
            return Ok(fields);
        }
        if found != packet::STATUS {
            let text = format!("reply of type {found} where {kind} was due");
            return Err(SftpError::Protocol(text));
        }
        let code = fields.u32()?;
        // Servers of version 2 and some later ones send no text.
        let message = fields.string().unwrap_or_default();
        match code {
            0 => Err(SftpError::Protocol("success without a result".into())),
            code => Err(SftpError::status(code, &message)),
        }
    }

    /// Of `OPEN` and `OPENDIR`.
    pub async fn handle(self) -> Result<Bytes, SftpError> {
        let handle = self.expect(packet::HANDLE).await?.string()?;
        if handle.len() > 256 {
            return Err(SftpError::Protocol(format!("a handle of {} bytes", handle.len())));
        }
        // A copy: a slice would keep the whole buffer it came in alive for as long as the file is open.
        Ok(Bytes::copy_from_slice(&handle))
    }

    /// Of `READ`; `None` at the end of the file.
    pub async fn data(self) -> Result<Option<Bytes>, SftpError> {
        match self.expect(packet::DATA).await {
            Ok(mut fields) => fields.string().map(Some),
            Err(error) if error.code() == Some(EOF) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Of `STAT`, `LSTAT` and `FSTAT`.
    pub async fn attributes(self) -> Result<Attributes, SftpError> {
        Attributes::read(&mut self.expect(packet::ATTRS).await?)
    }

    /// Of `READDIR`; `None` at the end of the directory.
    pub async fn names(self) -> Result<Option<Vec<Name>>, SftpError> {
        let mut fields = match self.expect(packet::NAME).await {
            Ok(fields) => fields,
            Err(error) if error.code() == Some(EOF) => return Ok(None),
            Err(error) => return Err(error),
        };
        let count = fields.u32()? as usize;
        let mut names = Vec::new();
        // The count is only a claim; each name must really be in the packet.
        for _ in 0..count {
            let name = fields.string()?;
            let _for_people = fields.string()?;
            let attributes = Attributes::read(&mut fields)?;
            names.push(Name { name, attributes });
        }
        Ok((!names.is_empty()).then_some(names))
    }

    /// Of `READLINK` and `REALPATH`.
    pub async fn one_name(self) -> Result<Bytes, SftpError> {
        let mut names = self.names().await?.unwrap_or_default();
        match names.pop() {
            Some(name) if names.is_empty() => Ok(Bytes::copy_from_slice(&name.name)),
            _ => Err(SftpError::Protocol(
                "not exactly one name where one was asked for".into(),
            )),
        }
    }

    /// Of requests that are simply done or refused.
    pub async fn done(self) -> Result<(), SftpError> {
        let mut fields = self.expect(packet::STATUS).await?;
        let code = fields.u32()?;
        match code {
            0 => Ok(()),
            code => Err(SftpError::status(code, &fields.string().unwrap_or_default())),
        }
    }

    /// Of an extended request.
    pub async fn extended(self) -> Result<Fields, SftpError> {
        self.expect(packet::EXTENDED_REPLY).await
    }
}

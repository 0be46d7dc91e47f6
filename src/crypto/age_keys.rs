//! age keys: of tenants (X25519 identities), of single files, and of exports.
//!
//! A tenant's identity never leaves the hub. To let a worker read one snapshot, the hub unwraps the
//! *file keys* of its two encrypted files from their age headers and hands out only those.

use std::{cell::RefCell, fmt, str::FromStr};

use age::Decryptor;
use age_core::format::{FILE_KEY_BYTES, FileKey as RawFileKey, Stanza};
use base64::{Engine, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Longest age header accepted, in bytes; one recipient takes about 100.
pub const MAX_HEADER: usize = 64 * 1024;

/// Why an age key could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is no X25519 identity.
    #[error("the key is not an age identity (AGE-SECRET-KEY-1…)")]
    NotAnIdentity,
    /// The text is no X25519 recipient.
    #[error("the key is not an age recipient (age1…)")]
    NotARecipient,
    /// The text is no file key.
    #[error("the file key is not 16 bytes in base64")]
    NotAFileKey,
    /// The header is damaged.
    #[error("the age header is damaged")]
    BadHeader,
    /// The file is encrypted for somebody else.
    #[error("the file is not encrypted for this identity")]
    WrongIdentity,
}

/// The X25519 identity of a tenant (or one read from an identity file).
pub struct TenantIdentity(age::x25519::Identity);

impl TenantIdentity {
    /// A fresh identity.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Parses `AGE-SECRET-KEY-1…`.
    pub fn from_secret(secret: &SecretString) -> Result<Self, KeyError> {
        secret
            .expose_secret()
            .trim()
            .parse()
            .map(Self)
            .map_err(|_| KeyError::NotAnIdentity)
    }

    /// The public half, `age1…`.
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// The secret half, `AGE-SECRET-KEY-1…`.
    pub fn secret(&self) -> SecretString {
        self.0.to_string()
    }
}

impl fmt::Debug for TenantIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantIdentity({})", self.recipient())
    }
}

/// Checks the text of a recipient (`age1…`, X25519) and returns it in its canonical form.
pub fn check_recipient(text: &str) -> Result<String, KeyError> {
    parse_recipient(text).map(|recipient| recipient.to_string())
}

pub(crate) fn parse_recipient(text: &str) -> Result<age::x25519::Recipient, KeyError> {
    age::x25519::Recipient::from_str(text.trim()).map_err(|_| KeyError::NotARecipient)
}

/// The key of one age file: opens that file and no other.
pub struct FileKey(SecretBox<[u8; FILE_KEY_BYTES]>);

impl FileKey {
    fn of(raw: &RawFileKey) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; FILE_KEY_BYTES]| {
            bytes.copy_from_slice(raw.expose_secret());
        }))
    }

    fn to_raw(&self) -> RawFileKey {
        RawFileKey::init_with_mut(|bytes| bytes.copy_from_slice(self.0.expose_secret()))
    }

    /// Parses 16 bytes in base64.
    pub fn from_base64(text: &SecretString) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(
            STANDARD
                .decode(text.expose_secret())
                .map_err(|_| KeyError::NotAFileKey)?,
        );
        let mut key = SecretBox::new(Box::new([0; FILE_KEY_BYTES]));
        if bytes.len() != FILE_KEY_BYTES {
            return Err(KeyError::NotAFileKey);
        }
        key.expose_secret_mut().copy_from_slice(&bytes);
        Ok(Self(key))
    }

    /// The key in base64.
    pub fn to_base64(&self) -> SecretString {
        SecretString::from(STANDARD.encode(self.0.expose_secret()))
    }
}

impl Clone for FileKey {
    fn clone(&self) -> Self {
        Self::of(&self.to_raw())
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(…)")
    }
}

/// An age identity that knows one file's key and so needs no stanza.
pub struct FileKeyIdentity(pub FileKey);

impl age::Identity for FileKeyIdentity {
    fn unwrap_stanza(&self, _: &Stanza) -> Option<Result<RawFileKey, age::DecryptError>> {
        Some(Ok(self.0.to_raw()))
    }
}

/// Passes on to a real identity and keeps what it unwrapped.
struct Capturing<'a> {
    inner: &'a dyn age::Identity,
    unwrapped: RefCell<Option<FileKey>>,
}

impl age::Identity for Capturing<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<RawFileKey, age::DecryptError>> {
        let result = self.inner.unwrap_stanza(stanza);
        if let Some(Ok(key)) = &result {
            self.unwrapped.replace(Some(FileKey::of(key)));
        }
        result
    }
}

/// Unwraps the file key from an age header (from `age-encryption.org/v1` to the line of the MAC,
/// line break included) and checks the header's MAC with it.
pub fn unwrap_file_key(identity: &TenantIdentity, header: &[u8]) -> Result<FileKey, KeyError> {
    if header.len() > MAX_HEADER {
        return Err(KeyError::BadHeader);
    }
    // The payload's nonce follows the header; any will do, as nothing is decrypted.
    let mut input = header.to_vec();
    input.extend_from_slice(&[0; 16]);
    let decryptor = Decryptor::new_buffered(input.as_slice()).map_err(|_| KeyError::BadHeader)?;
    let capturing = Capturing {
        inner: &identity.0,
        unwrapped: RefCell::new(None),
    };
    match decryptor.decrypt(std::iter::once(&capturing as &dyn age::Identity)) {
        Ok(_) => capturing.unwrapped.into_inner().ok_or(KeyError::WrongIdentity),
        Err(age::DecryptError::NoMatchingKeys) => Err(KeyError::WrongIdentity),
        Err(_) => Err(KeyError::BadHeader),
    }
}

/// The identity an export is sealed to at rest: derived from its token, so neither the disk nor the
/// database alone opens it.
pub fn export_identity(token: &SecretString) -> age::x25519::Identity {
    let mut secret = Zeroizing::new([0; 32]);
    #[expect(
        clippy::expect_used,
        reason = "HKDF-SHA256 gives up to 8,160 bytes, and 32 are asked for"
    )]
    Hkdf::<Sha256>::new(None, token.expose_secret().as_bytes())
        .expand(b"xvault export at rest v1", secret.as_mut())
        .expect("32 bytes are within HKDF's limit");
    let hrp = bech32::Hrp::parse_unchecked("age-secret-key-");
    #[expect(clippy::expect_used, reason = "the prefix is valid and 32 bytes fit bech32")]
    let text = Zeroizing::new(bech32::encode::<bech32::Bech32>(hrp, secret.as_ref()).expect("32 bytes fit bech32"));
    #[expect(
        clippy::expect_used,
        reason = "any 32 bytes are an X25519 secret, encoded as age does"
    )]
    text.to_uppercase().parse().expect("an age identity was just encoded")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn sealed(recipients: &[&TenantIdentity]) -> (Vec<u8>, Vec<u8>) {
        let publics: Vec<_> = recipients.iter().map(|identity| identity.0.to_public()).collect();
        let all = publics.iter().map(|public| public as &dyn age::Recipient);
        let mut file = Vec::new();
        let mut writer = age::Encryptor::with_recipients(all)
            .unwrap()
            .wrap_output(&mut file)
            .unwrap();
        writer.write_all(b"content").unwrap();
        writer.finish().unwrap();
        let mac = file.windows(5).position(|w| w == b"\n--- ").unwrap() + 1;
        let end = mac + file[mac..].iter().position(|&b| b == b'\n').unwrap() + 1;
        let header = file[..end].to_vec();
        (file, header)
    }

    #[test]
    fn a_file_key_from_the_header_opens_the_file() {
        let (one, two) = (TenantIdentity::generate(), TenantIdentity::generate());
        let (file, header) = sealed(&[&one, &two]);
        for identity in [&one, &two] {
            let key = unwrap_file_key(identity, &header).unwrap();
            let key = FileKeyIdentity(FileKey::from_base64(&key.to_base64()).unwrap());
            let decryptor = Decryptor::new_buffered(file.as_slice()).unwrap();
            let mut reader = decryptor.decrypt(std::iter::once(&key as &dyn age::Identity)).unwrap();
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "content");
        }
    }

    #[test]
    fn wrong_identities_and_damaged_headers_are_told_apart() {
        let (mine, other) = (TenantIdentity::generate(), TenantIdentity::generate());
        let (_, header) = sealed(&[&mine]);
        assert_eq!(unwrap_file_key(&other, &header).unwrap_err(), KeyError::WrongIdentity);
        for at in [0, header.len() - 3] {
            let mut bad = header.clone();
            bad[at] ^= 1;
            assert_eq!(unwrap_file_key(&mine, &bad).unwrap_err(), KeyError::BadHeader);
        }
        assert_eq!(unwrap_file_key(&mine, b"").unwrap_err(), KeyError::BadHeader);
    }

    #[test]
    fn an_export_identity_follows_from_its_token_alone() {
        let identity = |token: &str| export_identity(&SecretString::from(token)).to_public().to_string();
        assert_eq!(identity("token"), identity("token"));
        assert_ne!(identity("token"), identity("tokem"));
    }

    #[test]
    fn an_identity_survives_its_text_form() {
        let identity = TenantIdentity::generate();
        let again = TenantIdentity::from_secret(&identity.secret()).unwrap();
        assert_eq!(identity.recipient(), again.recipient());
        assert_eq!(check_recipient(&identity.recipient()).unwrap(), identity.recipient());
        assert_eq!(check_recipient("age1nonsense").unwrap_err(), KeyError::NotARecipient);
    }
}

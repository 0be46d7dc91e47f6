//! Envelope encryption: the master key wraps a data key per tenant, the data key seals single values.
//!
//! Every sealed value is `version (1 byte) ‖ nonce (24 bytes, random) ‖ XChaCha20-Poly1305 ciphertext`, and
//! its associated data names what it is: a value moved to another tenant, row or field does not open.

use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretBox, SecretSlice, SecretString};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use crate::domain::ids::TenantId;

/// The only version so far.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Why a sealed value does not open, or a key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The text is not base64 of 32 bytes.
    #[error("is not base64 of 32 bytes; `xvault keys generate` makes one")]
    NotAKey,
    /// Too short, or of a version this program does not know.
    #[error("the sealed value has an unknown form")]
    Malformed,
    /// Wrong key, wrong place, or changed bytes.
    #[error("the sealed value does not open: another key, another place, or it was changed")]
    DoesNotOpen,
}

/// What a sealed value belongs to; becomes the AEAD's associated data.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// Whose it is.
    pub tenant_id: &'a TenantId,
    /// Id of the row it stands in.
    pub row: &'a str,
    /// Which field of that row.
    pub field: &'a str,
}

impl Binding<'_> {
    /// Each part behind its length, so that no two bindings give the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = b"xvault sealed value v1".to_vec();
        for part in [self.tenant_id.as_str(), self.row, self.field] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data
    }
}

/// The hub's 32-byte key. Wraps data keys and derives the keys that belong to no tenant.
#[derive(Debug)]
pub struct MasterKey(SecretBox<[u8; 32]>);

impl MasterKey {
    /// Reads the form an operator keeps: base64 of 32 bytes.
    pub fn from_base64(text: &SecretString) -> Result<Self, EnvelopeError> {
        let bytes = Zeroizing::new(
            BASE64_STANDARD
                .decode(text.expose_secret().trim())
                .map_err(|_| EnvelopeError::NotAKey)?,
        );
        let mut key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| EnvelopeError::NotAKey)?;
        let boxed = SecretBox::new(Box::new(key));
        key.zeroize();
        Ok(Self(boxed))
    }

    /// A fresh key in the form an operator keeps.
    pub fn generate_base64() -> SecretString {
        let key = Zeroizing::new(rand::random::<[u8; 32]>());
        BASE64_STANDARD.encode(key.as_slice()).into()
    }

    /// A key for one purpose, named by `info`; different purposes give unrelated keys.
    pub fn derive(&self, info: &str) -> Zeroizing<[u8; 32]> {
        derive(self.0.expose_secret(), info.as_bytes())
    }

    /// What the database keeps to notice a wrong master key; says nothing about the key.
    pub fn check_value(&self) -> [u8; 32] {
        *self.derive("xvault master key check v1")
    }

    /// Wraps a tenant's data key for storage.
    pub fn wrap_data_key(&self, tenant: &TenantId, key: &DataKey) -> Vec<u8> {
        seal(&self.wrapping_key(), &wrapped_binding(tenant), key.0.expose_secret())
    }

    /// Unwraps a tenant's data key.
    pub fn unwrap_data_key(&self, tenant: &TenantId, wrapped: &[u8]) -> Result<DataKey, EnvelopeError> {
        let bytes = open(&self.wrapping_key(), &wrapped_binding(tenant), wrapped)?;
        let mut key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| EnvelopeError::Malformed)?;
        let boxed = SecretBox::new(Box::new(key));
        key.zeroize();
        Ok(DataKey(boxed))
    }

    fn wrapping_key(&self) -> Zeroizing<[u8; 32]> {
        self.derive("xvault data key wrap v1")
    }
}

fn wrapped_binding(tenant: &TenantId) -> Binding<'_> {
    Binding {
        tenant_id: tenant,
        row: "tenant_keys",
        field: "wrapped",
    }
}

/// The 32-byte key of one tenant. Lives unwrapped only in the memory of a hub.
#[derive(Debug)]
pub struct DataKey(SecretBox<[u8; 32]>);

impl DataKey {
    /// A fresh key.
    pub fn generate() -> Self {
        Self(SecretBox::new(Box::new(rand::random())))
    }

    /// Seals a value to its place.
    pub fn seal(&self, binding: &Binding<'_>, value: &[u8]) -> Vec<u8> {
        seal(self.0.expose_secret(), binding, value)
    }

    /// Opens a value sealed to the same place.
    pub fn open(&self, binding: &Binding<'_>, sealed: &[u8]) -> Result<SecretSlice<u8>, EnvelopeError> {
        let mut plain = open(self.0.expose_secret(), binding, sealed)?;
        Ok(SecretSlice::from(std::mem::take(&mut *plain)))
    }

    /// Opens a value that is text.
    pub fn open_text(&self, binding: &Binding<'_>, sealed: &[u8]) -> Result<SecretString, EnvelopeError> {
        let plain = open(self.0.expose_secret(), binding, sealed)?;
        let text = std::str::from_utf8(&plain).map_err(|_| EnvelopeError::Malformed)?;
        Ok(text.into())
    }

    /// A key for one purpose, named by `info`.
    pub fn derive(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        derive(self.0.expose_secret(), info)
    }
}

fn derive(key: &[u8; 32], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // HKDF-SHA256 fails only beyond 255 × 32 bytes of output.
    #[allow(clippy::expect_used)]
    Hkdf::<Sha256>::new(None, key)
        .expand(info, out.as_mut_slice())
        .expect("32 bytes are within HKDF's limit");
    out
}

fn seal(key: &[u8; 32], binding: &Binding<'_>, value: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload {
        msg: value,
        aad: &binding.associated_data(),
    };
    // The cipher refuses only messages beyond 256 GiB; what is sealed here fits a request body.
    #[allow(clippy::expect_used)]
    let ciphertext = XChaCha20Poly1305::new(key.into())
        .encrypt(XNonce::from_slice(&nonce), payload)
        .expect("the value is far below the cipher's limit");
    [&[VERSION][..], &nonce, &ciphertext].concat()
}

fn open(key: &[u8; 32], binding: &Binding<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let [VERSION, rest @ ..] = sealed else {
        return Err(EnvelopeError::Malformed);
    };
    let (nonce, ciphertext) = rest.split_at_checked(NONCE).ok_or(EnvelopeError::Malformed)?;
    let payload = Payload {
        msg: ciphertext,
        aad: &binding.associated_data(),
    };
    XChaCha20Poly1305::new(key.into())
        .decrypt(XNonce::from_slice(nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| EnvelopeError::DoesNotOpen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding<'a>(tenant_id: &'a TenantId, row: &'a str, field: &'a str) -> Binding<'a> {
        Binding { tenant_id, row, field }
    }

    #[test]
    fn a_value_opens_only_where_it_was_sealed() {
        let (key, tenant, other) = (DataKey::generate(), TenantId::generate(), TenantId::generate());
        let sealed = key.seal(&binding(&tenant, "src_a", "password"), b"secret");
        let opened = key.open(&binding(&tenant, "src_a", "password"), &sealed).unwrap();
        assert_eq!(opened.expose_secret(), b"secret");
        for place in [
            binding(&other, "src_a", "password"),
            binding(&tenant, "src_b", "password"),
            binding(&tenant, "src_a", "passphrase"),
            binding(&tenant, "src_apass", "word"),
        ] {
            assert_eq!(key.open(&place, &sealed).unwrap_err(), EnvelopeError::DoesNotOpen);
        }
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let (key, tenant) = (DataKey::generate(), TenantId::generate());
        let place = binding(&tenant, "r", "f");
        let sealed = key.seal(&place, b"secret");
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(key.open(&place, &broken).is_err(), "byte {at}");
            assert!(key.open(&place, &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_data_key_survives_wrapping_and_belongs_to_its_tenant() {
        let master = MasterKey::from_base64(&MasterKey::generate_base64()).unwrap();
        let other = MasterKey::from_base64(&MasterKey::generate_base64()).unwrap();
        let (tenant, stranger) = (TenantId::generate(), TenantId::generate());
        let key = DataKey::generate();
        let wrapped = master.wrap_data_key(&tenant, &key);
        let back = master.unwrap_data_key(&tenant, &wrapped).unwrap();
        assert_eq!(back.derive(b"x"), key.derive(b"x"));
        assert!(master.unwrap_data_key(&stranger, &wrapped).is_err());
        assert!(other.unwrap_data_key(&tenant, &wrapped).is_err());
        assert_ne!(master.check_value(), other.check_value());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "short", "AAAA", "not base64 at all!"] {
            assert_eq!(
                MasterKey::from_base64(&bad.into()).unwrap_err(),
                EnvelopeError::NotAKey,
                "{bad}"
            );
        }
    }
}

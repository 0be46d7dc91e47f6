//! HMAC-SHA256 (RFC 2104).

use hkdf::hmac::{Hmac, Mac};
use sha2::Sha256;

/// The code of `parts`, one after the other, under a key of any length.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // RFC 2104 hashes long keys and pads short ones, so there is no wrong length.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key is valid");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

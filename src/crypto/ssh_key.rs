//! Fingerprints of private SSH keys. An OpenSSH key file carries its public half in clear, even behind a
//! passphrase, so nothing is decrypted here; other formats (PEM) do not, and get no fingerprint.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// `SHA256:…` of the public half, as `ssh-keygen -l` prints it.
pub fn fingerprint(private_key: &SecretString) -> Option<String> {
    let text = private_key.expose_secret();
    let (_, rest) = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END OPENSSH PRIVATE KEY-----")?;
    let base64: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(base64.as_str()).ok()?);
    let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
    let (_cipher, _kdf, _kdf_options) = (string(&mut rest)?, string(&mut rest)?, string(&mut rest)?);
    let _number_of_keys = take(&mut rest, 4)?;
    let public = string(&mut rest)?;
    Some(format!(
        "SHA256:{}",
        BASE64_STANDARD_NO_PAD.encode(Sha256::digest(public))
    ))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(count)?;
    *rest = tail;
    Some(head)
}

fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(take(rest, 4)?.try_into().ok()?);
    take(rest, usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `ssh-keygen -t ed25519 -N secret -C ''`.
    const ENCRYPTED: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n\
        b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCwnD56bL\n\
        HeteNq2iTa2dBvAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIKlzAdDRDu9gJU+I\n\
        xl6FZuqAzRGZG8Q6mUgg1hTO+mk4AAAAkKpowYz0hsOINJxuVvIpA8Q0ay52aqR15appeo\n\
        D19fqTRs2MJ7mBqCqDM+HROPjRIi0DBMqqbFUgeessTaQCYMbcSHg1kDqghK9pgJI7id5P\n\
        72wPgjr2NJ5QQYeeBi0dQZXEJBIudwCFUMoI8Jiw11WLRLiAtbXmDDGiSF+TOPQA2Py8qp\n\
        L97CCd44XmedKKSw==\n\
        -----END OPENSSH PRIVATE KEY-----";

    #[test]
    fn the_fingerprint_needs_no_passphrase() {
        let found = fingerprint(&ENCRYPTED.into());
        assert_eq!(
            found.as_deref(),
            Some("SHA256:EPS0UhzxMV4g0V6wrj41Wt2RydgXXW6XffNdze+JcRY")
        );
    }

    #[test]
    fn what_is_no_openssh_key_has_none() {
        let cut = &ENCRYPTED[..120];
        let damaged = format!("{cut}\n-----END OPENSSH PRIVATE KEY-----\n");
        for text in [
            "",
            "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----",
            cut,
            &damaged,
        ] {
            assert_eq!(fingerprint(&text.into()), None, "{text:?}");
        }
    }
}

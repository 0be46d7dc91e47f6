//! Access tokens: short-lived JWTs (HS256). They say who and which session; what that may do is looked up
//! at every request, so a removed member or an ended session stops at once.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{SessionId, UserId};

/// How long an access token works.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: UserId,
    /// The session it continues.
    pub sid: SessionId,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Dead from this second on.
    pub exp: i64,
}

/// Signs and reads access tokens.
#[derive(Clone)]
pub struct AccessTokens {
    sign: EncodingKey,
    read: DecodingKey,
}

impl AccessTokens {
    /// With a key derived for this purpose.
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            sign: EncodingKey::from_secret(key),
            read: DecodingKey::from_secret(key),
        }
    }

    /// A token for a session.
    pub fn issue(
        &self,
        user: &UserId,
        session: &SessionId,
        now: DateTime<Utc>,
    ) -> Result<SecretString, jsonwebtoken::errors::Error> {
        let claims = Claims {
            sub: user.clone(),
            sid: session.clone(),
            iat: now.timestamp(),
            exp: (now + LIFETIME).timestamp(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign).map(Into::into)
    }

    /// What a token says, if it is ours and still alive.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let mut rules = Validation::new(Algorithm::HS256);
        // The time is checked below, against the clock that tests can set.
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.read, &rules).ok()?.claims;
        (now.timestamp() < claims.exp).then_some(claims)
    }
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessTokens")
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_lives_for_its_time_and_only_with_its_key() {
        let (ours, theirs) = (AccessTokens::new(&[1; 32]), AccessTokens::new(&[2; 32]));
        let (user, session, now) = (UserId::generate(), SessionId::generate(), DateTime::UNIX_EPOCH);
        let token = ours.issue(&user, &session, now).unwrap();
        let claims = ours.read(token.expose_secret(), now).unwrap();
        assert_eq!((claims.sub, claims.sid), (user, session));
        assert!(ours.read(token.expose_secret(), now + LIFETIME).is_none());
        assert!(theirs.read(token.expose_secret(), now).is_none());
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        // {"alg":"none"} . {"sub":"usr_a","sid":"ses_a","iat":0,"exp":9999999999} .
        let forged = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c3JfYSIsInNpZCI6InNlc19hIiwiaWF0IjowLCJleHAiOjk5OTk5OTk5OTl9.";
        assert!(AccessTokens::new(&[1; 32]).read(forged, DateTime::UNIX_EPOCH).is_none());
    }
}

//! Who is asking: JSON Web Tokens (RFC 7519) as bearer tokens (RFC 6750).

use std::{collections::HashMap, fs, future::Ready, path::PathBuf, sync::Arc};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header, errors::ErrorKind, jwk::JwkSet,
};
use marquee_domain::UserId;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use thiserror::Error;

use super::{Problem, ProblemCode};

/// A clock skew between the issuer of tokens and us that is forgiven.
const LEEWAY_SECONDS: u64 = 5;
/// An HS256 secret is at least as long as the hash (RFC 7518 section 3.2).
const MIN_SECRET_BYTES: usize = 32;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// Secret for HS256; empty when tokens are verified by `jwks_file` only.
    pub hs256_secret: SecretString,
    /// A JWK set (RFC 7517) with RSA or EC keys for RS256 and ES256; empty for none.
    pub jwks_file: String,
    /// The `aud` a token must have; empty when it is not checked.
    pub audience: String,
}

#[derive(Debug, Error)]
pub enum AuthSetupError {
    #[error("jwt.hs256_secret or jwt.jwks_file must be set")]
    NoKeys,
    #[error("jwt.hs256_secret must have at least {MIN_SECRET_BYTES} bytes")]
    ShortSecret,
    #[error("cannot read the JWK set {path}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the JWK set is not valid")]
    Jwks(#[from] serde_json::Error),
    #[error("a key of the JWK set cannot be used: it needs a kid and alg RS256 or ES256")]
    Key,
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    CatalogWrite,
    CatalogRead,
    EventsRead,
    OpsRead,
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CatalogWrite => "catalog:write",
            Self::CatalogRead => "catalog:read",
            Self::EventsRead => "events:read",
            Self::OpsRead => "ops:read",
        }
    }
}

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Principal {
    user_id: UserId,
    scope: Arc<str>,
}

impl Principal {
    /// The caller; 401 when it is anonymous or its token is no good.
    pub fn of_request(request: &HttpRequest) -> Result<Self, Problem> {
        Authenticator::authenticate(request)?
            .ok_or_else(|| unauthenticated("send Authorization: Bearer and an access token"))
    }

    pub const fn user_id(&self) -> UserId {
        self.user_id
    }

    pub fn has(&self, scope: Scope) -> bool {
        self.scope.split(' ').any(|granted| granted == scope.as_str())
    }

    /// 403 unless the token grants `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.has(scope) {
            return Ok(());
        }
        let needed = scope.as_str();
        Err(Problem::new(ProblemCode::InsufficientScope, format!("the scope {needed} is needed"))
            .with_header(
                header::WWW_AUTHENTICATE,
                challenge(&format!("error=\"insufficient_scope\", scope=\"{needed}\"")),
            ))
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: UserId,
    #[serde(default)]
    scope: String,
}

/// Verifies tokens.
pub struct Authenticator {
    hs256: Option<DecodingKey>,
    by_kid: HashMap<String, (Algorithm, DecodingKey)>,
    audience: Option<String>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

impl Authenticator {
    pub fn new(settings: &AuthSettings) -> Result<Self, AuthSetupError> {
        let secret = settings.hs256_secret.expose_secret();
        let hs256 = match secret.len() {
            0 => None,
            length if length < MIN_SECRET_BYTES => return Err(AuthSetupError::ShortSecret),
            _ => Some(DecodingKey::from_secret(secret.as_bytes())),
        };
        let by_kid = match settings.jwks_file.as_str() {
            "" => HashMap::new(),
            path => read_jwks(path.into())?,
        };
        if hs256.is_none() && by_kid.is_empty() {
            return Err(AuthSetupError::NoKeys);
        }
        let audience = Some(settings.audience.clone()).filter(|audience| !audience.is_empty());
        Ok(Self { hs256, by_kid, audience })
    }

    fn verify(&self, token: &str) -> Result<Principal, Problem> {
        let header = decode_header(token).map_err(|error| refused(&error))?;
        let by_kid = header.kid.as_ref().and_then(|kid| self.by_kid.get(kid));
        let (algorithm, key) = match (header.alg, by_kid, &self.hs256) {
            (alg, Some((known, key)), _) if alg == *known => (alg, key),
            (Algorithm::HS256, _, Some(key)) => (Algorithm::HS256, key),
            _ => return Err(unauthenticated("the access token is signed with an unknown key")),
        };
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "sub"]);
        match &self.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.required_spec_claims.insert("aud".to_owned());
            }
            None => validation.validate_aud = false,
        }
        let claims = decode::<Claims>(token, key, &validation).map_err(|error| refused(&error))?;
        Ok(Principal { user_id: claims.claims.sub, scope: claims.claims.scope.into() })
    }

    fn authenticate(request: &HttpRequest) -> Result<Option<Principal>, Problem> {
        let Some(value) = request.headers().get(header::AUTHORIZATION) else { return Ok(None) };
        // A middleware may have asked before.
        if let Some(principal) = request.extensions().get::<Principal>() {
            return Ok(Some(principal.clone()));
        }
        let authenticator = request
            .app_data::<web::Data<Self>>()
            .ok_or_else(|| Problem::internal("the application has no Authenticator"))?;
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| unauthenticated("send Authorization: Bearer and an access token"))?;
        let principal = authenticator.verify(token)?;
        request.extensions_mut().insert(principal.clone());
        Ok(Some(principal))
    }
}

fn read_jwks(path: PathBuf) -> Result<HashMap<String, (Algorithm, DecodingKey)>, AuthSetupError> {
    let text = fs::read_to_string(&path).map_err(|source| AuthSetupError::File { path, source })?;
    let set: JwkSet = serde_json::from_str(&text)?;
    set.keys
        .iter()
        .map(|jwk| {
            let kid = jwk.common.key_id.clone().ok_or(AuthSetupError::Key)?;
            let algorithm = jwk
                .common
                .key_algorithm
                .and_then(|algorithm| algorithm.to_string().parse().ok())
                .filter(|algorithm| matches!(algorithm, Algorithm::RS256 | Algorithm::ES256))
                .ok_or(AuthSetupError::Key)?;
            let key = DecodingKey::from_jwk(jwk).map_err(|_| AuthSetupError::Key)?;
            Ok((kid, (algorithm, key)))
        })
        .collect()
}

fn refused(error: &jsonwebtoken::errors::Error) -> Problem {
    let why = match error.kind() {
        ErrorKind::ExpiredSignature => "the access token has expired",
        ErrorKind::ImmatureSignature => "the access token is not valid yet",
        ErrorKind::InvalidAudience => "the access token is for another audience",
        ErrorKind::MissingRequiredClaim(_) => "the access token needs the claims sub and exp",
        ErrorKind::InvalidSignature => "the access token's signature is wrong",
        ErrorKind::Json(_) => "the access token's claims are not as needed: sub is a UUID",
        _ => "the access token is malformed",
    };
    unauthenticated(why)
}

fn unauthenticated(why: &'static str) -> Problem {
    Problem::new(ProblemCode::Unauthenticated, why)
        .with_header(header::WWW_AUTHENTICATE, challenge("error=\"invalid_token\""))
}

fn challenge(parameters: &str) -> header::HeaderValue {
    header::HeaderValue::from_str(&format!("Bearer realm=\"marquee\", {parameters}"))
        .unwrap_or(header::HeaderValue::from_static("Bearer"))
}

impl FromRequest for Principal {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Self::of_request(request))
    }
}

/// A caller that may be anonymous. A token that is there must be valid all the same.
#[derive(Debug, Clone)]
pub struct MaybePrincipal(pub Option<Principal>);

impl FromRequest for MaybePrincipal {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Authenticator::authenticate(request).map(Self))
    }
}

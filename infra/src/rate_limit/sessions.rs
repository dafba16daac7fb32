//! Sessions as callers: each has a quota of its own, and all of one address together have some quotas.
//!
//! Whoever can start sessions can start a thousand, and each would be a new quota. So viewers behind one
//! address do not starve each other, and yet a thousand made-up sessions gain no more than the ceiling.

use std::{fmt, num::NonZeroU32};

use actix_web::{dev::ServiceRequest, http::header::HeaderValue};
use uuid::Uuid;

use super::{key::Scope, policy::Policy};

pub(super) type SessionOf = Box<dyn Fn(&ServiceRequest) -> Option<Uuid> + Send + Sync>;

pub(super) struct Sessions {
    /// Of all sessions of one address together.
    pub(super) ceiling: Policy,
    /// A session's own, and the ceiling: what is told of both.
    pub(super) policies: HeaderValue,
    session_of: SessionOf,
}

impl Sessions {
    pub(super) fn new(
        scope: Scope,
        own: &Policy,
        ceiling: NonZeroU32,
        session_of: SessionOf,
    ) -> Self {
        let quota = own.quota().times(ceiling);
        quota.assert_sane();
        let ceiling = Policy::new(format!("{}-sessions", scope.policy()), quota);
        Self { policies: Policy::header(&[own, &ceiling]), ceiling, session_of }
    }

    pub(super) fn of(&self, request: &ServiceRequest) -> Option<Uuid> {
        (self.session_of)(request)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("ceiling", &self.ceiling).finish_non_exhaustive()
    }
}

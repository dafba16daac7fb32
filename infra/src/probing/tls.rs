//! Whom a probe believes: the system's certificate authorities, and at allowed addresses also the
//! operator's own.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::ProbeSetupError;

#[derive(Debug, Clone)]
pub struct Trust {
    pub public: ClientConfig,
    pub allowed: ClientConfig,
}

impl Trust {
    pub fn load(ca_file: Option<&Path>) -> Result<Self, ProbeSetupError> {
        let mut public = RootCertStore::empty();
        // What cannot be read or parsed there is the system's concern; an empty store is ours.
        public.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut allowed = public.clone();
        if let Some(path) = ca_file {
            add_file(&mut allowed, path)
                .ok_or_else(|| ProbeSetupError::CaFile { path: path.to_owned() })?;
        }
        if allowed.is_empty() {
            return Err(ProbeSetupError::NoRoots);
        }
        Ok(Self { public: config(public)?, allowed: config(allowed)? })
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Option<()> {
    let certificates =
        CertificateDer::pem_file_iter(path).ok()?.collect::<Result<Vec<_>, _>>().ok()?;
    if certificates.is_empty() {
        return None;
    }
    certificates.into_iter().try_for_each(|certificate| roots.add(certificate)).ok()
}

fn config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

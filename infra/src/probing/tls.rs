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

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::{ClientConnection, ServerConfig, ServerConnection, pki_types::PrivateKeyDer};

    use super::*;
    use crate::clock;

    /// A handshake in memory with a host that an own authority vouches for.
    fn handshake(
        client: ClientConfig,
        authority: &Issuer<'_, KeyPair>,
    ) -> Result<(), rustls::Error> {
        let key = KeyPair::generate().unwrap();
        let names = CertificateParams::new(["media.test".to_owned()]).unwrap();
        let certificate = names.signed_by(&key, authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        let name = "media.test".try_into().unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        while client.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets()?;
        }
        Ok(())
    }

    #[test]
    fn an_own_authority_is_believed_at_allowed_addresses_only() {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = std::env::temp_dir().join(format!("marquee-trust-{}.pem", clock::new_uuid()));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        let authority = Issuer::new(params, key);
        let trust = Trust::load(Some(&file)).unwrap();
        std::fs::remove_file(&file).unwrap();

        assert_eq!(handshake(trust.allowed, &authority), Ok(()));
        let refused = handshake(trust.public, &authority);
        assert!(matches!(refused, Err(rustls::Error::InvalidCertificate(_))), "{refused:?}");
    }
}

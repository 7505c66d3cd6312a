//! Encryption, with the modes and the certificates that the driver has.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::fault::Fault;
use super::socket::{Socket, bare};

/// How much is asked of encryption.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::engine::mysql) enum TlsMode {
    /// None.
    Disabled,
    /// If the server has it; its certificate is not checked.
    #[default]
    Preferred,
    /// Always; its certificate is not checked.
    Required,
    /// Always, and the certificate is one of the authority's.
    VerifyCa,
    /// Always, and the certificate is that of the host.
    VerifyIdentity,
}

/// What the address says of encryption. Certificates are files, or PEM as it stands.
#[derive(Debug, Clone, Default)]
pub(in crate::engine::mysql) struct Tls {
    pub(in crate::engine::mysql) mode: TlsMode,
    /// Authorities beside the machine's own.
    pub(in crate::engine::mysql) ca: Option<String>,
    /// Our own certificate and its key, together.
    pub(in crate::engine::mysql) cert: Option<String>,
    pub(in crate::engine::mysql) key: Option<String>,
}

/// Encrypts what follows on `socket`.
pub(super) async fn encrypt(socket: Socket, tls: &Tls, host: &str) -> Result<Socket, Fault> {
    let config = Arc::new(config(tls).await?);
    let name = ServerName::try_from(bare(host).to_owned()).map_err(Fault::tls)?;
    let stream = TlsConnector::from(config).connect(name, socket).await;
    // What the certificate lacks comes wrapped as an error of the network.
    let stream = stream.map_err(|error| match error.get_ref().is_some_and(|inner| inner.is::<TlsError>()) {
        true => Fault::tls(error),
        false => Fault::Network(error),
    })?;
    Ok(Box::new(stream))
}

async fn config(tls: &Tls) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(Fault::tls)?;
    let builder = match tls.mode {
        TlsMode::Disabled | TlsMode::Preferred | TlsMode::Required => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { provider, authority: None }))
        }
        TlsMode::VerifyCa => {
            let roots = Arc::new(authorities(tls).await?);
            let authority = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            let authority = Some(authority.map_err(Fault::tls)?);
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { provider, authority }))
        }
        TlsMode::VerifyIdentity => builder.with_root_certificates(authorities(tls).await?),
    };
    match (&tls.cert, &tls.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem(cert).await?).collect();
            let key = PrivateKeyDer::from_pem_slice(&pem(key).await?).map_err(Fault::tls)?;
            builder.with_client_auth_cert(chain.map_err(Fault::tls)?, key).map_err(Fault::tls)
        }
        _ => Err(Fault::Config("a client's certificate and its key must be given together".into())),
    }
}

/// The machine's authorities, and the one that is named.
async fn authorities(tls: &Tls) -> Result<RootCertStore, Fault> {
    let mut store = RootCertStore::empty();
    // Some machines have a few that cannot be read; what they would have vouched for is refused.
    for certificate in rustls_native_certs::load_native_certs().certs {
        let _ = store.add(certificate);
    }
    if let Some(ca) = &tls.ca {
        for certificate in CertificateDer::pem_slice_iter(&pem(ca).await?) {
            store.add(certificate.map_err(Fault::tls)?).map_err(Fault::tls)?;
        }
    }
    Ok(store)
}

/// The text itself, or that of the file that it names.
async fn pem(value: &str) -> Result<Vec<u8>, Fault> {
    let trimmed = value.trim();
    if trimmed.starts_with("-----BEGIN") && trimmed.ends_with("-----") {
        return Ok(value.as_bytes().to_vec());
    }
    tokio::fs::read(value).await.map_err(|error| Fault::tls(format!("`{value}` cannot be read: {error}")))
}

/// Checks the signatures of the handshake, and of the certificate what the mode asks for: nothing, or all but the host's name.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    /// Who checks that the certificate is one of the authority's; none believes any.
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        match authority.verify_server_cert(certificate, others, name, ocsp, now) {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

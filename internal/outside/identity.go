package outside

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of an identity.
const (
	// CertificateFile is what the service pins (SNS_SIGNING_CERT_FILE).
	CertificateFile = "sns.pem"
	keyFile         = "sns.key"
)

// Keep makes the world sign with the key in a folder, or writes its own there if there
// is none: a service that pins a certificate reads it once, when it starts.
func (w *World) Keep(dir string) error {
	certificate, err := os.ReadFile(filepath.Join(dir, CertificateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return w.save(dir)
	}
	if err != nil {
		return fmt.Errorf("read the signing certificate: %w", err)
	}
	key, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return fmt.Errorf("read the signing key: %w", err)
	}
	certificateBlock, _ := pem.Decode(certificate)
	keyBlock, _ := pem.Decode(key)
	if certificateBlock == nil || keyBlock == nil {
		return fmt.Errorf("read the identity in %s: a file holds no PEM", dir)
	}
	if w.Certificate, err = x509.ParseCertificate(certificateBlock.Bytes); err != nil {
		return fmt.Errorf("read the signing certificate: %w", err)
	}
	if w.key, err = x509.ParsePKCS1PrivateKey(keyBlock.Bytes); err != nil {
		return fmt.Errorf("read the signing key: %w", err)
	}
	return nil
}

// save writes the certificate last: once it is there, so is its key.
func (w *World) save(dir string) error {
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(w.key)})
	if err := os.WriteFile(filepath.Join(dir, keyFile), key, 0o600); err != nil {
		return fmt.Errorf("write the signing key: %w", err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.Certificate.Raw})
	if err := os.WriteFile(filepath.Join(dir, CertificateFile), certificate, 0o644); err != nil {
		return fmt.Errorf("write the signing certificate: %w", err)
	}
	return nil
}

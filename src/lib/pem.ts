/** Checks PEM texts. */
import { X509Certificate } from 'node:crypto'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Returns each of the PEM certificates in the text. */
export function splitCertificates(text: string): string[] {
  return text.match(CERTIFICATE) ?? []
}

/** Returns true for text with at least one PEM certificate, all of them parseable. */
export function isCertificates(text: string): boolean {
  const found = splitCertificates(text)
  return found.length > 0 && found.every(isCertificate)
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}

/** The environment variables that connect a sidecar to a simulator. */
import { quoteForShell } from '../shell.ts'
import type { Simulator } from './simulator.ts'

/** Returns the settings of a sidecar that uses this simulator's Entra ID. */
export function createSidecarSettings(simulator: Simulator) {
  return {
    AZURE_TENANT_ID: simulator.tenantId,
    AZURE_CLIENT_ID: simulator.clientId,
    AZURE_FEDERATED_TOKEN_FILE: simulator.tokenFile,
    AZURE_AUTHORITY_HOST: simulator.authorityHost,
    WIMDS_CA_FILE: simulator.caFile,
  }
}

/**
 * Formats the settings of `wimds serve` as shell assignments, one per line. `ownCertificate` is false when Entra ID
 * serves a given certificate.
 */
export function formatEnvironment(simulator: Simulator, ownCertificate: boolean): string {
  const { WIMDS_CA_FILE, ...settings } = createSidecarSettings(simulator)
  const variables = {
    ...settings,
    // Nothing redirects 169.254.169.254 to the sidecar of a developer.
    WIMDS_MODE: 'env',
    // Nothing else scrapes it either.
    WIMDS_ADMIN_LISTEN: '127.0.0.1:9169',
    ...(ownCertificate && { WIMDS_CA_FILE }),
  }
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoteForShell(value)}\n`)
    .join('')
}

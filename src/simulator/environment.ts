/** What `wimds simulate` tells: an environment for the sidecar, and a summary for people. */
import { quoteForShell } from '../lib/shell.ts'
import type { Simulator } from './simulator.ts'

/** The settings by which a sidecar meets this world's Entra ID, without its token proxy. */
export function sidecarSettings(world: Simulator) {
  return {
    AZURE_TENANT_ID: world.tenantId,
    AZURE_CLIENT_ID: world.clientId,
    AZURE_FEDERATED_TOKEN_FILE: world.tokenFile,
    AZURE_AUTHORITY_HOST: world.authorityHost,
    WIMDS_CA_FILE: world.caFile,
  }
}

/** What `wimds serve` is started with, as shell assignments. */
export function environment(world: Simulator, hasForeignCertificate: boolean): string {
  const { WIMDS_CA_FILE, ...settings } = sidecarSettings(world)
  const variables = {
    ...settings,
    ...(hasForeignCertificate ? {} : { WIMDS_CA_FILE }),
    ...(world.tokenProxy && {
      AZURE_KUBERNETES_TOKEN_PROXY: world.tokenProxy.url,
      AZURE_KUBERNETES_SNI_NAME: world.tokenProxy.sniName,
      AZURE_KUBERNETES_CA_FILE: world.caFile,
    }),
  }
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${quoteForShell(value)}\n`)
    .join('')
}

/** What the command prints when it is ready; no token is in it. */
export function summary(world: Simulator, envFile: string, everySeconds: number): string {
  const applications = world.directory.applications.map(
    ({ clientId, name, federatedCredentials }) =>
      `  ${clientId}  ${name}: ${federatedCredentials.map(({ subject }) => subject).join(', ') || 'trusts nobody'}`,
  )
  const proxy = world.tokenProxy ? `  proxy     ${world.tokenProxy.url} (the token proxy)\n` : ''
  return `The simulator is ready.
  Entra ID  ${world.authorityHost}
  issuer    ${world.issuer.issuer}
  vault     ${world.vaultUrl}
${proxy}  CA        ${world.caFile}
  token     ${world.tokenFile} (renewed every ${everySeconds} s)
Applications of tenant ${world.tenantId}:
${applications.join('\n')}
Start the sidecar with it:
  set -a; . ${quoteForShell(envFile)}; set +a; wimds serve
`
}

/** The demo's legacy application: a real SDK of its time where one is installed. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Simulator } from '../../simulator/simulator.ts'
import { runToEnd } from './child-process.ts'
import type { Sidecar } from './sidecar.ts'

const SECRET_NAME = 'database-password'

interface ClientResult {
  readonly value: string
  readonly tokenMs: number
}

/**
 * The legacy client's script, beside the `dist/` that holds the command line `cli`; undefined in an
 * image, which does not have it.
 */
export function legacyClient(cli: string): string | undefined {
  const root = resolve(dirname(realpathSync(cli)), '..')
  const script = resolve(root, 'examples/legacy-client/fetch-secret.mjs')
  try {
    return existsSync(script) ? script : undefined
  } catch {
    // Nor may it be looked for, by the permissions of the image.
    return undefined
  }
}

/** Lets the legacy client fetch the vault's secret by the sidecar. Throws what the client printed. */
export async function fetchSecret(
  script: string,
  world: Simulator,
  { tokenUrl }: Sidecar,
): Promise<ClientResult> {
  const { code, stdout, stderr } = await runToEnd({
    script,
    env: {
      MSI_ENDPOINT: tokenUrl,
      VAULT_URL: world.vaultUrl,
      SECRET_NAME,
      NODE_EXTRA_CA_CERTS: world.caFile,
      NODE_NO_WARNINGS: '1',
    },
  })
  if (code !== 0) throw new Error(`the legacy client failed:\n${stderr.trim()}`)
  const result: ClientResult = JSON.parse(stdout)
  return result
}

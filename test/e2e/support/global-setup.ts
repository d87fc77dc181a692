/** Starts, for all tests, Entra ID at its own name with the cluster's issuer, and the node's IMDS. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { stringify } from 'yaml'
import { clusterCa, connectToEntra, TENANT_ID } from './entra.ts'
import { CLI, ENTRA_TLS } from './environment.ts'
import { eventually } from './eventually.ts'
import { clusterIssuer } from './issuer.ts'
import { startRealImds } from './real-imds.ts'

export default async function globalSetup(): Promise<() => Promise<void>> {
  const started = new AsyncDisposableStack()
  started.use(await startEntra())
  started.use(await startRealImds())
  return () => started.disposeAsync()
}

async function startEntra(): Promise<AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'wimds-e2e-'))
  const caFile = join(directory, 'cluster-ca.crt')
  const configFile = join(directory, 'entra.yaml')
  const config = {
    tenants: [{ id: TENANT_ID, name: 'Contoso' }],
    applications: [],
    issuers: [{ issuer: await clusterIssuer(), caFile }],
    // As Entra ID does, so that a busy API server does not fail the exchanges of many pods.
    issuerCacheSeconds: 60,
  }
  await writeFile(caFile, await clusterCa())
  await writeFile(configFile, stringify(config))
  const child = spawn(
    process.execPath,
    [
      CLI,
      'simulate',
      `--config=${configFile}`,
      `--dir=${join(directory, 'state')}`,
      '--listen=0.0.0.0:443',
      '--host=login.microsoftonline.com',
      `--tls-cert=${ENTRA_TLS.certFile}`,
      `--tls-key=${ENTRA_TLS.keyFile}`,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  const ended = once(child, 'exit')
  await eventually('Entra ID answers', () => connectToEntra(), { withinMs: 20_000 })
  return {
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
      await rm(directory, { recursive: true })
    },
  }
}

/** The Azure servers that some clients call with their token. For a sandbox only. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { TENANT_ID } from '../harness/identities.ts'
import { overrideHosts, pathOnly } from '../harness/sandbox.ts'
import { createFolder } from '../../fixtures/folder.ts'

const ARM = 'management.azure.com'
/** Names of the recorder; the storage account is for clients that do not return their token. */
const RECORDED = [ARM, 'wimdstest.blob.core.windows.net', 'wimdstest.dfs.core.windows.net']
const RECORDER = '127.0.0.2'
const EMPTY_CONTAINER =
  '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>'
const BLOBS = { name: 'devstoreaccount1.blob.core.windows.net', address: '127.0.0.3' }
const SUBSCRIPTION_ID = '55555555-5555-4555-8555-555555555555'
const LISTENS_WITHIN_MS = 60_000

interface ServerFiles {
  readonly directory: string
  readonly certFile: string
  readonly keyFile: string
}

/** Starts a recorder and, if Azurite is installed, blob storage. */
export async function startAzureServers(azurite: string | undefined) {
  await using onFailure = new AsyncDisposableStack()
  const folder = onFailure.use(createFolder())
  await overrideHosts(folder.path, {
    ...Object.fromEntries(RECORDED.map((name) => [name, RECORDER])),
    [BLOBS.name]: BLOBS.address,
  })
  const authority = await createCertificateAuthority({ commonName: 'simulated Azure servers' })
  const { certPem, keyPem } = await authority.issue({ names: [...RECORDED, BLOBS.name] })
  const caFile = folder.write('ca.crt', authority.caPem)
  const files = {
    directory: folder.path,
    certFile: folder.write('tls.crt', certPem),
    keyFile: folder.write('tls.key', keyPem),
  }
  onFailure.use(await startRecorder(certPem, keyPem))
  if (azurite !== undefined) onFailure.use(await startAzurite(azurite, files))
  const parts = onFailure.move()
  return {
    /** Variables with which clients find and trust the servers. */
    env: {
      WIMDS_TEST_CA_FILE: caFile,
      WIMDS_TEST_BLOB_ENDPOINT: `https://${BLOBS.name}`,
      WIMDS_TEST_LAST_TOKEN_URL: `https://${ARM}/last-token`,
      NODE_EXTRA_CA_CERTS: caFile,
      SSL_CERT_FILE: caFile,
      REQUESTS_CA_BUNDLE: caFile,
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/**
 * Starts a server that answers each request with a bearer token: storage hosts with an empty container,
 * Resource Manager with one subscription, which has no resources. `GET /last-token` returns the last token, for clients that do
 * not return theirs.
 */
async function startRecorder(cert: string, key: string): Promise<AsyncDisposable> {
  const subscription = {
    id: `/subscriptions/${SUBSCRIPTION_ID}`,
    subscriptionId: SUBSCRIPTION_ID,
    displayName: 'Shop',
    state: 'Enabled',
    tenantId: TENANT_ID,
  }
  let lastToken = ''
  const server = createServer({ cert, key }, ({ headers, url }, response) => {
    if (url === '/last-token') {
      response.end(lastToken)
      lastToken = ''
      return
    }
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
    if (token === undefined) {
      response.writeHead(401).end()
      return
    }
    lastToken = token
    const isStorage = headers.host !== ARM
    const value = url?.includes('/providers/') === true ? [] : [subscription]
    response.writeHead(200, { 'content-type': isStorage ? 'application/xml' : 'application/json' })
    response.end(isStorage ? EMPTY_CONTAINER : JSON.stringify({ value }))
  })
  server.listen(443, RECORDER)
  await once(server, 'listening')
  return {
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

/** Starts Azurite over TLS. With `--oauth basic` it checks issuer, audience and times of a token. */
async function startAzurite(
  workspace: string,
  { directory, certFile, keyFile }: ServerFiles,
): Promise<AsyncDisposable> {
  const main = join(workspace, 'node_modules/azurite/dist/src/blob/main.js')
  const options = {
    '--oauth': 'basic',
    '--cert': certFile,
    '--key': keyFile,
    '--blobHost': BLOBS.address,
    '--blobPort': '443',
    '--location': directory,
  }
  const child = spawn(
    process.execPath,
    [
      main,
      '--silent',
      '--skipApiVersionCheck',
      '--disableTelemetry',
      ...Object.entries(options).flat(),
    ],
    { env: pathOnly(), stdio: 'ignore' },
  )
  const ended = once(child, 'close')
  const dispose = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  const deadline = Date.now() + LISTENS_WITHIN_MS
  while (!(await isListening(BLOBS.address, 443))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await dispose()
      throw new Error('Azurite did not start')
    }
    await sleep(100)
  }
  return { [Symbol.asyncDispose]: dispose }
}

function isListening(host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, host)
  socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}

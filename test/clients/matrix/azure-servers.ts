/** The Azure servers that some clients call with their token. They work only in a sandbox. */
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
import { listening } from '../../fixtures/listening.ts'
import { startPostgresServer } from './postgres-server.ts'
import { startSqlServer } from './sql-server.ts'

const ARM = 'management.azure.com'
const VAULT = 'wimdstest.vault.azure.net'
/** Host names of the recorder. Clients that do not return their token call the vault or the storage account. */
const RECORDED = [ARM, VAULT, 'wimdstest.blob.core.windows.net', 'wimdstest.dfs.core.windows.net']
const RECORDER = '127.0.0.2'
const EMPTY_CONTAINER =
  '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>'
const BLOBS = { name: 'devstoreaccount1.blob.core.windows.net', address: '127.0.0.3' }
const DATABASES = { name: 'wimdstest.database.windows.net', address: '127.0.0.4' }
const SUBSCRIPTION_ID = '55555555-5555-4555-8555-555555555555'
const SECRET = { value: 'a secret', id: `https://${VAULT}/secrets/password/1`, attributes: {} }
const CHALLENGE = `Bearer authorization="https://login.microsoftonline.com/${TENANT_ID}", resource="https://vault.azure.net"`
const LISTENS_WITHIN_MS = 60_000

interface Recorder {
  readonly cert: string
  readonly key: string
  readonly onToken: (token: string) => void
  readonly takeLastToken: () => string
}

interface ServerFiles {
  readonly directory: string
  readonly certFile: string
  readonly keyFile: string
}

/** Starts a recorder, database servers and, if Azurite is installed, blob storage. */
export async function startAzureServers(azurite: string | undefined) {
  await using onFailure = new AsyncDisposableStack()
  const folder = onFailure.use(createFolder())
  await overrideHosts(folder.path, {
    ...Object.fromEntries(RECORDED.map((name) => [name, RECORDER])),
    [BLOBS.name]: BLOBS.address,
    [DATABASES.name]: DATABASES.address,
  })
  const authority = await createCertificateAuthority({ commonName: 'simulated Azure servers' })
  const { certPem, keyPem } = await authority.issue({
    names: [...RECORDED, BLOBS.name, DATABASES.name],
  })
  const caFile = folder.write('ca.crt', authority.caPem)
  const files = {
    directory: folder.path,
    certFile: folder.write('tls.crt', certPem),
    keyFile: folder.write('tls.key', keyPem),
  }
  let lastToken = ''
  const onToken = (token: string): void => {
    lastToken = token
  }
  const takeLastToken = (): string => {
    const token = lastToken
    lastToken = ''
    return token
  }
  const database = { host: DATABASES.address, onToken }
  onFailure.use(await startRecorder({ cert: certPem, key: keyPem, onToken, takeLastToken }))
  onFailure.use(await startSqlServer({ cert: certPem, key: keyPem, ...database }))
  onFailure.use(await startPostgresServer(database))
  if (azurite !== undefined) onFailure.use(await startAzurite(azurite, files))
  const parts = onFailure.move()
  return {
    /** Variables with which clients find and trust the servers. */
    env: {
      WIMDS_TEST_CA_FILE: caFile,
      WIMDS_TEST_BLOB_ENDPOINT: `https://${BLOBS.name}`,
      WIMDS_TEST_SQL_SERVER: DATABASES.name,
      WIMDS_TEST_POSTGRES: `Host=${DATABASES.name};Username=orders;Database=shop;SSL Mode=Disable;Server Compatibility Mode=NoTypeLoading`,
      WIMDS_TEST_LAST_TOKEN_URL: `https://${ARM}/last-token`,
      NODE_EXTRA_CA_CERTS: caFile,
      SSL_CERT_FILE: caFile,
      REQUESTS_CA_BUNDLE: caFile,
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

/**
 * Starts a server that answers each request with a bearer token: storage hosts with an empty container, a vault with a secret,
 * Resource Manager with one subscription, which has no resources. `GET /last-token` returns the last token that a server got,
 * for clients that do not return theirs.
 */
async function startRecorder({
  cert,
  key,
  onToken,
  takeLastToken,
}: Recorder): Promise<AsyncDisposable> {
  const subscription = {
    id: `/subscriptions/${SUBSCRIPTION_ID}`,
    subscriptionId: SUBSCRIPTION_ID,
    displayName: 'Shop',
    state: 'Enabled',
    tenantId: TENANT_ID,
  }
  const server = createServer({ cert, key }, ({ headers, url }, response) => {
    if (url === '/last-token') {
      response.end(takeLastToken())
      return
    }
    const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
    if (token === undefined) {
      // A client of Key Vault learns its tenant and resource from this challenge.
      response.writeHead(401, { 'www-authenticate': CHALLENGE }).end()
      return
    }
    onToken(token)
    const isStorage = headers.host !== ARM && headers.host !== VAULT
    const value = url?.includes('/providers/') === true ? [] : [subscription]
    response.writeHead(200, { 'content-type': isStorage ? 'application/xml' : 'application/json' })
    response.end(
      isStorage ? EMPTY_CONTAINER : JSON.stringify(headers.host === VAULT ? SECRET : { value }),
    )
  })
  return await listening(server, 443, RECORDER)
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

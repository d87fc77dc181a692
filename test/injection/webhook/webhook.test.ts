/** `wimds webhook` as a whole, with an API server that fails. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 needs its global effect
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { webhook } from '../../../src/injection/webhook/webhook.ts'
import { createCertificateAuthority } from '../../../src/lib/x509.ts'
import { PATCH_CONFIGURATION, READ_SECRET, startApiServer } from '../../fixtures/api-server.ts'
import { createFolder } from '../../fixtures/folder.ts'
import { listening } from '../../fixtures/listening.ts'
import { freePort } from '../../support/free-port.ts'
import { captureIo } from '../../tools/capture.ts'
import { podReview } from '../../fixtures/pod-review.ts'

const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const REVIEW = podReview(
  {
    metadata: {},
    spec: { serviceAccountName: 'app', containers: [{ name: 'app', image: 'app:1' }] },
  },
  { namespace: 'n' },
)
const FLAGS = [
  '--listen=127.0.0.1:0',
  '--admin-listen=127.0.0.1:0',
  '--drain=0s',
  '--image-registry=r.example',
]

let shutdown: AbortController
beforeEach(() => {
  shutdown = new AbortController()
})
afterEach(() => shutdown.abort())

/** Runs the webhook; returns its log and its exit code. */
function startWebhook(...flags: readonly string[]) {
  const io = { ...captureIo(), signal: shutdown.signal }
  return { log: io.out, exit: webhook([...FLAGS, ...flags], io) }
}

/** Sends the review to the port of the log, and returns headers and body of the reply. */
async function post(log: string, review: object, path = '/mutate') {
  const port = Number(/"listening".*"port":(\d+)/.exec(log)?.[1])
  const sent = request({ host: '127.0.0.1', port, path, method: 'POST', rejectUnauthorized: false })
  sent.end(JSON.stringify(review))
  const [reply] = await once(sent, 'response')
  const { headers }: IncomingMessage = reply
  return { headers, body: await text(reply) }
}

/** Sends the review, and returns the response in it. */
async function sendReview(...review: Parameters<typeof post>): Promise<object> {
  return JSON.parse((await post(...review)).body).response
}

test('does not start with an empty file of client CAs, with which Node would trust its own roots', async () => {
  await using _ = await startApiServer()
  using directory = createFolder()
  const file = directory.write('ca.crt', '')
  const { exit } = startWebhook(`--client-ca=${file}`)
  await expect(exit).rejects.toThrow(`${file} holds no valid PEM certificates. Fix: `)
})

test('serves only callers with a certificate of its client CAs over TLS 1.3, and reads the CAs again', async () => {
  await using _ = await startApiServer()
  using directory = createFolder()
  const [first, second] = [await createClientCertificate(), await createClientCertificate()]
  const file = directory.write('ca.crt', first.cert)
  const { log, exit } = startWebhook(`--client-ca=${file}`)
  await expect.poll(log).toContain('"certificate_loaded"')
  const port = Number(/"listening".*"port":(\d+)/.exec(log())?.[1])
  const isServed = async (client: object) => {
    const tls = { rejectUnauthorized: false, agent: false, ...client }
    const sent = request({ host: '127.0.0.1', port, path: '/', ...tls }).end()
    return await once(sent, 'response').then(
      ([reply]) => reply.resume() !== undefined,
      () => false,
    )
  }
  expect([await isServed(first), await isServed(second)]).toEqual([true, false])
  const older = { ...first, maxVersion: 'TLSv1.2' }
  expect([await isServed({}), await isServed(older)]).toEqual([false, false])

  await writeFile(file, second.cert)
  await expect.poll(() => isServed(second)).toBe(true)
  expect(await isServed(first)).toBe(false)

  shutdown.abort()
  expect(await exit).toBe(0)
})

test.each(['--listen', '--admin-listen'])('exits when the port of %s is taken', async (flag) => {
  await using _ = await startApiServer()
  await using taken = await listening(createServer())
  const { log, exit } = startWebhook(`${flag}=127.0.0.1:${taken.port}`)
  expect(await exit).toBe(1)
  expect(log()).toMatch(
    /"event":"listen_failed".*EADDRINUSE.*Fix: choose another port by --listen /,
  )
})

test('serves a mounted certificate, once its files are whole', async () => {
  await using _ = await startApiServer()
  using directory = createFolder()
  const authority = await createCertificateAuthority()
  const { certPem, keyPem } = await authority.issue({ names: ['wimds.wimds.svc'] })
  directory.write('tls.crt', certPem)
  directory.write('tls.key', '')
  const { log } = startWebhook(`--cert-dir=${directory.path}`)
  await expect.poll(log).toContain(`tls.crt or tls.key in ${directory.path} is empty`)
  directory.write('tls.key', keyPem)
  await expect.poll(log).toContain('"certificate_loaded"')
  expect(await sendReview(log(), REVIEW)).toMatchObject({ allowed: true })
})

test.each([
  ['/mutate', false],
  ['/mutate/namespace', true],
])('reviews at %s, and injects a pod without an annotation: %s', async (path, isInjected) => {
  await using _ = await startApiServer()
  const { log } = startWebhook(`--tenant-id=${TENANT}`)
  await expect.poll(log).toContain('"certificate_loaded"')
  const response = await sendReview(log(), REVIEW, path)
  expect(response).toMatchObject({ allowed: true })
  const patch = atob('patch' in response ? String(response.patch) : '')
  expect(patch.includes(TENANT)).toBe(isInjected)
  expect(patch.includes('"restartPolicy":"Always"')).toBe(isInjected)
})

test('counts a flood of malformed reviews, and logs it in a few lines with the fields of the sidecar’s log', async () => {
  await using _ = await startApiServer()
  const port = await freePort()
  const { log } = startWebhook(`--admin-listen=127.0.0.1:${port}`)
  await expect.poll(log).toContain('"certificate_loaded"')
  freezeTimers()
  for (let count = 0; count < 30; count += 1) await sendReview(log(), {})
  const lines = log().match(/^.*"outcome":"malformed".*$/gm)
  expect(lines).toHaveLength(10)
  expect(lines?.[0]).toMatch(/^\{"level":"warn","time":"\d{4}-[^"]+Z","event":"pod_rejected",/)
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  expect(metrics).toContain('_review_duration_seconds_count{outcome="malformed"} 30')
  expect(metrics).toContain('_review_duration_seconds_count{outcome="injected"} 0')
  const expiry = Date.parse(/"expiresAt":"([^"]+)"/.exec(log())?.[1] ?? '') / 1000
  expect(metrics).toContain(`wimds_webhook_certificate_expiry_timestamp_seconds ${expiry}`)
})

test('is not ready while it drains, but closes connections and writes its CA again', async () => {
  await using api = await startApiServer()
  const port = await freePort()
  const { log, exit } = startWebhook('--drain=10s', `--admin-listen=127.0.0.1:${port}`)
  await expect.poll(log).toContain('"certificate_loaded"')
  const getStatus = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status
  expect(await getStatus()).toBe(200)
  freezeTimers()
  shutdown.abort()
  await expect.poll(log).toContain('"draining"')
  expect(await getStatus()).toBe(503)
  expect((await post(log(), REVIEW)).headers.connection).toBe('close')
  await expect.poll(() => api.calls(PATCH_CONFIGURATION)).toBe(2)
  // Lets the time of the drain pass, and the time limits for closing the ports.
  vi.setTimerTickMode('nextTimerAsync')
  expect(await exit).toBe(0)
})

test('shuts down while it waits for its Secret', async () => {
  await using api = await startApiServer({ [READ_SECRET]: () => {} })
  const { log, exit } = startWebhook()
  await expect.poll(() => api.calls(READ_SECRET)).toBe(1)
  shutdown.abort()
  expect(await exit).toBe(0)
  expect(log()).not.toContain('webhook_error')
})

/** Stops timers until the end of the test. */
function freezeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], fakeNodeBuiltins: true })
  onTestFinished(() => void vi.useRealTimers())
}

/** Creates a certificate that is its own CA, and its key, both PEM. */
async function createClientCertificate() {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const name = 'CN=api-server'
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: algorithm,
  })
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  return {
    cert: certificate.toString('pem'),
    key: x509.PemConverter.encode(key, 'PRIVATE KEY'),
  }
}

/** Identities that are for some uids only, as applications see them. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { becomeUser } from '../fixtures/run-program.ts'
import { environmentOf, startServe } from '../fixtures/served.ts'
import { TOKEN } from '../fixtures/connection.ts'

const reason = process.getuid?.() === 0 ? undefined : 'other uids need root'
if (reason !== undefined) process.stderr.write(`skipped test/contract/allowed-uids: ${reason}\n`)

const run = promisify(execFile)
const OPEN = 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'
const SECRET = 'a'.repeat(20)

const simulator = await createSimulator()
afterAll(() => simulator.close())
const [orders] = simulator.directory.applications
if (orders === undefined) throw new Error('no application')
simulator.directory.applications.push({ ...orders, clientId: OPEN, name: 'open' })
const file = join(dirname(simulator.caFile), 'uids.yaml')
await writeFile(
  file,
  `identities:
  - {name: orders, clientId: ${simulator.clientId}, allowedUids: [1234, 0], default: true}
  - {name: open, clientId: ${OPEN}}
`,
)
const sidecar = await startServe({
  ...environmentOf(simulator),
  WIMDS_CONFIG: file,
  WIMDS_IDENTITY_HEADER: SECRET,
})
afterAll(() => sidecar[Symbol.asyncDispose]())

const APP_SERVICE = '/msi/token?api-version=2019-08-01&resource=https://vault.azure.net'

/** Requests twice over one connection; prints a line for each reply. */
const CLIENT = `
  const { Agent, get } = require('node:http')
  const [, port, path, headers] = process.argv
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (left) => get({ port, path, host: '127.0.0.1', agent, headers: JSON.parse(headers) }, async (reply) => {
    console.log(JSON.stringify({ status: reply.statusCode, body: Buffer.concat(await reply.toArray()).toString() }))
    if (left > 0) ask(left - 1)
    else agent.destroy()
  })
  ask(1)`

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, string>>
}

/** Returns what a program of this uid is answered, which is the same for each request of a connection. */
async function askAs(uid: number, path: string, headers = { Metadata: 'true' }): Promise<Answer> {
  const args = ['-e', becomeUser(uid) + CLIENT, `${sidecar.port}`, path, JSON.stringify(headers)]
  const { stdout } = await run(process.execPath, args)
  const answers = stdout
    .trim()
    .split('\n')
    .map((line): Answer => {
      const { status, body }: { status: number; body: string } = JSON.parse(line)
      return { status, body: JSON.parse(body) }
    })
  const [first, second] = answers
  if (first === undefined) throw new Error('no answer')
  expect(second?.status).toBe(first.status)
  return first
}

describe.skipIf(reason !== undefined)('allowedUids', () => {
  test.each([0, 1234])('gives the token to uid %i', async (uid) => {
    const { status, body } = await askAs(uid, TOKEN)
    expect({ status, clientId: body['client_id'] }).toEqual({
      status: 200,
      clientId: simulator.clientId,
    })
  })

  const DESCRIPTION =
    'the identity orders may be used by uid 1234, uid 0, but the caller has the uid 1235. Fix: correct runAsUser of the caller, or add its uid to the allowedUids of orders in the identities file (wimds: caller_not_allowed)'

  test('rejects another uid in the form of its protocol, although the token is cached', async () => {
    const headers = { Metadata: 'true', 'X-IDENTITY-HEADER': SECRET }
    expect((await askAs(1234, APP_SERVICE, headers)).status).toBe(200)
    const { status, body } = await askAs(1235, APP_SERVICE, headers)
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toContain(DESCRIPTION)
    const selector = `&client_id=${simulator.clientId}`
    for (const path of [TOKEN, TOKEN + selector]) {
      const rejection = { error: 'access_denied', error_description: DESCRIPTION }
      expect(await askAs(1235, path)).toEqual({ status: 400, body: rejection })
    }
    const reply = await fetch(`http://127.0.0.1:${sidecar.adminPort}/metrics`)
    expect(await reply.text()).toMatch(
      /^wimds_requests_total\{protocol="imds",code="caller_not_allowed",client="[^"]*"\} [1-9]/m,
    )
    expect(sidecar.log()).toContain('"code":"caller_not_allowed"')
  })

  test('leaves an identity without it to every uid', async () => {
    const { status, body } = await askAs(1235, `${TOKEN}&client_id=${OPEN}`)
    expect({ status, clientId: body['client_id'] }).toEqual({ status: 200, clientId: OPEN })
  })
})

/** No command prints a credential that a user has put into the wrong flag or variable. */
import { createServer } from 'node:http'
import { afterAll, expect, test } from 'vitest'
import { doctor } from '../../src/tools/doctor/doctor.ts'
import { env } from '../../src/tools/env.ts'
import { inject } from '../../src/tools/inject/inject.ts'
import type { Command } from '../../src/lib/command.ts'
import { redirect } from '../../src/sidecar/redirect.ts'
import { report } from '../../src/tools/report/report.ts'
import { simulate } from '../../src/tools/simulator/simulate.ts'
import { Settings } from '../../src/broker/config/settings.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { createFolder } from '../fixtures/folder.ts'
import { listening } from '../fixtures/listening.ts'
import { environmentOf } from '../fixtures/served.ts'
import { findPiece } from './secrets.ts'
import { runCommand } from '../tools/capture.ts'

const JWT = [
  { alg: 'RS256', kid: 'a-key-of-the-cluster' },
  { iss: 'https://issuer.test', sub: 'system:serviceaccount:shop:orders', aud: 'x', exp: 4e9 },
  { signature: 'not one, but as long as one' },
]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')
const PASSWORD = 'correct-horse-battery-staple-21'

const simulator = await createSimulator()
afterAll(() => simulator.close())

/** Returns everything that the command prints. */
async function captureOutput(
  command: Command,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { out, err } = await runCommand(command, args, variables)
  const text = out + err
  if (text === '') throw new Error('nothing was printed')
  return text
}

const NAMES = Object.keys(Settings.shape)
/** A URL with a password is not put in the settings for files and audiences. */
const URLS = NAMES.filter((name) => !/_(?:FILE|DIR|CONFIG|AUDIENCE)$/.test(name))
const apart = (names: string[]) => names.map((name) => [name])

// All problems are reported together. A valid value is used only where no other setting has a problem.
test.each<[string, string, string, string[][]]>([
  ['a token', JWT, JWT, [NAMES, ...apart(NAMES)]],
  ['a token without its last part', JWT, JWT.slice(0, JWT.lastIndexOf('.')), [NAMES]],
  ['a password in a URL', PASSWORD, `https://user:${PASSWORD}@host.test/`, apart(URLS)],
  ['a password that ends the host', PASSWORD, `http://user:1/${PASSWORD}@host.test:3128`, [URLS]],
  ['a password that is not encoded', PASSWORD, `user:${PASSWORD}%@host.test`, [URLS]],
])('%s in the settings is not printed', async (_, secret, value, sets) => {
  for (const names of sets) {
    const settings = Object.fromEntries(names.map((name) => [name, value]))
    const variables = { ...environmentOf(simulator), ...settings }
    const printed = [
      await captureOutput(doctor, [], variables),
      await captureOutput(doctor, ['-o', 'json'], variables),
      // These are printed on purpose: applications need them.
      names.some((name) => name === 'WIMDS_IDENTITY_HEADER' || /no_proxy/i.test(name))
        ? ''
        : await captureOutput(env, ['--for', 'imds'], variables),
    ]
    expect([names, findPiece(secret, printed.join('\n'))]).toEqual([names, undefined])
  }
})

const LOST = `/nowhere/${JWT}`
const REDACTED = /^wimds \w+: .*\[redacted\]/

test.each<[Command, readonly string[], string, RegExp]>([
  [report, ['--url', `user:${PASSWORD}@127.0.0.1:1/`], PASSWORD, /^wimds report: /],
  [report, ['--prometheus', `http://127.0.0.1:1/${JWT}/`], JWT, REDACTED],
  [simulate, ['--config', LOST], JWT, REDACTED],
])('%o does not print the secret in its arguments %j', async (command, args, secret, message) => {
  const text = await captureOutput(command, args)
  expect(text).toMatch(message)
  expect(findPiece(secret, text)).toBeUndefined()
})

test('wimds report does not print a token in a response', async () => {
  const body = `denied, ${'x '.repeat(60)}${JWT}`
  await using other = await listening(
    createServer((_, response) => response.writeHead(403).end(body)),
  )
  const text = await captureOutput(report, ['--url', `http://127.0.0.1:${other.port}`])
  expect(text).toContain('HTTP status 403: denied')
  expect(findPiece(JWT, text)).toBeUndefined()
})

test('wimds redirect does not print a token that a tool prints', async () => {
  using tools = createFolder()
  tools.write('ip', '#!/bin/sh\n', 0o755)
  tools.write('nft', `#!/bin/sh\necho "${JWT}" >&2; exit 1\n`, 0o755)
  const text = await captureOutput(redirect, ['--mode=nft'], { PATH: tools.path })
  expect(text).toBe('wimds redirect: nft -f -: [redacted]\n')
})

const MANIFESTS = [
  `secrets:\n  database:\n    value: "${JWT}" ${JWT}\n`,
  `secrets: *${JWT}\n`,
  `"${JWT}\n`,
  `${JWT}: 1\n${JWT}: 2\n`,
]
const IDENTITIES = [
  JWT,
  `identities: *${JWT}\n`,
  `${JWT}: x\n`,
  `identities:\n  - clientId: ${JWT}\n    tokenFile: ${JWT}\n    ${JWT}: x\n`,
  `identities:\n  - clientId: !<${JWT}> x\n`,
]

test.each<[string, readonly string[], (file: string) => Promise<string>]>([
  ['simulate --config', MANIFESTS, (file) => captureOutput(simulate, ['--config', file])],
  ['inject', MANIFESTS, (file) => captureOutput(inject, ['--image-registry=a.test', file])],
  [
    'doctor',
    IDENTITIES,
    (file) => captureOutput(doctor, [], { ...environmentOf(simulator), WIMDS_CONFIG: file }),
  ],
])('wimds %s does not print a token in a file', async (_, contents, run) => {
  using directory = createFolder()
  for (const content of contents) {
    expect(findPiece(JWT, await run(directory.write('file.yaml', content)))).toBeUndefined()
  }
})

/** `wimds env`: the variables of each set, in each format, and the sets that conflict. */
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { env } from '../../src/tools/env.ts'
import { containerOf, envOf, injected, pod } from '../injection/injector/patched.ts'
import { captureIo } from './capture.ts'

const HEADER = { WIMDS_IDENTITY_HEADER: "it's a $ecret" }
const CLIENT_ID = '11111111-1111-4111-8111-111111111111'

async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const io = captureIo(environment)
  expect(await env(args, io)).toBe(0)
  return io.out()
}

/** The variables of a shell, without NO_PROXY. */
async function variables(args: readonly string[], environment: Record<string, string> = {}) {
  const document = z
    .object({
      schemaVersion: z.literal(1),
      variables: z.record(z.string(), z.string()),
      unset: z.array(z.string()).min(1),
    })
    .parse(JSON.parse(await run([...args, '-o', 'json'], environment)))
  const { NO_PROXY, no_proxy, ...others } = document.variables
  expect(NO_PROXY).toContain('169.254.169.254')
  expect(no_proxy).toContain('169.254.169.254')
  return others
}

const SECRET = "it's a $ecret"
const TOKENS = 'http://127.0.0.1:64169/msi/token'
const OLDER = { MSI_ENDPOINT: TOKENS, MSI_SECRET: SECRET }

test.each<[string, Record<string, string>, Record<string, string>]>([
  ['imds', {}, { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:64169' }],
  ['imds', { WIMDS_LISTEN: '[::1]:2' }, { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://[::1]:2' }],
  ['app-service', HEADER, { IDENTITY_ENDPOINT: TOKENS, IDENTITY_HEADER: SECRET }],
  ['app-service-2017', HEADER, OLDER],
  [
    'azure-ml',
    { ...HEADER, AZURE_CLIENT_ID: CLIENT_ID },
    { ...OLDER, DEFAULT_IDENTITY_CLIENT_ID: CLIENT_ID },
  ],
  [
    'cloud-shell',
    { WIMDS_LISTEN: '0.0.0.0:50342,127.0.0.1:64169' },
    { MSI_ENDPOINT: 'http://127.0.0.1:50342/oauth2/token' },
  ],
])('prints the set %s for %j', async (set, environment, expected) => {
  expect(await variables(['--for', set], environment)).toEqual(expected)
})

test('prints imds by default, and the pairs of App Service too when their secret is set', async () => {
  expect(Object.keys(await variables([]))).toEqual(['AZURE_POD_IDENTITY_AUTHORITY_HOST'])
  expect(Object.keys(await variables([], HEADER))).toEqual([
    'AZURE_POD_IDENTITY_AUTHORITY_HOST',
    'IDENTITY_ENDPOINT',
    'IDENTITY_HEADER',
    'MSI_ENDPOINT',
    'MSI_SECRET',
  ])
})

test('prints what injection sets in mode env for a manifest, with no secret in it', async () => {
  const entries = z.array(z.looseObject({ name: z.string() }))
  const printed = entries.parse(parse(await run(['-o', 'yaml'], HEADER)))
  const names = new Set(['NO_PROXY', 'no_proxy'])
  const result = injected(pod({ 'wimds.io/mode': 'env' }))
  expect(printed.filter(({ name }) => !names.has(name))).toEqual([
    ...(containerOf(result, 'app').env ?? []),
    { name: 'WIMDS_IDENTITY_HEADER', valueFrom: envOf(result, 'wimds')['WIMDS_IDENTITY_HEADER'] },
  ])
  expect(await run(['-o', 'yaml', '--for', 'imds'], HEADER)).not.toContain('IDENTITY_HEADER')
})

test('quotes values for a dotenv file', async () => {
  const lines = (await run(['--for', 'app-service', '-o', 'dotenv'], HEADER)).split('\n')
  expect(lines).toContain(`IDENTITY_ENDPOINT=${TOKENS}`)
  expect(lines).toContain(`IDENTITY_HEADER=${JSON.stringify(SECRET)}`)
})

test('quotes values for a shell and unsets the variables of other protocols', async () => {
  const script = await run(['--for', 'app-service'], HEADER)
  const shown = `printf '%s|%s|%s' "$IDENTITY_HEADER" "$MSI_ENDPOINT" "$IMDS_ENDPOINT"`
  const out = execFileSync('sh', ['-c', `${script}\n${shown}`], {
    env: { MSI_ENDPOINT: 'http://old', IMDS_ENDPOINT: 'http://arc', PATH: process.env['PATH'] },
    encoding: 'utf8',
  })
  expect(out).toBe("it's a $ecret||")
})

test.each([
  ['upper', { NO_PROXY: '.corp' }],
  ['lower', { no_proxy: '.corp' }],
])('copies NO_PROXY in %s case to the other case', async (_, environment) => {
  const value = '.corp,169.254.169.254,localhost,127.0.0.1'
  const out = await run([], environment)
  expect(out).toContain(`export NO_PROXY=${value}\nexport no_proxy=${value}\n`)
})

test.each([
  [['--for', 'nothing'], {}, '--for nothing: must be one of imds'],
  [['-o', 'xml'], {}, '-o xml: must be one of shell, dotenv, yaml, json'],
  [[], { WIMDS_LISTEN: 'here' }, 'WIMDS_LISTEN: must be host:port'],
  [['--for', 'app-service,azure-ml'], {}, 'app-service is off. Fix: set WIMDS_IDENTITY_HEADER'],
  [
    ['--for=app-service', '--for=cloud-shell'],
    HEADER,
    'MSI_ENDPOINT first. Fix: give one of the two',
  ],
])('rejects %j with the environment %j', async (args, environment, message) => {
  await expect(env(args, captureIo(environment))).rejects.toThrow(message)
})

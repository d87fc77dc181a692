/** `npm run test:azure` with programs in place of az, kubectl, helm, docker and npm: it always deletes the group. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { ORDERS, TENANT_ID as TENANT } from '../../src/tools/simulator/defaults.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { ROOT } from '../docs/pages.ts'
import { createFolder } from '../fixtures/folder.ts'

const CLIENT = ORDERS.clientId
const SUBSCRIPTION = 'e3333333-3333-4333-8333-333333333333'
const GROUP = 'wimds-test-of-the-test'
const AUDIENCES = ['api://AzureADTokenExchange', 'api://somebody-else'] as const

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const TOKEN = `eyJ9.${encode({ appid: CLIENT, aud: 'https://management.azure.com/' })}.x`

/** Comes first in each program. The variables are words of the call that it is about. */
const FAULTS = `
case "$*" in
  *"$FAIL"*) echo "the fake failed" >&2; exit 1 ;;
  *"$HANG"*) touch hanging; exec sleep 60 ;;
esac`

const az = (issuer: string) => `
case "$*" in
  "group create"*) touch group ;;
  "group exists"*) if [ -e group ]; then echo true; else echo false; fi ;;
  "group delete"*) rm group ;;
  *clientId*) echo ${CLIENT} ;;
  *tenantId*) echo ${TENANT} ;;
  *issuerUrl*) echo ${issuer} ;;
  "account show --query id"*) echo ${SUBSCRIPTION} ;;
  "group show"*) echo /subscriptions/${SUBSCRIPTION}/resourceGroups/${GROUP} ;;
esac`

const KUBECTL = `
case "$*" in
  "create token"*) cat "token-$3-$\{7##*/}" ;;
  *"--container clients-"*) echo '${JSON.stringify({ token: TOKEN })}' ;;
  *"Authorization: Bearer"*) echo '{"id":"/subscriptions/${SUBSCRIPTION}"}' ;;
  *"curl --silent"*) echo '{"access_token":"${TOKEN}","client_id":"${CLIENT}"}' ;;
  *) cat >/dev/null ;;
esac`

/** Words of calls, and what else a run finds. */
interface Faults {
  /** The call that fails. */
  readonly FAIL?: string
  /** The call that does not return before the signal. */
  readonly HANG?: string
  readonly signal?: NodeJS.Signals
  /** Whether output fails from the signal on, as after a terminal was closed. */
  readonly hasNoTerminal?: boolean
  /** Whether the resource group exists at the start. */
  readonly hasGroup?: boolean
}

async function runWithFakes({ signal, hasNoTerminal, hasGroup, ...faults }: Faults = {}) {
  using folder = createFolder()
  await using simulator = await createSimulator({
    directory: { tenants: [{ id: TENANT }] },
  })
  const { file, write } = folder
  for (const serviceAccount of ['orders', 'default']) {
    for (const audience of AUDIENCES) {
      const token = await simulator.issuer.sign({ namespace: 'shop', serviceAccount, audience })
      write(`token-${serviceAccount}-${audience.replace(/.*\//, '')}`, token.reveal())
    }
  }
  const programs = {
    az: az(simulator.issuer.issuer),
    kubectl: KUBECTL,
    helm: '',
    docker: '',
    npm: '',
  }
  if (hasGroup) write('group', '')
  for (const [name, body] of Object.entries(programs)) {
    const script = `#!/bin/bash\ncd '${folder.path}'\necho "${name} $*" >>calls\n${FAULTS}\n${body}\n`
    write(`bin/${name}`, script, 0o755)
  }
  const path = [file('bin'), dirname(process.execPath), '/usr/bin', '/bin'].join(':')
  const env = {
    PATH: path,
    FAIL: 'no call',
    HANG: 'no call',
    ...faults,
    WIMDS_AZURE_GROUP: GROUP,
    WIMDS_AZURE_AUTHORITY: simulator.authorityHost,
    NODE_EXTRA_CA_CERTS: simulator.caFile,
  }
  const run = [join(ROOT, 'test/azure/run.ts'), '--record', file('record')]
  const child = spawn(process.execPath, run, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = Promise.all([text(child.stdout), text(child.stderr)]).catch(() => [])
  const closed = once(child, 'close')
  if (signal) {
    while (!existsSync(file('hanging'))) await sleep(50)
    if (hasNoTerminal) {
      child.stdout.destroy()
      child.stderr.destroy()
    }
    child.kill(signal)
  }
  const [code] = await closed
  const read = (name: string) => (existsSync(file(name)) ? readFileSync(file(name), 'utf8') : '')
  return {
    code,
    output: (await output).join(''),
    calls: read('calls').trim().split('\n'),
    record: read('record/replies.json'),
    isGroupLeft: existsSync(file('group')),
  }
}

test('runs every client and mode, records replies without identifiers, and deletes the group', async () => {
  const { code, output, calls, record, isGroupLeft } = await runWithFakes()
  expect(output).toContain('22 passed, 0 failed')
  expect({ code, isGroupLeft }).toEqual({ code: 0, isGroupLeft: false })
  expect(output).toMatch(/\d+ min, about [\d.]+ USD/)
  expect(calls.findLast((call) => call.startsWith('az '))).toBe(
    `az group delete --name ${GROUP} --yes`,
  )
  const parsed = JSON.parse(record)
  // Here the real Entra ID is another simulator.
  expect(parsed.differences).toEqual([])
  expect(parsed.exchanges['a token']).toMatchObject({
    status: 200,
    body: { access_token: '(token)' },
  })
  expect(parsed.exchanges['another subject'].body.error_description).toContain('AADSTS700213')
  for (const identifier of [CLIENT, TENANT, SUBSCRIPTION, GROUP, 'eyJ']) {
    expect(record).not.toContain(identifier)
  }
}, 300_000)

test('deletes the group after a command failed', async () => {
  const { code, output, isGroupLeft } = await runWithFakes({ FAIL: 'aks create' })
  expect({ code, isGroupLeft }).toEqual({ code: 1, isGroupLeft: false })
  expect(output).toContain('the fake failed')
})

test('makes no further call but the deletion after its terminal was closed', async () => {
  const faults = { HANG: 'aks create', signal: 'SIGHUP', hasNoTerminal: true } as const
  const { code, calls, isGroupLeft } = await runWithFakes(faults)
  expect({ code, isGroupLeft }).toEqual({ code: 1, isGroupLeft: false })
  const hanging = calls.findIndex((call) => call.includes('aks create'))
  expect(calls.slice(hanging + 1)).toEqual([
    `az group exists --name ${GROUP}`,
    `az group delete --name ${GROUP} --yes`,
  ])
})

test.each([
  ['that exists', {}, `the resource group ${GROUP} exists`],
  ['whose existence az cannot tell', { FAIL: 'group exists' }, 'az login'],
])('neither uses nor deletes a group %s', async (_, faults, message) => {
  const { code, output, calls, isGroupLeft } = await runWithFakes({ hasGroup: true, ...faults })
  expect({ code, isGroupLeft }).toEqual({ code: 1, isGroupLeft: true })
  expect(calls).toEqual([`az group exists --name ${GROUP}`])
  expect(output).toContain(message)
})

test('says how to delete a group that could not be deleted', async () => {
  const { code, output } = await runWithFakes({ FAIL: 'group delete' })
  expect(code).toBe(1)
  expect(output).toContain(`Run: az group delete --name '${GROUP}' --yes`)
})

test('the workflow signs in again before it deletes the group, also after a failure', () => {
  const workflow = parse(readFileSync(join(ROOT, '.github/workflows/azure.yml'), 'utf8'))
  const steps: { if?: string; run?: string }[] = workflow.jobs.azure.steps
  const deletion = steps.findIndex(({ run }) => run?.includes('az group delete'))
  const signIn = { if: 'always()', run: expect.stringContaining('az login') }
  expect(steps[deletion - 1]).toMatchObject(signIn)
})

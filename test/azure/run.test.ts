/** Runs `npm run test:azure` with fakes of az, kubectl, helm, docker and npm: it always deletes the group. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { MockAgent } from 'undici'
import { expect, test } from 'vitest'
import { ORDERS, TENANT_ID as TENANT } from '../../src/tools/simulator/defaults.ts'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { ROOT } from '../docs/pages.ts'
import { createFolder } from '../fixtures/folder.ts'
import { ISSUER_NAMES, SUBJECT } from './support/own-issuer.ts'
import { createReader } from './support/reader.ts'

const CLIENT = ORDERS.clientId
const SUBSCRIPTION = 'e3333333-3333-4333-8333-333333333333'
const GROUP = 'wimds-test-of-the-test'
const APPLICATION = '77777777-7777-4777-8777-777777777777'
const SITE = 'https://store.invalid'
const AUDIENCES = ['api://AzureADTokenExchange', 'api://somebody-else'] as const

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const TOKEN = `eyJ9.${encode({ appid: CLIENT, aud: 'https://management.azure.com/' })}.x`

/** The first lines of each fake. FAIL and HANG are patterns of the calls that fail or hang. */
const FAULTS = `
if [[ "$*" =~ $FAIL ]]; then echo "the fake failed" >&2; exit 1; fi
if [[ "$*" =~ $HANG ]]; then touch hanging; exec sleep 60; fi`

const az = (issuer: string) => `
case "$*" in
  "group create"*) touch group ;;
  "group exists"*) if [ -e group ]; then echo true; else echo false; fi ;;
  "group delete"*) rm group ;;
  "ad app create"*) touch application; echo ${APPLICATION} ;;
  # Entra ID lists a new application late.
  "ad app list"*) if [ -e listed ] && [ -e application ]; then echo ${APPLICATION}; fi; touch listed ;;
  "ad app delete"*) rm application ;;
  "storage blob upload"*)
    while [ $# -gt 0 ]; do
      case $1 in --file) source=$2 ;; --name) target=site/$2 ;; esac
      shift
    done
    mkdir -p "$(dirname "$target")"
    cp "$source" "$target" ;;
  *primaryEndpoints.web*) echo ${SITE}/ ;;
  *clientId*) echo ${CLIENT} ;;
  *tenantId*) echo ${TENANT} ;;
  *issuerUrl*) echo ${issuer} ;;
  "account show --query id"*) echo ${SUBSCRIPTION} ;;
  "account show --query name"*) echo Contoso Production ;;
  "account show --query user.name"*) echo ann@contoso.example ;;
  "group show"*) echo /subscriptions/${SUBSCRIPTION}/resourceGroups/${GROUP} ;;
esac`

const KUBECTL = `
case "$*" in
  "create token"*) cat "token-$3-$\{7##*/}" ;;
  *containerRuntimeVersion*) echo containerd://2.1.4 ;;
  *token-proxy.mjs*) echo '{"login.microsoftonline.com":200}' ;;
  *"--container clients-"*) echo '${JSON.stringify({ token: TOKEN })}' ;;
  *"Authorization: Bearer"*) echo '{"id":"/subscriptions/${SUBSCRIPTION}"}' ;;
  *"curl --silent"*) echo '{"access_token":"${TOKEN}","client_id":"${CLIENT}"}' ;;
  *doctor*) if grep -q 'doctor' once; then echo checked; else echo doctor >once; exit 1; fi ;;
  *) cat >/dev/null ;;
esac`

/** The faults of a run. FAIL and HANG are patterns of calls. */
interface Faults {
  /** The calls that fail. */
  readonly FAIL?: string
  /** The call that does not return before the signal. */
  readonly HANG?: string
  readonly signal?: NodeJS.Signals
  /** True if output fails from the signal on, as after a terminal was closed. */
  readonly hasNoTerminal?: boolean
  /** True if the resource group exists at the start. */
  readonly hasGroup?: boolean
}

async function runWithFakes({ signal, hasNoTerminal, hasGroup, ...faults }: Faults = {}) {
  using folder = createFolder()
  const { file, write } = folder
  const site = new MockAgent()
  site.disableNetConnect()
  site
    .get(SITE)
    .intercept({ path: () => true })
    .reply(({ path }) => ({ statusCode: 200, data: readFileSync(file(`site${path}`)) }))
    .persist()
  const issuers = ISSUER_NAMES.map((name) => `${SITE}/${name}`)
  const subject = 'system:serviceaccount:shop:orders'
  const own = issuers.map((issuer) => ({ issuer, subject: SUBJECT }))
  await using simulator = await createSimulator({
    directory: {
      tenants: [{ id: TENANT }],
      applications: [
        { clientId: CLIENT, federatedCredentials: [{ subject }] },
        { clientId: APPLICATION, federatedCredentials: [{ subject }, ...own] },
      ],
    },
    externalIssuers: new Map(issuers.map((issuer) => [issuer, { dispatcher: site }])),
  })
  for (const serviceAccount of ['orders', 'default']) {
    for (const audience of AUDIENCES) {
      const token = await simulator.issuer.sign({ namespace: 'shop', serviceAccount, audience })
      write(`token-${serviceAccount}-${audience.replace(/.*\//, '')}`, token.reveal())
    }
  }
  const programs = {
    az: az(simulator.issuer.issuer),
    kubectl: KUBECTL,
    helm: 'echo v4.3.2',
    docker: '',
    npm: '',
    node: 'echo All checks passed.',
  }
  write('once', '')
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
  const run = [join(ROOT, 'test/azure/run.ts'), '--reports', file('reports')]
  const child = spawn(process.execPath, run, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = Promise.all([text(child.stdout), text(child.stderr)]).catch(() => [])
  const closed = once(child, 'close')
  if (signal) {
    while (!existsSync(file('hanging')) && child.exitCode === null) await sleep(50)
    if (hasNoTerminal) {
      child.stdout.destroy()
      child.stderr.destroy()
    }
    child.kill(signal)
  }
  const [code] = await closed
  const read = (name: string) => (existsSync(file(name)) ? readFileSync(file(name), 'utf8') : '')
  const [report] = existsSync(file('reports')) ? readdirSync(file('reports')) : []
  return {
    code,
    output: (await output).join(''),
    calls: read('calls').trim().split('\n'),
    report: report === undefined ? '' : read(`reports/${report}`),
    name: report,
    left: ['group', 'application'].filter((each) => existsSync(file(each))),
  }
}

/** The calls that create or delete something. */
const changing = (calls: readonly string[]) =>
  calls.filter((call) =>
    / (?:create|delete|upload|update|install|upgrade|apply) /i.test(`${call} `),
  )

test('a run makes every step, writes a report without identifiers, and deletes everything', async () => {
  const { code, output, calls, report, name, left } = await runWithFakes()
  expect({ code, left, problems: output.match(/^(?:failed|not reached): .*/gm) }).toEqual({
    code: 0,
    left: [],
    problems: null,
  })
  expect(output).toMatch(/^\d+ min, about [\d.]+ USD/m)
  expect(changing(calls).slice(-3)).toEqual([
    `az ad app delete --id ${APPLICATION}`,
    `az rest --method DELETE --url https://graph.microsoft.com/v1.0/directory/deletedItems/${APPLICATION}`,
    `az group delete --name ${GROUP} --yes`,
  ])
  expect(name).toMatch(/^\d{4}-\d\d-\d\d\.md$/)
  expect(report).toMatch(
    /^# Run in Azure, \d{4}-\d\d-\d\d\n\n21 passed, 0 failed, 0 not reached\.$/m,
  )
  expect(report).toContain('- deleted everything: yes\n')
  // In this test another simulator plays the real Entra ID.
  expect(report).toContain('differences: []\n')
  expect(report).toContain('error_description: "AADSTS700213')
  expect(report).toMatch(/^10 tokens in a row: after \d+ s$/m)
  expect(report).toContain('exp 360 s ago: 401 AADSTS700024\n')
  expect(report).toMatch(/^two audiences: "?\d{3}/m)
  expect(report).toContain('login.microsoftonline.com: 200\n')
  const ids = [CLIENT, TENANT, SUBSCRIPTION, APPLICATION, GROUP]
  for (const identifier of [...ids, SITE, 'eyJ', 'Contoso', 'Simulated Tenant', 'ann@']) {
    expect(report).not.toContain(identifier)
  }
}, 300_000)

test('a run goes on after a failed check, and prints the command for a group that it could not delete', async () => {
  const { code, output, report, left } = await runWithFakes({
    FAIL: 'rest --method POST|group delete',
  })
  expect({ code, left }).toEqual({ code: 1, left: ['group'] })
  expect(output).toMatch(/^failed: an application with a flexible credential: the fake failed\n/m)
  expect(output).toContain(`Run: az group delete --name '${GROUP}' --yes`)
  expect(report).toContain('| an application with a flexible credential | ✗ failed | ')
  expect(report).toContain('| three generations of the SDK in mode node | ✓ passed |')
  expect(report).toContain('| an identity binding | ✓ passed |')
  expect(report).toContain('- deleted everything: no\n')
}, 300_000)

test('a run deletes an application whose creation Ctrl-C interrupted', async () => {
  const { code, output, left } = await runWithFakes({ HANG: 'ad sp create', signal: 'SIGINT' })
  expect({ code, left }).toEqual({ code: 1, left: [] })
  expect(output).toContain(
    'failed: an application with a flexible credential: Error: ended by SIGINT\n',
  )
  expect(output).toContain('not reached: an identity binding\n')
}, 300_000)

test('a run whose terminal was closed makes no further call but the deletion', async () => {
  const faults = { HANG: 'aks create', signal: 'SIGHUP', hasNoTerminal: true } as const
  const { code, calls, left, report } = await runWithFakes(faults)
  expect({ code, left }).toEqual({ code: 1, left: [] })
  const hanging = calls.findIndex((call) => call.includes('aks create'))
  expect(changing(calls.slice(hanging + 1))).toEqual([`az group delete --name ${GROUP} --yes`])
  expect(report).toContain('1 passed, 1 failed, 19 not reached.')
})

/** Returns true once the process whose id is in the file has ended. */
function hasEnded(file: string): boolean {
  const pid = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  return pid !== '' && !existsSync(`/proc/${pid}`)
}

test('a reader rejects a command that ends just before the reader would stop it', async () => {
  using folder = createFolder()
  const stopping = new AbortController()
  const { shell } = createReader(folder.path, {}, stopping.signal)
  // sleep, in a process group of its own, keeps the output open after the shell has ended.
  const running = shell(`setsid sleep 2 & echo $$ >'${folder.file('pid')}'`)
  const outcome = running.catch(String)
  while (!hasEnded(folder.file('pid'))) await sleep(20)
  stopping.abort(new Error('ended by SIGINT'))
  expect(await outcome).toContain('ended by SIGINT')
})

test.each([
  ['that exists', {}, `the resource group ${GROUP} exists`],
  ['whose existence az cannot tell', { FAIL: 'group exists' }, 'az login'],
])('a run neither uses nor deletes a group %s', async (_, faults, message) => {
  const { code, output, calls, left } = await runWithFakes({ hasGroup: true, ...faults })
  expect({ code, left }).toEqual({ code: 1, left: ['group'] })
  expect(changing(calls)).toEqual([])
  expect(output).toContain(message)
})

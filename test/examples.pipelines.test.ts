/** The pipelines of examples/pipelines, with the built command line and a fake of az that keeps credentials in files. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { readPage, ROOT } from './docs/pages.ts'
import { createFolder, type Folder } from './fixtures/folder.ts'
import { BUILT_CLI } from './fixtures/run-program.ts'

const ISSUER = 'https://oidc.example/cluster/'
const CLIENT = '11111111-1111-4111-8111-111111111111'
const SUBJECT = 'system:serviceaccount:preview-7:orders'
const PRODUCTION = {
  name: 'production',
  issuer: ISSUER,
  subject: 'system:serviceaccount:shop:orders',
  audiences: ['api://AzureADTokenExchange'],
}

/** Answers the commands of az that the pipelines use for the identity `orders` of the group `preview`. */
const FAKE_AZ = `#!${process.execPath}
const { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { STATE, FAIL = '' } = process.env
const args = process.argv.slice(2)
const flag = (name) => args[args.indexOf('--' + name) + 1]
const path = (name) => STATE + '/' + name + '.json'
const command = args.slice(0, args.findIndex((each) => each.startsWith('--'))).join(' ')
const stop = (message) => { console.error(message); process.exit(1) }
if (command === FAIL) stop('the fake of az fails')
if (flag('resource-group') !== 'preview') stop('ResourceGroupNotFound')
if (command !== 'identity list' && flag('identity-name') !== 'orders') stop('ResourceNotFound')
const group = '/subscriptions/55555555-5555-4555-8555-555555555555/resourcegroups/preview'
const id = group + '/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders'
const commands = {
  'identity list': () => console.log(JSON.stringify([{ clientId: '${CLIENT}', name: 'orders', id }])),
  'identity federated-credential list': () => {
    const all = readdirSync(STATE).map((file) => JSON.parse(readFileSync(STATE + '/' + file)))
    console.log(JSON.stringify(all))
  },
  'identity federated-credential create': () => {
    const [name, issuer, subject, audience] = ['name', 'issuer', 'subject', 'audiences'].map(flag)
    const credential = { name, issuer, subject, audiences: [audience] }
    writeFileSync(path(name), JSON.stringify(credential), { flag: 'wx' })
  },
  'identity federated-credential delete': () => {
    if (!args.includes('--yes')) stop('no terminal to confirm at')
    rmSync(path(flag('name')))
  },
}
const run = commands[command] ?? (() => stop('unknown: ' + command))
run()
`

let directory: Folder
beforeEach(() => {
  directory = createFolder()
  symlinkSync(join(ROOT, 'examples/pipelines'), directory.file('pipelines'))
  directory.write('bin/az', FAKE_AZ, 0o755)
  const wimds = `#!/bin/bash\nexec '${process.execPath}' '${BUILT_CLI}' "$@"\n`
  directory.write('bin/wimds', wimds, 0o755)
  directory.write('bin/sleep', '#!/bin/bash\n', 0o755)
  directory.write('state/production.json', PRODUCTION)
  writeManifest()
})
afterEach(() => directory[Symbol.dispose]())

function writeManifest(namespace?: string): void {
  const annotations = { 'azure.workload.identity/client-id': CLIENT }
  const metadata = { name: 'orders', namespace, annotations }
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata }
  directory.write('manifests/orders.yaml', account)
}

function run(script: string, env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-e', '-c', script], {
    cwd: directory.path,
    encoding: 'utf8',
    env: {
      PATH: `${directory.file('bin')}${delimiter}${process.env['PATH']}`,
      STATE: directory.file('state'),
      ISSUER,
      RESOURCE_GROUP: 'preview',
      NAMESPACE: 'preview-7',
      ...env,
    },
  })
  return { status, stdout, stderr }
}

/** The subjects of the credentials that the fake has. */
const listSubjects = () =>
  readdirSync(directory.file('state'))
    .map((name): unknown => JSON.parse(readFileSync(directory.file(`state/${name}`), 'utf8')))
    .map((credential) => z.object({ subject: z.string() }).parse(credential).subject)
    .toSorted()

const Steps = z.array(
  z.looseObject({
    run: z.string().optional(),
    inputs: z.object({ inlineScript: z.string() }).optional(),
  }),
)
const Pipeline = z.looseObject({
  steps: Steps.default([]),
  jobs: z.record(z.string(), z.looseObject({ steps: Steps })).default({}),
})

/** Returns the first step of the pipeline whose script contains the words. */
function findStep(file: string, words: string): string {
  const { steps, jobs } = Pipeline.parse(parse(readPage(`examples/pipelines/${file}`)))
  const all = [...steps, ...Object.values(jobs).flatMap((job) => job.steps)]
  const scripts = all.map(({ run: script, inputs }) => script ?? inputs?.inlineScript ?? '')
  const found = scripts.find((script) => script.includes(words))
  if (found === undefined) throw new Error(`${file} does not run ${words}`)
  return found
}

test.each(['github-actions.yaml', 'azure-pipelines.yaml'])(
  '%s creates the credentials of its namespace, and deletes no others',
  (file) => {
    const created = run(findStep(file, 'credentials.sh create'))
    expect(created).toMatchObject({ status: 0, stderr: '' })
    expect(created.stdout).toContain('Total (identities: 1): 1 present')
    expect(listSubjects()).toEqual([SUBJECT, PRODUCTION.subject])
    // Each push of a pull request does the same.
    expect(run(findStep(file, 'credentials.sh create')).status).toBe(0)
    expect(run(findStep(file, 'credentials.sh delete'))).toMatchObject({ status: 0, stderr: '' })
    expect(listSubjects()).toEqual([PRODUCTION.subject])
  },
)

test('github-actions.yaml deletes every day what pull requests left that were closed with a conflict', () => {
  const step = findStep('github-actions.yaml', 'gh pr list')
  expect(run('pipelines/credentials.sh create manifests').status).toBe(0)
  directory.write('bin/gh', '#!/bin/bash\nexit 1\n', 0o755)
  expect(run(step).status).toBe(1)
  directory.write('bin/gh', '#!/bin/bash\nprintf "6\\n7\\n"\n')
  expect(run(step, { NAMESPACE: 'preview-' })).toMatchObject({ status: 0, stderr: '' })
  expect(listSubjects()).toEqual([PRODUCTION.subject])
})

test('deletes what an earlier commit needed', () => {
  const earlier = { ...PRODUCTION, name: 'earlier', subject: 'system:serviceaccount:preview-7:old' }
  const other = { ...earlier, name: 'other', subject: 'system:serviceaccount:preview-77:old' }
  for (const each of [earlier, other]) directory.write(`state/${each.name}.json`, each)
  expect(run('pipelines/credentials.sh delete').status).toBe(0)
  expect(listSubjects()).toEqual([other.subject, PRODUCTION.subject])
})

test('creates no credential for a namespace that the manifests name themselves', () => {
  writeManifest('billing')
  const { status, stderr } = run('pipelines/credentials.sh create manifests')
  expect(status).toBe(1)
  expect(stderr).toContain('system:serviceaccount:billing:orders')
  expect(listSubjects()).toEqual([PRODUCTION.subject])
})

test('check fails until the credentials exist, and whatever az fails at ends the script', () => {
  const script = 'pipelines/credentials.sh'
  const missing = run(`${script} check manifests`)
  expect(missing.status).toBe(1)
  expect(missing.stderr).toContain(`federated credential for ${SUBJECT} is missing`)
  for (const command of ['list', 'federated-credential list', 'federated-credential create']) {
    const failed = run(`${script} create manifests`, { FAIL: `identity ${command}` })
    expect(failed.status).toBe(1)
    expect(failed.stderr).toContain('the fake of az fails')
  }
  expect(run(`${script} create manifests`).status).toBe(0)
  expect(run(`${script} check manifests`).status).toBe(0)
  const FAIL = 'identity federated-credential delete'
  expect(run(`${script} delete`, { FAIL }).status).toBe(1)
  expect(listSubjects()).toContain(SUBJECT)
})

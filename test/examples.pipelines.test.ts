/** The pipelines of examples/pipelines, with the built command line and a fake of az that keeps credentials in files. */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isScalar, parseDocument, visit } from 'yaml'
import { z } from 'zod'
import { readPage, ROOT } from './docs/pages.ts'
import { createFolder, type Folder } from './fixtures/folder.ts'
import { BUILT_CLI } from './fixtures/run-program.ts'

const ISSUER = 'https://oidc.example/cluster/'
const CLIENT = '11111111-1111-4111-8111-111111111111'
const IDENTITY = {
  clientId: CLIENT,
  name: 'orders',
  id: '/subscriptions/55555555-5555-4555-8555-555555555555/resourcegroups/preview/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders',
}
const SUBJECT = 'system:serviceaccount:preview-7:orders'
const PRODUCTION = {
  name: 'production',
  issuer: ISSUER,
  subject: 'system:serviceaccount:shop:orders',
  audiences: ['api://AzureADTokenExchange'],
}

/** A fake of az with the commands that the pipelines use, for the identity `orders` of the group `preview`. */
const FAKE_AZ = String.raw`#!/bin/bash
set -eo noclobber
all="$*"
flag() { sed "s/.*--$1 //; s/ --.*//" <<< "$all"; }
command=$(sed 's/ --.*//' <<< "$all")
stop() { echo "$1" >&2; exit 1; }
[ "$command" != "$FAIL" ] || stop 'the fake of az fails'
[ "$(flag resource-group)" = preview ] || stop ResourceGroupNotFound
[ "$command" = 'identity list' ] || [ "$(flag identity-name)" = orders ] || stop ResourceNotFound
case $command in
  'identity list') echo '${JSON.stringify([IDENTITY])}' ;;
  'identity federated-credential list') jq --slurp . "$STATE"/*.json ;;
  'identity federated-credential create')
    printf '{"name":"%s","issuer":"%s","subject":"%s","audiences":["%s"]}' \
      "$(flag name)" "$(flag issuer)" "$(flag subject)" "$(flag audiences)" > "$STATE/$(flag name).json" ;;
  'identity federated-credential delete')
    [[ "$all" = *' --yes' ]] || stop 'no terminal to confirm at'
    rm "$STATE/$(flag name).json" ;;
  *) stop "unknown: $command" ;;
esac
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

const SCRIPTS = new Set(['run', 'inlineScript'])

/** Returns the first step of the pipeline whose script contains the words. */
function findStep(file: string, words: string): string {
  const scripts: string[] = []
  visit(parseDocument(readPage(`examples/pipelines/${file}`)), {
    Pair: (_, { key, value }) => {
      if (isScalar(key) && SCRIPTS.has(String(key.value)) && isScalar(value)) {
        scripts.push(String(value.value))
      }
    },
  })
  const found = scripts.find((script) => script.includes(words))
  if (found === undefined) throw new Error(`${file} does not run ${words}`)
  return found
}

/** Adds these credentials to the fake. */
function exists(name: string, subject: string): void {
  directory.write(`state/${name}.json`, { ...PRODUCTION, name, subject })
}

test('creates the credentials of its namespace, and deletes no others', () => {
  const file = 'github-actions.yaml'
  const created = run(findStep(file, 'credentials.sh create'))
  expect(created).toMatchObject({ status: 0, stderr: '' })
  expect(created.stdout).toContain('Total (identities: 1): 1 present')
  expect(listSubjects()).toEqual([SUBJECT, PRODUCTION.subject])
  // Each push of a pull request does the same.
  expect(run(findStep(file, 'credentials.sh create')).status).toBe(0)
  // It also deletes the credential that only an earlier commit needed.
  exists('earlier', 'system:serviceaccount:preview-7:old')
  exists('other', 'system:serviceaccount:preview-77:old')
  expect(run(findStep(file, 'credentials.sh delete'))).toMatchObject({ status: 0, stderr: '' })
  expect(listSubjects()).toEqual(['system:serviceaccount:preview-77:old', PRODUCTION.subject])
})

test.each(['create', 'delete'])('azure-pipelines.yaml does the same to %s them', (action) => {
  const [github = '', azure = ''] = ['github-actions.yaml', 'azure-pipelines.yaml'].map((file) =>
    findStep(file, `credentials.sh ${action}`),
  )
  expect(azure).toBe(github)
})

test('github-actions.yaml deletes every day the credentials of pull requests that were closed with a conflict', () => {
  const step = findStep('github-actions.yaml', 'gh pr list')
  exists('left', SUBJECT)
  directory.write('bin/gh', '#!/bin/bash\nexit 1\n', 0o755)
  expect(run(step).status).toBe(1)
  directory.write('bin/gh', '#!/bin/bash\nprintf "6\\n7\\n"\n')
  expect(run(step, { NAMESPACE: 'preview-' })).toMatchObject({ status: 0, stderr: '' })
  expect(listSubjects()).toEqual([PRODUCTION.subject])
})

test('creates no credential if a manifest names another namespace', () => {
  writeManifest('billing')
  const { status, stderr } = run('pipelines/credentials.sh create manifests')
  expect(status).toBe(1)
  expect(stderr).toContain('system:serviceaccount:billing:orders')
  expect(listSubjects()).toEqual([PRODUCTION.subject])
})

test('check fails until the credentials exist, and each failure of az ends the script', () => {
  const missing = run('pipelines/credentials.sh check manifests')
  expect(missing.status).toBe(1)
  expect(missing.stderr).toContain(`federated credential for ${SUBJECT} is missing`)
  const failing = (action: string, command: string) => {
    const { status, stderr } = run(`pipelines/credentials.sh ${action}`, {
      FAIL: `identity ${command}`,
    })
    expect({ status, stderr }).toEqual({ status: 1, stderr: 'the fake of az fails\n' })
  }
  failing('create manifests', 'federated-credential create')
  exists('left', SUBJECT)
  for (const each of ['', 'federated-credential ']) failing('delete', `${each}list`)
  failing('delete', 'federated-credential delete')
  expect(listSubjects()).toContain(SUBJECT)
})

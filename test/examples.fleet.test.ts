/** The examples that read the plan of `wimds trust`: parses their files, and runs their commands with fakes. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Language, Parser } from 'web-tree-sitter'
import { formatManagedIdentityId } from '../src/tools/managed-identity.ts'
import { formatJson } from '../src/tools/trust/output/json.ts'
import { findCommands, readPage } from './docs/pages.ts'
import { createFolder } from './fixtures/folder.ts'
import { BUILT_CLI } from './fixtures/run-program.ts'
import {
  BILLING,
  identity,
  ISSUER,
  ORDERS,
  ORDERS_ID,
  planWith,
  serviceAccount,
} from './tools/trust/fixtures.ts'

// The declarations of this package would add the types of the DOM.
const require = createRequire(import.meta.url)
const { parse } = require('@cdktn/hcl2json')
const GRAMMAR = fileURLToPath(import.meta.resolve('tree-sitter-bicep/tree-sitter-bicep.wasm'))

const BICEP = readPage('examples/fleet/credentials.bicep')
const TERRAFORM = readPage('examples/fleet/credentials.tf')
const PLAN = JSON.parse(formatJson(planWith(identity({ id: ORDERS_ID })), []))

test('the Terraform is valid', async () => {
  const { resource, import: imports } = await parse('credentials.tf', TERRAFORM)
  expect(resource.azurerm_federated_identity_credential.wimds).toHaveLength(1)
  expect(imports).toHaveLength(1)
})

test('the Bicep is valid', async () => {
  await Parser.init()
  const parser = new Parser()
  parser.setLanguage(await Language.load(GRAMMAR))
  expect(parser.parse(BICEP)?.rootNode.hasError).toBe(false)
})

const hasTerraform = spawnSync('terraform', ['version']).status === 0

test.skipIf(!hasTerraform)(
  'the Terraform leaves out identities that az has not listed',
  async () => {
    using directory = createFolder()
    const plan = planWith(identity({ id: ORDERS_ID }), identity({ clientId: BILLING }))
    directory.write('plan.json', formatJson(plan, []))
    // To evaluate the rest, Terraform needs the provider.
    const [locals = ''] = /^locals \{[^]*?^\}/m.exec(TERRAFORM) ?? []
    directory.write('locals.tf', locals)
    const { stdout, stderr } = spawnSync('terraform', ['console', '-no-color'], {
      cwd: directory.path,
      encoding: 'utf8',
      input: 'keys(local.credentials)',
      env: { PATH: process.env['PATH'], TF_CLI_CONFIG_FILE: '/dev/null' },
    })
    expect(stderr).toBe('')
    expect(stdout).toContain(ORDERS)
    expect(stdout).not.toContain(BILLING)
  },
)

test.each([
  ['plan', PLAN],
  ['identity', PLAN.identities[0]],
  ['credential', PLAN.identities[0].credentials[0]],
])('both read members that a %s has', (name, value) => {
  // Members that the files themselves add, and the name of the plan's file.
  const own = new Set(['path', 'identity', 'json'])
  const used = `${BICEP}${TERRAFORM}`.matchAll(
    new RegExp(`(?<![.\\w/])(?:local\\.)?${name}\\.(\\w+)`, 'g'),
  )
  const members = [...used].flatMap(([, member = '']) => (own.has(member) ? [] : [member]))
  expect(members).not.toEqual([])
  for (const member of members) expect(value).toHaveProperty(member)
})

/** A fake of az. A deployment creates the only credential of the plan. */
const FAKE_AZ = `#!/bin/bash
set -e
case "$*" in
  'aks show '*) echo '${ISSUER}' ;;
  'identity list --query '*) printf '${ORDERS}\\torders\\tshop\\n' ;;
  'identity list '*) echo '[{"clientId": "${ORDERS}", "id": "${formatManagedIdentityId(ORDERS_ID)}"}]' ;;
  *'--identity-name orders --resource-group shop '*) cat created.json ;;
  'deployment group create '*'--template-file credentials.bicep')
    jq '[.identities[].credentials[] | {name, issuer, subject, audiences: [.audience]}]' plan.json > created.json ;;
  *) echo "unknown: az $*" >&2; exit 1 ;;
esac
`

test('the commands of the README list, plan, apply and check', async () => {
  using directory = createFolder()
  const { write } = directory
  write('manifests/orders.json', serviceAccount('orders', ORDERS))
  write('created.json', '[]')
  write('az', FAKE_AZ, 0o755)
  write('terraform', '#!/bin/bash\necho "terraform $*"', 0o755)
  write('wimds', `#!/bin/bash\nexec '${process.execPath}' '${BUILT_CLI}' "$@"`, 0o755)
  const steps = ['lists', 'plan', 'terraform', 'bicep', 'lists', 'check'].map((step) =>
    findCommands('examples/fleet/README.md', `fleet-${step}`),
  )
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-ec', steps.join('\n')], {
    cwd: directory.path,
    encoding: 'utf8',
    env: { PATH: `${directory.path}${delimiter}${process.env['PATH']}` },
  })
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  expect(stdout).toContain('terraform init\nterraform apply\n')
  expect(stdout).toMatch(/present +system:serviceaccount:shop:orders/)
  const plan = JSON.parse(readFileSync(directory.file('plan.json'), 'utf8'))
  expect(plan.identities[0].credentials).toMatchObject([{ state: 'missing' }])
})

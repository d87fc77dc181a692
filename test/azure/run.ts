/** `npm run test:azure`: creates a cluster in Azure by the commands of the pages, runs clients there, and deletes it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createSimulator } from '../../src/tools/simulator/simulator.ts'
import { findCommands, ROOT } from '../docs/pages.ts'
import { BUILD_IMAGE, CLIENTS, CURRENT } from './support/clients.ts'
import { type Federation, recordExchanges } from './support/exchanges.ts'
import { createReader, type Reader } from './support/reader.ts'
import { findDifferences, type Identifiers, redact } from './support/record.ts'
import { createFolder } from '../fixtures/folder.ts'

const USAGE = `usage: npm run test:azure -- [--location REGION] [--identity-bindings] [--record DIR]

Runs in the subscription of \`az account show\`, which it needs as Owner. Creates a resource group with a cluster of one
node, a registry and an identity; deletes the group at the end, also after a failure or Ctrl-C.

  --location           default: westeurope
  --identity-bindings  also a second cluster, with identity bindings
  --record             the folder of replies.json; default: test/azure/record

WIMDS_AZURE_GROUP names the resource group, which must not exist. WIMDS_AZURE_AUTHORITY is for tests of this program.
`
const QUICK_START = 'docs/tasks/quick-start-aks.md'
const NODE_AGENT = 'docs/node-agent.md'
const BINDINGS = 'docs/tasks/identity-bindings.md'
/** The identity of the pages. */
const CLIENT_IN_PAGE = '11111111-1111-4111-8111-111111111111'
const ARM = 'https://management.azure.com'
const MODES = ['loopback', 'env', 'nft', 'node'] as const
/** List prices of a node of the default size, a load balancer, an address and a basic registry, rounded up. */
const USD_PER_HOUR = 0.35

const env: Readonly<Record<string, string | undefined>> = process.env
const AUTHORITY = env['WIMDS_AZURE_AUTHORITY'] || 'https://login.microsoftonline.com'
/** A federated credential takes some minutes until Entra ID knows it. */
const RETRY_MS = env['WIMDS_AZURE_AUTHORITY'] ? 10 : 15_000
const ATTEMPTS = 40
const stopping = new AbortController()

const options = {
  location: { type: 'string', default: 'westeurope' },
  'identity-bindings': { type: 'boolean', default: false },
  record: { type: 'string', default: join(ROOT, 'test/azure/record') },
  help: { type: 'boolean', default: false },
} as const
type Options = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

const { values } = parseArgs({ options })
if (values.help) process.stdout.write(USAGE)
else process.exitCode = await main(values)

async function main(chosen: Options): Promise<number> {
  const startedAt = Date.now()
  const group = env['WIMDS_AZURE_GROUP'] || `wimds-test-${crypto.randomUUID().slice(0, 8)}`
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => stopping.abort())
  // A closed terminal: a failed write must not end the program before the deletion.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  using folder = createFolder()
  const replacements = {
    // The pages install what is published.
    'oci://ghcr.io/wimds/charts/wimds':
      './artifacts/charts/wimds-*.tgz --set "global.imageRegistry=$REGISTRY"',
    'wimds-try': group,
    'LOCATION=westeurope': `LOCATION=${chosen.location}`,
    '--resource-group shop --cluster-name prod':
      '--resource-group "$GROUP" --cluster-name "$CLUSTER"',
    '--resource-group shop': '--resource-group "$GROUP"',
  }
  const reader = createReader(folder.path, replacements, stopping.signal)
  const problem = await findGroupProblem(reader, group)
  if (problem !== undefined) {
    process.stderr.write(`${problem}\n`)
    return 1
  }
  let code = 1
  try {
    code = await runAll(reader, chosen)
  } catch (error) {
    process.stderr.write(`failed: ${error instanceof Error ? error.message : String(error)}\n`)
  } finally {
    // Not by the reader, which a signal has stopped.
    const isDeleted = await deleteGroup(createReader(folder.path, {}), group)
    if (!isDeleted) code = 1
    const hours = (Date.now() - startedAt) / 3_600_000
    const cost = Math.ceil(hours * USD_PER_HOUR * (chosen['identity-bindings'] ? 200 : 100)) / 100
    process.stdout.write(`${Math.ceil(hours * 60)} min, about ${cost} USD at list prices\n`)
  }
  return code
}

/** Returns why the group cannot be used: it is deleted at the end, so it must be new. */
async function findGroupProblem(reader: Reader, group: string): Promise<string | undefined> {
  try {
    const exists = await reader.shell(`az group exists --name '${group}'`)
    if (exists.trim() === 'false') return undefined
    return `the resource group ${group} exists. Fix: set WIMDS_AZURE_GROUP to a new name, or unset it`
  } catch (error) {
    return `${String(error)}\nFix: sign in by az login`
  }
}

async function deleteGroup(reader: Reader, group: string): Promise<boolean> {
  const command = `az group delete --name '${group}' --yes`
  try {
    const exists = await reader.shell(`az group exists --name '${group}'`)
    if (exists.trim() === 'true') await reader.shell(command)
    process.stdout.write(`deleted: the resource group ${group}\n`)
    return true
  } catch (error) {
    process.stderr.write(`${String(error)}\nNOT DELETED, and it costs money. Run: ${command}\n`)
    return false
  }
}

/** Creates everything, runs the clients and writes the record. Returns the exit code. */
async function runAll(reader: Reader, chosen: Options): Promise<number> {
  for (const step of ['providers', 'cluster', 'images', 'identity', 'install', 'application']) {
    await reader.run(QUICK_START, step)
  }
  await repeat('the sidecar gets a token', () => reader.run(QUICK_START, 'check'))
  const token: unknown = JSON.parse(await reader.run(QUICK_START, 'token'))
  const accepted: unknown = JSON.parse(await reader.run(QUICK_START, 'accepted'))
  await reader.run(NODE_AGENT, 'install')
  await reader.shell(BUILD_IMAGE)
  const identifiers = await findIdentifiers(reader)
  const clients = await runClients(reader, identifiers)
  const exchanges = await compareExchanges(reader, identifiers)
  const bindings = chosen['identity-bindings'] ? await runBindings(reader) : 'not run'
  const version = (name: string) => reader.shell(name).then((text) => text.trim())
  const record = redact(
    {
      date: new Date().toISOString().slice(0, 10),
      kubernetes: await version(
        'az aks show --resource-group "$GROUP" --name "$CLUSTER" --query currentKubernetesVersion --output tsv',
      ),
      token,
      accepted,
      clients,
      bindings,
      ...exchanges,
    },
    identifiers,
  )
  mkdirSync(chosen.record, { recursive: true })
  writeFileSync(join(chosen.record, 'replies.json'), `${JSON.stringify(record, null, 2)}\n`)
  for (const line of exchanges.differences) process.stdout.write(`difference: ${line}\n`)
  const failed = Object.entries(clients).filter(([, outcome]) => outcome !== 'passed')
  for (const [name, outcome] of failed) process.stdout.write(`failed: ${name}: ${outcome}\n`)
  const count = Object.keys(clients).length
  process.stdout.write(`${count - failed.length} passed, ${failed.length} failed\n`)
  return failed.length > 0 ? 1 : 0
}

async function repeat<T>(what: string, attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (count === ATTEMPTS) throw new Error(`not in time: ${what}`, { cause: error })
      await sleep(RETRY_MS, undefined, { signal: stopping.signal })
    }
  }
}

/** Finds what a record must not contain, with the word that takes its place. */
async function findIdentifiers(reader: Reader): Promise<Identifiers> {
  const print = async (text: string) => (await reader.shell(`printf %s "${text}"`)).trim()
  const issuer = 'az aks show --resource-group "$GROUP" --name "$CLUSTER"'
  return {
    [await print('$CLIENT_ID')]: 'client',
    [await print('$TENANT_ID')]: 'tenant',
    [await print(`$(${issuer} --query oidcIssuerProfile.issuerUrl --output tsv)`)]: 'issuer',
    [await print('$(az account show --query id --output tsv)')]: 'subscription',
    [await print('$ACR')]: 'registry',
    [await print('$GROUP')]: 'group',
  }
}

function idOf(identifiers: Identifiers, word: string): string {
  return Object.entries(identifiers).find(([, each]) => each === word)?.[0] ?? ''
}

/** Runs all clients in the first mode, and the current ones in the others. Returns `passed` or the problem, by name. */
async function runClients(reader: Reader, identifiers: Identifiers) {
  const outcomes: Record<string, string> = {}
  for (const mode of MODES) {
    await startPod(reader, mode)
    for (const { name, command, variant = 'managed' } of mode === 'loopback' ? CLIENTS : CURRENT) {
      const argv = [...command, variant, ARM].map((word) => `'${word}'`).join(' ')
      const exec = `kubectl exec --namespace shop clients-${mode} --container clients-${mode} -- ${argv}`
      outcomes[`${name}, mode ${mode}`] = await reader
        .shell(exec)
        .then((output) => findProblem(output, identifiers) ?? 'passed')
        .catch((error: unknown) => String(redact(String(error), identifiers)).slice(0, 300))
    }
  }
  return outcomes
}

async function startPod(reader: Reader, mode: string): Promise<void> {
  const pod = `clients-${mode}`
  await reader.shell(`
    kubectl run ${pod} --namespace shop --image "$REGISTRY/wimds-clients:test" \
      --annotations wimds.io/inject=true --annotations wimds.io/mode=${mode} \
      --overrides '{"spec":{"serviceAccountName":"orders"}}'
    kubectl wait --namespace shop --for condition=Ready pod/${pod} --timeout 5m`)
}

/** Returns what is wrong with the line of a driver: its token must be the identity's, for Resource Manager. */
function findProblem(output: string, identifiers: Identifiers): string | undefined {
  const { token }: { token: string } = JSON.parse(output)
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
  const { appid, aud }: { appid: string; aud: string } = JSON.parse(payload)
  if (appid !== idOf(identifiers, 'client')) return 'the token of another identity'
  return aud.startsWith(ARM) ? undefined : `a token for ${aud}`
}

/** Makes the same requests of Entra ID and of a simulator with the same directory. */
async function compareExchanges(reader: Reader, identifiers: Identifiers) {
  const tenantId = idOf(identifiers, 'tenant')
  const clientId = idOf(identifiers, 'client')
  const federation = { tenantId, clientId, resource: ARM }
  const real: Federation = {
    ...federation,
    authority: AUTHORITY,
    async createAssertion(audience, isTrusted) {
      const account = isTrusted ? 'orders' : 'default'
      const create = `kubectl create token ${account} --namespace shop --audience ${audience}`
      return (await reader.shell(create)).trim()
    },
  }
  const subject = 'system:serviceaccount:shop:orders'
  await using simulator = await createSimulator({
    directory: {
      tenants: [{ id: tenantId }],
      applications: [{ clientId, federatedCredentials: [{ subject }] }],
    },
  })
  const simulated: Federation = {
    ...federation,
    authority: simulator.authorityHost,
    dispatcher: simulator.dispatcher,
    async createAssertion(audience, isTrusted) {
      const serviceAccount = isTrusted ? 'orders' : 'default'
      const token = await simulator.issuer.sign({ namespace: 'shop', serviceAccount, audience })
      return token.reveal()
    },
  }
  const ids = {
    ...identifiers,
    [AUTHORITY]: 'authority',
    [simulator.authorityHost]: 'authority',
    [simulator.issuer.issuer]: 'issuer',
  }
  const replies = redact(await recordExchanges(real), ids)
  const differences = findDifferences(replies, redact(await recordExchanges(simulated), ids))
  return { exchanges: replies, differences }
}

/** Binds the identity to a second cluster, whose pods get its token through AKS's proxy. */
async function runBindings(reader: Reader): Promise<string> {
  await reader.shell(`
    export CLUSTER=$CLUSTER-bindings
    az aks create --resource-group "$GROUP" --name "$CLUSTER" --node-count 1 --enable-oidc-issuer \
      --enable-workload-identity --attach-acr "$ACR" --generate-ssh-keys
    az aks get-credentials --resource-group "$GROUP" --name "$CLUSTER"`)
  await reader.run(QUICK_START, 'install')
  await reader.run(QUICK_START, 'application')
  await reader.run(BINDINGS, 'bind')
  await reader.shell(`
    kubectl apply -f - <<END
${findCommands(BINDINGS, 'allow').replaceAll(CLIENT_IN_PAGE, '$CLIENT_ID')}
END
    kubectl run bound --namespace shop --image "$REGISTRY/wimds-clients:test" \
      --labels azure.workload.identity/use=true --annotations wimds.io/inject=true \
      --annotations azure.workload.identity/use-identity-binding=true \
      --overrides '{"spec":{"serviceAccountName":"orders"}}'
    kubectl wait --namespace shop --for condition=Ready pod/bound --timeout 5m`)
  const doctor = 'kubectl exec --namespace shop bound --container wimds -- wimds doctor'
  await repeat('a token through the proxy', () => reader.shell(doctor))
  return 'passed'
}

/** The steps of a run: the first ones prepare the cluster by the commands of the pages, the others check it. */
import { findCommands } from '../../docs/pages.ts'
import { measureApplication, measureOwnIssuer, measureRegionalEndpoint } from './claims.ts'
import { compareExchanges } from './comparison.ts'
import { checkClients } from './clients.ts'
import { ARM, expectThat, type Run, type Step } from './run-parts.ts'

const QUICK_START = 'docs/tasks/quick-start-aks.md'
const NODE_AGENT = 'docs/node-agent.md'
const UPGRADE = 'docs/tasks/upgrade.md'
const BINDINGS = 'docs/tasks/identity-bindings.md'
/** The identity of the pages. */
const CLIENT_IN_PAGE = '11111111-1111-4111-8111-111111111111'

/** Builds the image with `$DOCKER_COMMAND`. */
const BUILD_CLIENTS = `
context=$(mktemp -d)
cp -r test/clients/drivers/js/. test/clients/package.json test/azure/image/token-proxy.mjs "$context"
"\${DOCKER_COMMAND:-docker}" build --platform linux/amd64 --tag wimds-clients:test --file test/azure/image/Dockerfile "$context"
rm -r "$context"`

const PUSH_CLIENTS = `
"\${DOCKER_COMMAND:-docker}" tag wimds-clients:test "$REGISTRY/wimds-clients:test"
"\${DOCKER_COMMAND:-docker}" push "$REGISTRY/wimds-clients:test"`

/** The blocks of the quick start that all later steps need, in this order. */
const PREPARATIONS = ['providers', 'cluster', 'images', 'identity', 'install', 'application']

export const STEPS: readonly Step[] = [
  ...PREPARATIONS.map((name) => ({
    name: `quick start: ${name}`,
    isNeeded: true,
    run: (run: Run) => prepare(run, name),
  })),
  { name: 'an application with a sidecar gets a token', isNeeded: true, run: getToken },
  { name: 'the node has containerd and cgroup v2', run: describeNode },
  { name: 'the admissions enforcer and the webhook', run: describeEnforcer },
  { name: 'an upgrade by Helm 4 to the node agent', run: installAgent },
  { name: 'an upgrade by the page, after a diff that is empty', run: upgrade },
  ...(['loopback', 'env', 'nft', 'node'] as const).map((mode) => ({
    name: `three generations of the SDK in mode ${mode}`,
    run: (run: Run) => checkClients(run, mode),
  })),
  { name: 'doctor finds no fault from outside', run: runDoctor },
  { name: 'replies of Entra ID, and how the simulator differs', run: compareExchanges },
  { name: 'an application with a flexible credential', run: measureApplication },
  { name: 'tokens of an issuer of our own', run: measureOwnIssuer },
  { name: 'the regional endpoint', run: measureRegionalEndpoint },
  { name: 'an identity binding', run: bind },
]

async function prepare({ reader, builder }: Run, name: string): Promise<undefined> {
  const isCluster = name === 'cluster'
  // The build takes place while the cluster is being created.
  await Promise.all([reader.run(QUICK_START, name), isCluster && builder.shell(BUILD_CLIENTS)])
  if (name === 'images') await reader.shell(PUSH_CLIENTS)
}

async function getToken({ reader, repeat }: Run): Promise<unknown> {
  await repeat(() => reader.run(QUICK_START, 'check'))
  return {
    reply: JSON.parse(await reader.run(QUICK_START, 'token')),
    'Resource Manager accepts it': JSON.parse(await reader.run(QUICK_START, 'accepted')),
  }
}

async function describeNode({ reader: { shell } }: Run): Promise<unknown> {
  const field = async (name: string) =>
    await shell(`kubectl get nodes --output jsonpath='{.items[0].status.nodeInfo.${name}}'`)
  const runtime = await field('containerRuntimeVersion')
  expectThat(runtime.startsWith('containerd://'), `the runtime is ${runtime}`)
  const exec = 'kubectl exec --namespace shop orders --container orders --'
  // Only cgroup v2 has this file.
  const controllers = await shell(`${exec} cat /sys/fs/cgroup/cgroup.controllers`)
  const kernel = await field('kernelVersion')
  return {
    runtime,
    controllers,
    kernel,
    os: await field('osImage'),
    kubelet: await field('kubeletVersion'),
  }
}

async function describeEnforcer({ reader: { shell } }: Run): Promise<unknown> {
  const get = async (path: string) => {
    const output = `--output jsonpath='${path}' --show-managed-fields`
    const selector = '--selector app.kubernetes.io/name=wimds'
    return await shell(`kubectl get mutatingwebhookconfigurations ${selector} ${output}`)
  }
  const managers = '{range .items[*].metadata.managedFields[*]}{.manager} {.operation}{"\\n"}{end}'
  return {
    managers: (await get(managers)).trim().split('\n'),
    selectors: await get('{.items[*].webhooks[*].namespaceSelector}'),
  }
}

async function installAgent({ reader }: Run): Promise<unknown> {
  const helm = (await reader.shell("helm version --template '{{.Version}}'")).trim()
  expectThat(/^v[4-9]\./.test(helm), `helm is ${helm}. Fix: put Helm 4 first on the PATH`)
  await reader.run(NODE_AGENT, 'install')
  return { helm }
}

async function upgrade({ reader, folder }: Run): Promise<unknown> {
  const values = { 'values.yaml': folder.file('values.yaml') }
  // With Helm 4 the page asks for this flag.
  await reader.run(UPGRADE, 'diff', { ...values, '--validate': '--dry-run=server' })
  await reader.run(UPGRADE, 'upgrade', values)
  return await reader.shell('helm history wimds --namespace wimds --output yaml')
}

async function runDoctor({ reader: { shell } }: Run): Promise<unknown> {
  return {
    cluster: await shell('node dist/wimds.js doctor --cluster'),
    'mode node': await shell('node dist/wimds.js doctor shop/clients-node'),
  }
}

/** Binds the identity to the cluster, so that a pod gets its token through AKS's proxy. */
async function bind({ reader, repeat }: Run): Promise<unknown> {
  await reader.run(BINDINGS, 'bind')
  await reader.shell(`
    kubectl apply -f - <<END
${findCommands(BINDINGS, 'allow').replaceAll(CLIENT_IN_PAGE, '$CLIENT_ID')}
END
    kubectl run bound --namespace shop --image "$REGISTRY/wimds-clients:test" \\
      --labels azure.workload.identity/use=true --annotations wimds.io/inject=true \\
      --annotations azure.workload.identity/use-identity-binding=true \\
      --overrides '{"spec":{"serviceAccountName":"orders"}}'
    kubectl wait --namespace shop --for condition=Ready pod/bound --timeout 3m`)
  const exec = 'kubectl exec --namespace shop bound --container'
  await repeat(() => reader.shell(`${exec} wimds -- wimds doctor`))
  const hosts = 'login.microsoftonline.com management.azure.com wimds.invalid'
  const replies = await reader.shell(`${exec} bound -- node token-proxy.mjs ${hosts}`)
  return { 'status by Host header': JSON.parse(replies), resource: ARM }
}

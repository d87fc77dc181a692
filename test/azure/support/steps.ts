/** The steps of a run: those that prepare the cluster, by the commands of the pages, and what is seen there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { findCommands, ROOT } from '../../docs/pages.ts'
import { ARM, AUDIENCE, compareExchanges, requestToken, SOMEBODY } from './exchanges.ts'
import { createAssertion, PUBLIC_AUTHORITY, readVariable, type Run } from './run.ts'

const QUICK_START = 'docs/tasks/quick-start-aks.md'
const NODE_AGENT = 'docs/node-agent.md'
const UPGRADE = 'docs/tasks/upgrade.md'
const BINDINGS = 'docs/tasks/identity-bindings.md'
/** The identity of the pages. */
const CLIENT_IN_PAGE = '11111111-1111-4111-8111-111111111111'

interface Step {
  readonly name: string
  /** True if no later step can do without it. */
  readonly isNeeded?: boolean
  /** Returns what was seen. Throws an error if that is not what it should be. */
  readonly run: (run: Run) => Promise<unknown>
}

/** What the others need, in this order. */
const PREPARATIONS = ['providers', 'cluster', 'images', 'identity', 'install', 'application']

export const STEPS: readonly Step[] = [
  ...PREPARATIONS.map((name) => ({
    name: `quick start: ${name}`,
    isNeeded: true,
    run: async ({ reader }: Run) => void (await reader.run(QUICK_START, name)),
  })),
  { name: 'an application with a sidecar gets a token', isNeeded: true, run: getToken },
  { name: 'the node has containerd and cgroup v2', run: describeNode },
  { name: 'the admissions enforcer and the webhook', run: describeEnforcer },
  { name: 'an upgrade by Helm 4 to the node agent', run: installAgent },
  { name: 'an upgrade by the page, after a diff that is empty', run: upgrade },
  ...(['loopback', 'env', 'nft', 'node'] as const).map((mode) => ({
    name: `a token in mode ${mode}`,
    run: (run: Run) => askInMode(run, mode),
  })),
  { name: 'doctor finds no fault from outside', run: runDoctor },
  { name: 'replies of Entra ID, and how the simulator differs', run: compareExchanges },
  { name: 'what the simulator cannot answer', run: askMore },
  { name: 'an identity binding', run: bind },
]

function expectThat(isTrue: boolean, problem: string): void {
  if (!isTrue) throw new Error(problem)
}

async function getToken({ reader, repeat }: Run): Promise<unknown> {
  await repeat(() => reader.run(QUICK_START, 'check'))
  return {
    reply: JSON.parse(await reader.run(QUICK_START, 'token')),
    'Resource Manager accepts it': JSON.parse(await reader.run(QUICK_START, 'accepted')),
  }
}

async function describeNode({ reader: { shell } }: Run): Promise<unknown> {
  const node = await shell(`kubectl get nodes --output jsonpath='{.items[0].status.nodeInfo}'`)
  const { containerRuntimeVersion, kernelVersion, osImage, kubeletVersion } = JSON.parse(node)
  expectThat(containerRuntimeVersion.startsWith('containerd://'), containerRuntimeVersion)
  const exec = 'kubectl exec --namespace shop orders --container orders --'
  // Only cgroup v2 has this file.
  const controllers = await shell(`${exec} cat /sys/fs/cgroup/cgroup.controllers`)
  return { containerRuntimeVersion, controllers, kernelVersion, osImage, kubeletVersion }
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
  // As the page says of Helm 4.
  await reader.run(UPGRADE, 'diff', { ...values, '--validate': '--dry-run=server' })
  await reader.run(UPGRADE, 'upgrade', values)
  return await reader.shell('helm history wimds --namespace wimds --output yaml')
}

/** Expects that an application gets the token of its identity. */
async function askInMode(run: Run, mode: string): Promise<undefined> {
  const { shell } = run.reader
  const pod = `curl-${mode}`
  const origin = mode === 'env' ? '$AZURE_POD_IDENTITY_AUTHORITY_HOST' : 'http://169.254.169.254'
  const url = `${origin}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${ARM}`
  const reply = await shell(`
    kubectl run ${pod} --namespace shop --image docker.io/curlimages/curl:8.16.0 \\
      --annotations wimds.io/inject=true --annotations wimds.io/mode=${mode} \\
      --overrides '{"spec":{"serviceAccountName":"orders"}}' --command -- sleep infinity >&2
    kubectl wait --namespace shop --for condition=Ready pod/${pod} --timeout 3m >&2
    kubectl exec --namespace shop ${pod} --container ${pod} -- sh -c 'curl -sS --fail -H Metadata:true "${url}"'`)
  const { appid, aud } = decodeJwt(JSON.parse(reply).access_token)
  const clientId = await readVariable(run, 'CLIENT_ID')
  expectThat(appid === clientId, `the token is of ${String(appid)}`)
  expectThat(String(aud).startsWith(ARM), `the token is for ${String(aud)}`)
}

async function runDoctor({ reader: { shell } }: Run): Promise<unknown> {
  return {
    cluster: await shell('node dist/wimds.js doctor --cluster'),
    'mode node': await shell('node dist/wimds.js doctor shop/curl-node'),
  }
}

/** Returns the answers to the managed identity at the regional endpoint, and to a token with two audiences. */
async function askMore(run: Run): Promise<unknown> {
  const tenantId = await readVariable(run, 'TENANT_ID')
  const clientId = await readVariable(run, 'CLIENT_ID')
  const ask = async (authority: string, ...audiences: readonly string[]) =>
    await requestToken({
      authority,
      tenantId,
      clientId,
      assertion: await createAssertion(run, 'orders', ...audiences),
    })
  const { hostname } = new URL(PUBLIC_AUTHORITY)
  const regional = run.authority.replace(hostname, `${run.location}.login.microsoft.com`)
  return {
    'regional endpoint': await ask(regional, AUDIENCE),
    'two audiences': await ask(run.authority, AUDIENCE, SOMEBODY),
  }
}

/** Binds the identity to the cluster, so that a pod gets its token through AKS's proxy. */
async function bind({ reader, repeat }: Run): Promise<unknown> {
  await reader.run(BINDINGS, 'bind')
  await reader.shell(`
    kubectl apply -f - <<END
${findCommands(BINDINGS, 'allow').replaceAll(CLIENT_IN_PAGE, '$CLIENT_ID')}
END
    kubectl run bound --namespace shop --image docker.io/curlimages/curl:8.16.0 \\
      --labels azure.workload.identity/use=true --annotations wimds.io/inject=true \\
      --annotations azure.workload.identity/use-identity-binding=true \\
      --overrides '{"spec":{"serviceAccountName":"orders"}}' --command -- sleep infinity
    kubectl wait --namespace shop --for condition=Ready pod/bound --timeout 3m`)
  const exec = 'kubectl exec --namespace shop bound --container wimds --'
  await repeat(() => reader.shell(`${exec} wimds doctor`))
  const program = readFileSync(join(ROOT, 'test/azure/token-proxy.mjs'), 'utf8')
  const hosts = 'login.microsoftonline.com management.azure.com wimds.invalid'
  const node = `${exec} /nodejs/bin/node --input-type=module --eval "$program" -- ${hosts}`
  const replies = await reader.shell(`program=$(cat <<'END'\n${program}END\n)\n${node}`)
  return { 'status by Host header': JSON.parse(replies) }
}

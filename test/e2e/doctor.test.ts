/** `wimds doctor` on the user's machine checks pods, and a cluster before an installation. */
import { beforeAll, describe, expect, test } from 'vitest'
import { testCluster } from './support/cluster.ts'
import { eventually } from './support/eventually.ts'
import { startAgent } from './support/node-agent.ts'
import { doctor } from './support/run.ts'
import {
  appPod,
  curl,
  injectedPods,
  type Mode,
  serviceAccount,
  STAY,
  TOKEN_PATH,
} from './support/workloads.ts'

const NAMESPACE = 'wimds-e2e-doctor'
const ORDERS = '11111111-1111-4111-8111-111111111111'

const cluster = testCluster(NAMESPACE, {
  clientId: ORDERS,
  serviceAccounts: [`${NAMESPACE}:orders`],
})

const ACCOUNT = serviceAccount('orders', ORDERS)
/** A ServiceAccount without a federated credential in Entra ID. */
const UNKNOWN = serviceAccount('unknown', ORDERS)

/** Creates a pod of the ServiceAccount `orders`, injected in this mode. */
async function createPod(name: string, mode: Mode, flags: string[] = []) {
  const pod = appPod({ name, account: 'orders', script: STAY })
  await cluster.namespace.create(await injectedPods(mode, [ACCOUNT], [pod], flags))
}

beforeAll(async () => {
  await startAgent()
  await cluster.namespace.create(ACCOUNT)
  await createPod('loopback', 'loopback')
  await createPod('node', 'node')
  const stranger = appPod({
    name: 'unknown',
    account: 'unknown',
    script: `${curl(TOKEN_PATH)}; ${STAY}`,
  })
  await cluster.namespace.create(UNKNOWN, await injectedPods('node', [UNKNOWN], [stranger]))
  await createPod('broken', 'env', ['--image=registry.invalid/wimds:none'])
  await createPod('misconfigured', 'env', [
    '--env=WIMDS_EXCHANGE_TIMEOUT=10s',
    '--env=AZURE_KUBERNETES_SNI_NAME=x',
  ])
})

async function ofPod(name: string) {
  const { code, report } = await doctor(`${NAMESPACE}/${name}`)
  const { checks } = report
  const failures = checks.filter(({ status }) => status === 'failed')
  const unmade = checks.filter(({ status }) => status === 'not_checked')
  return {
    code,
    report,
    checks,
    failures: failures.map((each) => `${each.check}: ${each.failure?.code}`),
    unmade: unmade.map((each) => `${each.check}: ${each.reason}`),
  }
}

/** Returns the status of each check. Fails if doctor could not make a check, or if one failed. */
async function passedChecks(name: string) {
  const { code, failures, unmade, checks } = await ofPod(name)
  expect({ code, failures, unmade }).toEqual({ code: 0, failures: [], unmade: [] })
  return new Map(checks.map(({ check, status }) => [check, status]))
}

describe('doctor of a pod', () => {
  test('finds everything right in mode loopback once the sidecar has a token', async () => {
    await cluster.namespace.ready('loopback')
    expect((await ofPod('loopback')).code).toBe(2)
    expect(await cluster.ask('loopback')).toMatchObject({ status: 200 })
    const statuses = await passedChecks('loopback')
    expect(statuses.get('redirect')).toBe('ok')
    expect(statuses.get('token_exchange')).toBe('ok')
    expect(statuses.get('sdk_variables')).toBe('not_needed')
  })

  test('finds everything right in mode node once the broker has a token', async () => {
    await cluster.namespace.ready('node')
    expect((await ofPod('node')).code).toBe(2)
    expect(await cluster.ask('node')).toMatchObject({ status: 200 })
    // The agent waits for the broker for a second, in which a busy machine may give no answer.
    const statuses = await eventually('doctor has a status with the token', () =>
      passedChecks('node'),
    )
    expect(statuses.get('node_agent')).toBe('ok')
    expect(statuses.get('token_exchange')).toBe('ok')
    expect(statuses.get('sdk_variables')).toBe('not_needed')
  })

  test('prints the commands that create the missing credential of a pod of mode node', async () => {
    await cluster.namespace.ready('unknown')
    await cluster.reply('unknown')
    const { code, checks } = await ofPod('unknown')
    expect(code).toBe(1)
    const exchange = checks.find(({ check }) => check === 'token_exchange')
    expect(exchange?.failure).toMatchObject({
      code: 'federated_credential_not_found',
      aadsts: 700213,
    })
    expect(JSON.stringify(exchange?.commands)).toContain(`serviceaccount:${NAMESPACE}:unknown`)
  })

  test.each([
    ['broken', 'sidecar_container: sidecar_not_running', /is waiting \((?:ErrImagePull|ImagePull)/],
    ['misconfigured', 'sidecar_container: sidecar_not_running', /exit code 64/],
  ])('names the fault of the pod %s', async (name, failure, message) => {
    // The kubelet reports the fault some moments later.
    const { code, failures } = await eventually(`doctor explains ${name}`, async () => {
      const result = await ofPod(name)
      return message.test(JSON.stringify(result.report)) ? result : undefined
    })
    expect({ code, failures }).toEqual({ code: 1, failures: [failure] })
  })
})

async function before(namespace: string, mode: Mode) {
  const { report } = await doctor('--pre', `--namespace=${namespace}`, `--mode=${mode}`)
  return new Map(report.checks.map((finding) => [finding.check, finding]))
}

describe('doctor before an installation', () => {
  test('asks the API server whether it admits a pod, and creates none', async () => {
    await using restricted = await cluster.another('wimds-e2e-doctor-restricted', 'restricted')
    const privileged = await before(NAMESPACE, 'loopback')
    expect(privileged.get('api_server')).toMatchObject({ status: 'ok' })
    expect(privileged.get('injected_pod')).toMatchObject({ status: 'ok' })
    const refused = (await before(restricted.name, 'loopback')).get('injected_pod')
    expect(refused).toMatchObject({
      status: 'failed',
      failure: {
        code: 'pod_not_admitted',
        problem: expect.stringMatching(/violates PodSecurity "restricted:latest".*NET_ADMIN/),
      },
    })
    const admitted = (await before(restricted.name, 'env')).get('injected_pod')
    expect(admitted).toMatchObject({ status: 'ok' })
    expect(await restricted.kubectl(['get', 'pods', '--output=name'])).toBe('')
  })

  test('finds that Entra ID cannot reach the issuer of this cluster', async () => {
    const findings = await before(NAMESPACE, 'env')
    expect(findings.get('issuer')).toMatchObject({
      status: 'failed',
      failure: { code: 'issuer_unreachable', fix: expect.stringContaining('az aks update') },
    })
  })
})

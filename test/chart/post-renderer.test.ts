/** `wimds inject` as the post-renderer of each Helm and as an exec function of kustomize. */
import { execFileSync, spawnSync } from 'node:child_process'
import { delimiter, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { findCommands } from '../docs/pages.ts'
import { HELMS } from './helm.ts'
import { createFolder } from '../fixtures/folder.ts'

const folder = createFolder()
const { path: directory, write } = folder
afterAll(() => folder[Symbol.dispose]())

const { env: environment } = process
const env = {
  HOME: directory,
  PATH: [join(directory, 'bin'), environment['PATH']].join(delimiter),
}

const MANIFESTS = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: orders
  annotations:
    azure.workload.identity/client-id: 11111111-1111-4111-8111-111111111111
    azure.workload.identity/tenant-id: 22222222-2222-4222-8222-222222222222
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders}
spec:
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec:
      serviceAccountName: orders
      containers: [{name: app, image: 'orders:1'}]
`

const HOOK = `apiVersion: v1
kind: ConfigMap
metadata: {name: orders-hook, annotations: {helm.sh/hook: pre-install}}
`

beforeAll(() => {
  const script = `#!/bin/sh\nexec '${process.execPath}' '${resolve('dist/wimds.js')}' "$@"\n`
  write('bin/wimds', script, 0o755)
  write('chart/Chart.yaml', 'apiVersion: v2\nname: orders\nversion: 0.1.0\n')
  write('chart/templates/orders.yaml', MANIFESTS)
  // This kind has no pods: --strict must not reject it.
  write('chart/templates/hook.yaml', HOOK)
  write('orders.yaml', MANIFESTS)
  write('kustomization.yaml', 'resources: [orders.yaml]\ntransformers: [wimds.yaml]\n')
  write('wimds.yaml', findCommands('docs/tasks/gitops.md', 'kustomize-function'))
})

const run = (program: string, ...args: readonly string[]) =>
  spawnSync(program, args, { cwd: directory, env, encoding: 'utf8' })

/** Returns the pod templates of the Deployments in the output. */
function podsOf(output: string): unknown[] {
  return parseAllDocuments(output)
    .filter((document) => document.get('kind') === 'Deployment')
    .map((document) => document.getIn(['spec', 'template', 'spec']))
    .map((spec) => JSON.parse(JSON.stringify(spec)) as unknown)
}

const INJECTED = { initContainers: [{ name: 'wimds' }] }

describe.each(HELMS)('Helm $version', ({ path, version }) => {
  const isPlugin = version.startsWith('v4')
  const renderer = isPlugin
    ? ['--post-renderer=wimds']
    : ['--post-renderer=wimds', '--post-renderer-args=inject', '--post-renderer-args=-']

  beforeAll(() => {
    if (isPlugin)
      execFileSync(path, ['plugin', 'install', resolve('examples/helm-plugin')], { env })
  })

  const template = (...flags: readonly string[]) => {
    const args = ['--image-registry=r.example', ...flags]
    const given = args.map((flag) => `--post-renderer-args=${flag}`)
    return run(path, 'template', 'orders', 'chart', ...renderer, ...given)
  }

  test('renders the workloads of a chart with the sidecar, and fails if it cannot', () => {
    expect(template('--env=WIMDS_EXCHANGE_TIMEOUT=never')).toMatchObject({ status: 1, stdout: '' })
    const { status, stdout } = template('--mode=env', '--strict')
    expect(status).toBe(0)
    expect(podsOf(stdout)).toMatchObject([INJECTED])
  })
})

const kustomize = environment['KUSTOMIZE'] || 'kustomize'
const isMissing = spawnSync(kustomize, ['version']).status !== 0

test.skipIf(isMissing)('kustomize builds the workloads with the sidecar', () => {
  const flags = ['--enable-alpha-plugins', '--enable-exec']
  const { status, stdout, stderr } = run(kustomize, 'build', ...flags, '.')
  expect(stderr).toContain('Deployment/orders: injected\n')
  expect(status).toBe(0)
  expect(podsOf(stdout)).toMatchObject([INJECTED])
})

/** Creates a namespace for each file of tests, and deletes it afterwards. */
import { stringify } from 'yaml'
import { eventually } from './eventually.ts'
import { kubectl } from './run.ts'

export interface TestNamespace extends AsyncDisposable {
  readonly name: string
  /** Runs kubectl in the namespace, and returns what it prints. */
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>
  /** Creates the objects, with strict field validation. */
  readonly create: (...objects: readonly (object | string)[]) => Promise<void>
  readonly ready: (pod: string, withinSeconds?: number) => Promise<void>
  /** Reads a JSONPath, such as `{.status.podIP}`, from the result of `kubectl get WORDS`. */
  readonly field: (words: string, path: string) => Promise<string>
  readonly logs: (pod: string, container?: string) => Promise<string>
  readonly exec: (pod: string, container: string, argv: readonly string[]) => Promise<string>
}

export type Level = 'privileged' | 'baseline' | 'restricted'

/** Creates a namespace that enforces the Pod Security level. Use it with `await using`. */
export async function testNamespace(name: string, level: Level = 'privileged') {
  const labels = { 'pod-security.kubernetes.io/enforce': level }
  await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--now'])
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
  await kubectl(['create', '-f', '-'], stringify(namespace))
  const inside = (args: readonly string[], input?: string) =>
    kubectl(['--namespace', name, ...args], input)
  // The API server rejects pods until the controller has created the ServiceAccount.
  await eventually(`a default ServiceAccount in ${name}`, () =>
    inside(['get', 'serviceaccount', 'default']),
  )
  const created: TestNamespace = {
    name,
    kubectl: inside,
    async create(...objects) {
      const documents = objects.map((each) => (typeof each === 'string' ? each : stringify(each)))
      await inside(['create', '--validate=strict', '-f', '-'], documents.join('\n---\n'))
    },
    async ready(pod, withinSeconds = 60) {
      try {
        await inside(['wait', '--for=condition=Ready', `pod/${pod}`, `--timeout=${withinSeconds}s`])
      } catch (error) {
        const described = await inside(['describe', 'pod', pod])
        throw new Error(`${pod} is not ready\n${described}`, { cause: error })
      }
    },
    field: (words, path) => inside(['get', ...words.split(' '), '-o', `jsonpath=${path}`]),
    logs: (pod, container = 'app') => inside(['logs', pod, '--container', container]),
    exec: (pod, container, argv) => inside(['exec', pod, '--container', container, '--', ...argv]),
    async [Symbol.asyncDispose]() {
      await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--now', '--wait=false'])
      await inside(['delete', 'pods', '--all', '--now', '--wait=false'])
    },
  }
  return created
}

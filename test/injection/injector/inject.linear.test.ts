/** The steps of an injection and the size of its patch are linear in the size of the pod. */
import { expect, test } from 'vitest'
import { inject } from '../../../src/injection/injector/inject.ts'
import { request } from './patched.ts'

const repeat = <T>(count: number, one: (index: number) => T) =>
  Array.from({ length: count }, (_, at) => one(at))

/** A container with many entries and long values that the injector might combine. */
const createContainer = (size: number, name: string) => ({
  name,
  env: [
    ...repeat(size, (at) => ({ name: `V${at}`, value: 'x' })),
    ...repeat(size, () => ({ name: 'AZURE_POD_IDENTITY_AUTHORITY_HOST', value: 'http://x' })),
    { name: 'NO_PROXY', value: '.a,'.repeat(size) },
    { name: 'no_proxy', value: '.example.com,'.repeat(size) },
    { name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/a/token' },
  ],
  ports: repeat(size, (at) => ({ containerPort: at })),
  volumeMounts: repeat(size, () => ({ name: 'tokens', mountPath: '/a' })),
})

/** An injected pod, whose record says that injection changed every variable that it may. */
function createPod(size: number, containers: number) {
  const listen = { name: 'WIMDS_LISTEN', value: `127.0.0.1:${'9'.repeat(30 * size)}` }
  const tokens = repeat(10, (at) => ({ serviceAccountToken: { path: `t${at}` } }))
  const changes = { NO_PROXY: ['', 'digest'], no_proxy: ['', 'digest'] }
  const env = Object.fromEntries(repeat(containers, (at) => [`c${at}`, changes]))
  return {
    metadata: { annotations: { 'wimds.io/injected': JSON.stringify({ mode: 'loopback', env }) } },
    spec: {
      initContainers: [{ name: 'wimds', env: [listen] }],
      containers: repeat(containers, (at) => createContainer(size, `c${at}`)),
      volumes: repeat(size, () => ({ name: 'tokens', projected: { sources: tokens } })),
    },
  }
}

const METHODS: readonly (readonly [object, string])[] = [
  ...'map filter flatMap find findLast findIndex some every'
    .split(' ')
    .map((name) => [Array.prototype, name] as const),
  [String.prototype, 'split'],
  [JSON, 'stringify'],
]

/** Counts the calls of callbacks of array methods, and the characters that are split, joined or printed. */
function countSteps(run: () => void): number {
  let steps = 0
  const count = (original: Function) =>
    function (this: unknown, first: unknown, ...rest: unknown[]): unknown {
      const counted = (...args: unknown[]): unknown => {
        steps += 1
        return typeof first === 'function' && Reflect.apply(first, undefined, args)
      }
      const given = [typeof first === 'function' ? counted : first, ...rest]
      const result: unknown = Reflect.apply(original, this, given)
      const text = typeof this === 'string' ? this : result
      steps += typeof text === 'string' ? text.length : 0
      return result
    }
  const originals = METHODS.map(([target, name]) => {
    const original: unknown = Reflect.get(target, name)
    if (typeof original !== 'function') throw new Error(`no method ${name}`)
    Reflect.set(target, name, count(original))
    return [target, name, original] as const
  })
  try {
    run()
  } finally {
    for (const original of originals) Reflect.set(...original)
  }
  return steps
}

function measure(size: number, containers: number): number {
  const pod = createPod(size, containers)
  let patchBytes = 0
  const steps = countSteps(() => {
    const injection = inject(request(pod, {}))
    if (injection.kind === 'injected') patchBytes = JSON.stringify(injection.patch).length
  })
  expect(patchBytes).toBeGreaterThan(0)
  expect(patchBytes).toBeLessThan(3 * JSON.stringify(pod).length + 10_000)
  return steps
}

test('ten times as many entries or containers take at most ten times the steps, and the patch has at most three times the size of the pod', () => {
  expect(measure(500, 2)).toBeLessThan(10.5 * measure(50, 2))
  expect(measure(5, 200)).toBeLessThan(10.5 * measure(5, 20))
})

/** The work and the patch are linear in the pod, whatever its author puts into it. */
import { expect, test } from 'vitest'
import { inject } from '../../../src/injection/injector/inject.ts'
import { request } from './patched.ts'

const repeat = <T>(count: number, one: (index: number) => T) =>
  Array.from({ length: count }, (_, at) => one(at))
const token = (path: string) => ({ serviceAccountToken: { path } })

/** Containers of a size, each with many entries and one long value that the injector might combine. */
const CRAFTED: readonly (readonly [string, (size: number) => object])[] = [
  [
    'NO_PROXY entries and a long no_proxy',
    (size) => ({
      env: [
        ...repeat(size, () => ({ name: 'NO_PROXY', value: '.svc' })),
        { name: 'no_proxy', value: '.example.com,'.repeat(size) },
      ],
    }),
  ],
  ['a long NO_PROXY', (size) => ({ env: [{ name: 'NO_PROXY', value: '.a,'.repeat(size) }] })],
  [
    'variables of an earlier injection and a long WIMDS_LISTEN',
    (size) => ({
      env: repeat(size, () => ({ name: 'AZURE_POD_IDENTITY_AUTHORITY_HOST', value: 'http://x' })),
    }),
  ],
  ['variables', (size) => ({ env: repeat(size, (at) => ({ name: `V${at}`, value: 'x' })) })],
  [
    'mounts around the token',
    (size) => ({
      env: [{ name: 'AZURE_FEDERATED_TOKEN_FILE', value: '/a/token' }],
      volumeMounts: repeat(size, () => ({ name: 'tokens', mountPath: '/a' })),
    }),
  ],
  ['ports', (size) => ({ ports: repeat(size, (at) => ({ containerPort: at })) })],
]

function createPod(size: number, containers: number, craft: (size: number) => object) {
  const listen = { name: 'WIMDS_LISTEN', value: `127.0.0.1:${'9'.repeat(30 * size)}` }
  return {
    metadata: { annotations: { 'wimds.io/injected': createRecord(containers) } },
    spec: {
      initContainers: [{ name: 'wimds', env: [listen] }],
      containers: repeat(containers, (at) => ({ name: `c${at}`, ...craft(size) })),
      volumes: repeat(size, () => ({
        name: 'tokens',
        projected: { sources: repeat(10, (at) => token(`t${at}`)) },
      })),
    },
  }
}

/** Returns a record by which injection changed every variable that it may. */
function createRecord(containers: number): string {
  const env = Object.fromEntries(['NO_PROXY', 'no_proxy'].map((name) => [name, ['', 'digest']]))
  const names = repeat(containers, (at) => [`c${at}`, env] as const)
  return JSON.stringify({ mode: 'env', env: Object.fromEntries(names) })
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

test.each(CRAFTED)(
  'twice %s take at most twice the steps, and the patch is at most three times the pod',
  (_, craft) => {
    const measure = (size: number, count: number) => {
      const pod = createPod(size, count, craft)
      const bytes = JSON.stringify(pod).length
      let patchBytes = 0
      const steps = countSteps(() => {
        const injection = inject(request(pod, { mode: 'env' }))
        if (injection.kind === 'injected') patchBytes = JSON.stringify(injection.patch).length
      })
      expect(patchBytes).toBeLessThan(3 * bytes + 10_000)
      return steps
    }
    const small = measure(50, 2)
    expect(measure(100, 2)).toBeLessThan(2.2 * small)
    expect(measure(50, 8)).toBeLessThan(4.4 * small)
  },
)
